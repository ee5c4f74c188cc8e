// Finds where each character of a scalar stands in the file, so that an error inside an expression points at the right
// character. libyaml only tells where a scalar starts and ends. Instead of a second YAML scanner, text and source are
// walked side by side: characters other than blanks come in the same order in both, blanks may have been folded, and
// only quoted scalars have escapes.

extension YAMLScalar {
    /// For each character of `text` its offset in the source, plus one entry for the end.
    func alignedOrigins() -> [Int] {
        if let origins { return origins }
        return ScalarAlignment(scalar: self).origins
    }
}

private struct ScalarAlignment {
    private let source: [Unicode.Scalar]
    private let style: YAMLScalar.Style
    private let end: Int
    private var next: Int
    private(set) var origins: [Int] = []

    init(scalar: YAMLScalar) {
        source = scalar.source.scalars
        style = scalar.style
        let span = scalar.span.clamped(to: 0..<source.count)
        switch style {
        case .plain:
            (next, end) = (span.lowerBound, span.upperBound)
        case .singleQuoted, .doubleQuoted:
            next = min(span.lowerBound + 1, span.upperBound)
            end = max(next, span.upperBound - 1)
        case .block:
            var start = span.lowerBound
            while start < span.upperBound, source[start] != "\n", source[start] != "\r" { start += 1 }
            (next, end) = (start, span.upperBound)
        }
        for scalar in scalar.text.unicodeScalars { origins.append(match(scalar)) }
        origins.append(min(next, end))
    }

    private mutating func match(_ wanted: Unicode.Scalar) -> Int {
        let isBlank = Self.isBlank(wanted)
        if !isBlank || style == .block { skipBlanks(stopAtBlank: isBlank) }
        guard next < end else { return max(end - 1, 0) }
        let found = next
        if style == .doubleQuoted, source[next] == "\\" {
            next = min(end, next + escapeLength(at: next))
        } else if style == .singleQuoted, source[next] == "'" {
            next = min(end, next + 2)
        } else if !isBlank || Self.isBlank(source[next]) {
            next += 1
        }
        return found
    }

    /// Passes over blanks and escaped line breaks that left no character of their own. In a block scalar the line
    /// break and indentation before the first wanted blank are passed as well.
    private mutating func skipBlanks(stopAtBlank: Bool) {
        if stopAtBlank {
            if origins.isEmpty, next < end, source[next] == "\n" || source[next] == "\r" { skipBreakAndIndentation() }
            return
        }
        while next < end {
            if Self.isBlank(source[next]) {
                next += 1
            } else if style == .doubleQuoted, source[next] == "\\", next + 1 < end, Self.isBlank(source[next + 1]) {
                next += 2
            } else {
                return
            }
        }
    }

    private mutating func skipBreakAndIndentation() {
        while next < end, Self.isBlank(source[next]) { next += 1 }
    }

    private func escapeLength(at index: Int) -> Int {
        guard index + 1 < end else { return 1 }
        return switch source[index + 1] {
        case "x": 4
        case "u": 6
        case "U": 10
        default: 2
        }
    }

    private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
        scalar == " " || scalar == "\n" || scalar == "\t" || scalar == "\r"
    }
}

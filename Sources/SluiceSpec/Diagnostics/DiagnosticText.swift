// The two printers of diagnostics: for people, with the line and carets below it, and JSON for tools.

/// The lines of the spec files, for showing them below a diagnostic.
package struct SourceLines: Sendable {
    private let files: [String: SourceText]

    /// Takes the same files as `SpecReader.read`; of two files with one name the first is kept.
    package init(files: [(name: String, text: [UInt8])]) {
        self.files = Dictionary(
            files.map { ($0.name, SourceText.decode(name: $0.name, bytes: $0.text).text) },
            uniquingKeysWith: { first, _ in first })
    }

    /// The text of a line (from 1) without its line break; nil if there is no such file or line.
    package func line(_ line: Int, ofFile file: String) -> String? {
        characters(ofLine: line, inFile: file).map { String(String.UnicodeScalarView($0)) }
    }

    /// The same without a copy: a line may have millions of characters, and thousands of findings.
    fileprivate func characters(ofLine line: Int, inFile file: String) -> ArraySlice<Unicode.Scalar>? {
        guard let source = files[file], line >= 1, line <= source.lineCount else { return nil }
        return source.scalars[source.range(ofLine: line)]
    }
}

extension Diagnostic {
    /// The diagnostic for people, without a line break at its end:
    ///
    ///     orders.yaml:14:7: error[unknown-key]: `watermarks` is not a key of a source
    ///           watermarks: { column: ordered_at }
    ///           ^^^^^^^^^^
    ///         did you mean `watermark`?
    package func rendered(lines: SourceLines) -> String {
        var text = "\(position.file):\(position.line):\(position.column): \(severity.rawValue)[\(code)]: \(message)"
        if let line = lines.characters(ofLine: position.line, inFile: position.file) { text += excerpt(of: line) }
        if let fix { text += "\n    \(fix)" }
        return printable(text)
    }

    /// The line and its carets, cut to a window when the line is very long.
    private func excerpt(of line: ArraySlice<Unicode.Scalar>) -> String {
        let limit = 160
        let start = min(max(0, position.column - 1), line.count)
        let isLong = line.count > limit
        let first = isLong ? max(0, min(start - 40, line.count - limit)) : 0
        let shown = line.dropFirst(first).prefix(limit)
        let prefix = first > 0 ? "…" : ""
        let suffix = first + shown.count < line.count ? "…" : ""
        let carets = max(1, min(length, first + shown.count - start))
        let blanks = String(repeating: " ", count: prefix.count + start - first)
        let visible = String(String.UnicodeScalarView(shown.map { $0 == "\t" ? " " : $0 }))
        return "\n\(prefix)\(visible)\(suffix)\n\(blanks)\(String(repeating: "^", count: carets))"
    }

    /// A spec's text must not be able to steer a terminal.
    private func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    let isControl = (scalar.value < 32 && scalar != "\n") || (127..<160).contains(scalar.value)
                    return isControl ? "\u{FFFD}" : scalar
                }))
    }

    /// The diagnostic as a JSON object: severity, code, file, line, column, length, message, fix (null if none).
    package var json: String { String(decoding: jsonValue.text(), as: UTF8.self) }

    private var jsonValue: JSONValue {
        .object([
            "severity": .string(severity.rawValue), "code": .string(code), "file": .string(position.file),
            "line": .integer(Int64(position.line)), "column": .integer(Int64(position.column)),
            "length": .integer(Int64(length)), "message": .string(message), "fix": .optional(fix),
        ])
    }
}

extension Sequence where Element == Diagnostic {
    /// All diagnostics as a JSON array, one object a line.
    package var json: String {
        let objects = map { "  " + $0.json }
        return objects.isEmpty ? "[]" : "[\n" + objects.joined(separator: ",\n") + "\n]"
    }
}

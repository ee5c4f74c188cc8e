// Maps offsets to places. libyaml counts characters from the start of the stream; people count lines and columns as
// their editor shows them, so lines are split here and not taken from libyaml (which also breaks at U+2028).

/// A part of a spec file that a diagnostic is about.
struct Place: Hashable, Sendable {
    var position: SourcePosition
    /// In characters, at least 1.
    var length: Int
}

/// The characters of one spec file with the start of each line.
final class SourceText: Sendable {
    let name: String
    let scalars: [Unicode.Scalar]
    /// Offsets of the first character of each line; never empty.
    private let lineStarts: [Int]

    init(name: String, scalars: [Unicode.Scalar]) {
        self.name = name
        self.scalars = scalars
        var starts = [0]
        for (index, scalar) in scalars.enumerated() {
            let isBreak =
                scalar == "\n" || (scalar == "\r" && !(index + 1 < scalars.count && scalars[index + 1] == "\n"))
            if isBreak { starts.append(index + 1) }
        }
        lineStarts = starts
    }

    var lineCount: Int { lineStarts.count }

    /// The place of the character at `offset`; offsets behind the end are taken for the end. O(log lines).
    func position(at offset: Int) -> SourcePosition {
        let offset = min(max(offset, 0), scalars.count)
        var low = 0
        var high = lineStarts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        return SourcePosition(file: name, line: low + 1, column: offset - lineStarts[low] + 1)
    }

    /// The place of a range, cut at the end of its first line.
    func place(_ range: Range<Int>) -> Place {
        let position = position(at: range.lowerBound)
        let available = self.range(ofLine: position.line).upperBound - range.lowerBound
        return Place(position: position, length: max(1, min(range.count, available)))
    }

    /// The characters of a line (from 1) without its line break; empty for a line that does not exist.
    func range(ofLine line: Int) -> Range<Int> {
        guard line >= 1, line <= lineStarts.count else { return scalars.count..<scalars.count }
        let start = lineStarts[line - 1]
        var end = line < lineStarts.count ? lineStarts[line] : scalars.count
        while end > start, scalars[end - 1] == "\n" || scalars[end - 1] == "\r" { end -= 1 }
        return start..<end
    }
}

extension SourceText {
    /// The file's text, or the offset of the first byte that is not UTF-8. A byte-order mark at the start is dropped.
    static func decode(name: String, bytes: [UInt8]) -> (text: SourceText, invalidAt: Int?) {
        var scalars: [Unicode.Scalar] = []
        scalars.reserveCapacity(bytes.count)
        var decoder = Unicode.UTF8()
        let hasMark = bytes.starts(with: [0xEF, 0xBB, 0xBF])
        var iterator = bytes.dropFirst(hasMark ? 3 : 0).makeIterator()
        while true {
            switch decoder.decode(&iterator) {
            case .scalarValue(let scalar): scalars.append(scalar)
            case .emptyInput: return (SourceText(name: name, scalars: scalars), nil)
            case .error: return (SourceText(name: name, scalars: scalars), scalars.count)
            }
        }
    }
}

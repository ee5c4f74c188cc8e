// Files whose records may hold line ends (`multiline` of CSV). Whether a line end is one of a record depends on all
// that comes before, so a file is looked through once from its start, block by block, and cut where records end; chunks
// are then read as those of other files are.
//
// A quote that is not closed would make one record of all that follows. Where a record has no end, or is longer than a
// line may be, its first line is taken for a bad record by itself, and what follows is looked at anew. A chunk ends
// there, so that whoever reads it sees no more than that line and comes to the same end.

internal import Glibc
internal import SluiceEngine
internal import SluiceSpec

struct RecordsOfLines: RecordCuts {
    private let lineEnds: CSVLineEnds
    private let byteCountMax: Int64

    private static let blockByteCount: Int64 = 1 << 20

    /// nil for a format whose records are lines.
    init?(_ format: RecordFormat, byteCountMax: Int64) {
        guard case .csv(let options) = format, options.isMultiline else { return nil }
        lineEnds = CSVLineEnds(options)
        self.byteCountMax = byteCountMax
    }

    /// A record, or a line that is none.
    struct End {
        /// Behind it, where the next one starts.
        var offset: Int64
        /// True when what is before was not to be closed.
        var isGivenUp = false
        /// Where a line starts that is too long to be read, and ends at `offset`.
        var longLine: Int64?
    }

    // MARK: - Cuts

    /// O(range), in little memory.
    func parts(
        of range: Range<Int64>, in file: TextFile, byteCount: Int64
    ) throws(ConnectorError) -> [FilePart] {
        var parts: [FilePart] = []
        var start = range.lowerBound
        try forEach(in: file, range, isWhole: true) { end in
            if let line = end.longLine {
                parts.append(FilePart(range: start..<line, endsInLongLine: true))
            } else if end.isGivenUp || end.offset - start >= byteCount || end.offset == range.upperBound {
                parts.append(FilePart(range: start..<end.offset))
            } else {
                return true
            }
            start = end.offset
            return true
        }
        return parts
    }

    /// O(range).
    func end(
        near offset: Int64, in file: TextFile, _ range: Range<Int64>, isWhole: Bool
    ) throws(ConnectorError) -> Int64? {
        var last = range.lowerBound
        try forEach(in: file, range, isWhole: isWhole) { end in
            if end.offset <= offset || last == range.lowerBound { last = end.offset }
            return end.offset < offset
        }
        return last > range.lowerBound ? last : nil
    }

    // MARK: - Records

    /// Calls `body` with the end of each record of a range that begins with one, until it says false. Where the range
    /// `isWhole` its end is that of a record; else there is more, and no more is said of the last one.
    private func forEach(
        in file: TextFile, _ range: Range<Int64>, isWhole: Bool, _ body: (End) -> Bool
    ) throws(ConnectorError) {
        var recordStart = range.lowerBound
        if recordStart == 0 { recordStart = try byteOrderMarkEnd(file, range) }
        var blockStart = recordStart
        var scan = lineEnds
        var block = ByteBuffer()
        while recordStart < range.upperBound {
            let blockEnd = min(blockStart + Self.blockByteCount, range.upperBound)
            block.removeAll()
            try file.append(blockStart..<blockEnd, to: &block)
            var index = 0
            while let next = unsafe scan.next(in: block.bytes, from: index) {
                index = next
                let end = blockStart + Int64(next)
                // Wherever blocks end, the same records are too long.
                if end - recordStart > byteCountMax { break }
                recordStart = end
                guard body(End(offset: end)) else { return }
            }
            blockStart = blockEnd
            let isAtEnd = blockEnd == range.upperBound
            if isAtEnd, !isWhole, blockEnd - recordStart <= byteCountMax { return }
            if recordStart == blockEnd { continue }
            if blockEnd - recordStart > byteCountMax || (isAtEnd && scan.isInQuotes) {
                let end = try givenUp(file, from: recordStart, to: range.upperBound)
                guard body(end) else { return }
                (recordStart, blockStart) = (end.offset, end.offset)
                scan.restart()
            } else if isAtEnd {
                _ = body(End(offset: blockEnd))
                return
            }
        }
    }

    /// The first line of a record that has no end.
    private func givenUp(_ file: TextFile, from start: Int64, to limit: Int64) throws(ConnectorError) -> End {
        let searched = start..<min(limit, start + byteCountMax)
        if let end = try file.firstLineEnd(in: searched) { return End(offset: end, isGivenUp: true) }
        if searched.upperBound == limit { return End(offset: limit, isGivenUp: true) }
        let end = try file.firstLineEnd(in: searched.upperBound..<limit) ?? limit
        return End(offset: end, longLine: start)
    }

    private func byteOrderMarkEnd(_ file: TextFile, _ range: Range<Int64>) throws(ConnectorError) -> Int64 {
        var head = ByteBuffer()
        try file.append(0..<min(Int64(byteOrderMark.count), range.upperBound), to: &head)
        return head.array() == byteOrderMark ? Int64(byteOrderMark.count) : 0
    }
}

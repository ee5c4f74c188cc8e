// sources/<name>.log: every partition (file) that a source of whole files has ever taken, one line each, appended when
// the batch is committed:
//
//     [17,1048576,"/data/visits/part-0017.jsonl"] crc32 0f3a77c1
//
// is batch, next offset, partition. In front of the first line that a life of the query appends stands whose it is:
//
//     {"queryId":"…","life":"…"} crc32 77aa01ef
//
// Appending is not waited for. Whoever opens the checkpoint may find lines of a batch
// that is to be run again, and a torn tail; both are given up by a line that says how many bytes before it count, and
// up to which batch:
//
//     {"keptBytes":5120,"keptBatch":16} crc32 77aa01ef
//
// so the file only ever grows and what is good in it is never written again.

internal import SluiceConnectors
internal import SluiceSpec

/// What a log says, read from its beginning.
struct SourceHistory: Sendable {
    struct Item: Hashable, Sendable {
        var batch: Int64
        var partition: String
        var next: Int64
        /// Of its line in the file.
        var offset: Int
        /// nil: before format 2.
        var origin: FileOrigin?
    }

    /// In the order of the log.
    private(set) var items: [Item] = []
    /// Whose the lines behind them are, with their places in the file.
    private var origins: [(offset: Int, origin: FileOrigin)] = []
    /// What is good of the file; less than the file has when it ends in a torn write.
    private(set) var validByteCount = 0
    private(set) var fileByteCount = 0

    init() {}

    /// O(bytes). Throws when there is damage that a crash does not leave.
    init(_ bytes: [UInt8]) throws(JSONError) {
        fileByteCount = bytes.count
        var position = 0
        while position < bytes.count {
            let line = Self.line(bytes, at: position)
            if let value = Self.check(line, in: bytes) {
                if Self.isReset(value) {
                    try apply(reset: value)
                } else if value["queryId"] != nil {
                    origins.append((position, try Self.origin(value)))
                } else {
                    items.append(try Self.item(value, at: position, origin: lastOrigin))
                }
                position = line.endIndex + 1
            } else {
                guard let next = try skipBad(bytes, from: position) else { break }
                position = next
            }
            validByteCount = position
        }
    }

    private mutating func apply(reset: JSONValue) throws(JSONError) {
        let (keptByteCount, keptBatch) = (try reset.integer("keptBytes"), try reset.integer("keptBatch"))
        items.removeAll { $0.offset >= keptByteCount || $0.batch > keptBatch }
        origins.removeAll { $0.offset >= keptByteCount }
    }

    /// Whose a line that is appended now would be.
    var lastOrigin: FileOrigin? { origins.last?.origin }

    /// A sum that two histories with the same batches, partitions and offsets have in common, in whatever order.
    static func digest(batch: Int64, _ ranges: some Sequence<OffsetRange>) -> UInt64 {
        ranges.reduce(0) { sum, range in
            sum &+ UInt64(crc32(line(batch, range.end, range.partition).text()))
        }
    }

    /// Finds the line that gives up what begins at `position` or before, and applies it. Returns the position behind
    /// it; nil when there is none and the rest is what a crash leaves: nothing good behind it, or zeros where data
    /// never reached the disk. In the second case lines that are good are given up too: the offsets files still have
    /// what was never synced here.
    private mutating func skipBad(_ bytes: [UInt8], from position: Int) throws(JSONError) -> Int? {
        var start = position
        var firstGood: Int?
        while start < bytes.count {
            let line = Self.line(bytes, at: start)
            if let value = Self.check(line, in: bytes) {
                firstGood = firstGood ?? start
                if Self.isReset(value), try value.integer("keptBytes") <= Int64(position) {
                    try apply(reset: value)
                    return line.endIndex + 1
                }
            }
            start = line.endIndex + 1
        }
        guard let firstGood, !bytes[position..<firstGood].contains(0) else { return nil }
        throw JSONError("the line at byte \(position) does not match its checksum")
    }

    /// The bytes to append so that everything behind batch `keptBatch` and the torn tail count no more; nil when there
    /// is nothing to give up.
    func reset(keptBatch: Int64) -> [UInt8]? {
        let isClean = validByteCount == fileByteCount && items.allSatisfy { $0.batch <= keptBatch }
        return isClean ? nil : Self.reset(keptByteCount: validByteCount, keptBatch: keptBatch)
    }

    /// The line that gives up what stands in a log behind its first `keptByteCount` bytes, and before it what is behind
    /// batch `keptBatch`. A torn tail has no newline of its own, so it begins with one.
    static func reset(keptByteCount: Int, keptBatch: Int64) -> [UInt8] {
        let line = JSONValue.object([
            JSONMember("keptBytes", .integer(Int64(keptByteCount))), JSONMember("keptBatch", .integer(keptBatch)),
        ])
        return [UInt8(ascii: "\n")] + encode(line)
    }

    static func lines(batch: Int64, _ ranges: [OffsetRange]) -> [UInt8] {
        var bytes: [UInt8] = []
        for range in ranges {
            bytes += encode(line(batch, range.end, range.partition))
        }
        return bytes
    }

    private static func line(_ batch: Int64, _ next: Int64, _ partition: String) -> JSONValue {
        .array([.integer(batch), .integer(next), .string(partition)])
    }

    /// The line that says whose the lines behind it are.
    static func line(_ origin: FileOrigin) -> [UInt8] {
        encode(
            .object([JSONMember("queryId", .string(origin.queryID)), JSONMember("life", .string(origin.life))]))
    }

    private static func origin(_ value: JSONValue) throws(JSONError) -> FileOrigin {
        FileOrigin(queryID: try value.string("queryId"), life: try value.string("life"))
    }

    private static func encode(_ value: JSONValue) -> [UInt8] {
        let text = value.text()
        return text + Array(" \(checksumText(text))\n".utf8)
    }

    private static func line(_ bytes: [UInt8], at start: Int) -> ArraySlice<UInt8> {
        bytes[start..<(bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex)]
    }

    /// nil when the line is not whole: the newline behind it is part of it.
    private static func check(_ line: ArraySlice<UInt8>, in bytes: [UInt8]) -> JSONValue? {
        let suffixByteCount = 15
        guard line.count > suffixByteCount, line.endIndex < bytes.endIndex else { return nil }
        let text = line.dropLast(suffixByteCount)
        guard line.suffix(suffixByteCount).elementsEqual(" \(checksumText(text))".utf8) else { return nil }
        return try? JSONValue(text: text)
    }

    private static func isReset(_ value: JSONValue) -> Bool { value["keptBytes"] != nil }

    private static func item(_ value: JSONValue, at offset: Int, origin: FileOrigin?) throws(JSONError) -> Item {
        guard case .array(let fields) = value, fields.count == 3, case .integer(let batch) = fields[0],
            case .integer(let next) = fields[1], case .string(let partition) = fields[2]
        else { throw JSONError("a line is no batch, offset and partition") }
        return Item(batch: batch, partition: partition, next: next, offset: offset, origin: origin)
    }
}

/// The file name of a source's log.
func historyFileName(source: String) -> String { plainFileName(source) + ".log" }

/// A name as one of a file.
func plainFileName(_ text: String) -> String { percentEncoded(text, plain: "_-") }

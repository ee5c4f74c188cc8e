// What was read, before anybody has looked at what it is: texts of files, or messages of a topic.

internal import SluiceConnectors
internal import SluiceEngine

/// How many records are looked at.
let sampledRecordCount = 1000

/// A sample of what a source would read.
package struct Sample: Sendable {
    /// A file or a partition; records of one stand in their order.
    package struct Part: Sendable {
        package var place: String
        package var content: Content

        package init(place: String, content: Content) {
            self.place = place
            self.content = content
        }
    }

    package enum Content: Sendable {
        /// Whole lines.
        case text([UInt8])
        /// The values of messages.
        case messages([[UInt8]])
        /// The blocks of a container file of Avro.
        case container(schema: [UInt8], blocks: [[UInt8]])
    }

    package var target: SampleTarget
    package var parts: [Part]
    /// True when there is no more than this.
    package var isAll: Bool
    /// How many files there are, sampled or not; 1 for a topic.
    package var fileCount: Int
    /// Messages without a value that were met.
    package var tombstoneCount: Int
    /// What is known of the schemas of its records.
    package var schemas: SampleSchemas

    package init(
        target: SampleTarget, parts: [Part], isAll: Bool, fileCount: Int = 1, tombstoneCount: Int = 0,
        schemas: SampleSchemas = .none
    ) {
        self.schemas = schemas
        self.tombstoneCount = tombstoneCount
        self.target = target
        self.parts = parts
        self.fileCount = fileCount
        self.isAll = isAll
        let max = recordCountMax
        self.isAll =
            isAll
            && parts.allSatisfy { part in
                switch part.content {
                case .text(let text): text.count { $0 == UInt8(ascii: "\n") } <= max
                case .container(_, let blocks): blocks.reduce(0) { $0 + AvroBlock($1).count } <= max
                case .messages: true
                }
            }
    }

    /// Whether records are messages and not lines.
    var isFramed: Bool { if case .topic = target { true } else { false } }

    /// How many records of each part are looked at.
    var recordCountMax: Int { max(10, (sampledRecordCount + parts.count - 1) / max(1, parts.count)) }
}

/// One record of a sample, as the engine is given it.
struct RawRecord {
    var bytes: [UInt8]
    /// The first line of its file, where that names fields.
    var header: [UInt8] = []
    /// The number of its part.
    var part: Int
    /// The schemas that it may name by number.
    var schemas: [RecordSchema] = []
    /// Whether it is a message, or of a container, and not a line.
    var isFramed = false
}

extension [RawRecord] {
    /// Whether most of them begin as values do that name a schema by its number.
    var nameSchemas: Bool {
        count { $0.bytes.first == 0 && $0.bytes.count > ConfluentFraming.byteCount } * 2 > count
    }
}

extension Sample {
    /// Each line, or each message, that is not blank.
    func lines() -> [RawRecord] {
        var records: [RawRecord] = []
        let named = schemas.named
        for (number, part) in parts.enumerated() {
            switch part.content {
            case .messages(let values):
                records += values.map { RawRecord(bytes: $0, part: number, schemas: named, isFramed: true) }
            case .container: break
            case .text(let text):
                let lines = text.split(separator: UInt8(ascii: "\n")).lazy.map { line in
                    line.last == UInt8(ascii: "\r") ? line.dropLast() : line
                }
                let wanted = lines.filter { !$0.allSatisfy { $0 == 0x20 || $0 == 0x09 } }.prefix(recordCountMax)
                records += wanted.map { RawRecord(bytes: Array($0), part: number) }
            }
        }
        return records
    }
}

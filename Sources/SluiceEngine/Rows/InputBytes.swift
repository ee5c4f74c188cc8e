// What a batch reads, seen from the engine: text in chunks, fetched by whichever worker decodes a chunk. What has to be
// waited for (a broker) is waited for by the query's own thread, round by round, so that no shared worker ever stands
// still for one query:
//
//     query's thread   readyChunks ──▶ 0..<4        readyChunks ──▶ 4..<7        readyChunks ──▶ none: the end
//     workers                    read, decode 0…3            read, decode 4…6

package import SluiceSpec

/// The records of one source for one batch, cut into chunks at record boundaries. How they are cut does not show in the
/// result, their order does.
package protocol InputBytes: Sendable {
    /// The chunks from `first` on that can be read without waiting; empty at the end of the batch's input. Called by
    /// the query's thread while no chunk is being read, with `first` one behind the last chunk it has given. Waits
    /// until there is one; the memory of the chunks before may then be given up.
    func readyChunks(from first: Int) throws -> Range<Int>

    /// Fills `chunk`, which is empty, with the records of one chunk, and makes sure of at least
    /// `inputPaddingByteCount` readable bytes of capacity behind `chunk.text.count`. Called once per chunk, from any
    /// thread, several at a time. Does not wait for anything but a disk.
    func read(chunk number: Int, into chunk: inout InputChunk) throws

    /// Where a chunk's records stand among those of all chunks: a replay of the batch gives the same order, however
    /// the records arrived.
    func order(of chunk: Int) -> Int

    /// True when the chunk begins where a file begins, so that a CSV header may stand there.
    func startsFile(_ chunk: Int) -> Bool

    /// The partition a chunk is from, where a watermark per partition can be asked for.
    func partition(of chunk: Int) -> String?

    /// The topic a chunk is from, where a watermark per topic can be asked for.
    func topic(of chunk: Int) -> String?

    /// Where the records of a chunk that has been read stand in the source, whatever batch they are read in.
    func origin(of chunk: Int) -> ChunkOrigin

    /// How many of the records that were read name each schema, by its number; empty where nobody asked for it.
    var recordsBySchema: [UInt32: Int] { get }

    /// Words for the place of a record, such as `visits.jsonl:12`, `visits.log@1200` or `visits/0@17`.
    func place(chunk: Int, record: RecordPlace) -> String
}

extension InputBytes {
    package func order(of chunk: Int) -> Int { chunk }
    package func startsFile(_ chunk: Int) -> Bool { false }
    package func partition(of chunk: Int) -> String? { nil }
    package func topic(of chunk: Int) -> String? { nil }
    package func origin(of chunk: Int) -> ChunkOrigin { ChunkOrigin() }
    package var recordsBySchema: [UInt32: Int] { [:] }
    package func place(chunk: Int, record: RecordPlace) -> String { "chunk \(chunk), byte \(record.byteOffset)" }
}

/// What a chunk's records have in common of their places.
package struct ChunkOrigin: Hashable, Sendable {
    /// The number of their partition; 0 in a file.
    package var partition: Int32
    /// The path of their file, or the name of their topic.
    package var path: String
    /// In a file, where the chunk's first byte is. Records that say their offset themselves do not need it.
    package var firstOffset: Int64

    package init(partition: Int32 = 0, path: String = "", firstOffset: Int64 = 0) {
        self.partition = partition
        self.path = path
        self.firstOffset = firstOffset
    }
}

/// Where a record is in its chunk.
package struct RecordPlace: Hashable, Sendable {
    /// Of its first byte in the chunk's text.
    package var byteOffset: Int
    /// Its own offset; nil where records are lines.
    package var offset: Int64?

    package init(byteOffset: Int, offset: Int64? = nil) {
        self.byteOffset = byteOffset
        self.offset = offset
    }
}

/// Readable bytes that must follow a chunk's text (the JSON indexer reads past the end).
package let inputPaddingByteCount = 64

/// The records of one chunk: lines of text, or records that say themselves where they end.
package struct InputChunk: ~Copyable {
    /// Lines, each ended by `\n` (the last may lack it); or framed records, each followed by one `\n` that is not part
    /// of it.
    package var text = ByteBuffer()
    /// One per record when `isFramed`, else empty.
    package var records: [InputRecord] = []
    /// True when `records` and not line ends say where records end.
    package var isFramed = false
    /// What records say beside their text, see `RecordAttributes`.
    package var attributes = ByteBuffer()
    /// The partition all records are from, where it has a number.
    package var partition: Int32 = 0
    /// Where the records stand in their source; set only where a plan keeps their places.
    package var origin = ChunkOrigin()
    /// What the file that the text is from says of its records: the first line of CSV, without its end, where that
    /// names fields; the schema of Avro.
    package var header: [UInt8] = []
    /// The name of the topic all records are from; empty where there is none.
    package var topic: [UInt8] = []
    /// The schemas that records name by number, each once.
    package var schemas: [RecordSchema] = []
    /// True when a line follows the text that was too long to be read: one record, and a bad one.
    package var endsInLongLine = false

    package init() {}

    /// Keeps the memory and forgets the content.
    package mutating func removeAll() {
        text.removeAll()
        records.removeAll(keepingCapacity: true)
        isFramed = false
        attributes.removeAll()
        header = []
        schemas = []
        endsInLongLine = false
    }
}

/// A schema by the number that records have it by. Whoever makes a chunk puts in those that its records name, as they
/// are known by then: the engine waits for none.
package struct RecordSchema: Hashable, Sendable {
    package var id: UInt32
    package var writer: SchemaText
    /// What records are read as, whoever has written them; nil: as they are written.
    package var reader: SchemaText?

    package init(id: UInt32, writer: SchemaText, reader: SchemaText? = nil) {
        self.id = id
        self.writer = writer
        self.reader = reader
    }
}

/// One framed record.
package struct InputRecord: Hashable, Sendable {
    /// Behind its last byte in the chunk's text.
    package var end: UInt32
    /// True for a record without a value (a tombstone), which is not the same as an empty one.
    package var isNull: Bool
    package var offset: Int64
    /// Since the epoch; negative when the record has none.
    package var timestampMillis: Int64
    /// Where its attributes begin in the chunk's attributes.
    package var attributesStart: UInt32

    package init(end: UInt32, isNull: Bool, offset: Int64, timestampMillis: Int64, attributesStart: UInt32) {
        self.end = end
        self.isNull = isNull
        self.offset = offset
        self.timestampMillis = timestampMillis
        self.attributesStart = attributesStart
    }
}

/// A batch that has nothing from this source.
package struct NoInputBytes: InputBytes {
    package init() {}
    package func readyChunks(from first: Int) throws -> Range<Int> { first..<first }
    package func read(chunk number: Int, into chunk: inout InputChunk) throws {}
}

/// Runs `body` for each index below `count`, possibly on several threads at once, and returns when all have ended.
/// The engine owns no threads: tests hand in a plain loop, the runtime its worker pool.
package typealias ParallelFor = @Sendable (_ count: Int, _ body: @Sendable (Int) -> Void) -> Void

// The seam for formats. A format is a value of a spec; what reads it is a decoder of its own, with its own state, that
// turns the text of one record into a row. Everything else about records is the same for all: where they end, their
// frames, their places, the policy for bad ones (`RecordDecoder`, `LaneInput`). To add a format, write a decoder, and
// name it in `RecordFormat.lane` below, the one place that tells formats apart.

internal import SluicePlan
internal import SluiceSpec

/// Reads the records of one format into the rows of one input. It belongs to one worker.
protocol FormatDecoder: ~Copyable {
    /// Starts on a chunk, which stays as it is up to the next; `startsFile` when it begins with a file's first byte.
    mutating func begin(startsFile: Bool)

    /// Takes what the file that the next chunk is from says of its records; empty where that is nothing.
    mutating func readHeader(_ header: [UInt8])

    /// Takes the schemas that records of the next chunk name by number.
    mutating func readSchemas(_ schemas: [RecordSchema])

    /// Makes ready for the record at `start`; the formats that look at many records at once do so here.
    mutating func prepare(_ text: UnsafeRawPointer, from start: Int, _ bounds: RecordBounds)

    /// True while the last record has more rows, which `decodeMore` gives one by one.
    var hasMoreRows: Bool { get }
    mutating func decodeMore(_ row: inout RowWriter, into arena: inout ByteBuffer) -> RecordOutcome

    /// Where the line ends that is the record at `start`: at its `\n`, or at `end`.
    mutating func recordEnd(_ text: UnsafeRawPointer, from start: Int, to end: Int) -> Int

    /// True for text that is no record and nothing bad: a blank line, a header.
    mutating func isNothing(_ text: UnsafeRawPointer, _ record: Range<Int>, isFramed: Bool) -> Bool

    /// Appends the row of a record that is not nothing. `inputPaddingByteCount` bytes behind the chunk's text are
    /// readable. Of a bad one the row's `fault` says what is wrong.
    mutating func decode(
        _ text: UnsafeRawPointer, _ record: Range<Int>, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> RecordOutcome
}

/// What most formats do: a row a record, a record a line, and no header.
extension FormatDecoder where Self: ~Copyable {
    mutating func readHeader(_ header: [UInt8]) {}
    mutating func readSchemas(_ schemas: [RecordSchema]) {}
    mutating func prepare(_ text: UnsafeRawPointer, from start: Int, _ bounds: RecordBounds) {}

    @inline(__always) var hasMoreRows: Bool { false }
    mutating func decodeMore(_ row: inout RowWriter, into arena: inout ByteBuffer) -> RecordOutcome { .noRows }

    @inline(__always)
    mutating func recordEnd(_ text: UnsafeRawPointer, from start: Int, to end: Int) -> Int {
        unsafe findByte(UInt8(ascii: "\n"), in: text, from: start, to: end)
    }
}

extension RecordFormat {
    /// What one worker reads an input of this format with.
    func lane(_ setup: LaneSetup) -> InputLane {
        switch self {
        case .json where setup.input.each != nil: FormatLane(setup, EachRecordDecoder(setup.input, zones: setup.zones))
        case .json: FormatLane(setup, JSONRecordDecoder(setup.input))
        case .csv(let options): FormatLane(setup, CSVRecordDecoder(options, setup.input))
        case .avro(let options): FormatLane(setup, AvroRecordDecoder(options, setup.input))
        case .protobuf(let options): FormatLane(setup, ProtobufRecordDecoder(options, setup.input))
        }
    }
}

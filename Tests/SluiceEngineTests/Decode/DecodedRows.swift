// Decodes text in tests and shows rows as one optional text per column.

import SluicePlan
import SluiceSpec

@testable import SluiceEngine

/// A record as the decoder gave it.
struct DecodedRecord: Equatable, CustomStringConvertible {
    /// What its outcome says; `isBad` where it is no good row.
    var kind: Kind
    /// What is wrong with a bad one.
    var fault: RecordFault?
    var isBad: Bool { kind == .bad || kind == .none }
    /// Strings as they are, timestamps in microseconds, dates in days, doubles by their bits, decimals as digits.
    var values: [String?]

    /// Whether Spark would call it corrupt: it reads no further than the object's end, and any bytes as text. nil where
    /// it is not UTF-8, and nobody has looked any further here.
    var isCorruptInSpark: Bool? { fault == .encoding ? nil : isBad && fault != .trailingText }

    enum Kind {
        /// A good row, a row with a bad field, no record, a tombstone.
        case good, bad, none, tombstone
    }

    var description: String {
        (kind == .good ? "" : "\(kind) ") + values.map { $0 ?? "-" }.joined(separator: " | ")
    }
}

func inputPlan(
    _ columns: [(String, DataType)], format: RecordFormat = .json(), timeZone: String = "Europe/Paris",
    badRows: BadRowsPolicy = .null
) -> InputPlan {
    InputPlan(
        source: "source", format: format, timeZone: timeZone, badRows: badRows, fieldCount: columns.count,
        columns: columns.enumerated().map {
            InputColumn(name: $1.0, type: $1.1, origin: .field(FieldPath(name: $1.0)), declaredIndex: $0)
        })
}

/// How the text of a chunk is handed to the decoder.
enum DecodePath {
    /// As the product does.
    case block
    /// Each line through the complete reader alone.
    case lenient
}

/// All records of a chunk.
func decode(
    _ text: [UInt8], _ plan: InputPlan, path: DecodePath = .block, startsFile: Bool = false
) -> [DecodedRecord] {
    switch path {
    case .block: return decode(chunk(text), plan, startsFile: startsFile)
    case .lenient: return decodeLeniently(text, plan)
    }
}

func decode(_ text: String, _ plan: InputPlan, path: DecodePath = .block) -> [DecodedRecord] {
    decode(Array(text.utf8), plan, path: path)
}

/// All records of a chunk, lines or framed ones.
func decode(_ chunk: borrowing InputChunk, _ plan: InputPlan, startsFile: Bool = false) -> [DecodedRecord] {
    switch plan.format {
    case .json:
        var decoder = jsonDecoder(plan)
        return decode(chunk, with: &decoder, plan, startsFile: startsFile)
    case .csv(let options):
        var decoder = RecordDecoder(CSVRecordDecoder(options, plan), input: plan, zones: systemTimeZones)
        return decode(chunk, with: &decoder, plan, startsFile: startsFile)
    case .avro(let options):
        var decoder = RecordDecoder(AvroRecordDecoder(options, plan), input: plan, zones: systemTimeZones)
        return decode(chunk, with: &decoder, plan, startsFile: startsFile)
    case .protobuf(let options):
        var decoder = RecordDecoder(ProtobufRecordDecoder(options, plan), input: plan, zones: systemTimeZones)
        return decode(chunk, with: &decoder, plan, startsFile: startsFile)
    }
}

func jsonDecoder(_ plan: InputPlan) -> RecordDecoder<JSONRecordDecoder> {
    RecordDecoder(JSONRecordDecoder(plan), input: plan, zones: systemTimeZones)
}

/// All rows of a chunk whose records make one of each element of an array.
func decodeEach(_ text: [UInt8], _ plan: InputPlan) -> [DecodedRecord] {
    var decoder = RecordDecoder(EachRecordDecoder(plan, zones: systemTimeZones), input: plan, zones: systemTimeZones)
    return decode(chunk(text), with: &decoder, plan)
}

func chunk(_ text: [UInt8]) -> InputChunk {
    var chunk = InputChunk()
    chunk.text.append(contentsOf: text)
    chunk.text.reserve(inputPaddingByteCount)
    return chunk
}

/// All records of a chunk, by a decoder that may have seen others before.
func decode<Format: FormatDecoder & ~Copyable>(
    _ chunk: borrowing InputChunk, with decoder: inout RecordDecoder<Format>, _ plan: InputPlan,
    startsFile: Bool = false
) -> [DecodedRecord] {
    var rows = RowCollector(plan)
    let frames = chunk.records
    frames.withUnsafeBufferPointer { frames in
        decoder.begin(chunk, records: frames, startsFile: startsFile)
        while true {
            let outcome = decoder.next(into: &rows.arena)
            guard rows.take(outcome, decoder.fault, decoder.rowStart) else { break }
        }
    }
    withExtendedLifetime(chunk.text.count) {}
    return rows.records
}

/// Each line of JSON through the complete reader alone.
private func decodeLeniently(_ text: [UInt8], _ plan: InputPlan) -> [DecodedRecord] {
    var decoder = JSONRecordDecoder(plan)
    var row = RowWriter(plan, zones: systemTimeZones)
    var rows = RowCollector(plan)
    for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true) {
        guard !line.allSatisfy(isJSONBlank) else { continue }
        Array(line).withUnsafeBytes { bytes in
            let outcome = decoder.decodeLeniently(bytes, &row, into: &rows.arena)
            _ = rows.take(outcome, row.fault, row.fields.builder.start)
        }
    }
    return rows.records
}

private struct RowCollector: ~Copyable {
    let plan: InputPlan
    var arena = ByteBuffer()
    private(set) var records: [DecodedRecord] = []

    init(_ plan: InputPlan) { self.plan = plan }

    /// False at the end.
    mutating func take(_ outcome: RecordOutcome, _ fault: RecordFault, _ rowStart: Int) -> Bool {
        switch outcome {
        case .end: return false
        case .noRows: return true
        case .row(let byteCount): add(.good, nil, byteCount, rowStart)
        case .badRow(let byteCount): add(.bad, fault, byteCount, rowStart)
        case .noRecord(let byteCount): add(.none, fault, byteCount, rowStart)
        case .tombstone(let byteCount): add(.tombstone, nil, byteCount, rowStart)
        }
        return true
    }

    private mutating func add(_ kind: DecodedRecord.Kind, _ fault: RecordFault?, _ byteCount: Int, _ rowStart: Int) {
        precondition(byteCount % 8 == 0 && rowStart + byteCount == arena.count)
        records.append(DecodedRecord(kind: kind, fault: fault, values: values(arena, rowStart, plan)))
    }
}

private func values(_ arena: borrowing ByteBuffer, _ start: Int, _ plan: InputPlan) -> [String?] {
    let layout = RowLayout(columns: plan.columns)
    let row = PackedRow(base: UnsafeRawPointer(arena.base) + start, layout: layout)
    return plan.columns.indices.map { index in
        guard !row.isNull(index) else {
            precondition(row.slot(index) == 0)
            return nil
        }
        switch plan.columns[index].type {
        case .string, .json: return String(decoding: row.bytes(index), as: UTF8.self)
        case .double: return shown(row.double(index))
        case .boolean: return row.integer(index) == 1 ? "true" : "false"
        case .decimal: return String(row.decimal(index))
        default: return String(row.integer(index))
        }
    }
}

/// A double so that equal texts mean equal values.
func shown(_ value: Double) -> String {
    value.isNaN ? "NaN" : String(value.bitPattern, radix: 16)
}

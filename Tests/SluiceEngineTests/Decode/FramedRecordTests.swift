// Records that say themselves where they end: every one is accounted for, whatever stands in it, and what it says
// beside its text comes into columns. The same random lines must give the same rows framed and as lines.

import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceEngine

/// A record before it is put into a chunk.
private struct Framed {
    var value: [UInt8]?
    var key: [UInt8]?
    var color: [UInt8]?
    var offset: Int64 = 0
    var timestampMillis: Int64 = -1

    init(_ value: String?, key: String? = nil, color: String? = nil, offset: Int64 = 0, timestampMillis: Int64 = -1) {
        self.value = value.map { Array($0.utf8) }
        self.key = key.map { Array($0.utf8) }
        self.color = color.map { Array($0.utf8) }
        self.offset = offset
        self.timestampMillis = timestampMillis
    }
}

@Suite struct FramedRecordTests {
    private let plan = inputPlan([("s", .string), ("l", .long)])

    /// The columns `s` and `l` of the value and one of everything beside it.
    private func kafkaPlan(keyType: DataType = .string, format: RecordFormat = .json()) -> InputPlan {
        let fields: [(String, DataType, KafkaField)] = [
            ("key", keyType, .key), ("value", .string, .value), ("topic", .string, .topic),
            ("partition", .int, .partition), ("offset", .long, .offset), ("timestamp", .timestamp, .timestamp),
            ("color", .string, .header("color")),
        ]
        var plan = inputPlan([("s", .string), ("l", .long)], format: format)
        plan.fieldCount = 2
        plan.columns += fields.map { InputColumn(name: $0, type: $1, origin: .kafka($2), declaredIndex: 0) }
        return plan
    }

    private func decodeFramed(_ records: [Framed], _ plan: InputPlan) -> [DecodedRecord] {
        var chunk = InputChunk()
        chunk.isFramed = true
        chunk.partition = 3
        chunk.topic = Array("visits".utf8)
        for record in records {
            chunk.text.append(contentsOf: record.value ?? [])
            chunk.records.append(
                InputRecord(
                    end: UInt32(chunk.text.count), isNull: record.value == nil, offset: record.offset,
                    timestampMillis: record.timestampMillis, attributesStart: UInt32(chunk.attributes.count)))
            chunk.text.append(UInt8(ascii: "\n"))
            for attribute in plan.wantedAttributes {
                let bytes = attribute == .key ? record.key : record.color
                if let bytes {
                    bytes.withUnsafeBytes { chunk.appendAttribute($0) }
                } else {
                    chunk.appendAttribute(nil)
                }
            }
        }
        chunk.text.reserve(inputPaddingByteCount)
        return decode(chunk, plan)
    }

    private func decodeFramed(_ values: [String?], _ plan: InputPlan) -> [DecodedRecord] {
        decodeFramed(values.map { Framed($0) }, plan)
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `The same records give the same rows framed and as lines`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let plan = inputPlan(DecodeAgreementTests.columns)
        var lines = (0..<300).map { _ in DecodeAgreementTests.line(&random) }
        // A blank line is none, and a blank record is one: that is another test's business.
        lines.removeAll { $0.allSatisfy(isJSONBlank) }
        let framed = lines.map { line in
            var record = Framed("")
            record.value = line
            return record
        }
        #expect(
            decodeFramed(framed, plan) == decode(Array(lines.joined(separator: [UInt8(ascii: "\n")])), plan),
            "seed \(seed)")
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `Line ends inside a record are blanks like others`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let plan = inputPlan(DecodeAgreementTests.columns)
        let lines = (0..<400).map { _ in DecodeAgreementTests.line(&random) }.filter { !$0.allSatisfy(isJSONBlank) }
        var written: [Framed] = []
        var spread: [Framed] = []
        for line in lines {
            var record = Framed("")
            // Blanks between tokens of records that no string with a comma makes ambiguous.
            record.value = line.map { $0 == UInt8(ascii: " ") ? UInt8(ascii: "\t") : $0 }
            written.append(record)
            record.value = line.map { $0 == UInt8(ascii: " ") ? UInt8(ascii: "\n") : $0 }
            spread.append(record)
        }
        // Inside strings both are control characters, which no string may hold.
        #expect(decodeFramed(spread, plan) == decodeFramed(written, plan), "seed \(seed)")
    }

    @Test func `A record without a value is a tombstone, an empty or blank one is none, an empty object is a row`() {
        let kinds: [DecodedRecord.Kind] = [.tombstone, .none, .none, .good]
        let expected = kinds.map { DecodedRecord(kind: $0, fault: $0 == .none ? .empty : nil, values: [nil, nil]) }
        #expect(decodeFramed([nil, "", " \n ", "{}"], plan) == expected)
        let csv = inputPlan([("s", .string), ("l", .long)], format: .csv(CSVOptions()))
        #expect(decodeFramed([nil, "", " "], csv) == Array(expected.prefix(3)))
        #expect(decodeFramed(["x,1", "y,2"], csv).map(\.values) == [["x", "1"], ["y", "2"]])
    }

    @Test func `A record that is cut short does not reach into the next`() {
        let records = decodeFramed([#"{"s":"a"#, #"b","l":1}"#, #"{"l":2}"#], plan)
        #expect(
            records == [
                DecodedRecord(kind: .none, fault: .malformed, values: [nil, nil]),
                DecodedRecord(kind: .none, fault: .malformed, values: [nil, nil]),
                DecodedRecord(kind: .good, values: [nil, "2"]),
            ])
    }

    @Test func `Records larger than an index block are read whole`() {
        let long = String(repeating: "y", count: 300_000)
        let value = "{\n\"s\": \"\(long)\",\n\"l\": 1}"
        #expect(
            decodeFramed([value, "{\"l\":2}", value], plan).map(\.values) == [[long, "1"], [nil, "2"], [long, "1"]])
    }

    @Test func `What a record says beside its value comes into columns`() {
        let rows = decodeFramed(
            [
                Framed(#"{"l":1}"#, key: "k1", color: "red", offset: 41, timestampMillis: 1_700_000_000_123),
                Framed(nil, offset: 42), Framed("garbage", key: "", offset: 44, timestampMillis: 0),
            ], kafkaPlan())
        #expect(
            rows == [
                DecodedRecord(
                    kind: .good,
                    values: [nil, "1", "k1", #"{"l":1}"#, "visits", "3", "41", "1700000000123000", "red"]),
                DecodedRecord(kind: .tombstone, values: [nil, nil, nil, nil, "visits", "3", "42", nil, nil]),
                DecodedRecord(
                    kind: .none, fault: .malformed,
                    values: [nil, nil, "", "garbage", "visits", "3", "44", "0", nil]),
            ])
    }

    @Test func `A key of another type is read as CSV reads text, and a bad one is null alone`() {
        let rows = decodeFramed(
            [Framed(#"{"l":1}"#, key: "17"), Framed(#"{"l":2}"#, key: "x"), Framed(#"{"l":3}"#, key: "")],
            kafkaPlan(keyType: .long))
        #expect(rows.map { $0.values[2] } == ["17", nil, nil])
        #expect(rows.map(\.isBad) == [false, true, false])
        #expect(rows.map { $0.values[1] } == ["1", "2", "3"])
    }

    @Test func `Where no column is a field of the text, any text is a record`() {
        var plan = inputPlan([])
        plan.columns = [InputColumn(name: "value", type: .string, origin: .kafka(.value), declaredIndex: 0)]
        let rows = decodeFramed(["garbage", "", "[1]", nil], plan)
        #expect(rows.map(\.kind) == [.good, .good, .good, .tombstone])
        #expect(rows.map { $0.values[0] } == ["garbage", "", "[1]", nil])
    }
}

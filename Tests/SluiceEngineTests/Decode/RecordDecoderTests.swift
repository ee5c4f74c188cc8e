// What the decoder does with lines, columns and chunks; what values mean is in DecodeSparkTests and DecodeTruthTests.

import SluicePlan
import SluiceSpec
import Testing

@testable import SluiceEngine

@Suite struct RecordDecoderTests {
    private let plan = inputPlan([("s", .string), ("l", .long)])

    @Test func blankLinesGiveNoRows() {
        let records = decode("\n \t\r\n{\"l\":1}\n\r\n\n{\"l\":2}", plan)
        #expect(records.map { $0.values[1] } == ["1", "2"])
        // Also where the line after them is not valid JSON text.
        #expect(decode("  \n{\"l\":\u{1}}\n \n", plan).count == 1)
    }

    @Test func carriageReturnsBeforeLineEndsAreNotContent() {
        #expect(decode("{\"s\":\"x\"}\r\n", plan).first?.values == ["x", nil])
        let csv = inputPlan([("s", .string), ("l", .long)], format: .csv(CSVOptions()))
        #expect(decode("x,1\r\ny,2\r\n", csv).map(\.values) == [["x", "1"], ["y", "2"]])
    }

    @Test func anEmptyChunkEndsAtOnce() {
        #expect(decode("", plan).isEmpty)
    }

    @Test func garbageBecomesABadRowOfNulls() {
        for text in ["null", "[]", "[{\"l\":1}]", "{\"l\":1,}", "{\"l\":01}", "{\"l\":1", "x", "\u{FEFF}{\"l\":1}"] {
            #expect(decode(text + "\n", plan) == [DecodedRecord(isBad: true, values: [nil, nil])], "\(text)")
        }
    }

    @Test func aWrongTypedFieldIsNullAlone() {
        #expect(
            decode("{\"s\":\"x\",\"l\":\"1\"}\n", plan) == [DecodedRecord(isBad: true, values: ["x", nil])])
    }

    @Test func missingFieldsAreNullAndTheRowIsGood() {
        #expect(decode("{\"other\":{\"l\":5}}\n{}\n", plan).allSatisfy { !$0.isBad && $0.values == [nil, nil] })
    }

    @Test func theOrderOfFieldsMayChangeFromRecordToRecord() {
        let columns: [(String, DataType)] = [("a", .long), ("b", .long), ("c", .long)]
        let text = """
            {"a":1,"b":2,"c":3}
            {"c":3,"b":2,"a":1}
            {"b":2}
            {"x":0,"c":3,"a":1,"y":[1],"b":2}
            {"a":1,"b":2,"c":3}

            """
        let values = decode(text, inputPlan(columns)).map(\.values)
        #expect(values == [["1", "2", "3"], ["1", "2", "3"], [nil, "2", nil], ["1", "2", "3"], ["1", "2", "3"]])
    }

    @Test func theLastOfTwoFieldsOfOneNameWins() {
        #expect(decode("{\"l\":1,\"l\":2,\"s\":\"x\",\"s\":null}\n", plan).map(\.values) == [[nil, "2"]])
    }

    @Test func twoColumnsMayReadOneField() {
        var plan = inputPlan([("text", .string), ("number", .long), ("z", .string)])
        plan.columns[0].origin = .field("v")
        plan.columns[1].origin = .field("v")
        let records = decode("{\"v\":12,\"z\":\"e\"}\n{\"v\":{\"k\":1},\"z\":\"e\"}\n", plan)
        #expect(records.map(\.values) == [["12", "12", "e"], ["{\"k\":1}", nil, "e"]])
        #expect(records.map(\.isBad) == [false, true])
    }

    @Test func namesThatNeedEscapesInJSONAreFound() {
        let plan = inputPlan([("a\"b", .long), ("c\\d", .long), ("é", .long)])
        #expect(
            decode("{\"a\\\"b\":1,\"c\\\\d\":2,\"\\u00e9\":3}\n", plan).map(\.values) == [["1", "2", "3"]])
        let plain = inputPlan([("é", .long), ("l", .long)])
        #expect(decode("{\"\\u00e9\":3,\"\\u006c\":4}\n", plain).map(\.values) == [["3", "4"]])
    }

    @Test func rowsMayHaveMoreColumnsThanOneNullWordHasBits() {
        let columns = (0..<150).map { ("column\($0)", DataType.long) }
        let fields = stride(from: 0, to: 150, by: 3).map { "\"column\($0)\":\($0)" }
        let values = decode("{" + fields.joined(separator: ",") + "}\n{}\n", inputPlan(columns)).map(\.values)
        #expect(values[0] == (0..<150).map { $0 % 3 == 0 ? String($0) : nil })
        #expect(values[1].allSatisfy { $0 == nil })
    }

    @Test func columnsThatComeFromElsewhereAreNull() {
        var plan = plan
        plan.columns[0].origin = .kafka(.key)
        #expect(decode("{\"s\":\"x\",\"l\":1}\n", plan).map(\.values) == [[nil, "1"]])
    }

    @Test func recordRangesNameTheLineInTheChunk() {
        let text = Array("{\"l\":1}\n\n  {\"l\":2}\r\nbad\n{\"l\":3}".utf8)
        var chunk = InputChunk()
        chunk.text.append(contentsOf: text)
        chunk.text.reserve(inputPaddingByteCount)
        var decoder = RecordDecoder(input: plan, zones: systemTimeZones)
        decoder.begin(chunk, records: UnsafeBufferPointer(start: nil, count: 0))
        var arena = ByteBuffer()
        var lines: [String] = []
        var outcomes: [Bool] = []
        while true {
            let outcome = decoder.next(into: &arena)
            if outcome == .end { break }
            if case .badRow = outcome { outcomes.append(false) } else { outcomes.append(true) }
            lines.append(String(decoding: text[decoder.recordRange], as: UTF8.self))
        }
        #expect(lines == ["{\"l\":1}", "  {\"l\":2}", "bad", "{\"l\":3}"])
        #expect(outcomes == [true, true, false, true])
        #expect(arena.count % 8 == 0)
    }

    @Test func equalRecordsHaveEqualBytes() {
        var chunk = InputChunk()
        chunk.text.append(
            contentsOf: Array(
                "{\"s\":\"abc\",\"l\":1}\n{\"s\" : \"abc\",\"x\":\"noise\",\"l\":1}\n{'s':'abc','l':1}\n".utf8))
        chunk.text.reserve(inputPaddingByteCount)
        var decoder = RecordDecoder(input: plan, zones: systemTimeZones)
        decoder.begin(chunk, records: UnsafeBufferPointer(start: nil, count: 0))
        var arena = ByteBuffer()
        var rows: [[UInt8]] = []
        while case .row(let byteCount) = decoder.next(into: &arena) {
            rows.append(Array(arena.array()[decoder.rowStart..<decoder.rowStart + byteCount]))
        }
        #expect(rows.count == 3 && rows.allSatisfy { $0 == rows[0] })
    }

    // MARK: CSV

    @Test func aHeaderIsSkippedOnlyWhereAFileStarts() {
        let plan = inputPlan([("s", .string), ("l", .long)], format: .csv(CSVOptions(hasHeader: true)))
        let text = Array("s,l\nx,1\n".utf8)
        #expect(decode(text, plan, startsFile: true).map(\.values) == [["x", "1"]])
        #expect(decode(text, plan, startsFile: false).map(\.values) == [["s", nil], ["x", "1"]])
        let headless = inputPlan([("s", .string), ("l", .long)], format: .csv(CSVOptions()))
        #expect(decode(text, headless, startsFile: true).count == 2)
    }

    @Test func csvValuesGoToColumnsByTheirPlace() {
        var plan = inputPlan(
            [("third", .string), ("first", .long)], format: .csv(CSVOptions(separator: UInt8(ascii: ";"))))
        plan.columns[0].declaredIndex = 2
        plan.columns[1].declaredIndex = 0
        let records = decode("1;skipped;x\n2\n3;;;\n", plan)
        #expect(records.map(\.values) == [["x", "1"], [nil, "2"], [nil, "3"]])
        #expect(records.map(\.isBad) == [false, true, true])
    }

    @Test func aLineEndInsideQuotesEndsTheRecord() {
        let plan = inputPlan([("s", .string)], format: .csv(CSVOptions()))
        #expect(decode("\"a\nb\"\n", plan).map(\.values) == [["a"], ["b\""]])
    }
}

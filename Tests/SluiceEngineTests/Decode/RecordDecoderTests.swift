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

    @Test(arguments: [
        ("null", RecordFault.noObject), ("[]", .noObject), ("[{\"l\":1}]", .noObject), ("3", .noObject),
        ("\"text\"", .noObject), ("{\"l\":1,}", .malformed), ("{\"l\":01}", .malformed), ("{\"l\":1", .malformed),
        ("{\"s\":\"a", .malformed), ("x", .malformed), ("\u{FEFF}{\"l\":1}", .malformed), ("}", .malformed),
    ])
    func `Text that is no object is no record, and of nulls for whoever wants a row of it`(
        text: String, fault: RecordFault
    ) {
        let none = DecodedRecord(kind: .none, fault: fault, values: [nil, nil])
        let good = DecodedRecord(kind: .good, values: ["x", "2"])
        #expect(decode(text + "\n", plan) == [none], "\(text)")
        // Wherever it stands among good ones.
        #expect(decode("{\"s\":\"x\",\"l\":2}\n\(text)\n{\"s\":\"x\",\"l\":2}", plan) == [good, none, good], "\(text)")
    }

    @Test(arguments: [" tail", "tail", "{\"l\":2}", " {}", ",", "]", " \"a", "1", "\u{1}", "\\"], [false, true])
    func `Text behind an object keeps the row and makes it bad, on every path`(tail: String, isIndexed: Bool) {
        // Single quotes are for the other path.
        let odd = isIndexed ? "" : ",\"s\":'x'"
        let records = decode("{\"l\":1\(odd)}\(tail)\n{\"l\":3}\n", plan)
        #expect(records.map(\.kind) == [.bad, .good])
        #expect(records[0].fault == .trailingText)
        #expect(records.map { $0.values[1] } == ["1", "3"])
        #expect(decode("{\"l\":1\(odd)} \t\r\n", plan).map(\.kind) == [.good])
    }

    @Test func `JSON that is not UTF-8 is no record, wherever the bytes stand`() {
        for text in ["{\"s\":\"caf?\",\"l\":1}", "{\"x\":\"?\",\"l\":1}", "{\"l\":1} ?"] {
            let bytes = Array(text.utf8).map { $0 == UInt8(ascii: "?") ? 0xE9 : $0 }
            let records = decode(bytes + Array("\n{\"l\":2}\n".utf8), plan)
            #expect(records.map(\.kind) == [.none, .good])
            #expect(records[0].fault == .encoding)
        }
    }

    @Test func aWrongTypedFieldIsNullAlone() {
        let expected = DecodedRecord(kind: .bad, fault: .field(slot: 1), values: ["x", nil])
        #expect(decode("{\"s\":\"x\",\"l\":\"1\"}\n", plan) == [expected])
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
        plan.columns[0].origin = .field(FieldPath(name: "v"))
        plan.columns[1].origin = .field(FieldPath(name: "v"))
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
        var decoder = jsonDecoder(plan)
        decoder.begin(chunk, records: UnsafeBufferPointer(start: nil, count: 0))
        var arena = ByteBuffer()
        var lines: [String] = []
        var outcomes: [Bool] = []
        while true {
            let outcome = decoder.next(into: &arena)
            if outcome == .end { break }
            if case .noRecord = outcome { outcomes.append(false) } else { outcomes.append(true) }
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
        var decoder = jsonDecoder(plan)
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
        let text = Array("l,other,s\n1,y,x\n".utf8)
        var chunk = chunk(text)
        chunk.header = Array("l,other,s".utf8)
        #expect(decode(chunk, plan, startsFile: true).map(\.values) == [["x", "1"]])
        #expect(decode(chunk, plan, startsFile: false).map(\.values) == [["s", nil], ["x", "1"]])
        let headless = inputPlan([("s", .string), ("l", .long)], format: .csv(CSVOptions()))
        #expect(decode(text, headless, startsFile: true).count == 2)
    }

    @Test func csvValuesGoToColumnsByTheirPlace() {
        var plan = inputPlan(
            [("third", .string), ("first", .long)], format: .csv(CSVOptions(separator: UInt8(ascii: ";"))))
        plan.columns[0].declaredIndex = 2
        plan.columns[1].declaredIndex = 0
        plan.fieldCount = 3
        let records = decode("1;skipped;x\n2\n3;;;\n", plan)
        #expect(records.map(\.values) == [["x", "1"], [nil, "2"], [nil, "3"]])
        #expect(records.map(\.fault) == [nil, .missingValue(slot: 0), .moreValues])
    }

    @Test func `A CSV line is judged by the columns that are looked at`() {
        // Of four declared columns the query looks at the second alone.
        var plan = inputPlan([("second", .long)], format: .csv(CSVOptions()))
        plan.columns[0].declaredIndex = 1
        plan.fieldCount = 4
        let records = decode("a,1,b,c\na,2\na\na,x,b,c\na,5,b,c,d\n", plan)
        #expect(records.map { $0.values[0] } == ["1", "2", nil, nil, "5"])
        #expect(
            records.map(\.fault) == [nil, nil, .missingValue(slot: 0), .field(slot: 0), .moreValues])
    }

    @Test func `A CSV field that is not UTF-8 does not fit, and only Spark's way mends it`() {
        let line = Array("caf".utf8) + [0xE9] + Array(",1\n\"x".utf8) + [0xFF] + Array("\",2\ny,3\n".utf8)
        let columns: [(String, DataType)] = [("s", .string), ("l", .long)]
        let strict = decode(line, inputPlan(columns, format: .csv(CSVOptions())))
        #expect(strict.map(\.fault) == [.fieldEncoding(slot: 0), .fieldEncoding(slot: 0), nil])
        #expect(strict.map(\.values) == [[nil, "1"], [nil, "2"], ["y", "3"]])
        let permissive = decode(line, inputPlan(columns, format: .csv(CSVOptions()), badRows: .permissive))
        #expect(permissive.map(\.values) == [["caf\u{FFFD}", "1"], ["x\u{FFFD}", "2"], ["y", "3"]])
    }

    @Test func aLineEndInsideQuotesEndsTheRecord() {
        let plan = inputPlan([("s", .string)], format: .csv(CSVOptions()))
        let records = decode("\"a\nb\"\n", plan)
        #expect(records.map(\.values) == [[nil], ["b\""]])
        #expect(records.map(\.fault) == [.unclosedQuote(slot: 0), nil])
    }
}

// CSV as others write it: Python's answers for what RFC 4180 allows, each rule of the fields and headers by itself,
// what is written reads back, and no text does harm.

import Foundation
import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceEngine

@Suite struct CSVRecordTests {
    private func plan(
        _ columns: [(String, DataType)] = [("a", .string), ("n", .long), ("b", .string)],
        _ options: CSVOptions = CSVOptions(),
        _ badRows: BadRowsPolicy = .null
    ) -> InputPlan { inputPlan(columns, format: .csv(options), badRows: badRows) }

    // MARK: Others' files

    @Test func `What RFC 4180 allows reads as in Python`() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Python/python_csv.json")
        struct Case: Decodable {
            var separator, quote, file: String
            var rows: [[String]]
            init(from decoder: any Decoder) throws {
                var list = try decoder.unkeyedContainer()
                (separator, quote) = (try list.decode(String.self), try list.decode(String.self))
                (file, rows) = (try list.decode(String.self), try list.decode([[String]].self))
            }
            var bytes: [UInt8] {
                let digits = Array(file.utf8).map { UInt8(String(UnicodeScalar($0)), radix: 16)! }
                return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
            }
        }
        let cases = try JSONDecoder().decode([Case].self, from: Data(contentsOf: file))
        #expect(cases.count == 400)
        for test in cases {
            let options = CSVOptions(
                separator: test.separator.utf8.first!, quote: test.quote.utf8.first!, isMultiline: true)
            let records = decode(test.bytes, plan([("a", .string), ("b", .string), ("c", .string)], options))
            // Python knows no null.
            #expect(records.map { $0.values.map { $0 ?? "" } } == test.rows, "\(test.file)")
            #expect(records.allSatisfy { !$0.isBad })
        }
    }

    // MARK: Fields

    @Test func `A doubled quote is a quote, a backslash is itself, and nothing is trimmed`() {
        let records = decode("\"a\"\"b\",1,\"c\\\"\n a , 2, b \\\n\"\"\"\",\"3\",\" \"\n", plan())
        #expect(records.map(\.values) == [["a\"b", "1", "c\\"], [" a ", nil, " b \\"], ["\"", "3", " "]])
        #expect(records.map(\.fault) == [nil, .field(slot: 1), nil])
    }

    @Test func `An empty field is null, one in quotes is empty text, and null where the column is no text`() {
        let records = decode(",,\n\"\",\"\",\"\"\n", plan())
        #expect(records.map(\.values) == [[nil, nil, nil], ["", nil, ""]] && records.allSatisfy { !$0.isBad })
    }

    @Test func `What null_value says is null without quotes, beside an empty field`() {
        let options = CSVOptions(nullValue: "NULL")
        let records = decode("NULL,NULL,\n\"NULL\",1,\"\"\nnull,2,NULLS\n", plan(options: options))
        #expect(records.map(\.values) == [[nil, nil, nil], ["NULL", "1", ""], ["null", "2", "NULLS"]])
        #expect(records.allSatisfy { !$0.isBad })
    }

    private func plan(options: CSVOptions, _ badRows: BadRowsPolicy = .null) -> InputPlan {
        inputPlan([("a", .string), ("n", .long), ("b", .string)], format: .csv(options), badRows: badRows)
    }

    @Test func `Other quotes, other separators, no quotes`() {
        let other = CSVOptions(separator: UInt8(ascii: ";"), quote: UInt8(ascii: "'"))
        #expect(decode("'a;''b';1;\"c\"\n", plan(options: other)).map(\.values) == [["a;'b", "1", "\"c\""]])
        let none = CSVOptions(quote: nil)
        #expect(decode("\"a,1,b\"\n", plan(options: none)).map(\.values) == [["\"a", "1", "b\""]])
    }

    @Test func `Blanks behind a closing quote are nothing, text there makes the field bad`() {
        let text = "\"a\" ,1,\"b\"\t\n\"a\"x,2,c\n"
        let records = decode(text, plan())
        #expect(records.map(\.values) == [["a", "1", "b"], [nil, "2", "c"]])
        #expect(records.map(\.fault) == [nil, .textBehindQuote(slot: 0)])
        #expect(decode(text, plan(options: CSVOptions(), .permissive))[1].values == ["\"a\"x", "2", "c"])
    }

    @Test func `A quote that is not closed makes its line bad, and no other, whoever looks at the field`() {
        let text = "a,1,\"b\n\"c,2,d\ne,3,f\n"
        let records = decode(text, plan())
        #expect(records.map(\.values) == [["a", "1", nil], [nil, nil, nil], ["e", "3", "f"]])
        #expect(records.map(\.fault) == [.unclosedQuote(slot: 2), .unclosedQuote(slot: 0), nil])
        var narrow = plan([("n", .long)])
        narrow.columns[0].declaredIndex = 1
        narrow.fieldCount = 3
        #expect(decode(text, narrow).map(\.fault) == [.unclosedQuote(slot: -1), .unclosedQuote(slot: -1), nil])
    }

    // MARK: Several lines

    @Test func `Line ends in quotes are text where the spec says so`() {
        let options = CSVOptions(isMultiline: true)
        let text = "\"a\nb\r\n\",1,\"\n\"\r\n\nc,2,\"d\"\n"
        #expect(decode(text, plan(options: options)).map(\.values) == [["a\nb\r\n", "1", "\n"], ["c", "2", "d"]])
    }

    @Test func `A record that is never closed is one bad line, and the next line is read`() {
        for escape in [nil, UInt8(ascii: "\\")] {
            let options = CSVOptions(escape: escape, isMultiline: true)
            let records = decode("x,0,\"y\nz\"\na,1,\"b\nc,2,d\ne,3,f", plan(options: options))
            #expect(
                records.map { $0.values[1] } == ["0", "1", "2", "3"]
                    && records.map(\.isBad) == [false, true, false, false])
        }
    }

    @Test func `With an escape Spark's rules hold over several lines`() {
        let options = CSVOptions(escape: UInt8(ascii: "\\"), isMultiline: true)
        let records = decode("\"a\\\"\nb\",1,\"\\\\\"\nc,2,d\n", plan(options: options))
        #expect(records.map(\.values) == [["a\"\nb", "1", "\\"], ["c", "2", "d"]])
    }

    // MARK: Headers

    private func decoded(_ text: String, header: String, _ plan: InputPlan) -> [DecodedRecord] {
        var chunk = chunk(Array(text.utf8))
        chunk.header = Array(header.utf8)
        return decode(chunk, plan)
    }

    @Test func `Columns are found by their names in the header of the chunk's file`() {
        var plan = plan([("a", .string), ("n", .long), ("again", .string)], CSVOptions(hasHeader: true))
        plan.columns[2].origin = .field(FieldPath(name: "a"))
        #expect(decoded("1,x,y\n", header: "n,other,a", plan).map(\.values) == [["y", "1", "y"]])
        #expect(decoded("y,1\n", header: "\"a\",\"n\"", plan).map(\.values) == [["y", "1", "y"]])
        let records = decoded("y,1,2\ny\n", header: "a,n", plan)
        #expect(records.map(\.fault) == [.moreValues, .missingValue(slot: 1)])
        #expect(RecordFault.moreValues.reason(plan) == "the line has more values than its file's header names")
    }

    @Test func `One decoder reads files with headers in other orders, one after another`() {
        let plan = plan([("a", .string), ("n", .long)], CSVOptions(hasHeader: true))
        var decoder = RecordDecoder(
            CSVRecordDecoder(CSVOptions(hasHeader: true), plan), input: plan, zones: systemTimeZones)
        for (header, line) in [("a,n", "x,1\n"), ("n,a", "1,x\n"), ("b,n,a", ",1,x\n"), ("a,n", "x,1\n")] {
            for startsFile in [true, false] {
                var chunk = chunk(Array(((startsFile ? header + "\n" : "") + line).utf8))
                chunk.header = Array(header.utf8)
                let records = decode(chunk, with: &decoder, plan, startsFile: startsFile)
                #expect(records.map(\.values) == [["x", "1"]], "\(header)")
            }
        }
    }

    @Test func `A header's names may be quoted, repeated and empty`() {
        #expect(CSVHeader(Array("a,\"b,\"\"c\",, d ,a".utf8), CSVOptions()).names == ["a", "b,\"c", "", " d ", "a"])
        let escaped = CSVOptions(escape: UInt8(ascii: "\\"))
        #expect(CSVHeader(Array("\"a\\\"b\",c".utf8), escaped).names == ["a\"b", "c"])
        #expect(CSVHeader([], CSVOptions()).names == [])
    }

    // MARK: Round trips

    private static let types: [DataType] = [
        .string, .int, .long, .double, .boolean, .timestamp, .date, .decimal(precision: 12, scale: 3), .string,
    ]

    private func value(_ type: DataType, _ random: inout SplitMix64) -> Value {
        if Int.random(in: 0..<6, using: &random) == 0 { return .null }
        switch type {
        case .string:
            let parts = [
                "a", "\"", "\"\"", ",", ";", "\\", "\r", "\n", "\r\n", " ", "\t", "é", "😀", "#", "\u{FEFF}", "'", "-",
                "1",
            ]
            let count = Int.random(in: 0...5, using: &random)
            return .string((0..<count).map { _ in parts.randomElement(using: &random)! }.joined())
        case .int: return .integer(Int64(Int32.random(in: .min ... .max, using: &random)))
        case .long: return .integer(.random(in: .min ... .max, using: &random))
        case .double:
            return .double(
                [0.1, -0.0, .infinity, -.infinity, .nan, 1e300, .leastNonzeroMagnitude].randomElement(using: &random)!
                    * (Bool.random(using: &random) ? 1 : Double.random(in: -1...1, using: &random)))
        case .boolean: return .boolean(.random(using: &random))
        // Milliseconds are what is written.
        case .timestamp:
            return .timestamp(Int64.random(in: -62_135_596_800_000..<253_402_300_800_000, using: &random) * 1000)
        case .date: return .date(.random(in: -719_162..<2_932_897, using: &random))
        case .decimal: return .decimal(Int128(Int64.random(in: -999_999_999_999...999_999_999_999, using: &random)))
        default: return .null
        }
    }

    private func shown(_ value: Value) -> String? {
        switch value {
        case .null: nil
        case .string(let text): text
        case .decimal(let digits): String(digits)
        case .double(let number): SluiceEngineTests.shown(number)
        case .boolean(let flag): flag ? "true" : "false"
        case .integer(let number), .timestamp(let number), .date(let number), .duration(let number): String(number)
        }
    }

    @Test(arguments: 0..<300 as Range<UInt64>)
    func `What is written as CSV reads back, every value of every type`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        // A separator that stands in numbers, times and words too.
        let separator = Array(",,,;\t|-:.e1 ".utf8).randomElement(using: &random)!
        let columns = Self.types.enumerated().map { ("c\($0)", $1) }
        let tree = columns.enumerated().map { ($1.0, column($0, $1.1)) }
        let format = OutputFormat.csv(timeZone: "UTC", separator: separator, writesHeader: false)
        let rows = (0..<10).map { _ in Self.types.map { value($0, &random) } }
        let text = rows.map { encoded(tree, [TestRow(Self.types, $0)], format: format) }.joined()
        let options = CSVOptions(separator: separator, isMultiline: true)
        let records = decode(text, inputPlan(columns, format: .csv(options), timeZone: "UTC"))
        #expect(records.map(\.values) == rows.map { $0.map(shown) }, "seed \(seed)\n\(text)")
        #expect(records.allSatisfy { !$0.isBad }, "seed \(seed)\n\(text)")
    }

    // MARK: Any text

    private static let options = [
        CSVOptions(), CSVOptions(isMultiline: true), CSVOptions(escape: UInt8(ascii: "\\")),
        CSVOptions(escape: UInt8(ascii: "\\"), isMultiline: true), CSVOptions(quote: nil, nullValue: "1"),
        CSVOptions(separator: UInt8(ascii: " "), quote: UInt8(ascii: "'"), escape: UInt8(ascii: "!")),
    ]

    private func anyText(_ random: inout SplitMix64) -> [UInt8] {
        let marks = Array("\"\",,\n\n\\a1 \r'!;\t".utf8) + [0, 0xFF, 0xC3, 0xA9, 0xEF, 0xBB, 0xBF]
        return (0..<Int.random(in: 0...200, using: &random)).map { _ in
            Int.random(in: 0..<20, using: &random) == 0
                ? UInt8.random(in: 0...255, using: &random)
                : marks.randomElement(using: &random)!
        }
    }

    @Test(arguments: 0..<400 as Range<UInt64>)
    func `No text does harm, and however it is cut at records the rows are the same`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let text = anyText(&random)
        for options in Self.options {
            for policy in [BadRowsPolicy.null, .permissive] {
                let plan = plan(options: options, policy)
                let whole = decode(text, plan)
                // A record at a time, by where the decoder says that it ends.
                var parts: [DecodedRecord] = []
                var start = 0
                while start < text.count {
                    var end = text[start...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? text.count
                    if options.isMultiline {
                        var scan = CSVLineEnds(options)
                        let found = text.withUnsafeBytes { scan.next(in: $0, from: start) }
                        end = found ?? (scan.isInQuotes ? end : text.count)
                    }
                    parts += decode(Array(text[start..<end]), plan)
                    start = end
                }
                #expect(parts == whole, "seed \(seed), \(options)")
                #expect(whole.allSatisfy { $0.kind == .good || $0.fault != nil })
            }
        }
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `Line ends are found the same however the bytes come`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let text = anyText(&random)
        for options in Self.options where options.isMultiline {
            var (whole, scan, start) = ([Int](), CSVLineEnds(options), 0)
            while let next = text.withUnsafeBytes({ scan.next(in: $0, from: start) }) {
                whole.append(next)
                start = next
            }
            var (pieces, piecewise) = ([Int](), CSVLineEnds(options))
            var blockStart = 0
            while blockStart < text.count {
                let blockEnd = min(text.count, blockStart + Int.random(in: 1...9, using: &random))
                let block = Array(text[blockStart..<blockEnd])
                var index = 0
                while let next = block.withUnsafeBytes({ piecewise.next(in: $0, from: index) }) {
                    pieces.append(blockStart + next)
                    index = next
                }
                blockStart = blockEnd
            }
            #expect(pieces == whole && piecewise.isInQuotes == scan.isInQuotes, "seed \(seed)")
        }
    }
}

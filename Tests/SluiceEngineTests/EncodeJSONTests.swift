// Each sentence on writing in Spark's to_json rules, the seed scenario's rows byte for byte, and random round trips.

import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceEngine

/// The encoded rows of one output over one row of each input.
func encoded(
    _ columns: [(String, Tree)], _ rows: [TestRow?], format: OutputFormat = .json(timeZone: "UTC", writesNulls: false),
    layouts: [RowLayout]? = nil, filter: Tree? = nil
) -> String {
    let output = OutputPlan(
        filter: filter, columns: columns.map { OutputColumn(name: $0.0, expression: $0.1) }, sinks: [])
    var encoder = RowEncoder(
        output: output, format: format, layouts: layouts ?? rows.map { $0?.layout ?? RowLayout(types: []) },
        zones: systemTimeZones)
    var buffer = ByteBuffer()
    let kept = encoder.encode(left: rows[0]?.pointer, right: rows.count > 1 ? rows[1]?.pointer : nil, into: &buffer)
    #expect(kept || buffer.count == 0)
    return String(decoding: buffer.array(), as: UTF8.self)
}

/// One column of one row.
func encodedValue(_ type: DataType, _ value: Value, zone: String = "UTC") -> String {
    encoded([("v", column(0, type))], [TestRow([type], [value])], format: .json(timeZone: zone, writesNulls: false))
}

@Suite struct EncodeJSONTests {
    private static let visits: [DataType] = [.string, .timestamp, .string]
    private static let ads: [DataType] = [.string, .timestamp, .string]

    /// 2024-01-01 at a time of day, UTC.
    private func at(_ hour: Int64, _ minute: Int64, _ second: Int64) -> Value {
        .timestamp((1_704_067_200 + hour * 3600 + minute * 60 + second) * 1_000_000)
    }

    private func joined(_ visit: [Value], _ ad: [Value]?) -> String {
        encoded(
            [
                ("visit_id", column(0, .string)), ("event_time", column(1, .timestamp)),
                ("visit_page", column(2, .string)), ("page", column(0, .string, input: 1)),
                ("display_time", column(1, .timestamp, input: 1)), ("campaign_name", column(2, .string, input: 1)),
            ],
            [TestRow(Self.visits, visit), ad.map { TestRow(Self.ads, $0) }],
            format: .json(timeZone: "Europe/Paris", writesNulls: false),
            layouts: [RowLayout(types: Self.visits), RowLayout(types: Self.ads)])
    }

    @Test func theRowsOfTheSeedScenarioComeOutByteForByte() {
        #expect(
            joined(
                [.string("visit-1"), at(8, 18, 0), .string("home")],
                [.string("home"), at(8, 18, 15), .string("supermarket")])
                == #"{"visit_id":"visit-1","event_time":"2024-01-01T09:18:00.000+01:00","visit_page":"home","page":"home","#
                + #""display_time":"2024-01-01T09:18:15.000+01:00","campaign_name":"supermarket"}"# + "\n")
        #expect(
            joined([.string("visit-2"), at(8, 20, 0), .string("home")], nil)
                == #"{"visit_id":"visit-2","event_time":"2024-01-01T09:20:00.000+01:00","visit_page":"home"}"# + "\n")
        #expect(
            joined(
                [.string("visit-6"), at(9, 9, 0), .string("category4")],
                [.string("category4"), at(9, 10, 30), .string("internet provider")])
                == #"{"visit_id":"visit-6","event_time":"2024-01-01T10:09:00.000+01:00","visit_page":"category4","#
                + #""page":"category4","display_time":"2024-01-01T10:10:30.000+01:00","campaign_name":"internet provider"}"#
                + "\n")
        #expect(
            joined([.string("visit-5"), at(8, 58, 0), .string("category4")], nil)
                == #"{"visit_id":"visit-5","event_time":"2024-01-01T09:58:00.000+01:00","visit_page":"category4"}"#
                + "\n")
        #expect(
            joined([.string("visit-3"), at(8, 58, 0), .string("category1")], nil)
                == #"{"visit_id":"visit-3","event_time":"2024-01-01T09:58:00.000+01:00","visit_page":"category1"}"#
                + "\n")
    }

    @Test(arguments: [
        (0, "UTC", "1970-01-01T00:00:00.000Z"), (-1, "UTC", "1969-12-31T23:59:59.999Z"),
        (1_704_097_080_123_999, "UTC", "2024-01-01T08:18:00.123Z"),
        (1_704_097_080_123_999, "Europe/Paris", "2024-01-01T09:18:00.123+01:00"),
        (1_720_000_000_000_000, "Europe/Paris", "2024-07-03T11:46:40.000+02:00"),
        (-2_500_000_000_000_000, "Europe/Paris", "1890-10-11T19:42:41.000+00:09:21"),
        (1_704_097_080_000_000, "Asia/Kolkata", "2024-01-01T13:48:00.000+05:30"),
    ])
    func timestampsHaveThreeDigitsRoundedDownAndTheZonesOffset(micros: Int, zone: String, expected: String) {
        #expect(encodedValue(.timestamp, .timestamp(Int64(micros)), zone: zone) == #"{"v":"\#(expected)"}"# + "\n")
    }

    @Test func datesStandWithoutATime() {
        #expect(encodedValue(.date, .date(19_723)) == #"{"v":"2024-01-01"}"# + "\n")
        #expect(encodedValue(.date, .date(-1)) == #"{"v":"1969-12-31"}"# + "\n")
    }

    @Test func nullFieldsAreOmittedUnlessTheFormatWritesThem() {
        let types: [DataType] = [.string, .int, .timestamp, .double, .boolean]
        let columns = types.enumerated().map { ("c\($0.offset)", column($0.offset, $0.element)) }
        for bits in 0..<32 {
            let values: [Value] = [.string("x"), .integer(1), .timestamp(0), .double(0.5), .boolean(true)]
            let texts = [#""x""#, "1", #""1970-01-01T00:00:00.000Z""#, "0.5", "true"]
            let isNull = { (index: Int) in bits >> index & 1 == 1 }
            let row = TestRow(types, values.enumerated().map { isNull($0.offset) ? .null : $0.element })
            let omitted = texts.indices.filter { !isNull($0) }.map { #""c\#($0)":\#(texts[$0])"# }
            #expect(encoded(columns, [row]) == "{" + omitted.joined(separator: ",") + "}\n")
            let written = texts.indices.map { #""c\#($0)":\#(isNull($0) ? "null" : texts[$0])"# }
            #expect(
                encoded(columns, [row], format: .json(timeZone: "UTC", writesNulls: true))
                    == "{" + written.joined(separator: ",") + "}\n")
        }
        #expect(encoded([], [nil]) == "{}\n")
    }

    @Test func aNameThatStandsTwiceIsWrittenTwice() {
        let row = TestRow([.int, .int], [.integer(1), .integer(2)])
        #expect(encoded([("k", column(0, .int)), ("k", column(1, .int))], [row]) == #"{"k":1,"k":2}"# + "\n")
    }

    @Test(arguments: [
        (Value.string("a"), Value.integer(1), false, #"{"id":"a","user":{"id":"a","page":{"n":1},"o":{"n":1}},"z":1}"#),
        (.null, .null, false, #"{"user":{"page":{},"o":{}}}"#),
        (.null, .null, true, #"{"id":null,"user":{"id":null,"page":{"n":null},"o":{"n":null}},"z":null}"#),
        (.null, .integer(1), false, #"{"user":{"page":{"n":1},"o":{"n":1}},"z":1}"#),
    ])
    func `Columns stand in objects`(id: Value, number: Value, writesNulls: Bool, expected: String) {
        let id = TestColumn(type: .string, value: id)
        let number = TestColumn(type: .long, value: number)
        #expect(
            encodedObjects(
                [
                    ([], "id", id), (["user"], "id", id), (["user", "page"], "n", number),
                    (["user", "o"], "n", number), ([], "z", number),
                ], writesNulls: writesNulls) == expected + "\n")
    }

    @Test func `An object may be the first, the last and all there is`() {
        let one = TestColumn(type: .long, value: .integer(1))
        #expect(
            encodedObjects([(["a"], "n", one), ([], "b", one), (["c", "d"], "n", one)])
                == #"{"a":{"n":1},"b":1,"c":{"d":{"n":1}}}"# + "\n")
        let deep = (0..<64).map { "o\($0)" }
        #expect(
            encodedObjects([(deep, "n", one)])
                == deep.map { "{\"\($0)\":" }.joined() + #"{"n":1}"# + String(repeating: "}", count: 64) + "\n")
    }

    private struct TestColumn {
        var type: DataType
        var value: Value
    }

    private func encodedObjects(
        _ columns: [(objects: [String], name: String, column: TestColumn)], writesNulls: Bool = false
    ) -> String {
        let row = TestRow(columns.map(\.column.type), columns.map(\.column.value))
        let outputs = columns.enumerated().map { index, item in
            OutputColumn(name: item.name, objects: item.objects, expression: column(index, item.column.type))
        }
        var encoder = RowEncoder(
            output: OutputPlan(filter: nil, columns: outputs, sinks: []),
            format: .json(timeZone: "UTC", writesNulls: writesNulls), layouts: [row.layout], zones: systemTimeZones)
        var buffer = ByteBuffer()
        _ = encoder.encode(left: row.pointer, right: nil, into: &buffer)
        return String(decoding: buffer.array(), as: UTF8.self)
    }

    @Test func namesAreEscapedAndMayBeOfAnyLength() {
        let row = TestRow([.int, .string], [.integer(1), .string("x")])
        for length in 0..<70 {
            let name = String(repeating: "n", count: length)
            #expect(
                encoded([(name, column(0, .int)), (name + "\"\n", column(1, .string))], [row])
                    == #"{"\#(name)":1,"\#(name)\"\n":"x"}"# + "\n")
        }
    }

    @Test func onlyQuoteBackslashAndControlCharactersAreEscaped() {
        for scalar in 0..<0x80 {
            let character = String(Unicode.Scalar(UInt8(scalar)))
            let named: [Int: String] = [8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: "\\\"", 92: "\\\\"]
            let hex = String(scalar, radix: 16, uppercase: true)
            let control = "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            let escaped = named[scalar] ?? (scalar < 32 ? control : character)
            // At every place relative to the words that are read at once.
            for before in 0..<18 {
                for behind in [0, 1, 7, 8, 9] {
                    let front = String(repeating: "a", count: before)
                    let back = String(repeating: "é", count: behind)
                    #expect(
                        encodedValue(.string, .string(front + character + back))
                            == #"{"v":"\#(front)\#(escaped)\#(back)"}"# + "\n")
                }
            }
        }
        #expect(
            encodedValue(.string, .string("/ \u{2028} \u{1F600} \u{80}")) == "{\"v\":\"/ \u{2028} \u{1F600} \u{80}\"}\n"
        )
    }

    @Test func stringsOfEveryShortLengthComeOutWhole() {
        for count in 0..<200 {
            let text = String((0..<count).map { Character(Unicode.Scalar(UInt8(97 + $0 % 26))) })
            #expect(encodedValue(.string, .string(text)) == #"{"v":"\#(text)"}"# + "\n")
        }
    }

    @Test(arguments: [
        (0, "0"), (9, "9"), (10, "10"), (-1, "-1"), (99_999_999, "99999999"), (100_000_000, "100000000"),
        (9_999_999_999_999_999, "9999999999999999"), (10_000_000_000_000_000, "10000000000000000"),
        (Int.max, "9223372036854775807"), (Int.min, "-9223372036854775808"),
    ])
    func longsArePlain(value: Int, expected: String) {
        #expect(encodedValue(.long, .integer(Int64(value))) == #"{"v":\#(expected)}"# + "\n")
    }

    @Test func randomLongsReadBack() {
        var random = SplitMix64(seed: 11)
        for bits in 0..<64 {
            for _ in 0..<200 {
                let value = Int64(truncatingIfNeeded: random.next()) >> Int64(bits)
                #expect(encodedValue(.long, .integer(value)) == #"{"v":\#(value)}"# + "\n")
            }
        }
    }

    /// As Java's BigDecimal prints itself, which is how Spark 4.1.1 writes 0E-18.
    @Test(arguments: [
        (110, 2, "1.10"), (-110, 2, "-1.10"), (5, 2, "0.05"), (0, 2, "0.00"), (0, 0, "0"), (-7, 0, "-7"),
        (0, 6, "0.000000"),
        (0, 7, "0E-7"), (0, 18, "0E-18"), (1, 10, "1E-10"), (12, 10, "1.2E-9"), (-12, 10, "-1.2E-9"),
        (1234, 10, "1.234E-7"), (12_345, 10, "0.0000012345"), (1, 6, "0.000001"), (10, 7, "0.0000010"),
    ])
    func decimalsKeepTheirScale(digits: Int, scale: Int, expected: String) {
        let type = DataType.decimal(precision: 38, scale: scale)
        #expect(encodedValue(type, .decimal(Int128(digits))) == #"{"v":\#(expected)}"# + "\n")
    }

    @Test func randomDecimalsHaveTheirDigits() {
        var random = SplitMix64(seed: 12)
        for _ in 0..<5000 {
            let precision = Int.random(in: 1...38, using: &random)
            let scale = Int.random(in: 0...min(6, precision), using: &random)
            let digits = (0..<precision).map { _ in String(Int.random(in: 0...9, using: &random)) }.joined()
            let value = Int128(digits)!
            var expected = String(value)
            while expected.count <= scale { expected = "0" + expected }
            if scale > 0 { expected.insert(".", at: expected.index(expected.endIndex, offsetBy: -scale)) }
            let type = DataType.decimal(precision: precision, scale: scale)
            #expect(encodedValue(type, .decimal(value)) == #"{"v":\#(expected)}"# + "\n")
            if value != 0 { #expect(encodedValue(type, .decimal(-value)) == #"{"v":-\#(expected)}"# + "\n") }
        }
    }

    @Test func booleansAreWords() {
        #expect(encodedValue(.boolean, .boolean(true)) == #"{"v":true}"# + "\n")
        #expect(encodedValue(.boolean, .boolean(false)) == #"{"v":false}"# + "\n")
    }

    @Test func expressionsAndPlainColumnsMayStandSideBySide() {
        let row = TestRow([.string, .int, .timestamp], [.string("a\"b"), .integer(20), .timestamp(0)])
        let columns: [(String, Tree)] = [
            ("upper", call(.upper, [column(0, .string)], .string)), ("plain", column(0, .string)),
            ("sum", call(.add, [column(1, .int), int(1)], .int)), ("none", null(.int)), ("one", int(1)),
            (
                "start",
                call(.windowStart, [column(2, .timestamp), literal(.duration(7_000_000), .duration)], .timestamp)
            ),
            ("both", call(.concat, [column(0, .string), text("-"), column(0, .string)], .string)),
        ]
        #expect(
            encoded(columns, [row])
                == #"{"upper":"A\"B","plain":"a\"b","sum":21,"one":1,"start":"1970-01-01T00:00:00.000Z","both":"a\"b-a\"b"}"#
                + "\n")
    }

    @Test func theOutputFilterDropsRowsThatAreNotTrue() {
        let row = TestRow([.int], [.integer(1)])
        let empty = TestRow([.int], [.null])
        let filter = call(.greater, [column(0, .int), int(0)])
        #expect(encoded([("v", column(0, .int))], [row], filter: filter) == #"{"v":1}"# + "\n")
        #expect(encoded([("v", column(0, .int))], [empty], filter: filter) == "")
    }
}

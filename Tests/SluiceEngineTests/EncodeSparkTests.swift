// Every case of to_json and to_csv that has been run on real Spark: Spark/to_json.json and Spark/to_csv.json say what
// was asked and what it answered.

import Foundation
import SluicePlan
import SluiceSpec
import Testing

@testable import SluiceEngine

func sparkFixture<Content: Decodable>(_ name: String, as type: Content.Type) throws -> Content {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Spark")
    return try JSONDecoder().decode(type, from: Data(contentsOf: folder.appending(path: name)))
}

private struct ToJSON: Decodable {
    struct Case: Decodable {
        var type: String
        var micros: Int64?
        var days: Int64?
        var bits: String?
        var value: String?
        var bytes: String?
        var timeZone: String?
        var text: String?
        var csv: String?
        var cast: String?
        var note: String?
        var notShortest: Bool?
    }
    var cases: [Case]
}

private struct ToCSV: Decodable {
    struct Case: Decodable {
        var separator: String
        var value: String?
        var alone: String?
        var thrice: String
    }
    var cases: [Case]
}

@Suite struct EncodeSparkTests {
    /// Text that CSV holds otherwise than Spark writes it, so that it reads back as it was: Spark takes blanks and
    /// control characters off both ends, puts a backslash before quotes and backslashes in quotes, and does not quote
    /// what looks like a byte order mark.
    private func isWrittenOtherwise(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, let last = bytes.last else { return false }
        return bytes.starts(with: [0xEF, 0xBB, 0xBF]) || first <= 0x20 || last <= 0x20 || text.contains("\"")
            || text.contains("\\")
    }

    private func slot(_ item: ToJSON.Case) throws -> (DataType, Value) {
        switch item.type {
        case "timestamp": return (.timestamp, .timestamp(try #require(item.micros)))
        case "date": return (.date, .date(try #require(item.days)))
        case "double":
            let bits = try #require(UInt64(item.bits ?? "", radix: 16))
            return (.double, .double(Double(bitPattern: bits)))
        case "boolean": return (.boolean, .boolean(item.value == "true"))
        case "int": return (.int, .integer(try #require(Int64(item.value ?? ""))))
        case "long": return (.long, .integer(try #require(Int64(item.value ?? ""))))
        case "string": return (.string, .string(item.value ?? ""))
        default:
            let type = try #require(DataType(item.type))
            guard case .decimal(let precision, let scale) = type else {
                throw CancellationError()
            }
            let digits = Array((item.value ?? "").utf8).withUnsafeBytes {
                parseDecimal($0, precision: precision, scale: scale)
            }
            return (type, .decimal(try #require(digits)))
        }
    }

    @Test func everyValueThatSparkHasWrittenComesOutTheSame() throws {
        let truth = try sparkFixture("to_json.json", as: ToJSON.self)
        var count = 0
        // Spark ran on Java 17, which prints a few doubles with more digits than needed, and 9.9E-324 with fewer; what
        // Java 19 prints is right.
        for item in truth.cases where item.type != "struct" && item.bytes == nil {
            if item.notShortest == true || item.bits == "0000000000000002" { continue }
            let (type, value) = try slot(item)
            let zone = item.timeZone ?? "UTC"
            let row = TestRow([type], [value])
            let json = encoded([("v", column(0, type))], [row], format: .json(timeZone: zone, writesNulls: false))
            #expect(json == item.text.map { $0 + "\n" }, "\(item)")
            if let csv = item.csv, type != .string || !isWrittenOtherwise(item.value ?? "") {
                let columns = [("v", column(0, type))] + (type == .string ? [("z", text("z"))] : [])
                let format = OutputFormat.csv(timeZone: zone, separator: UInt8(ascii: ","), writesHeader: false)
                #expect(encoded(columns, [row], format: format) == csv + "\n", "\(item)")
            }
            if let text = item.cast {
                #expect(compute(cast(column(0, type), .string), [row]) == .string(text), "\(item)")
            }
            count += 1
        }
        #expect(count > 600)
    }

    @Test func bytesThatAreNoUTF8BecomeReplacementCharacters() throws {
        let truth = try sparkFixture("to_json.json", as: ToJSON.self)
        for item in truth.cases {
            guard let encodedBytes = item.bytes, let bytes = Data(base64Encoded: encodedBytes) else { continue }
            for front in ["", "0123456789", "\"é"] {
                let row = TestRow(bytes: Array(front.utf8) + Array(bytes))
                let escaped = front.replacing("\"", with: "\\\"")
                let expected = item.text?.replacing("{\"v\":\"", with: "{\"v\":\"" + escaped)
                #expect(encoded([("v", column(0, .string))], [row]) == expected.map { $0 + "\n" }, "\(item)")
            }
        }
    }

    /// The structs of the fixture, as columns.
    private static let structs: [String: [(String, Tree)]] = [
        "all null": [("a", null(.string)), ("b", null(.long)), ("c", null(.timestamp))],
        "some null": [("a", text("x")), ("b", null(.long)), ("c", int(1))],
        "duplicate names": [("a", text("x")), ("a", text("y"))],
        "names that need escapes": [
            ("q\"q", text("x")), ("b\\\\b", text("y")), ("é", text("z")), ("n\n", text("n")),
        ],
        "order is schema order": [("z", int(1)), ("a", int(2)), ("m", int(3))],
        "empty name": [("", int(1))],
        "NaN": [("a", double(.nan)), ("b", double(-.infinity))],
    ]

    @Test func everyStructThatSparkHasWrittenComesOutTheSame() throws {
        let truth = try sparkFixture("to_json.json", as: ToJSON.self)
        var count = 0
        for (name, columns) in Self.structs {
            for writesNulls in [false, true] {
                let note = writesNulls ? name + ", ignoreNullFields=false" : name
                let item = truth.cases.first { $0.type == "struct" && note == $0.note }
                guard let item else { continue }
                let format = OutputFormat.json(timeZone: "UTC", writesNulls: writesNulls)
                #expect(encoded(columns, [nil], format: format) == item.text.map { $0 + "\n" }, "\(note)")
                count += 1
            }
        }
        #expect(count == 9)
    }

    @Test func everyCSVFieldThatSparkHasWrittenComesOutTheSame() throws {
        let truth = try sparkFixture("to_csv.json", as: ToCSV.self)
        for item in truth.cases where !isWrittenOtherwise(item.value ?? "") {
            let format = OutputFormat.csv(
                timeZone: "UTC", separator: Array(item.separator.utf8)[0], writesHeader: false)
            let row = TestRow([.string], [item.value.map { .string($0) } ?? .null])
            let field = ("v", column(0, .string))
            if let alone = item.alone { #expect(encoded([field], [row], format: format) == alone + "\n", "\(item)") }
            let thrice = encoded([field, ("z", text("z")), field], [row], format: format)
            #expect(thrice == item.thrice + "\n", "\(item)")
        }
        #expect(truth.cases.count > 150)
    }

    @Test func theHeaderNamesTheColumnsOnlyWhereTheFormatAsks() {
        let columns = ["a", "b,c", "d\"e", "#f"].map { OutputColumn(name: $0, expression: null(.int)) }
        let output = OutputPlan(filter: nil, columns: columns, sinks: [])
        func header(_ format: OutputFormat) -> String {
            let encoder = RowEncoder(output: output, format: format, layouts: [], zones: systemTimeZones)
            return String(decoding: encoder.header, as: UTF8.self)
        }
        #expect(
            header(.csv(timeZone: "UTC", separator: UInt8(ascii: ","), writesHeader: true))
                == #"a,"b,c","d""e",#f"# + "\n")
        #expect(header(.csv(timeZone: "UTC", separator: UInt8(ascii: ","), writesHeader: false)) == "")
        #expect(header(.json(timeZone: "UTC", writesNulls: false)) == "")
    }
}

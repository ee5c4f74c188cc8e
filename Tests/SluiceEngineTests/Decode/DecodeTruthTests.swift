// from_json and from_csv of Spark 4.1.1, case by case: `Spark/from_json.json` and `Spark/from_csv.json` hold text,
// schema, session zone and what Spark made of it.

import Foundation
import SluicePlan
import SluiceSpec
import Testing

@testable import SluiceEngine

@Suite struct DecodeTruthTests {
    struct Truth: Decodable {
        var cases: [Case]
    }

    struct Case: Decodable {
        var group: String
        private var text: String?
        /// The text in base64 where it is not UTF-8.
        private var bytes: String?
        var schema: Schema
        var timeZone: String
        var options: [String: String]?
        var result: [String: Field?]?
        /// The answer depends on the day Spark was asked.
        var volatile: String?

        var line: [UInt8] {
            bytes.flatMap { Data(base64Encoded: $0) }.map { Array($0) } ?? Array((text ?? "").utf8)
        }
        var shownLine: String { String(decoding: line, as: UTF8.self).debugDescription }
    }

    /// Columns in alphabetical order, which is the order the fixtures name them in.
    struct Schema: Decodable {
        var columns: [(String, DataType)]
        /// Sluice has no such column; where Spark filled it the record is bad.
        var hasCorruptRecord: Bool

        static let corruptRecord = "_corrupt_record"

        init(from decoder: any Decoder) throws {
            let names = try decoder.singleValueContainer().decode([String: String].self)
            columns = names.sorted { $0.key < $1.key }.filter { $0.key != Schema.corruptRecord }
                .map { ($0.key, Schema.type($0.value)) }
            hasCorruptRecord = names[Schema.corruptRecord] != nil
        }

        static func type(_ name: String) -> DataType {
            switch name {
            case "string": return .string
            case "int": return .int
            case "long": return .long
            case "double": return .double
            case "boolean": return .boolean
            case "timestamp": return .timestamp
            case "date": return .date
            default:
                let numbers = name.split { "(),".contains($0) }.compactMap { Int($0) }
                precondition(name.hasPrefix("decimal") && numbers.count == 2, name)
                return .decimal(precision: numbers[0], scale: numbers[1])
            }
        }
    }

    enum Field: Decodable {
        case text(String)
        case integer(Int64)
        case boolean(Bool)
        case bytes([UInt8])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let value = try? container.decode(Bool.self) {
                self = .boolean(value)
            } else if let value = try? container.decode(Int64.self) {
                self = .integer(value)
            } else if let value = try? container.decode(String.self) {
                self = .text(value)
            } else {
                let value = try container.decode([String: String].self)
                self = .bytes(Array(Data(base64Encoded: value["bytes"] ?? "") ?? Data()))
            }
        }

        func shown(_ type: DataType) -> String {
            switch (self, type) {
            case (.text(let text), .double):
                return SluiceEngineTests.shown(
                    ["Infinity": .infinity, "-Infinity": -.infinity, "NaN": .nan][text] ?? Double(text)!)
            case (.text(let text), .decimal): return String(Int128(text.filter { $0 != "." })!)
            case (.text(let text), _): return text
            case (.integer(let value), _): return String(value)
            case (.boolean(let value), _): return String(value)
            case (.bytes(let bytes), _): return String(decoding: bytes, as: UTF8.self)
            }
        }
    }

    private func cases(_ file: String) throws -> [Case] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let data = try Data(contentsOf: folder.appending(path: "Spark/" + file))
        return try JSONDecoder().decode(Truth.self, from: data).cases
    }

    /// Why an answer differs from Spark's on purpose, nil where it must not.
    private func differs(_ test: Case) -> String? {
        if test.volatile != nil { return "a time without a date is null, not today's" }
        if test.line.contains(UInt8(ascii: "\n")) { return "a record is one line" }
        if test.options?["ignoreLeadingWhiteSpace"] != nil { return "there is no such option" }
        if test.group != "string", test.shownLine.contains("１") { return "digits are ASCII digits" }
        if test.group == "string", test.shownLine.contains("2e23") {
            return "doubles are written with as few digits as tell them apart, as Java does since 19"
        }
        if test.shownLine.contains("SystemV/") { return "zones that later versions of Java have dropped are unknown" }
        if test.group == "double", test.shownLine.contains("0x") { return "hexadecimal numbers are none" }
        return nil
    }

    private func check(_ test: Case, format: RecordFormat) {
        let plan = inputPlan(test.schema.columns, format: format, timeZone: test.timeZone, badRows: .permissive)
        let line = test.line
        let records = decode(line + [UInt8(ascii: "\n")], plan)
        let expected = test.schema.columns.map { name, type in
            (test.result ?? nil)?[name].flatMap { $0?.shown(type) }
        }
        if records.isEmpty {
            #expect(expected.allSatisfy { $0 == nil } && line.allSatisfy(isJSONBlank), "\(test.shownLine)")
            return
        }
        if records.count != 1 || records[0].values != expected {
            Issue.record("\(test.group), \(test.timeZone): \(test.shownLine)\n  Spark \(expected)\n  here \(records)")
        }
        if test.schema.hasCorruptRecord {
            let corrupt = (test.result ?? nil)?[Schema.corruptRecord] ?? nil
            #expect((records[0].isCorruptInSpark ?? (corrupt != nil)) == (corrupt != nil), "\(test.shownLine)")
        }
        if test.options?["mode"] == "FAILFAST" {
            #expect((records[0].isCorruptInSpark ?? (test.result == nil)) == (test.result == nil), "\(test.shownLine)")
        }
    }

    @Test func everyCaseOfFromJSONHolds() throws {
        let cases = try cases("from_json.json")
        #expect(cases.count > 1000)
        for test in cases where differs(test) == nil { check(test, format: .json()) }
    }

    @Test func everyCaseOfFromCSVHolds() throws {
        let cases = try cases("from_csv.json")
        #expect(cases.count > 200)
        for test in cases where differs(test) == nil {
            let separator = test.options?["sep"]?.utf8.first ?? UInt8(ascii: ",")
            check(test, format: .csv(CSVOptions(separator: separator, escape: UInt8(ascii: "\\"))))
        }
    }
}

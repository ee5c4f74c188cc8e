// Every line of the fixtures was given to from_json or from_csv of Spark 4.1.1 (PERMISSIVE, session zone Europe/Paris):
// hand-written cases for each rule and mutations of them. A fixture line holds, separated by tabs, the record in
// hexadecimal, whether Spark called it corrupt, and its fields: strings in hexadecimal, times as numbers, `-` for null.

import Foundation
import SluicePlan
import SluiceSpec
import Testing

@testable import SluiceEngine

@Suite struct DecodeSparkTests {
    static let types: [(String, DataType)] = [
        ("s", .string), ("i", .int), ("l", .long), ("d", .double), ("b", .boolean), ("t", .timestamp), ("a", .date),
        ("m", .decimal(precision: 10, scale: 2)),
    ]

    struct Case {
        var line: [UInt8]
        var isCorrupt: Bool
        var values: [String?]
    }

    static func cases(_ file: String, _ columns: [(String, DataType)]) throws -> [Case] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: folder.appending(path: "Spark/" + file), encoding: .utf8)
        return text.split(separator: "\n").map { line in
            let parts = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            let values = zip(columns, parts.dropFirst(2)).map { column, part in value(part, column.1) }
            return Case(line: bytes(parts[0]), isCorrupt: parts[1] == "1", values: values)
        }
    }

    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex.utf8).map { UInt8(String(UnicodeScalar($0)), radix: 16)! }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    private static func value(_ text: String, _ type: DataType) -> String? {
        guard text != "-" else { return nil }
        switch type {
        case .string: return String(decoding: bytes(text), as: UTF8.self)
        case .double:
            return shown(["Infinity": .infinity, "-Infinity": -.infinity, "NaN": .nan][text] ?? Double(text)!)
        case .decimal:
            let digits = text.filter { $0 != "." }
            return String(Int128(digits)!)
        default: return text
        }
    }

    /// What Java reads as numbers and times and Sluice does not.
    private func differsOnPurpose(_ test: Case, timeColumns: [Int]) -> Bool {
        let text = String(decoding: test.line, as: UTF8.self)
        // Digits of other scripts.
        if text.contains("１") || text.contains("２") { return true }
        // Hexadecimal floating point.
        if text.contains("0x1p3") || text.contains("0X1P3") { return true }
        // A time alone is today's in Spark (the fixtures were written on 2026-11-23); an answer must not depend on when
        // a row is read.
        let today = 1_795_388_400_000_000..<1_795_474_800_000_000 as Range<Int64>
        return timeColumns.contains { test.values[$0].flatMap { Int64($0) }.map(today.contains) ?? false }
    }

    private func check(_ cases: [Case], _ plan: InputPlan, path: DecodePath, isKnown: (Case) -> Bool) {
        var failureCount = 0
        for test in cases where !isKnown(test) {
            let records = decode(test.line + [UInt8(ascii: "\n")], plan, path: path)
            guard !records.isEmpty || !test.values.allSatisfy({ $0 == nil }) else { continue }
            let isSame = records.map(\.values) == [test.values]
            if !isSame || (records[0].isCorruptInSpark ?? test.isCorrupt) != test.isCorrupt {
                failureCount += 1
                if failureCount <= 40 {
                    Issue.record(
                        "\(String(decoding: test.line.prefix(300), as: UTF8.self).debugDescription)\n  Spark \(test.isCorrupt) \(test.values)\n  here  \(records)"
                    )
                }
            }
        }
        #expect(failureCount == 0)
    }

    @Test(arguments: [DecodePath.block, .lenient])
    func jsonReadsAsInSpark(path: DecodePath) throws {
        let cases = try Self.cases("from_json_lines.tsv", Self.types)
        #expect(cases.count > 2000)
        check(cases, inputPlan(Self.types), path: path) { differsOnPurpose($0, timeColumns: [5]) }
    }

    @Test func csvReadsAsInSpark() throws {
        let columns = Self.types + [("z", .string)]
        let cases = try Self.cases("from_csv_lines.tsv", columns)
        #expect(cases.count > 2000)
        check(
            cases, inputPlan(columns, format: .csv(CSVOptions(escape: UInt8(ascii: "\\"))), badRows: .permissive),
            path: .block
        ) {
            differsOnPurpose($0, timeColumns: [5])
        }
    }
}

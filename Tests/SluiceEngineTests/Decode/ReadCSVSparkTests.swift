// Whole files as Spark 4.1.1's CSV reader reads them, by `Spark/read_csv.json`, which `Spark/record_csv.py` has
// written. `escape: "\\"` is Spark's default; the default here is Spark's `escape='"'`.

import Foundation
import SluicePlan
import SluiceSpec
import Testing

@testable import SluiceEngine

@Suite struct ReadCSVSparkTests {
    private struct Recording: Decodable {
        var cases: [Case]
    }

    private struct Case: Decodable {
        var options: [String: String]
        var file: String
        var rows: [Row]

        var bytes: [UInt8] {
            let digits = Array(file.utf8).map { UInt8(String(UnicodeScalar($0)), radix: 16)! }
            return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        }

        var csv: CSVOptions {
            let quote = options["quote"].map { $0.utf8.first } ?? UInt8(ascii: "\"")
            let escape = options["escape"]?.utf8.first ?? UInt8(ascii: "\\")
            return CSVOptions(
                separator: options["sep"]?.utf8.first ?? UInt8(ascii: ","), quote: quote,
                escape: quote == nil || escape == quote ? nil : escape, isMultiline: options["multiLine"] != nil,
                nullValue: options["nullValue"])
        }
    }

    private struct Row: Decodable {
        var values: [String?]
        var isCorrupt: Bool

        init(from decoder: any Decoder) throws {
            var list = try decoder.unkeyedContainer()
            values = try (0..<3).map { _ in try list.decode(String?.self) }
            isCorrupt = try list.decode(Bool.self)
        }
    }

    private enum Difference: Hashable {
        /// `""` is empty text; in quotes `null_value` is text.
        case quotedIsText
        /// A quote that is not closed, or has text behind it, is bad.
        case doubtfulQuote
        /// Spark tells line ends by the first in the file, and writes them as LF.
        case lineEnds
        /// Lines behind a quote that is never closed are records.
        case lostRecord
        /// With an escape and several lines, quotes that are doubled or escaped at the end have univocity's own rules.
        case doubledBesideEscape
    }

    /// What several lines may be without anybody's being wrong.
    private func difference(_ test: Case, _ text: String) -> Difference? {
        guard test.csv.isMultiline else { return nil }
        if test.csv.escape != nil, ["\"\"", "''", "\\\"", "\\'"].contains(where: text.contains) {
            return .doubledBesideEscape
        }
        return text.unicodeScalars.contains("\r") ? .lineEnds : nil
    }

    /// Why a row is another than Spark's, on purpose; nil where it must not be.
    private func difference(_ test: Case, _ row: Row, _ record: DecodedRecord) -> Difference? {
        let null = test.options["nullValue"]
        func isSame(_ a: String?, _ b: String?) -> Bool { a == b || b == nil && (a == "" || a == null && a != nil) }
        func withoutReturns(_ values: [String?]) -> [String?] {
            // CR and LF are one character to a String.
            values.map { $0.map { String(String.UnicodeScalarView($0.unicodeScalars.filter { $0 != "\r" })) } }
                .map { $0 == "" ? nil : $0 }
        }
        let mayBeText = test.csv.escape == nil && zip(record.values, row.values).allSatisfy(isSame)
        switch record.fault {
        case .unclosedQuote, .textBehindQuote: if mayBeText { return .doubtfulQuote }
        default:
            if mayBeText, record.isBad == row.isCorrupt || test.csv.nullValue != nil { return .quotedIsText }
        }
        return test.csv.isMultiline && withoutReturns(record.values) == withoutReturns(row.values) ? .lineEnds : nil
    }

    @Test func `Every file reads as in Spark, but for what is listed`() throws {
        let cases = try sparkFixture("read_csv.json", as: Recording.self).cases
        #expect(cases.count > 400)
        var counts: [Difference: Int] = [:]
        var rowCount = 0
        for test in cases {
            let columns: [(String, DataType)] = [("a", .string), ("n", .int), ("b", .string)]
            let text = String(decoding: test.bytes, as: UTF8.self)
            let records = decode(test.bytes, inputPlan(columns, format: .csv(test.csv), badRows: .permissive))
            if records.count != test.rows.count, test.csv.isMultiline,
                records.contains(where: { if case .unclosedQuote = $0.fault { true } else { false } })
            {
                // The lines behind a quote that is never closed are records here.
                counts[.lostRecord, default: 0] += 1
                continue
            }
            if records.count != test.rows.count, let difference = difference(test, text) {
                counts[difference, default: 0] += 1
                continue
            }
            guard records.count == test.rows.count else {
                Issue.record("\(test.options) \(text.debugDescription): \(test.rows) \(records)")
                continue
            }
            for (row, record) in zip(test.rows, records) {
                rowCount += 1
                if row.values == record.values, row.isCorrupt == record.isBad { continue }
                if let difference = difference(test, row, record) ?? difference(test, text) {
                    counts[difference, default: 0] += 1
                } else {
                    Issue.record("\(test.options): Spark \(row), here \(record) \(String(describing: record.fault))")
                }
            }
        }
        #expect(rowCount > 4000 && counts.count == 5, "\(rowCount) rows, \(counts)")
    }
}

// Every record of Spark/explode.json was read by from_json of Spark 4.1.1 and given to explode, posexplode and their
// outer forms (record_explode.py): `each` makes the same rows, and `keep_empty` those of the outer forms.

import Foundation
import SluicePlan
import SluiceSpec
import Testing

@testable import SluiceEngine

private struct ExplodeCase: Decodable {
    struct Record: Decodable {
        var text: String
        var isCorrupt: Bool
        /// Of posexplode and of posexplode_outer.
        var rows: [[String?]]
        var outerRows: [[String?]]
        /// Where it differs: what Spark makes of the elements one by one, each row with its flag.
        var byElement: [Row]?

        struct Row: Decodable {
            var isCorrupt: Bool
            var values: [String?]

            init(from decoder: any Decoder) throws {
                var parts = try decoder.unkeyedContainer()
                isCorrupt = try parts.decode(Bool.self)
                values = try parts.decode([String?].self)
            }
        }

        init(from decoder: any Decoder) throws {
            var parts = try decoder.unkeyedContainer()
            text = try parts.decode(String.self)
            isCorrupt = try parts.decode(Bool.self)
            rows = try parts.decode([[String?]].self)
            outerRows = try parts.decode([[String?]].self)
            byElement = parts.isAtEnd ? nil : try parts.decode([Row].self)
        }
    }

    var each: String
    /// `each.#`, then paths from the element and the record, each with its type.
    var columns: [[String]]
    var records: [Record]

    func plan(keepsEmpty: Bool) throws -> InputPlan {
        let columns = try columns.enumerated().map { index, column in
            InputColumn(
                name: "c\(index)", type: try #require(DataType(column[1])), origin: try origin(column[0]),
                declaredIndex: index)
        }
        var plan = InputPlan(
            source: "source", format: .json(), timeZone: "Europe/Paris", badRows: .null, fieldCount: columns.count,
            columns: columns)
        plan.each = EachSpec(path: try FieldPath(text: each), keepsEmpty: keepsEmpty)
        return plan
    }

    private func origin(_ text: String) throws -> ColumnSpec.Origin {
        if text == "each.#" { return .eachPlace }
        let path = try FieldPath(text: text)
        guard path.steps.first == .name("each") else { return .field(path) }
        let steps = Array(path.steps.dropFirst())
        return .each(steps.isEmpty ? nil : FieldPath(steps))
    }
}

@Suite struct ExplodeSparkTests {
    private struct Row: Equatable {
        var isCorrupt: Bool
        var values: [String?]
    }

    /// What Spark makes of a record; elements are judged one by one here.
    private func expected(_ record: ExplodeCase.Record, _ test: ExplodeCase, keepsEmpty: Bool) -> [Row] {
        let rows = record.byElement?.map { Row(isCorrupt: $0.isCorrupt, values: $0.values) }
        let whole = (keepsEmpty ? record.outerRows : record.rows).map {
            Row(isCorrupt: record.isCorrupt, values: $0)
        }
        return (rows ?? whole).map { row in
            Row(isCorrupt: row.isCorrupt, values: zip(row.values, test.columns).map { shownAsHere($0, $1[1]) })
        }
    }

    /// A record that is corrupt to Spark too is one bad record here, and no rows:
    ///   - that is no JSON, or no object (Spark may have made out some of it);
    ///   - where something else stands in the array's place (Spark: no rows, or that of explode_outer; of two fields of
    ///     its name Spark takes the one that is an array, here the last counts);
    ///   - that has no elements and is bad otherwise (Spark: no rows).
    private func isBadOnPurpose(_ record: ExplodeCase.Record, _ test: ExplodeCase, _ actual: [DecodedRecord]) -> Bool {
        guard record.isCorrupt, actual.count == 1, actual[0].kind == .none else { return false }
        switch actual[0].fault {
        case .malformed, .noObject: return true
        case .noArray: return record.rows.isEmpty || hasArrayTwice(record, test)
        case .field: return record.rows.isEmpty
        default: return false
        }
    }

    private func hasArrayTwice(_ record: ExplodeCase.Record, _ test: ExplodeCase) -> Bool {
        let text = record.text.replacing(/\\u00([0-9a-f]{2})/) { match in
            UInt8(match.1, radix: 16).map { String(UnicodeScalar($0)) } ?? ""
        }
        return text.split(separator: "\"\(test.each.split(separator: ".").last ?? "")\"").count > 2
    }

    /// Of two arrays of one name the last counts, and what is wrong in the first is nobody's trouble; to Spark the
    /// record stays corrupt.
    private func isGoodOnPurpose(
        _ record: ExplodeCase.Record, _ test: ExplodeCase, _ expected: [Row], _ rows: [Row]
    ) -> Bool {
        record.isCorrupt && hasArrayTwice(record, test) && expected.map(\.values) == rows.map(\.values)
    }

    /// The bare word NaN in a column of text, which Spark puts into quotes, and which comes here as a text of its own.
    private func isWordOnPurpose(_ expected: [Row], _ actual: [Row], in text: String) -> Bool {
        guard text.contains("NaN") || text.contains("Infinity") else { return false }
        return expected.map { row in
            Row(isCorrupt: row.isCorrupt, values: row.values.map { $0.map { $0.replacing("\"", with: "") } })
        } == actual
    }

    @Test(arguments: [false, true])
    func `Rows of elements are Spark's`(keepsEmpty: Bool) throws {
        let truth = try sparkFixture("explode.json", as: [String: [ExplodeCase]].self)
        var (count, byElementCount, badCount, twiceCount, wordCount, failureCount) = (0, 0, 0, 0, 0, 0)
        for test in try #require(truth["cases"]) {
            let plan = try test.plan(keepsEmpty: keepsEmpty)
            for record in test.records {
                count += 1
                if record.byElement != nil { byElementCount += 1 }
                let actual = decodeEach(Array((record.text + "\n").utf8), plan)
                let rows = actual.map { Row(isCorrupt: $0.isCorruptInSpark ?? true, values: $0.values) }
                let expected = expected(record, test, keepsEmpty: keepsEmpty)
                if rows == expected, !actual.contains(where: { $0.kind == .none }) { continue }
                if isBadOnPurpose(record, test, actual) {
                    badCount += 1
                } else if isGoodOnPurpose(record, test, expected, rows) {
                    twiceCount += 1
                } else if isWordOnPurpose(expected, rows, in: record.text) {
                    wordCount += 1
                } else {
                    failureCount += 1
                    guard failureCount <= 20 else { continue }
                    Issue.record(
                        """
                        \(record.text)
                          each \(test.each) \(test.columns)
                          Spark \(expected)
                          here  \(actual)
                        """)
                }
            }
        }
        #expect(failureCount == 0)
        #expect(count > 650 && byElementCount > 50 && badCount < 150 && twiceCount < 10 && wordCount < 10)
    }
}

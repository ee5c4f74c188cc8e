// Every record of Spark/nested.json was given to from_json of Spark 4.1.1 with the schema that the columns' paths lead
// through (record_nested.py). Both readers must find at each path what Spark did.

import Foundation
import SluicePlan
import SluiceSpec
import Testing

@testable import SluiceEngine

/// A recorded case: columns, and records under them.
struct NestedCase: Decodable {
    struct Record: Decodable {
        struct Answer: Equatable {
            var isCorrupt: Bool
            var values: [String?]
        }

        var text: String
        /// What Spark answered.
        var answer: Answer
        /// What it answers where elements of arrays are judged one by one, and only those that are asked for.
        var oneByOne: Answer?

        init(from decoder: any Decoder) throws {
            var parts = try decoder.unkeyedContainer()
            text = try parts.decode(String.self)
            answer = try Self.answer(&parts)
            oneByOne = parts.isAtEnd ? nil : try Self.answer(&parts)
        }

        private static func answer(_ parts: inout any UnkeyedDecodingContainer) throws -> Answer {
            Answer(isCorrupt: try parts.decode(Bool.self), values: try parts.decode([String?].self))
        }
    }

    /// A path as a spec writes it, and a type.
    var columns: [[String]]
    var records: [Record]

    func plan() throws -> InputPlan {
        InputPlan(
            source: "source", format: .json(), timeZone: "Europe/Paris", badRows: .null, fieldCount: columns.count,
            columns: try columns.enumerated().map { index, column in
                InputColumn(
                    name: "c\(index)", type: try #require(DataType(column[1])),
                    origin: .field(try FieldPath(text: column[0])), declaredIndex: index)
            })
    }
}

/// What Spark printed as tests show it.
func shownAsHere(_ text: String?, _ type: String) -> String? {
    guard let text else { return nil }
    switch type {
    case "double":
        return shown(["Infinity": .infinity, "-Infinity": -.infinity, "NaN": .nan][text] ?? Double(text) ?? .nan)
    case _ where type.hasPrefix("decimal"): return Int128(text.filter { $0 != "." }).map { String($0) }
    default: return text
    }
}

@Suite struct NestedSparkTests {
    /// Text that is not JSON makes the record none here (`bad_rows: permissive` alone puts out what could be read), and
    /// Spark keeps what it has made out. Its partial row is read here as well, but for two things: of two fields of one
    /// name of which the second is broken the first is not kept, and elements that nobody asks for are not judged.
    private func differsOnPurpose(_ column: FieldPath, in text: String, _ actual: DecodedRecord) -> Bool {
        guard actual.kind == .none && actual.fault == .malformed else { return false }
        return column.steps.contains { step in
            guard case .name(let name) = step else { return true }
            return text.split(separator: "\"\(name)\":", omittingEmptySubsequences: false).count > 2
        }
    }

    @Test(arguments: [DecodePath.block, .lenient])
    func `Every path leads where Spark's schema does`(path: DecodePath) throws {
        let truth = try sparkFixture("nested.json", as: [String: [NestedCase]].self)
        var (count, oneByOneCount, failureCount, onPurposeCount) = (0, 0, 0, 0)
        for test in try #require(truth["cases"]) {
            let plan = try test.plan()
            let paths = try test.columns.map { try FieldPath(text: $0[0]) }
            // A blank line is nothing, and Spark's reader of files has none either.
            for record in test.records where !record.text.isEmpty {
                count += 1
                if record.oneByOne != nil { oneByOneCount += 1 }
                let answer = record.oneByOne ?? record.answer
                let expected = zip(answer.values, test.columns).map { shownAsHere($0, $1[1]) }
                let actual = try #require(decode(Array((record.text + "\n").utf8), plan, path: path).first)
                let differing = expected.indices.filter { expected[$0] != actual.values[$0] }
                if differing.isEmpty && actual.isCorruptInSpark == answer.isCorrupt { continue }
                if answer.isCorrupt, differing.allSatisfy({ differsOnPurpose(paths[$0], in: record.text, actual) }) {
                    onPurposeCount += 1
                    continue
                }
                failureCount += 1
                guard failureCount <= 20 else { continue }
                Issue.record(
                    """
                    \(record.text)
                      \(test.columns)
                      Spark \(answer.isCorrupt) \(expected)
                      here  \(actual)
                    """)
            }
        }
        #expect(failureCount == 0)
        #expect(count > 2000 && oneByOneCount > 50 && onPurposeCount < 5)
    }
}

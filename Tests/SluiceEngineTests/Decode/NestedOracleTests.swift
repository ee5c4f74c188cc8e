// Random schemas that nest, and what the law of section "columns" gives for their records by Python's json module and a
// walk of its own (Python/nested_json.py): paths, units, patterns, parts as JSON, rows of elements. Both readers must
// find the same. A failure prints the seed; NESTED_SEED=n repeats it.

import Foundation
import SluicePlan
import SluiceSpec
import Testing

@testable import SluiceEngine

/// A step of a path: a name, or the place of an element.
private enum Step: Decodable {
    case name(String), element(Int)

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let element = try? value.decode(Int.self) {
            self = .element(element)
        } else {
            self = .name(try value.decode(String.self))
        }
    }

    var step: FieldPath.Step {
        switch self {
        case .name(let name): .name(name)
        case .element(let element): .element(element)
        }
    }
}

private struct Schema: Decodable {
    struct Column: Decodable {
        enum Place: String, Decodable { case record, each, place }
        var `in`: Place
        var steps: [Step]
        var type: String
        var unit: String?
        var pattern: String?
    }

    struct Each: Decodable {
        var steps: [Step]
        var keep_empty: Bool
    }

    struct Row: Decodable {
        /// The element at fault, -1 where the record is, nil where the row is good.
        var fault: Int?
        var values: [String?]

        init(from decoder: any Decoder) throws {
            var parts = try decoder.unkeyedContainer()
            fault = try parts.decode(Int?.self)
            values = try parts.decode([String?].self)
        }
    }

    struct Record: Decodable {
        var text: String
        /// nil: it is no record.
        var rows: [Row]?
    }

    var columns: [Column]
    var each: Each?
    var records: [Record]

    /// `forLenient`: fields that feed two columns, which only the complete reader takes.
    func plan(forLenient: Bool) throws -> InputPlan {
        var columns = try columns.enumerated().map { index, column in
            InputColumn(
                name: "c\(index)", type: try #require(DataType(column.type)), origin: column.origin,
                form: try column.form, declaredIndex: index)
        }
        if forLenient {
            var twice: [ColumnSpec.Origin] = [.field(FieldPath(name: "id"))]
            if each != nil { twice.append(.each(nil)) }
            columns += (twice + twice).map { InputColumn(name: "", type: .json, origin: $0, declaredIndex: 0) }
        }
        var plan = InputPlan(
            source: "source", format: .json(), timeZone: "UTC", badRows: .null, fieldCount: columns.count,
            columns: columns)
        plan.each = each.map { EachSpec(path: FieldPath($0.steps.map(\.step)), keepsEmpty: $0.keep_empty) }
        return plan
    }

    /// What the oracle says, as the tests show rows.
    func expected(_ record: Record) -> [DecodedRecord] {
        guard let rows = record.rows else {
            return [DecodedRecord(kind: .none, fault: nil, values: columns.map { _ in nil })]
        }
        return rows.map { row in
            DecodedRecord(
                kind: row.fault == nil ? .good : .bad,
                fault: row.fault.flatMap { $0 < 0 ? nil : .element(number: $0, slot: 0) },
                values: zip(row.values, columns).map { shownAsHere($0, $1.type) })
        }
    }
}

extension Schema.Column {
    fileprivate var origin: ColumnSpec.Origin {
        let steps = steps.map(\.step)
        return switch `in` {
        case .record: .field(FieldPath(steps))
        case .each: .each(steps.isEmpty ? nil : FieldPath(steps))
        case .place: .eachPlace
        }
    }

    fileprivate var form: ColumnSpec.Form {
        get throws {
            if let unit { return .epoch(try #require(EpochUnit(rawValue: unit))) }
            return try pattern.map { .pattern(try ColumnPattern($0)) } ?? .usual
        }
    }
}

@Suite struct NestedOracleTests {
    private static let seed =
        ProcessInfo.processInfo.environment["NESTED_SEED"].flatMap { UInt32($0) } ?? .random(in: 0...999_999)

    /// What the oracle prints: a schema a line.
    private static let schemas = Result {
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Python/nested_json.py")
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.arguments = [script.path, "\(seed)", "1000"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return try data.split(separator: UInt8(ascii: "\n")).map { try JSONDecoder().decode(Schema.self, from: $0) }
    }

    /// The rows of each record: all read at once, or one by one where a record may have any number.
    private func decoded(_ schema: Schema, _ plan: InputPlan) -> [[DecodedRecord]] {
        let lines = schema.records.map { Array(($0.text + "\n").utf8) }
        let rows =
            plan.each == nil
            ? decode(Array(lines.joined()), plan).map { [$0] } : lines.map { decodeEach($0, plan) }
        return rows.map { $0.map { shown($0, schema) } }
    }

    /// A row as the oracle says rows: without the columns that are there only for the complete reader, and of a record
    /// that is none nothing else. Of faults the element is kept.
    private func shown(_ row: DecodedRecord, _ schema: Schema) -> DecodedRecord {
        var row = row
        row.values = zip(row.values, schema.columns).map { value, column in
            row.kind == .none ? nil : column.type == "json" ? value.map(withoutEscapes) : value
        }
        if case .element(let number, _)? = row.fault {
            row.fault = .element(number: number, slot: 0)
        } else {
            row.fault = nil
        }
        return row
    }

    @Test(arguments: [false, true])
    func `A random schema reads as the law has it`(forLenient: Bool) throws {
        let schemas = try Self.schemas.get()
        try #require(schemas.count == 1000, "python3 (docker/setup.sh) is needed")
        var failureCount = 0
        var elementCount = 0
        for schema in schemas {
            let plan = try schema.plan(forLenient: forLenient)
            let rows = decoded(schema, plan)
            #expect(rows.count == schema.records.count, "NESTED_SEED=\(Self.seed)")
            for (record, actual) in zip(schema.records, rows) {
                let expected = schema.expected(record)
                elementCount += expected.count { $0.fault != nil }
                guard actual != expected else { continue }
                failureCount += 1
                guard failureCount <= 10 else { continue }
                Issue.record(
                    """
                    NESTED_SEED=\(Self.seed): \(record.text)
                      \(plan.columns.map { "\($0.origin) \($0.type)" }) each \(plan.each.map { "\($0.path)" } ?? "-")
                      law  \(expected)
                      here \(actual)
                    """)
            }
        }
        #expect(failureCount == 0 && elementCount > 100, "NESTED_SEED=\(Self.seed)")
    }
}

/// The same JSON with characters in place of `\u00XX`; what the oracle's texts have of escapes stands for no control
/// character.
private func withoutEscapes(_ json: String) -> String {
    json.replacing(/\\u00([0-9a-f]{2})/) { match in
        let character = UInt8(match.1, radix: 16).map { String(UnicodeScalar($0)) } ?? ""
        return character == "\"" || character == "\\" ? "\\" + character : character
    }
}

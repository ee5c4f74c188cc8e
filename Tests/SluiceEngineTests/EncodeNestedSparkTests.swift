// Structs in structs, and parts of records, as to_json of Spark 4.1.1 wrote them (record_to_json_nested.py).

import Foundation
import SluicePlan
import SluiceSpec
import Testing

@testable import SluiceEngine

private struct Truth: Decodable {
    struct Column: Decodable {
        var objects: [String]
        var name: String
        var type: String

        init(from decoder: any Decoder) throws {
            var parts = try decoder.unkeyedContainer()
            objects = try parts.decode([String].self)
            name = try parts.decode(String.self)
            type = try parts.decode(String.self)
        }
    }

    struct Row: Decodable {
        var values: [String?]
        var text: String
        var textWithNulls: String

        init(from decoder: any Decoder) throws {
            var parts = try decoder.unkeyedContainer()
            values = try parts.decode([String?].self)
            text = try parts.decode(String.self)
            textWithNulls = try parts.decode(String.self)
        }
    }

    struct Struct: Decodable {
        var columns: [Column]
        var rows: [Row]
    }

    var structs: [Struct]
    /// A record, and what became of its field `meta` as a variant.
    var parts: [[String]]
}

@Suite struct EncodeNestedSparkTests {
    private func value(_ text: String?, _ type: DataType) throws -> Value {
        guard let text else { return .null }
        switch type {
        case .string: return .string(text)
        case .int, .long: return .integer(try #require(Int64(text)))
        case .double:
            return .double(try #require(["Infinity": .infinity, "-Infinity": -.infinity][text] ?? Double(text)))
        case .boolean: return .boolean(text == "true")
        case .timestamp: return .timestamp(try #require(Int64(text)))
        case .date: return .date(try #require(Int64(text)))
        default: return .decimal(try #require(Int128(text.filter { $0 != "." })))
        }
    }

    @Test func `Objects in objects come out as Spark's structs`() throws {
        let truth = try sparkFixture("to_json_nested.json", as: Truth.self)
        var count = 0
        for test in truth.structs {
            let types = try test.columns.map { try #require(DataType($0.type)) }
            let outputs = zip(test.columns, types).enumerated().map { index, item in
                OutputColumn(name: item.0.name, objects: item.0.objects, expression: column(index, item.1))
            }
            for row in test.rows {
                let values = try zip(row.values, types).map { try value($0, $1) }
                for (writesNulls, expected) in [(false, row.text), (true, row.textWithNulls)] {
                    #expect(encoded(outputs, TestRow(types, values), writesNulls: writesNulls) == expected + "\n")
                    count += 1
                }
            }
        }
        #expect(count > 500)
    }

    private func encoded(_ outputs: [OutputColumn], _ row: TestRow, writesNulls: Bool) -> String {
        var encoder = RowEncoder(
            output: OutputPlan(filter: nil, columns: outputs, sinks: []),
            format: .json(timeZone: "Europe/Paris", writesNulls: writesNulls), layouts: [row.layout],
            zones: systemTimeZones)
        var buffer = ByteBuffer()
        _ = encoder.encode(left: row.pointer, right: nil, into: &buffer)
        return String(decoding: buffer.array(), as: UTF8.self)
    }

    /// A part is written as it stands but for blanks. Spark's variant says the same, but:
    ///   - its numbers lose digits that change nothing (1.50), and doubles get Java's form;
    ///   - its fields are sorted by name;
    ///   - its strings are written anew, without needless escapes;
    ///   - a null in its place is the JSON value null, and not a column without a value.
    @Test func `A part of a record comes out as Spark's variant`() throws {
        let truth = try sparkFixture("to_json_nested.json", as: Truth.self)
        let column = InputColumn(
            name: "meta", type: .json, origin: .field(FieldPath(name: "meta")), declaredIndex: 0)
        let plan = InputPlan(
            source: "source", format: .json(), timeZone: "UTC", badRows: .null, fieldCount: 1, columns: [column])
        let outputs = [OutputColumn(name: "meta", expression: SluiceEngineTests.column(0, .json))]
        for part in truth.parts {
            let record = try #require(decode(part[0] + "\n", plan).first)
            let text = record.values[0]
            let row = TestRow([.json], [text.map { .string($0) } ?? .null])
            let written = encoded(outputs, row, writesNulls: false)
            if part[1] == #"{"meta":null}"# {
                #expect(written == "{}\n")
            } else {
                #expect(try canonical(written) == canonical(part[1]), "\(part)")
            }
        }
        #expect(truth.parts.count > 15)
    }

    /// Fields sorted, strings without needless escapes, numbers by their values.
    private func canonical(_ json: String) throws -> NSDictionary {
        try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? NSDictionary)
    }
}

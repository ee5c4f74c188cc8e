// Records of binary formats in tests: plans with paths, chunks of framed values, and JSON that says the same.

import SluicePlan
import SluiceSpec

@testable import SluiceEngine

/// A plan of columns by their paths, `each…` those of elements.
func nestedPlan(
    _ format: RecordFormat, _ columns: [(path: String, type: DataType, form: ColumnSpec.Form)], each: String? = nil,
    keepsEmpty: Bool = false, timeZone: String = "UTC"
) throws -> InputPlan {
    var plan = InputPlan(
        source: "source", format: format, timeZone: timeZone, badRows: .null, fieldCount: columns.count,
        columns: try columns.enumerated().map { index, column in
            var origin = ColumnSpec.Origin.field(try FieldPath(text: column.path))
            if each != nil, column.path == "each.#" {
                origin = .eachPlace
            } else if each != nil, column.path == "each" || column.path.hasPrefix("each.") {
                let steps = Array(try FieldPath(text: column.path).steps.dropFirst())
                origin = .each(steps.isEmpty ? nil : FieldPath(steps))
            }
            return InputColumn(
                name: "c\(index)", type: column.type, origin: origin, form: column.form, declaredIndex: index)
        })
    plan.each = try each.map { EachSpec(path: try FieldPath(text: $0), keepsEmpty: keepsEmpty) }
    return plan
}

/// Values as a topic has them.
func framed(_ values: [[UInt8]], schemas: [RecordSchema] = []) -> InputChunk {
    var chunk = InputChunk()
    chunk.isFramed = true
    chunk.schemas = schemas
    for (index, value) in values.enumerated() {
        chunk.text.append(contentsOf: value)
        chunk.records.append(
            InputRecord(
                end: UInt32(chunk.text.count), isNull: false, offset: Int64(index), timestampMillis: -1,
                attributesStart: 0))
        chunk.text.append(UInt8(ascii: "\n"))
    }
    chunk.text.reserve(inputPaddingByteCount)
    return chunk
}

/// Where numbers differ only in how they are written; a float's digits are fewer than its value as a double has.
func isSameJSON(_ a: JSONValue, _ b: JSONValue) -> Bool {
    switch (a, b) {
    case (.array(let a), .array(let b)): a.count == b.count && zip(a, b).allSatisfy(isSameJSON)
    case (.object(let a), .object(let b)):
        a.count == b.count
            && a.allSatisfy { member in b.contains { $0.name == member.name && isSameJSON($0.value, member.value) } }
    case (.integer(let a), .double(let b)), (.double(let b), .integer(let a)): Float(a) == Float(b)
    case (.double(let a), .double(let b)): Float(a) == Float(b)
    default: a == b
    }
}

func unhex(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    var high: UInt8?
    for digit in text.utf8 {
        let value = digit < 0x3A ? digit - 0x30 : digit - 0x57
        if let first = high {
            bytes.append(first << 4 | value)
            high = nil
        } else {
            high = value
        }
    }
    return bytes
}

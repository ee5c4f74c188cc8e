// Rows written as Avro: the bytes of each type as the specification has them, and random rows read back by the schema
// that follows from their columns.

import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceEngine

@Suite struct EncodeAvroTests {
    /// A row's bytes without the one that stands in place of a line's end.
    private func encoded(_ types: [DataType], _ values: [Value], schema: String? = nil) throws -> [UInt8] {
        let columns = types.enumerated().map { ("c\($0)", column($0, $1)) }
        let output = OutputPlan(
            filter: nil, columns: columns.map { OutputColumn(name: $0.0, expression: $0.1) }, sinks: [])
        let text = schema.map { Array($0.utf8) } ?? AvroSchema.derived(output.written, name: "R").text()
        let row = TestRow(types, values)
        var encoder = RowEncoder(
            output: output, format: .avro(AvroOutput(schema: SchemaText(text))), layouts: [row.layout],
            zones: systemTimeZones)
        var buffer = ByteBuffer()
        #expect(encoder.encode(left: row.pointer, right: nil, into: &buffer))
        let bytes = buffer.array()
        #expect(bytes.last == UInt8(ascii: "\n"))
        return Array(bytes.dropLast())
    }

    /// One field of a schema that is given.
    private func field(_ type: String, _ column: DataType, _ value: Value) throws -> [UInt8] {
        try encoded(
            [column], [value], schema: #"{"type":"record","name":"R","fields":[{"name":"c0","type":\#(type)}]}"#)
    }

    @Test func `Values are written as the specification says`() throws {
        let null = #"["null","#
        #expect(try field(null + #""string"]"#, .string, .string("foo")) == [2, 6, 0x66, 0x6F, 0x6F])
        #expect(try field(null + #""string"]"#, .string, .null) == [0])
        #expect(try field(#"["string","null"]"#, .string, .string("")) == [0, 0])
        #expect(try field(#"["string","null"]"#, .string, .null) == [2])
        #expect(try field(#"["boolean","bytes","null"]"#, .string, .string("a")) == [2, 2, 0x61])
        #expect(try field(null + #""long"]"#, .long, .integer(-64)) == [2, 0x7F])
        #expect(try field(null + #""long"]"#, .long, .integer(64)) == [2, 0x80, 1])
        #expect(try field(null + #""long"]"#, .int, .integer(Int64(Int32.min))) == [2, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F])
        #expect(
            try field(null + #""long"]"#, .long, .integer(.min)) == [2] + [UInt8](repeating: 0xFF, count: 9) + [1])
        #expect(try field(null + #""double"]"#, .double, .double(1)) == [2, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F])
        #expect(try field(null + #""boolean"]"#, .boolean, .boolean(true)) == [2, 1])
    }

    @Test func `Times and dates are numbers since 1970, milliseconds rounded down`() throws {
        func time(_ unit: String, _ micros: Int64) throws -> [UInt8] {
            try field(#"["null",{"type":"long","logicalType":"timestamp-\#(unit)"}]"#, .timestamp, .timestamp(micros))
        }
        #expect(try time("micros", -1) == [2, 1])
        #expect(try time("millis", -1) == [2, 1])
        #expect(try time("millis", 1999) == [2, 2])
        #expect(try field(#"["null",{"type":"int","logicalType":"date"}]"#, .date, .date(-1)) == [2, 1])
    }

    @Test func `Decimals are two's complement, the highest byte first`() throws {
        func bytes(_ digits: Int128) throws -> [UInt8] {
            let type = #"["null",{"type":"bytes","logicalType":"decimal","precision":38,"scale":2}]"#
            return try Array(field(type, .decimal(precision: 38, scale: 2), .decimal(digits)).dropFirst())
        }
        #expect(try bytes(0) == [2, 0])
        #expect(try bytes(127) == [2, 0x7F])
        #expect(try bytes(128) == [4, 0, 0x80])
        #expect(try bytes(-128) == [2, 0x80])
        #expect(try bytes(-129) == [4, 0xFF, 0x7F])
        let largest = Int128(99_999_999_999_999_999_999_999_999_999_999_999_999)
        #expect(try bytes(largest).count == 17)
        #expect(try bytes(-largest).first == 32)
        let fixed = #"["null",{"type":"fixed","name":"F","size":18,"logicalType":"decimal","precision":38,"scale":2}]"#
        let wide = try field(fixed, .decimal(precision: 38, scale: 2), .decimal(-2))
        #expect(wide == [2] + [UInt8](repeating: 0xFF, count: 17) + [0xFE])
    }

    @Test func `Random rows are read back as they were`() throws {
        let seed = UInt64.random(in: 0..<1_000_000)
        print("EncodeAvroTests: seed \(seed)")
        var random = SplitMix64(seed: seed)
        let types: [DataType] = [
            .string, .int, .long, .double, .boolean, .timestamp, .date, .decimal(precision: 38, scale: 6),
        ]
        for _ in 0..<2000 {
            let columns = (0..<Int.random(in: 1...12, using: &random)).map { _ in
                types.randomElement(using: &random) ?? .long
            }
            let values = columns.map { value($0, &random) }
            let bytes = try encoded(columns, values)
            let output = OutputPlan(
                filter: nil,
                columns: columns.enumerated().map { OutputColumn(name: "c\($0)", expression: column($0, $1)) },
                sinks: [])
            let schema = try AvroSchema(text: AvroSchema.derived(output.written, name: "R").text())
            let plan = try nestedPlan(
                .avro(AvroOptions(schema: schema, framing: .none)),
                columns.enumerated().map { ("c\($0)", $1, ColumnSpec.Form.usual) })
            let found = try #require(decode(framed([bytes]), plan).first)
            #expect(found.kind == .good && found.values == values.map(text), "seed \(seed): \(columns) \(values)")
        }
    }

    /// As rows that were decoded are shown.
    private func text(_ value: Value) -> String? {
        switch value {
        case .null: nil
        case .string(let text): text
        case .double(let number): shown(number)
        case .boolean(let flag): "\(flag)"
        case .decimal(let digits): "\(digits)"
        case .integer(let number), .timestamp(let number), .date(let number), .duration(let number): "\(number)"
        }
    }

    private func value(_ type: DataType, _ random: inout SplitMix64) -> Value {
        if Int.random(in: 0..<5, using: &random) == 0 { return .null }
        let bits = Int64(bitPattern: UInt64.random(in: 0 ... .max, using: &random))
        let number = bits >> Int64.random(in: 0..<64, using: &random)
        switch type {
        case .string: return .string(String(repeating: "aé🎉", count: Int.random(in: 0..<80, using: &random)))
        case .int: return .integer(Int64(Int32(truncatingIfNeeded: number)))
        case .double: return .double(Double(number) / 8)
        case .boolean: return .boolean(number & 1 == 1)
        case .timestamp: return .timestamp(number % 10_000_000_000_000_000)
        case .date: return .date(number % 100_000)
        case .decimal: return .decimal(Int128(number) * Int128(Int32.random(in: .min ... .max, using: &random)))
        default: return .integer(number)
        }
    }
}

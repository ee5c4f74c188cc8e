// A field's default, which a schema has as JSON, in the bytes that Avro writes for it: what is missing is then read by
// the same program as what is there. Source: Apache Avro 1.12.0 Specification, "Complex Types: Records".

struct AvroDefaultEncoder {
    let schema: AvroSchema
    private(set) var bytes: [UInt8] = []
    /// A default may take other defaults in, and those the same ones again.
    private var stepsLeft = 1 << 16
    private var depth = 0

    init(schema: AvroSchema) { self.schema = schema }

    /// Appends a value of a type; false for what is none, and for one that has no end.
    mutating func encode(_ value: JSONValue, _ type: Int) -> Bool {
        stepsLeft -= 1
        depth += 1
        defer { depth -= 1 }
        guard stepsLeft > 0, depth <= AvroResolution.depthMax, bytes.count <= AvroSchema.byteCountMax else {
            return false
        }
        switch (schema[type].shape, value) {
        case (.null, .null): return true
        case (.boolean, .bool(let flag)): bytes.append(flag ? 1 : 0)
        case (.int, .integer(let number)):
            guard Int32(exactly: number) != nil else { return false }
            appendLong(number)
        case (.long, .integer(let number)): appendLong(number)
        case (.float, _), (.double, _): return appendFraction(value, isFloat: schema[type].shape == .float)
        case (.string, .string(let text)): append(Array(text.utf8))
        case (.bytes, .string(let text)):
            guard let content = content(text) else { return false }
            append(content)
        case (.fixed(let byteCount), .string(let text)):
            guard let content = content(text), content.count == byteCount else { return false }
            bytes += content
        case (.enumeration(let enumeration), .string(let text)):
            guard let place = enumeration.symbols.firstIndex(of: text) else { return false }
            appendLong(Int64(place))
        case (.array(let items), .array(let values)): return appendBlock(values) { $0.encode($1, items) }
        case (.map(let values), .object(let members)):
            return appendBlock(members) { encoder, member in
                encoder.append(Array(member.name.utf8))
                return encoder.encode(member.value, values)
            }
        case (.record(let fields), .object): return appendFields(fields, value)
        case (.union(let branches), _): return appendBranch(branches, value)
        default: return false
        }
        return true
    }

    private mutating func appendFields(_ fields: [AvroField], _ value: JSONValue) -> Bool {
        for field in fields {
            guard let member = value[field.name] ?? field.fallback, encode(member, field.type) else { return false }
        }
        return true
    }

    /// A default is of a union's first branch, since 1.12 of the first that it is a value of.
    private mutating func appendBranch(_ branches: [Int], _ value: JSONValue) -> Bool {
        let start = bytes.count
        for (place, branch) in branches.enumerated() {
            appendLong(Int64(place))
            if encode(value, branch) { return true }
            bytes.removeSubrange(start...)
        }
        return false
    }

    private mutating func appendBlock<Value>(
        _ values: [Value], _ body: (inout AvroDefaultEncoder, Value) -> Bool
    ) -> Bool {
        if !values.isEmpty {
            appendLong(Int64(values.count))
            for value in values { guard body(&self, value) else { return false } }
        }
        bytes.append(0)
        return true
    }

    private mutating func appendFraction(_ value: JSONValue, isFloat: Bool) -> Bool {
        let number: Double
        switch value {
        case .integer(let integer): number = Double(integer)
        case .double(let double): number = double
        case .string("NaN"): number = .nan
        case .string("Infinity"), .string("INF"): number = .infinity
        case .string("-Infinity"), .string("-INF"): number = -.infinity
        default: return false
        }
        if isFloat {
            let bits = Float(number).bitPattern
            for shift in stride(from: 0, to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
        } else {
            let bits = number.bitPattern
            for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
        }
        return true
    }

    /// Each character is a byte; nil where one is none.
    private func content(_ text: String) -> [UInt8]? {
        var content: [UInt8] = []
        for scalar in text.unicodeScalars {
            guard let byte = UInt8(exactly: scalar.value) else { return nil }
            content.append(byte)
        }
        return content
    }

    private mutating func append(_ content: [UInt8]) {
        appendLong(Int64(content.count))
        bytes += content
    }

    private mutating func appendLong(_ value: Int64) { bytes += sevenBitBytes(zigzag(value)) }
}

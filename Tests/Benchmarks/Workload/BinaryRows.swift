// The workload's rows as Avro and protobuf write them: the fields of the JSON rows, each with its own type. Made from
// the same patterns, so that the truth is the same.

/// The forms of rows that are no text.
enum BinaryFormat: String, CaseIterable {
    case avro, protobuf
}

/// Rows of one side.
struct BinaryRows {
    private enum Value {
        case text(RowTemplate)
        case time(RowField)
        case long(Int)
        case double(Double)
    }

    private let name: String
    private let fields: [(name: String, value: Value)]

    /// - Parameters:
    ///   - name: of the record.
    ///   - members: as JSON writes them, `"name":value`.
    ///   - names: of the fields that rows have.
    init(_ name: String, members: [String], names: [String]) {
        self.name = name
        fields = members.compactMap { member in
            let parts = member.split(separator: ":", maxSplits: 1)
            let field = String(parts[0].filter { $0 != "\"" })
            return names.contains(field) ? (field, Self.value(String(parts[1]))) : nil
        }
    }

    private static func value(_ text: String) -> Value {
        let bare = text.filter { $0 != "\"" }
        if bare == text {
            return bare.contains(".") ? .double(Double(bare) ?? 0) : .long(Int(bare) ?? 0)
        }
        for field in [RowField.eventTime, .displayTime] where bare == "<\(field)>" { return .time(field) }
        return .text(RowTemplate(bare))
    }

    // MARK: Schemas

    /// As registries have it: every field may be null.
    var avroSchema: String {
        let all = fields.map { name, value in
            let type =
                switch value {
                case .text: "\"string\""
                case .time: #"{"type":"long","logicalType":"timestamp-millis"}"#
                case .long: "\"long\""
                case .double: "\"double\""
                }
            return #"{"name":"\#(name)","type":["null",\#(type)],"default":null}"#
        }
        return #"{"type":"record","name":"\#(name)","fields":[\#(all.joined(separator: ","))]}"#
    }

    var proto: String {
        let all = fields.enumerated().map { index, field in
            let type =
                switch field.value {
                case .text: "string"
                case .time: "google.protobuf.Timestamp"
                case .long: "int64"
                case .double: "double"
                }
            return "  \(type) \(field.name) = \(index + 1);\n"
        }
        return
            "syntax = \"proto3\";\nimport \"google/protobuf/timestamp.proto\";\nmessage \(name) {\n\(all.joined())}\n"
    }

    // MARK: Bytes

    func append(_ values: RowValues, as format: BinaryFormat, to bytes: inout [UInt8]) {
        for (index, field) in fields.enumerated() {
            switch format {
            case .avro:
                bytes.append(2)
                appendAvro(field.value, values, to: &bytes)
            case .protobuf: appendProtobuf(field.value, UInt64(index + 1) << 3, values, to: &bytes)
            }
        }
    }

    private func appendAvro(_ value: Value, _ values: RowValues, to bytes: inout [UInt8]) {
        switch value {
        case .text(let template):
            appendNumber(UInt64(template.byteCount) << 1, to: &bytes)
            template.append(values, to: &bytes)
        case .time(let field): appendNumber(UInt64(millis(values[field])) << 1, to: &bytes)
        case .long(let number): appendNumber(UInt64(number) << 1, to: &bytes)
        case .double(let number): appendBits(number, to: &bytes)
        }
    }

    private func appendProtobuf(_ value: Value, _ tag: UInt64, _ values: RowValues, to bytes: inout [UInt8]) {
        switch value {
        case .text(let template):
            appendNumber(tag | 2, to: &bytes)
            appendNumber(UInt64(template.byteCount), to: &bytes)
            template.append(values, to: &bytes)
        case .time(let field):
            var instant: [UInt8] = [1 << 3]
            let millis = millis(values[field])
            appendNumber(UInt64(millis / 1000), to: &instant)
            if millis % 1000 > 0 {
                instant.append(2 << 3)
                appendNumber(UInt64(millis % 1000 * 1_000_000), to: &instant)
            }
            appendNumber(tag | 2, to: &bytes)
            appendNumber(UInt64(instant.count), to: &bytes)
            bytes += instant
        case .long(let number) where number == 0: break
        case .long(let number):
            appendNumber(tag, to: &bytes)
            appendNumber(UInt64(number), to: &bytes)
        case .double(let number):
            appendNumber(tag | 1, to: &bytes)
            appendBits(number, to: &bytes)
        }
    }

    /// Since 1970.
    private func millis(_ value: Int) -> Int { 1_703_980_800_000 + value }

    private func appendNumber(_ value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private func appendBits(_ value: Double, to bytes: inout [UInt8]) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
        }
    }
}

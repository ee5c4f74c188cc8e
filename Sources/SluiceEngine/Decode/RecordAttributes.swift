// Columns that come from what a Kafka record says beside its value: `from: kafka.offset` and so on. They are set
// before the fields of the value, so a value that cannot be read does not take them along.
//
// Key and headers are bytes of any length. A source puts those that the plan wants into the chunk's attributes, record
// after record in the order of `wantedAttributes`, each as its byte count (Int32, -1 for null) and its bytes.

package import SluicePlan
package import SluiceSpec

/// Which of key and headers a plan wants.
extension InputPlan {
    /// What a source has to put into the attributes of a record, in this order.
    package var wantedAttributes: [KafkaField] {
        var wanted: [KafkaField] = isKeyed ? [.key] : []
        for case .kafka(let field) in columns.map(\.origin) {
            if let attribute = field.attribute, !wanted.contains(attribute) { wanted.append(attribute) }
        }
        return wanted
    }
}

extension KafkaField {
    /// What of key and headers it is taken from.
    fileprivate var attribute: KafkaField? {
        switch self {
        case .key, .header: self
        case .keyField: .key
        case .value, .topic, .partition, .offset, .timestamp: nil
        }
    }
}

extension InputChunk {
    /// Appends one of the record's `wantedAttributes`; nil is null.
    package mutating func appendAttribute(_ bytes: UnsafeRawBufferPointer?) {
        var count = unsafe Int32(bytes?.count ?? -1)
        unsafe withUnsafeBytes(of: &count) { unsafe attributes.append($0) }
        if let bytes = unsafe bytes { unsafe attributes.append(bytes) }
    }
}

extension InputChunk {
    /// One of a record's `wantedAttributes`; nil for null. Valid until the chunk changes.
    func attribute(_ number: Int, of record: InputRecord) -> UnsafeRawBufferPointer? {
        unsafe SluiceEngine.attribute(number, at: attributes.base + Int(record.attributesStart))
    }
}

/// - Parameter start: of a record's attributes.
private func attribute(_ number: Int, at start: UnsafeRawPointer) -> UnsafeRawBufferPointer? {
    var place = unsafe start
    for _ in 0..<number {
        let count = unsafe place.loadUnaligned(as: Int32.self)
        unsafe place += 4 + Int(max(0, count))
    }
    let count = unsafe place.loadUnaligned(as: Int32.self)
    return unsafe count < 0 ? nil : UnsafeRawBufferPointer(start: place + 4, count: Int(count))
}

/// Sets the columns of one input that come from beside the value.
@safe struct RecordAttributes {
    private enum Value {
        case text(attribute: Int)
        case keyField(attribute: Int, name: String, isOnly: Bool)
        case wholeValue
        case topic
        case partition
        case offset
        case timestamp
    }

    private struct Column {
        var slot: Int
        var value: Value
        var decoded: DecodedColumn
    }

    private let columns: [Column]
    private var topic: [UInt8] = []
    private var attributes: UnsafeRawPointer
    private var partition: Int32 = 0
    private var record = InputRecord(end: 0, isNull: true, offset: 0, timestampMillis: -1, attributesStart: 0)
    private var value = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    /// The first column of the current record that could not be read.
    private(set) var badSlot: Int?

    /// The offset of the current record.
    var recordOffset: Int64 { record.offset }

    /// False when the plan wants nothing but fields of the value, or when records are lines and have nothing else.
    private(set) var hasColumns = false

    init(_ input: InputPlan) {
        let wanted = input.wantedAttributes
        columns = input.columns.enumerated().compactMap { slot, column in
            guard case .kafka(let field) = column.origin else { return nil }
            let value: Value =
                switch field {
                case .key, .header: .text(attribute: wanted.firstIndex(of: field) ?? 0)
                case .keyField(let name, let isOnly):
                    .keyField(attribute: wanted.firstIndex(of: .key) ?? 0, name: name, isOnly: isOnly)
                case .value: .wholeValue
                case .topic: .topic
                case .partition: .partition
                case .offset: .offset
                case .timestamp: .timestamp
                }
            return Column(slot: slot, value: value, decoded: DecodedColumn(column))
        }
        unsafe attributes = unsafe UnsafeRawPointer(bitPattern: 16)!
    }

    /// Starts on a chunk, which must stay as it is until the next one.
    mutating func begin(_ chunk: borrowing InputChunk) {
        unsafe attributes = UnsafeRawPointer(chunk.attributes.base)
        partition = chunk.partition
        topic = chunk.topic
        hasColumns = chunk.isFramed && !columns.isEmpty
    }

    /// Starts on a record of the chunk.
    @inline(__always)
    mutating func startRecord(_ record: InputRecord, value: UnsafeRawBufferPointer) {
        self.record = record
        unsafe self.value = unsafe value
        badSlot = nil
    }

    /// Sets the columns of a row that has been begun.
    @inline(never)
    mutating func set(_ fields: inout FieldWriter, into arena: inout ByteBuffer) {
        badSlot = nil
        for column in columns {
            let isSet =
                switch column.value {
                case .text(let attribute): unsafe setText(attributeBytes(attribute), column, &fields, &arena)
                case .keyField(let attribute, let name, let isOnly):
                    unsafe setKeyField(attributeBytes(attribute), name, isOnly: isOnly, column, &fields, &arena)
                case .wholeValue: unsafe setText(record.isNull ? nil : value, column, &fields, &arena)
                case .topic:
                    unsafe topic.withUnsafeBytes { unsafe setText($0, column, &fields, &arena) }
                case .partition: setInteger(Int64(partition), column, &fields, &arena)
                case .offset: setInteger(record.offset, column, &fields, &arena)
                case .timestamp:
                    record.timestampMillis < 0
                        || setInteger(millisToMicros(record.timestampMillis), column, &fields, &arena)
                }
            if !isSet { badSlot = badSlot ?? column.slot }
        }
    }

    private func setInteger(
        _ integer: Int64, _ column: Column, _ fields: inout FieldWriter, _ arena: inout ByteBuffer
    ) -> Bool {
        fields.builder.set(column.slot, integer: integer, in: &arena)
        return true
    }

    /// Text of a column that is no string is read as in CSV, where empty means null.
    private func setText(
        _ text: UnsafeRawBufferPointer?, _ column: Column, _ fields: inout FieldWriter, _ arena: inout ByteBuffer
    ) -> Bool {
        guard let text = unsafe text else { return true }
        if column.decoded.kind == .string {
            unsafe fields.builder.set(column.slot, bytes: text, in: &arena)
            return true
        }
        return unsafe text.isEmpty || fields.setCSVText(column.slot, column.decoded, text, in: &arena)
    }

    /// A key that is JSON text, or an object with the field, stands for that; any other is the value of the only column
    /// there is.
    private func setKeyField(
        _ key: UnsafeRawBufferPointer?, _ name: String, isOnly: Bool, _ column: Column, _ fields: inout FieldWriter,
        _ arena: inout ByteBuffer
    ) -> Bool {
        guard let key = unsafe key else { return true }
        let isText = unsafe isOnly && key.first == UInt8(ascii: "\"")
        guard unsafe isText || key.first == UInt8(ascii: "{"), let json = unsafe try? JSONValue(report: Array(key)[...])
        else { return isOnly ? unsafe setText(key, column, &fields, &arena) : false }
        // As Kafka Connect writes it with `schemas.enable`.
        let value = json["schema"] == nil ? json : json["payload"] ?? json
        switch value[name] ?? value {
        case .null: return true
        case .string(let text): return set(text, column, &fields, &arena)
        case .bool(let flag): return set("\(flag)", column, &fields, &arena)
        case .integer(let number): return set("\(number)", column, &fields, &arena)
        case .double(let number): return set("\(number)", column, &fields, &arena)
        case .array, .object: return false
        }
    }

    private func set(
        _ text: String, _ column: Column, _ fields: inout FieldWriter, _ arena: inout ByteBuffer
    ) -> Bool {
        var text = text
        return text.withUTF8 { unsafe setText(UnsafeRawBufferPointer($0), column, &fields, &arena) }
    }

    /// One attribute of the current record; nil for null.
    private func attributeBytes(_ number: Int) -> UnsafeRawBufferPointer? {
        unsafe attribute(number, at: attributes + Int(record.attributesStart))
    }
}

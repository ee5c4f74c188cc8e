// A part of a message as JSON text: what a column of the type `json` holds, and one of text where the value nests. It
// is protobuf's own mapping: numbers of 64 bits in quotes, bytes in base64, enums by name, times and durations as
// texts, what has its default and no presence left out. Fields have the names of the schema, as paths have them, in the
// order of their numbers.
//
// A message is read from a list of byte ranges, one for each time that its field was there: read one after the other
// they are the merged message. Its fields are gathered first (as protobuf says: the last one counts, lists are put
// together, members of a oneof clear each other), then written. Source: Protocol Buffers Documentation, "ProtoJSON
// Format".

internal import SluiceSpec

/// What is written as JSON, by the messages of a schema.
final class ProtobufJSON: Sendable {
    /// A value as it stands in a record: of a text, a message or a list in one piece without its length.
    @safe struct Value {
        var wireType: UInt8
        var start: UnsafeRawPointer
        var end: UnsafeRawPointer
    }

    enum Outcome {
        case set
        /// There is no value: a number that its closed enum does not have.
        case nothing
        case unfit
        case faulty(ProtobufFault)
    }

    let schema: ProtobufSchema
    /// `,"name":` of each field of each message.
    private let prefixes: [[[UInt8]]]

    /// The longest part of a record that is written as JSON.
    static let byteCountMax = 64 << 20

    init(_ schema: ProtobufSchema) {
        self.schema = schema
        prefixes = schema.messages.map { message in
            message.fields.map { [UInt8(ascii: ",")] + JSONValue.string($0.name).text() + [UInt8(ascii: ":")] }
        }
    }

    /// Sets a column to what its values are.
    func set(
        _ pending: ProtobufPending, _ values: [Value], _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> Outcome {
        if pending.form == .seconds { return setSeconds(pending, values, &row, into: &arena) }
        let start = arena.count
        var writer = ProtobufJSONWriter(self, start: start)
        guard writer.append(pending.place, values[...], &arena, depth: 0) else {
            arena.truncate(to: start)
            return .faulty(writer.fault)
        }
        if writer.isUnfit || arena.count == start {
            arena.truncate(to: start)
            return writer.isUnfit ? .unfit : .nothing
        }
        if unsafe pending.form == .text && arena.bytes[start] == UInt8(ascii: "\"") {
            // A number or a time: nothing in it is escaped.
            arena.truncate(to: arena.count - 1)
            row.fields.builder.setAppended(pending.slot, from: start + 1, in: &arena)
        } else {
            row.fields.builder.setAppended(pending.slot, from: start, in: &arena)
        }
        return .set
    }

    /// A duration as a number of seconds.
    private func setSeconds(
        _ pending: ProtobufPending, _ values: [Value], _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> Outcome {
        let writer = ProtobufJSONWriter(self, start: arena.count)
        guard let (seconds, nanos) = writer.secondsAndNanos(values[...]) else { return .faulty(writer.fault) }
        guard pending.column.kind == .decimal else {
            let value = Double(seconds) + Double(nanos) / 1e9
            row.fields.builder.set(pending.slot, bits: value.bitPattern, in: &arena)
            return .set
        }
        let total = Int128(seconds) * 1_000_000_000 + Int128(nanos)
        let scale = Int(pending.column.scale)
        let value: Int128
        if scale >= 9 {
            let (product, isOver) = total.multipliedReportingOverflow(by: powerOfTen(scale - 9))
            if isOver { return .unfit }
            value = product
        } else {
            // Half up, as decimals are rounded everywhere.
            let divisor = powerOfTen(9 - scale)
            let half = total < 0 ? -divisor / 2 : divisor / 2
            value = (total + half) / divisor
        }
        guard value.magnitude < UInt128(powerOfTen(Int(pending.column.precision))) else { return .unfit }
        row.fields.builder.set(pending.slot, decimal: value, in: &arena)
        return .set
    }

    fileprivate func prefix(_ message: Int, _ field: Int) -> [UInt8] { prefixes[message][field] }
}

/// Writes one value.
private struct ProtobufJSONWriter {
    /// A field's value in a message.
    @safe struct Member {
        /// Among the message's fields.
        var field: Int
        var order: Int
        var value: ProtobufJSON.Value
    }

    private let json: ProtobufJSON
    private let start: Int
    /// Why the bytes are none.
    private(set) var fault = ProtobufFault.short
    /// True for a value that JSON does not hold.
    private(set) var isUnfit = false

    init(_ json: ProtobufJSON, start: Int) {
        self.json = json
        self.start = start
    }

    private var schema: ProtobufSchema { json.schema }

    private mutating func fail(_ fault: ProtobufFault) -> Bool {
        self.fault = fault
        return false
    }

    /// Appends a value; nothing where there is none. False when the bytes are none.
    mutating func append(
        _ place: ProtobufPlace, _ values: ArraySlice<ProtobufJSON.Value>, _ arena: inout ByteBuffer, depth: Int
    ) -> Bool {
        guard arena.count - start <= ProtobufJSON.byteCountMax else { return fail(.longJSON) }
        switch place {
        case .value(let type) where type.kind == .message:
            return appendMessage(type.index, values, &arena, depth: depth)
        case .value(let type):
            // The last value that is one of its enum's.
            for value in values.reversed() {
                let before = arena.count
                guard appendScalar(type, value, &arena) else { return false }
                if arena.count > before { return true }
            }
            return true
        case .list(let type): return appendList(type, values, &arena, depth: depth)
        case .map(let entry): return appendMap(entry, values, &arena, depth: depth)
        }
    }

    // MARK: - Messages

    private mutating func appendMessage(
        _ message: Int, _ ranges: ArraySlice<ProtobufJSON.Value>, _ arena: inout ByteBuffer, depth: Int
    ) -> Bool {
        guard depth < ProtobufMachine.depthMax else { return fail(.deep) }
        switch schema[message].wellKnown {
        case .timestamp, .duration: return appendTime(message, ranges, &arena)
        case .fieldMask: return appendFieldMask(message, ranges, &arena)
        case .object, .list, .value, .wrapper: return appendKnown(message, ranges, &arena, depth: depth)
        case nil: break
        }
        guard let members = members(message, ranges) else { return false }
        let opening = arena.count
        var index = 0
        while index < members.count {
            let number = members[index].field
            var end = index + 1
            while end < members.count && members[end].field == number { end += 1 }
            let field = schema[message].fields[number]
            let values = members[index..<end].map { $0.value }
            index = end
            if !field.isRepeated, !field.hasPresence, isDefault(field, values[values.count - 1]) { continue }
            let before = arena.count
            arena.append(contentsOf: json.prefix(message, number))
            let beforeValue = arena.count
            guard append(ProtobufPlace(field, schema), values[...], &arena, depth: depth + 1) else {
                return false
            }
            let isEmptyList =
                unsafe field.isRepeated && arena.count == beforeValue + 2
                && (arena.bytes[beforeValue] == UInt8(ascii: "[") || arena.bytes[beforeValue] == UInt8(ascii: "{"))
            if arena.count == beforeValue || isEmptyList { arena.truncate(to: before) }
        }
        arena.closeJSON(from: opening, UInt8(ascii: "{"), UInt8(ascii: "}"))
        return true
    }

    /// Messages whose JSON is that of what is in them.
    private mutating func appendKnown(
        _ message: Int, _ ranges: ArraySlice<ProtobufJSON.Value>, _ arena: inout ByteBuffer, depth: Int
    ) -> Bool {
        guard let members = members(message, ranges) else { return false }
        let fields = schema[message].fields
        // A value has one of several fields, the others have one.
        let number = members.last?.field ?? 0
        guard fields.indices.contains(number) else { return fail(.unreadable) }
        let field = fields[number]
        let values = members.map { $0.value }
        if values.isEmpty, schema[message].wellKnown == .value {
            // One without any of them has no JSON.
            isUnfit = true
            arena.append("null")
            return true
        }
        if values.isEmpty, !field.isRepeated {
            appendZero(field.kind, &arena)
            return true
        }
        return append(ProtobufPlace(field, schema), values[...], &arena, depth: depth + 1)
    }

    private func appendZero(_ kind: ProtobufField.Kind, _ arena: inout ByteBuffer) {
        switch kind {
        case .string, .bytes: arena.append("\"\"")
        case .bool: arena.append("false")
        case .int64, .uint64: arena.append("\"0\"")
        case .double, .float: arena.append("0.0")
        default: arena.append("0")
        }
    }

    /// The fields that a message has, by number, each in its order. nil when the bytes are none.
    private mutating func members(_ message: Int, _ ranges: ArraySlice<ProtobufJSON.Value>) -> [Member]? {
        let fields = schema[message].fields
        var members: [Member] = []
        var isSorted = true
        for range in ranges {
            var reader = ProtobufReader(range)
            while let next = reader.next(&fault) {
                guard let field = fields.place(number: next.number) else { continue }
                let wireType = next.value.wireType
                let isFitting = fields[field].kind.wireType == wireType && wireType != 3
                let isPacked = wireType == 2 && fields[field].isRepeated && fields[field].kind.isPackable
                guard isFitting || isPacked else { continue }
                if fields[field].oneof != nil, isUnknown(fields[field], next.value) { continue }
                if let last = members.last, last.field > field { isSorted = false }
                members.append(Member(field: field, order: members.count, value: next.value))
            }
            guard reader.isAtEnd else { return nil }
        }
        dropCleared(&members, fields)
        if !isSorted {
            members.sort { a, b in a.field == b.field ? a.order < b.order : a.field < b.field }
        }
        return members
    }

    /// Whether a value is a number that its closed enum does not have.
    private func isUnknown(_ field: ProtobufField, _ value: ProtobufJSON.Value) -> Bool {
        guard field.kind == .enumeration, schema.enumerations[field.type].isClosed else { return false }
        var cursor = unsafe value.start
        let number = unsafe readNumber(&cursor).map { Int32(truncatingIfNeeded: $0) } ?? 0
        return schema.enumerations[field.type].name(of: number) == nil
    }

    /// Takes away the members of a oneof that a later one has cleared. O(members).
    private func dropCleared(_ members: inout [Member], _ fields: [ProtobufField]) {
        var last: [Int: Int] = [:]
        var isCleared: Set<Int> = []
        var dropped: Set<Int> = []
        for index in members.indices.reversed() {
            let field = members[index].field
            guard let oneof = fields[field].oneof else { continue }
            if last[oneof] == nil { last[oneof] = field }
            // Whatever is before one of another field is cleared by that.
            if last[oneof] != field { isCleared.insert(oneof) }
            if isCleared.contains(oneof) { dropped.insert(index) }
        }
        guard !dropped.isEmpty else { return }
        var index = -1
        members.removeAll { _ in
            index += 1
            return dropped.contains(index)
        }
    }

    /// Whether a value is the one that a field without presence has where it is not there.
    private func isDefault(_ field: ProtobufField, _ value: ProtobufJSON.Value) -> Bool {
        let bytes = unsafe UnsafeRawBufferPointer(start: value.start, count: value.end - value.start)
        switch field.kind.wireType {
        case 2: return unsafe bytes.isEmpty
        case 0:
            var cursor = unsafe value.start
            let number = unsafe readNumber(&cursor) ?? 0
            switch field.kind {
            case .int32, .uint32, .sint32, .enumeration: return UInt32(truncatingIfNeeded: number) == 0
            default: return number == 0
            }
        default: return unsafe bytes.allSatisfy { $0 == 0 }
        }
    }

    // MARK: - Lists and maps

    private mutating func appendList(
        _ type: ProtobufType, _ values: ArraySlice<ProtobufJSON.Value>, _ arena: inout ByteBuffer, depth: Int
    ) -> Bool {
        let opening = arena.count
        for value in values {
            guard value.wireType == 2 && type.kind.isPackable else {
                guard appendElement(type, value, &arena, depth: depth) else { return false }
                continue
            }
            var cursor = unsafe value.start
            while unsafe cursor < value.end {
                let start = unsafe cursor
                let tag = UInt32(type.kind.wireType) | 8
                guard unsafe passValue(tag, &cursor, value.end) == nil, unsafe cursor <= value.end else {
                    return fail(.elements)
                }
                let element = unsafe ProtobufJSON.Value(wireType: type.kind.wireType, start: start, end: cursor)
                guard appendElement(type, element, &arena, depth: depth) else { return false }
            }
        }
        arena.closeJSON(from: opening, UInt8(ascii: "["), UInt8(ascii: "]"))
        return true
    }

    private mutating func appendElement(
        _ type: ProtobufType, _ value: ProtobufJSON.Value, _ arena: inout ByteBuffer, depth: Int
    ) -> Bool {
        let before = arena.count
        arena.append(UInt8(ascii: ","))
        guard append(.value(type), [value], &arena, depth: depth) else { return false }
        if arena.count == before + 1 { arena.truncate(to: before) }
        return true
    }

    /// Of pairs with the same key the last counts, at the place of the first.
    private mutating func appendMap(
        _ entry: Int, _ values: ArraySlice<ProtobufJSON.Value>, _ arena: inout ByteBuffer, depth: Int
    ) -> Bool {
        guard let key = schema[entry].fields.first(where: { $0.number == 1 }),
            let item = schema[entry].fields.first(where: { $0.number == 2 })
        else { return fail(.unreadable) }
        var places: [[UInt8]: Int] = [:]
        var pairs: [(key: [UInt8], values: [ProtobufJSON.Value])] = []
        for value in values {
            guard let members = members(entry, [value]) else { return false }
            let texts = members.filter { $0.field == 0 }.map { $0.value }
            let items = members.filter { $0.field == 1 }.map { $0.value }
            if let last = items.last, isUnknown(item, last) { continue }
            let name = arena.count
            if let last = texts.last {
                guard appendScalar(key.valueType, last, &arena) else { return false }
            } else {
                appendZero(key.kind, &arena)
            }
            var text = unsafe Array(arena.bytes[name...])
            arena.truncate(to: name)
            if text.first != UInt8(ascii: "\"") { text = [UInt8(ascii: "\"")] + text + [UInt8(ascii: "\"")] }
            if let known = places[text] {
                pairs[known].values = items
            } else {
                places[text] = pairs.count
                pairs.append((text, items))
            }
        }
        let opening = arena.count
        for (text, items) in pairs {
            arena.append(UInt8(ascii: ","))
            arena.append(contentsOf: text)
            arena.append(UInt8(ascii: ":"))
            let before = arena.count
            guard append(ProtobufPlace(item, schema), items[...], &arena, depth: depth) else { return false }
            if arena.count == before { appendMissing(item, &arena) }
        }
        arena.closeJSON(from: opening, UInt8(ascii: "{"), UInt8(ascii: "}"))
        return true
    }

    /// The value of a pair without one.
    private func appendMissing(_ item: ProtobufField, _ arena: inout ByteBuffer) {
        guard item.kind == .enumeration else { return appendZero(item.kind, &arena) }
        let first = schema.enumerations[item.type].values.first?.name ?? ""
        arena.append(contentsOf: JSONValue.string(first).text())
    }

    // MARK: - Scalars

    /// Appends a value that is no message; nothing for a number that a closed enum does not have.
    private mutating func appendScalar(
        _ type: ProtobufType, _ value: ProtobufJSON.Value, _ arena: inout ByteBuffer
    ) -> Bool {
        let bytes = unsafe UnsafeRawBufferPointer(start: value.start, count: value.end - value.start)
        switch type.kind {
        case .string:
            if unsafe !arena.appendJSON(text: bytes) { isUnfit = true }
            return true
        case .bytes:
            unsafe arena.appendJSON(base64: bytes)
            return true
        default: break
        }
        var cursor = unsafe value.start
        guard let number = unsafe readPlainNumber(type.kind, &cursor) else { return fail(.longNumber) }
        switch (type.kind, number) {
        case (.bool, .whole(let value)): arena.append(value == 0 ? "false" : "true")
        case (.enumeration, .whole(let value)): appendSymbol(type.index, value, &arena)
        case (.int64, .whole(let value)), (.sint64, .whole(let value)), (.sfixed64, .whole(let value)),
            (.uint64, .whole(let value)), (.fixed64, .whole(let value)):
            arena.append(UInt8(ascii: "\""))
            arena.appendText(of: value)
            arena.append(UInt8(ascii: "\""))
        case (_, .whole(let value)): arena.appendText(of: value)
        case (_, .natural(let value)): arena.append(contentsOf: Array("\"\(value)\"".utf8))
        case (_, .float(let value)): arena.appendJSON(float: value)
        case (_, .double(let value)): arena.appendJSON(double: value)
        }
        return true
    }

    private func appendSymbol(_ index: Int, _ value: Int64, _ arena: inout ByteBuffer) {
        let type = schema.enumerations[index]
        if type.fullName == "google.protobuf.NullValue" { return arena.append("null") }
        if let name = type.name(of: Int32(truncatingIfNeeded: value)) {
            arena.append(contentsOf: JSONValue.string(name).text())
        } else if !type.isClosed {
            arena.appendText(of: value)
        }
    }

    // MARK: - Well-known messages

    /// The parts of a time or a duration; nil when the bytes are none.
    func secondsAndNanos(_ ranges: ArraySlice<ProtobufJSON.Value>) -> (Int64, Int32)? {
        var (seconds, nanos) = (Int64(0), Int32(0))
        var fault = ProtobufFault.short
        for range in ranges {
            var reader = ProtobufReader(range)
            while let next = reader.next(&fault) {
                guard next.value.wireType == 0 && next.number <= 2 else { continue }
                var cursor = unsafe next.value.start
                let bits = unsafe readNumber(&cursor) ?? 0
                if next.number == 1 {
                    seconds = Int64(bitPattern: bits)
                } else {
                    nanos = Int32(truncatingIfNeeded: bits)
                }
            }
            guard reader.isAtEnd else { return nil }
        }
        return (seconds, nanos)
    }

    private mutating func appendTime(
        _ message: Int, _ ranges: ArraySlice<ProtobufJSON.Value>, _ arena: inout ByteBuffer
    ) -> Bool {
        guard let (seconds, nanos) = secondsAndNanos(ranges) else { return fail(.short) }
        arena.append(UInt8(ascii: "\""))
        if schema[message].wellKnown == .timestamp {
            // Years 1 to 9999, as protobuf has it.
            let isTime = (-62_135_596_800...253_402_300_799).contains(seconds) && (0..<1_000_000_000).contains(nanos)
            if !isTime { isUnfit = true } else { arena.appendDateAndTime(second: seconds) }
            if isTime { arena.appendFraction(nanos: Int64(nanos), isAlways: false) }
            arena.append(UInt8(ascii: "Z"))
        } else {
            let isSpan =
                seconds.magnitude <= 315_576_000_000 && nanos.magnitude < 1_000_000_000
                && (seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0))
            if !isSpan { isUnfit = true }
            if seconds < 0 || nanos < 0 { arena.append(UInt8(ascii: "-")) }
            arena.appendText(of: Int64(clamping: seconds.magnitude))
            if isSpan { arena.appendFraction(nanos: Int64(nanos.magnitude), isAlways: false) }
            arena.append(UInt8(ascii: "s"))
        }
        arena.append(UInt8(ascii: "\""))
        return true
    }

    /// Paths with commas between them, in the form of names in JSON.
    private mutating func appendFieldMask(
        _ message: Int, _ ranges: ArraySlice<ProtobufJSON.Value>, _ arena: inout ByteBuffer
    ) -> Bool {
        guard let members = members(message, ranges) else { return false }
        let paths = members.map { member in
            let value = member.value
            return unsafe camelCased(UnsafeRawBufferPointer(start: value.start, count: value.end - value.start))
        }
        let text = Array(paths.joined(separator: [UInt8(ascii: ",")]))
        let isText = unsafe text.withUnsafeBytes { unsafe arena.appendJSON(text: $0) }
        if !isText { isUnfit = true }
        return true
    }

    private func camelCased(_ path: UnsafeRawBufferPointer) -> [UInt8] {
        var result: [UInt8] = []
        var isBehindLine = false
        for byte in unsafe Array(path) {
            if byte == UInt8(ascii: "_") {
                isBehindLine = true
            } else {
                let isLetter = byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z")
                result.append(isBehindLine && isLetter ? byte - 32 : byte)
                isBehindLine = false
            }
        }
        return result
    }
}

// The parts of a message's bytes. None of these looks at the end of what it reads but where it says so: whoever calls
// them has begun before the end, `inputPaddingByteCount` bytes are readable behind it, and the place is compared
// afterwards. Source: Protocol Buffers Documentation, "Encoding".

internal import SluiceSpec

/// A field's number and, in the lowest three bits, what its value is written as. nil for more than 32 bits.
@inline(__always)
func readTag(_ cursor: inout UnsafeRawPointer) -> UInt32? {
    let byte = unsafe cursor.load(as: UInt8.self)
    if byte < 0x80 {
        unsafe cursor += 1
        return UInt32(byte)
    }
    let second = unsafe cursor.load(fromByteOffset: 1, as: UInt8.self)
    if second < 0x80 {
        unsafe cursor += 2
        return UInt32(byte & 0x7F) | UInt32(second) &<< 7
    }
    guard let tag = unsafe readNumber(&cursor), tag <= UInt64(UInt32.max) else { return nil }
    return UInt32(truncatingIfNeeded: tag)
}

/// The length of bytes that follow, all of them before the end.
@inline(__always)
func readByteCount(_ cursor: inout UnsafeRawPointer, _ end: UnsafeRawPointer, _ fault: inout ProtobufFault) -> Int? {
    guard let count = unsafe readNumber(&cursor) else {
        fault = .longNumber
        return nil
    }
    guard unsafe cursor <= end, unsafe count <= UInt64(end - cursor) else {
        fault = .short
        return nil
    }
    return Int(count)
}

/// Passes over the value behind a tag. nil, or why the bytes are none.
@inline(__always)
func passValue(_ tag: UInt32, _ cursor: inout UnsafeRawPointer, _ end: UnsafeRawPointer) -> ProtobufFault? {
    switch tag & 7 {
    case 0:
        let ends = unsafe ~UInt64(littleEndian: cursor.loadUnaligned(as: UInt64.self)) & 0x8080_8080_8080_8080
        if ends == 0 {
            guard unsafe readNumber(&cursor) != nil else { return .longNumber }
        } else {
            unsafe cursor += ends.trailingZeroBitCount &>> 3 &+ 1
        }
    case 1: unsafe cursor += 8
    case 2:
        var fault = ProtobufFault.short
        guard let count = unsafe readByteCount(&cursor, end, &fault) else { return fault }
        unsafe cursor += count
    case 5: unsafe cursor += 4
    default: return unsafe passGroup(tag, &cursor, end)
    }
    return tag < 8 ? .tag : nil
}

/// Passes over a group, with those that lie in it.
@inline(never)
private func passGroup(_ tag: UInt32, _ cursor: inout UnsafeRawPointer, _ end: UnsafeRawPointer) -> ProtobufFault? {
    guard tag & 7 == 3 else { return tag & 7 == 4 ? .group : .wireType }
    guard tag >= 8 else { return .tag }
    var open: [UInt32] = [tag]
    while let last = open.last {
        guard unsafe cursor < end else { return .short }
        guard let inner = unsafe readTag(&cursor), inner >= 8 else { return .tag }
        switch inner & 7 {
        case 3:
            guard open.count < ProtobufMachine.depthMax else { return .deep }
            open.append(inner)
        case 4:
            guard inner &>> 3 == last &>> 3 else { return .group }
            open.removeLast()
        case 6, 7: return .wireType
        default: if let fault = unsafe passValue(inner, &cursor, end) { return fault }
        }
    }
    return nil
}

/// A whole number of a kind, which a boolean and an enum's number count as; `isLarge` says of one that it has no sign
/// and is beyond what an `Int64` holds. nil for more than ten bytes.
@inline(__always)
func readInteger(_ kind: ProtobufField.Kind, _ cursor: inout UnsafeRawPointer, _ isLarge: inout Bool) -> Int64? {
    switch kind {
    case .fixed64, .sfixed64:
        let bits = unsafe UInt64(littleEndian: cursor.loadUnaligned(as: UInt64.self))
        unsafe cursor += 8
        isLarge = kind == .fixed64 && bits > UInt64(Int64.max)
        return Int64(bitPattern: bits)
    case .fixed32, .sfixed32:
        let bits = unsafe UInt32(littleEndian: cursor.loadUnaligned(as: UInt32.self))
        unsafe cursor += 4
        return kind == .fixed32 ? Int64(bits) : Int64(Int32(bitPattern: bits))
    default: break
    }
    guard let bits = unsafe readNumber(&cursor) else { return nil }
    switch kind {
    case .int32, .enumeration: return Int64(Int32(truncatingIfNeeded: bits))
    case .uint32: return Int64(UInt32(truncatingIfNeeded: bits))
    case .sint32:
        let value = UInt32(truncatingIfNeeded: bits)
        return Int64(Int32(bitPattern: value &>> 1) ^ -Int32(bitPattern: value & 1))
    case .sint64: return Int64(bitPattern: bits &>> 1) ^ -Int64(bitPattern: bits & 1)
    case .bool: return bits == 0 ? 0 : 1
    case .uint64: isLarge = bits > UInt64(Int64.max)
    default: break
    }
    return Int64(bitPattern: bits)
}

/// A number of a kind. nil for more than ten bytes.
func readPlainNumber(_ kind: ProtobufField.Kind, _ cursor: inout UnsafeRawPointer) -> PlainNumber? {
    switch kind {
    case .double:
        let bits = unsafe UInt64(littleEndian: cursor.loadUnaligned(as: UInt64.self))
        unsafe cursor += 8
        return .double(Double(bitPattern: bits))
    case .float:
        let bits = unsafe UInt32(littleEndian: cursor.loadUnaligned(as: UInt32.self))
        unsafe cursor += 4
        return .float(Float(bitPattern: bits))
    default:
        var isLarge = false
        guard let value = unsafe readInteger(kind, &cursor, &isLarge) else { return nil }
        return isLarge ? .natural(UInt64(bitPattern: value)) : .whole(value)
    }
}

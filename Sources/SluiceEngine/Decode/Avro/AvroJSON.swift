// A part of a datum as JSON text: what a column of the type `json` holds, and one of text where the value nests. Bytes
// are base64, as Spark's `to_json` writes them, decimals are numbers, times ISO 8601 in UTC, and a union is the value
// of its branch. Names and defaults are the reader's.

internal import SluiceSpec

/// What is written as JSON, by the nodes of a resolution.
final class AvroJSON: Sendable {
    private struct Field {
        /// `"name":` with the comma before it.
        var prefix: [UInt8]
        /// -1: null.
        var node: Int
        /// Skipped without a trace.
        var isExtra = false
        /// A default, with padding behind it.
        var constant: Constant?
    }

    private struct Constant {
        let bytes: [UInt8]
        let count: Int

        init(_ bytes: ArraySlice<UInt8>) {
            self.bytes = Array(bytes) + [UInt8](repeating: 0, count: inputPaddingByteCount)
            count = bytes.count
        }
    }

    private let resolution: AvroResolution
    private let fields: [[Field]]
    private static let depthMax = 200

    init(_ resolution: AvroResolution) {
        self.resolution = resolution
        fields = resolution.nodes.map { node in
            guard case .record(let fields) = node.shape else { return [] }
            return fields.map { field in
                let prefix = [UInt8(ascii: ",")] + JSONValue.string(field.name).text() + [UInt8(ascii: ":")]
                switch field.source {
                case .written(let inner): return Field(prefix: prefix, node: inner, isExtra: field.isExtra)
                case .constant(let inner, let range):
                    return Field(prefix: prefix, node: inner, constant: Constant(resolution.constants[range]))
                case .missing, .badDefault: return Field(prefix: prefix, node: -1)
                }
            }
        }
    }

    /// Appends the value of a node, which the machine stands at.
    func append(
        _ node: Int, of machine: inout AvroMachine, to arena: inout ByteBuffer, _ fault: inout AvroFault
    ) -> AvroMachine.ConversionOutcome {
        let writer = AvroJSONWriter(start: arena.count)
        return append(node, &machine, &arena, writer, depth: 0, &fault)
    }

    private func append(
        _ number: Int, _ machine: inout AvroMachine, _ arena: inout ByteBuffer, _ writer: AvroJSONWriter, depth: Int,
        _ fault: inout AvroFault
    ) -> AvroMachine.ConversionOutcome {
        guard depth < Self.depthMax else {
            fault = .deep
            return .faulty
        }
        guard arena.count - writer.start <= AvroMachine.jsonByteCountMax else {
            fault = .longJSON
            return .faulty
        }
        switch resolution.nodes[number].shape {
        case .record:
            return appendRecord(number, &machine, &arena, writer, depth: depth + 1, &fault)
        case .array(let items):
            return appendItems(items, isMap: false, &machine, &arena, writer, depth: depth + 1, &fault)
        case .map(let values):
            return appendItems(values, isMap: true, &machine, &arena, writer, depth: depth + 1, &fault)
        case .union(let branches):
            guard let branch = machine.integer(), machine.isInside, branch >= 0, branch < Int64(branches.count) else {
                fault = machine.isInside ? .branch : .short
                return .faulty
            }
            return append(branches[Int(branch)], &machine, &arena, writer, depth: depth + 1, &fault)
        // Its bytes could be passed over only by another program.
        case .mismatch:
            fault = .unreadableSchema
            return .faulty
        default: return writer.appendScalar(resolution.nodes[number], &machine, &arena, &fault)
        }
    }

    private func appendRecord(
        _ number: Int, _ machine: inout AvroMachine, _ arena: inout ByteBuffer, _ writer: AvroJSONWriter, depth: Int,
        _ fault: inout AvroFault
    ) -> AvroMachine.ConversionOutcome {
        let start = arena.count
        var outcome = AvroMachine.ConversionOutcome.set
        for field in fields[number] {
            let mark = arena.count
            arena.append(contentsOf: field.prefix)
            if field.node < 0 {
                arena.append("null")
                continue
            }
            let (cursor, end) = unsafe (machine.cursor, machine.end)
            let found: AvroMachine.ConversionOutcome
            if let constant = field.constant {
                found = unsafe constant.bytes.withUnsafeBytes { bytes in
                    unsafe machine.cursor = bytes.baseAddress!
                    unsafe machine.end = unsafe machine.cursor + constant.count
                    return append(field.node, &machine, &arena, writer, depth: depth, &fault)
                }
                unsafe machine.cursor = unsafe cursor
                unsafe machine.end = unsafe end
            } else {
                found = append(field.node, &machine, &arena, writer, depth: depth, &fault)
            }
            if found == .faulty { return found }
            if found == .unfit { outcome = found }
            if field.isExtra { arena.truncate(to: mark) }
        }
        close(from: start, UInt8(ascii: "{"), UInt8(ascii: "}"), &arena)
        return outcome
    }

    private func appendItems(
        _ item: Int, isMap: Bool, _ machine: inout AvroMachine, _ arena: inout ByteBuffer, _ writer: AvroJSONWriter,
        depth: Int, _ fault: inout AvroFault
    ) -> AvroMachine.ConversionOutcome {
        let start = arena.count
        var outcome = AvroMachine.ConversionOutcome.set
        // Whether items take bytes is looked at as they come: those that take none are counted.
        while let count = machine.blockCount([], &fault) {
            if count == 0 {
                let (open, end) =
                    isMap ? (UInt8(ascii: "{"), UInt8(ascii: "}")) : (UInt8(ascii: "["), UInt8(ascii: "]"))
                close(from: start, open, end, &arena)
                return outcome
            }
            for _ in 0..<count {
                arena.append(UInt8(ascii: ","))
                if isMap {
                    guard let keyByteCount = machine.byteCount(&fault) else { return .faulty }
                    if !writer.appendText(keyByteCount, &machine, &arena) { outcome = .unfit }
                    arena.append(UInt8(ascii: ":"))
                }
                let place = unsafe machine.cursor
                let found = append(item, &machine, &arena, writer, depth: depth, &fault)
                if found == .faulty { return found }
                if found == .unfit { outcome = found }
                if unsafe machine.cursor == place, !machine.countEmptyItem(&fault) { return .faulty }
            }
        }
        return .faulty
    }

    /// The comma before the first member becomes the opening bracket.
    private func close(from start: Int, _ open: UInt8, _ end: UInt8, _ arena: inout ByteBuffer) {
        if arena.count == start {
            arena.append(open)
        } else {
            unsafe arena.base.storeBytes(of: open, toByteOffset: start, as: UInt8.self)
        }
        arena.append(end)
    }
}

/// Writes what does not nest.
private struct AvroJSONWriter {
    /// Where the value began in the arena.
    let start: Int

    func appendScalar(
        _ node: AvroResolution.Node, _ machine: inout AvroMachine, _ arena: inout ByteBuffer, _ fault: inout AvroFault
    ) -> AvroMachine.ConversionOutcome {
        switch node.shape {
        case .null:
            arena.append("null")
            return .set
        case .boolean:
            let byte = unsafe machine.cursor.load(as: UInt8.self)
            unsafe machine.cursor += 1
            guard machine.isInside, byte <= 1 else {
                fault = machine.isInside ? .boolean : .short
                return .faulty
            }
            arena.append(byte == 1 ? "true" : "false")
            return .set
        case .int, .long: return appendInteger(node, &machine, &arena, &fault)
        case .float, .double: return appendFraction(node, &machine, &arena, &fault)
        case .enumeration(let symbols):
            guard let symbol = machine.integer(), machine.isInside, symbol >= 0, symbol < Int64(symbols.count) else {
                fault = machine.isInside ? .symbol : .short
                return .faulty
            }
            guard let text = symbols[Int(symbol)] else {
                arena.append("null")
                return .unfit
            }
            arena.append(contentsOf: JSONValue.string(text).text())
            return .set
        case .string, .bytes:
            guard let count = machine.byteCount(&fault) else { return .faulty }
            return appendBytes(node, count, &machine, &arena) ? .set : .unfit
        case .fixed(let count):
            guard unsafe machine.end - machine.cursor >= count else {
                fault = .short
                return .faulty
            }
            return appendBytes(node, count, &machine, &arena) ? .set : .unfit
        case .record, .array, .map, .union, .mismatch: return .faulty
        }
    }

    private func appendInteger(
        _ node: AvroResolution.Node, _ machine: inout AvroMachine, _ arena: inout ByteBuffer, _ fault: inout AvroFault
    ) -> AvroMachine.ConversionOutcome {
        guard let value = machine.integer(), machine.isInside else {
            fault = machine.isInside ? .longNumber : .short
            return .faulty
        }
        if case .int = node.shape, Int32(exactly: value) == nil {
            fault = .largeNumber
            return .faulty
        }
        switch (node.promotion, node.logical) {
        case (.toFloat, _): append(float: Float(value), &arena)
        case (.toDouble, _): append(double: Double(value), &arena)
        case (_, .date?):
            arena.append(UInt8(ascii: "\""))
            formatDate(value, into: &arena)
            arena.append(UInt8(ascii: "\""))
        case (_, .timestamp(let unit)?): return appendTime(value, unit, isLocal: false, &arena)
        case (_, .localTimestamp(let unit)?): return appendTime(value, unit, isLocal: true, &arena)
        default:
            arena.reserve(integerRoom)
            arena.advance(by: unsafe writeInteger(value, to: arena.base + arena.count))
        }
        return .set
    }

    /// With all the digits of a second that say something, in threes.
    private func appendTime(
        _ value: Int64, _ unit: EpochUnit, isLocal: Bool, _ arena: inout ByteBuffer
    ) -> AvroMachine.ConversionOutcome {
        let perSecond = unit.perSecond
        let second = value.flooredQuotient(by: perSecond)
        let nanos = (value - second * perSecond) * (1_000_000_000 / perSecond)
        let day = second.flooredQuotient(by: secondsPerDay)
        let rest = second - day * secondsPerDay
        arena.append(UInt8(ascii: "\""))
        formatDate(day, into: &arena)
        arena.append(UInt8(ascii: "T"))
        appendDigits(rest / 3600, 2, &arena)
        arena.append(UInt8(ascii: ":"))
        appendDigits(rest / 60 % 60, 2, &arena)
        arena.append(UInt8(ascii: ":"))
        appendDigits(rest % 60, 2, &arena)
        arena.append(UInt8(ascii: "."))
        if nanos % 1_000_000 == 0 {
            appendDigits(nanos / 1_000_000, 3, &arena)
        } else if nanos % 1000 == 0 {
            appendDigits(nanos / 1000, 6, &arena)
        } else {
            appendDigits(nanos, 9, &arena)
        }
        if !isLocal { arena.append(UInt8(ascii: "Z")) }
        arena.append(UInt8(ascii: "\""))
        return .set
    }

    private func appendDigits(_ value: Int64, _ count: Int, _ arena: inout ByteBuffer) {
        var divisor: Int64 = 1
        for _ in 1..<count { divisor *= 10 }
        while divisor > 0 {
            arena.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }

    private func appendFraction(
        _ node: AvroResolution.Node, _ machine: inout AvroMachine, _ arena: inout ByteBuffer, _ fault: inout AvroFault
    ) -> AvroMachine.ConversionOutcome {
        var value = 0.0
        var float: Float?
        if case .float = node.shape {
            let bits = unsafe UInt32(littleEndian: machine.cursor.loadUnaligned(as: UInt32.self))
            unsafe machine.cursor += 4
            float = Float(bitPattern: bits)
            value = Double(Float(bitPattern: bits))
        } else {
            let bits = unsafe UInt64(littleEndian: machine.cursor.loadUnaligned(as: UInt64.self))
            unsafe machine.cursor += 8
            value = Double(bitPattern: bits)
        }
        guard machine.isInside else {
            fault = .short
            return .faulty
        }
        if let float, node.promotion != .toDouble {
            append(float: float, &arena)
        } else {
            append(double: value, &arena)
        }
        return .set
    }

    private func append(float: Float, _ arena: inout ByteBuffer) {
        guard float.isFinite else { return append(double: Double(float), &arena) }
        arena.reserve(doubleTextRoom)
        arena.advance(by: unsafe writeFloat(float, to: arena.base + arena.count))
    }

    private func append(double: Double, _ arena: inout ByteBuffer) {
        arena.reserve(doubleTextRoom + 2)
        if !double.isFinite { arena.append(UInt8(ascii: "\"")) }
        arena.advance(by: unsafe writeDouble(double, to: arena.base + arena.count))
        if !double.isFinite { arena.append(UInt8(ascii: "\"")) }
    }

    /// False where they are not what the type says; `null` then stands there.
    private func appendBytes(
        _ node: AvroResolution.Node, _ count: Int, _ machine: inout AvroMachine, _ arena: inout ByteBuffer
    ) -> Bool {
        let bytes = unsafe UnsafeRawBufferPointer(start: machine.cursor, count: count)
        if case .decimal(_, let scale)? = node.logical {
            unsafe machine.cursor += count
            guard let value = unsafe unscaledInteger(bytes), scale <= 38,
                value.magnitude < UInt128(powerOfTen(38))
            else {
                arena.append("null")
                return false
            }
            arena.reserve(decimalTextRoom)
            arena.advance(by: unsafe writeJavaDecimal(value, scale: scale, to: arena.base + arena.count))
            return true
        }
        if case .fixed = node.shape, node.logical == .uuid {
            unsafe machine.cursor += count
            arena.append(UInt8(ascii: "\""))
            unsafe appendUUID(bytes, to: &arena)
            arena.append(UInt8(ascii: "\""))
            return true
        }
        if node.kind == .string { return appendText(count, &machine, &arena) }
        unsafe machine.cursor += count
        arena.append(UInt8(ascii: "\""))
        unsafe appendBase64(bytes, to: &arena)
        arena.append(UInt8(ascii: "\""))
        return true
    }

    /// The next bytes as a text; false, and an empty one, where they are none.
    func appendText(_ count: Int, _ machine: inout AvroMachine, _ arena: inout ByteBuffer) -> Bool {
        let text = unsafe UnsafeRawBufferPointer(start: machine.cursor, count: count)
        unsafe machine.cursor += count
        arena.append(UInt8(ascii: "\""))
        let isText = unsafe isUTF8(text)
        if isText {
            arena.reserve(jsonTextRoom(count))
            arena.advance(by: unsafe writeJSONText(text, to: arena.base + arena.count))
        }
        arena.append(UInt8(ascii: "\""))
        return isText
    }
}

private let integerRoom = 32

private func appendBase64(_ bytes: UnsafeRawBufferPointer, to arena: inout ByteBuffer) {
    let digits: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    arena.reserve((bytes.count + 2) / 3 * 4)
    var index = 0
    while index < bytes.count {
        let count = min(3, bytes.count - index)
        var group: UInt32 = 0
        for offset in 0..<3 { group = unsafe group << 8 | (offset < count ? UInt32(bytes[index + offset]) : 0) }
        for digit in 0..<4 {
            let place = Int(group >> UInt32(18 - 6 * digit) & 63)
            unsafe arena.append(digit <= count ? digits.utf8Start[place] : UInt8(ascii: "="))
        }
        index += count
    }
}

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
        arena.closeJSON(from: start, UInt8(ascii: "{"), UInt8(ascii: "}"))
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
                arena.closeJSON(from: start, open, end)
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
        case (.toFloat, _): arena.appendJSON(float: Float(value))
        case (.toDouble, _): arena.appendJSON(double: Double(value))
        case (_, .date?):
            arena.append(UInt8(ascii: "\""))
            formatDate(value, into: &arena)
            arena.append(UInt8(ascii: "\""))
        case (_, .timestamp(let unit)?): arena.appendJSON(time: value, unit, isLocal: false)
        case (_, .localTimestamp(let unit)?): arena.appendJSON(time: value, unit, isLocal: true)
        default: arena.appendText(of: value)
        }
        return .set
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
            arena.appendJSON(float: float)
        } else {
            arena.appendJSON(double: value)
        }
        return .set
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
        unsafe arena.appendJSON(base64: bytes)
        return true
    }

    /// The next bytes as a text; false, and an empty one, where they are none.
    func appendText(_ count: Int, _ machine: inout AvroMachine, _ arena: inout ByteBuffer) -> Bool {
        let text = unsafe UnsafeRawBufferPointer(start: machine.cursor, count: count)
        unsafe machine.cursor += count
        return unsafe arena.appendJSON(text: text)
    }
}

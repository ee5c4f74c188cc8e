// `get_json_object`: a path followed over a stream of tokens, as Spark does it over Jackson's, with what Hive has left
// in it: a `[*]` that meets one element gives that element alone, and two in a row flatten what they meet.
// Source: Spark's GetJsonObjectEvaluator.evaluatePath.

internal import SluiceSpec

/// A path, as expressions keep it. Immutable, for any thread.
final class JSONPathSteps: Sendable {
    let steps: [JSONPath.Step]

    init(_ path: JSONPath) { steps = path.steps }
}

func getJSONObject(
    _ at: UnsafePointer<Instruction>, _ a: Register, _ scratch: inout EvaluationScratch
) -> Register {
    guard let resource = unsafe at.pointee.resource(as: JSONPathSteps.self) else { return .null }
    let memory = scratch.memory
    memory.buffer.removeAll()
    let isMet = unsafe resource._withUnsafeGuaranteedRef { path in
        unsafe path.steps.withUnsafeBufferPointer { steps in
            unsafe memory.reader.start(a.bytes)
            var walk = unsafe JSONPathWalk(steps: steps, memory: memory)
            do {
                guard try memory.reader.next() != nil else { return false }
                return try walk.evaluate(0, .raw)
            } catch {
                return false
            }
        }
    }
    guard isMet else { return .null }
    let count = memory.buffer.count
    let space = unsafe scratch.space(count)
    if count > 0 { unsafe space.copyMemory(from: memory.buffer.base, byteCount: count) }
    return scratch.keep(count)
}

/// Lives no longer than the steps it points to.
@safe private struct JSONPathWalk {
    let steps: UnsafeBufferPointer<JSONPath.Step>
    let memory: FunctionMemory
    /// Whether a comma must stand before the next value.
    var needsComma = false

    /// How what is met is written: a string bare, a string in quotes, or an array's elements without the array.
    enum Style { case raw, quoted, flat }

    init(steps: UnsafeBufferPointer<JSONPath.Step>, memory: FunctionMemory) {
        unsafe self.steps = steps
        self.memory = memory
    }

    private func step(_ index: Int) -> JSONPath.Step? { unsafe index < steps.count ? steps[index] : nil }

    private mutating func separate() {
        if needsComma { memory.buffer.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    /// Follows the path from step `index` at the reader's token; whether anything was met and written.
    mutating func evaluate(_ index: Int, _ style: Style) throws(JSONTokenReader.Malformed) -> Bool {
        switch (memory.reader.current, step(index)) {
        case (.string, nil) where style == .raw:
            let text = unsafe try memory.reader.string()
            unsafe appendReplacingSurrogates(text, to: &memory.buffer)
            return true
        case (.startArray, nil) where style == .flat:
            return try forEachElement { walk throws(JSONTokenReader.Malformed) in try walk.evaluate(index, .flat) }
        case (_, nil):
            separate()
            try copyJSONValue(from: &memory.reader, to: &memory.buffer)
            return true
        case (.startObject, .field(let name)?): return try field(name, index, style)
        case (.startArray, .everyElement?): return try everyElement(index, style)
        case (.startArray, .element(let number)?):
            return try element(number, index, step(index + 1) == .everyElement ? .quoted : style)
        default:
            try memory.reader.skipChildren()
            return false
        }
    }

    /// The first field of that name that leads on; null leads nowhere.
    private mutating func field(
        _ name: String, _ index: Int, _ style: Style
    ) throws(JSONTokenReader.Malformed) -> Bool {
        var isMet = false
        while let token = try memory.reader.next(), token != .endObject {
            if isMet {
                try memory.reader.skipChildren()
                continue
            }
            let isWanted =
                unsafe memory.reader.currentName.map { found in unsafe found.elementsEqual(name.utf8) } ?? false
            let value = try memory.reader.next()
            if isWanted, value != .null {
                isMet = try evaluate(index + 1, style)
            } else {
                try memory.reader.skipChildren()
            }
        }
        return isMet
    }

    private mutating func forEachElement(
        _ body: (inout JSONPathWalk) throws(JSONTokenReader.Malformed) -> Bool
    ) throws(JSONTokenReader.Malformed) -> Bool {
        var isMet = false
        while let token = try memory.reader.next(), token != .endArray {
            if try body(&self) { isMet = true }
        }
        return isMet
    }

    private mutating func everyElement(_ index: Int, _ style: Style) throws(JSONTokenReader.Malformed) -> Bool {
        if step(index + 1) == .everyElement {
            return try array { walk throws(JSONTokenReader.Malformed) in try walk.evaluate(index + 2, .flat) }
        }
        if style == .quoted {
            return try array { walk throws(JSONTokenReader.Malformed) in try walk.evaluate(index + 1, .quoted) }
        }
        // The brackets stay only around more than one.
        let (start, hadComma) = (memory.buffer.count, needsComma)
        separate()
        let open = memory.buffer.count
        memory.buffer.append(UInt8(ascii: "["))
        needsComma = false
        var count = 0
        while let token = try memory.reader.next(), token != .endArray {
            if try evaluate(index + 1, style == .raw ? .quoted : .flat) { count += 1 }
        }
        switch count {
        case 0:
            memory.buffer.truncate(to: start)
            needsComma = hadComma
        case 1:
            memory.buffer.remove(at: open)
            needsComma = true
        default:
            memory.buffer.append(UInt8(ascii: "]"))
            needsComma = true
        }
        return count > 0
    }

    private mutating func array(
        _ body: (inout JSONPathWalk) throws(JSONTokenReader.Malformed) -> Bool
    ) throws(JSONTokenReader.Malformed) -> Bool {
        separate()
        memory.buffer.append(UInt8(ascii: "["))
        needsComma = false
        let isMet = try forEachElement(body)
        memory.buffer.append(UInt8(ascii: "]"))
        needsComma = true
        return isMet
    }

    private mutating func element(
        _ number: Int, _ index: Int, _ style: Style
    ) throws(JSONTokenReader.Malformed) -> Bool {
        var place = 0
        var isMet = false
        while let token = try memory.reader.next(), token != .endArray {
            if place == number { isMet = try evaluate(index + 1, style) } else { try memory.reader.skipChildren() }
            place += 1
        }
        return isMet
    }
}

extension ByteBuffer {
    /// Takes one byte out. O(bytes behind it).
    fileprivate mutating func remove(at index: Int) {
        precondition(index < count)
        for place in index + 1..<max(count, index + 1) {
            unsafe base.storeBytes(
                of: base.load(fromByteOffset: place, as: UInt8.self), toByteOffset: place - 1, as: UInt8.self)
        }
        truncate(to: count - 1)
    }
}

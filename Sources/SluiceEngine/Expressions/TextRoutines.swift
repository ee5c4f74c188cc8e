// Text functions that take texts apart or fill them up. Characters are Unicode scalars, as in Spark's UTF8String, which
// is also the source of what they do with negative lengths and empty texts.

internal import CMemory

/// A text that a function would make longer than this is null: a length that comes from a record must not take the
/// machine's memory.
let textByteCountMax = 64 << 20

/// `a` and `b` are not null.
func textRoutine(
    _ routine: Routine, _ a: Register, _ b: Register, _ c: Register, _ scratch: inout EvaluationScratch
) -> Register {
    let text = unsafe a.bytes
    switch routine {
    case .startsWith:
        let part = unsafe b.bytes
        return unsafe Register(part.count <= text.count && areEqual(prefix(text, part.count), part))
    case .endsWith:
        let part = unsafe b.bytes
        guard part.count <= text.count else { return Register(false) }
        return unsafe Register(areEqual(UnsafeRawBufferPointer(rebasing: text[(text.count - part.count)...]), part))
    case .contains: return unsafe Register(find(b.bytes, in: text, from: 0) != nil)
    case .left: return unsafe Register(bytes: substring(text, position: 1, length: b.integer))
    case .right: return unsafe Register(bytes: suffix(text, characters: b.integer))
    case .replace: return c.isNull ? .null : unsafe replace(b.bytes, by: c.bytes, in: text, &scratch)
    case .splitPart: return c.isNull ? .null : unsafe splitPart(text, b.bytes, c.integer)
    default:
        if c.isNull { return .null }
        return unsafe pad(text, to: b.integer, with: c.bytes, atStart: routine == .lpad, &scratch)
    }
}

private func prefix(_ text: UnsafeRawBufferPointer, _ byteCount: Int) -> UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(rebasing: text[..<byteCount])
}

private func suffix(_ text: UnsafeRawBufferPointer, characters: Int64) -> UnsafeRawBufferPointer {
    guard characters > 0 else { return unsafe prefix(text, 0) }
    let count = unsafe Int64(characterCount(text))
    return unsafe substring(text, position: max(0, count - characters) + 1, length: Int64(Int32.max))
}

/// Where `part`, which is not empty, begins next; an empty one is found at once. O(text).
private func find(_ part: UnsafeRawBufferPointer, in text: UnsafeRawBufferPointer, from start: Int) -> Int? {
    guard part.count > 0, let needle = part.baseAddress else { return start }
    guard text.count - start >= part.count, let base = text.baseAddress else { return nil }
    guard let found = unsafe sluice_find(base + start, text.count - start, needle, part.count) else { return nil }
    return unsafe found - base
}

private func occurrences(_ part: UnsafeRawBufferPointer, in text: UnsafeRawBufferPointer) -> Int {
    var count = 0
    var start = 0
    while let place = unsafe find(part, in: text, from: start) {
        count += 1
        start = place + part.count
    }
    return count
}

private func replace(
    _ part: UnsafeRawBufferPointer, by other: UnsafeRawBufferPointer, in text: UnsafeRawBufferPointer,
    _ scratch: inout EvaluationScratch
) -> Register {
    let count = unsafe part.isEmpty ? 0 : occurrences(part, in: text)
    guard count > 0 else { return unsafe Register(bytes: text) }
    let byteCount = text.count + count * (other.count - part.count)
    guard byteCount <= textByteCountMax else { return .null }
    let space = unsafe UnsafeMutableRawBufferPointer(start: scratch.space(byteCount), count: byteCount)
    var end = 0
    func append(_ piece: UnsafeRawBufferPointer) {
        unsafe UnsafeMutableRawBufferPointer(rebasing: space[end...]).copyMemory(from: piece)
        end += piece.count
    }
    var start = 0
    while let place = unsafe find(part, in: text, from: start) {
        unsafe append(UnsafeRawBufferPointer(rebasing: text[start..<place]))
        unsafe append(other)
        start = place + part.count
    }
    unsafe append(UnsafeRawBufferPointer(rebasing: text[start...]))
    return scratch.keep(byteCount)
}

/// Part `number` of what stands between `delimiter`s: 1 is the first, -1 the last; nil for 0. Without a delimiter the
/// whole is the only part.
private func splitPart(
    _ text: UnsafeRawBufferPointer, _ delimiter: UnsafeRawBufferPointer, _ number: Int64
) -> Register {
    if number == 0 { return .null }
    var wanted = number
    let nothing = unsafe Register(bytes: prefix(text, 0))
    if number < 0 {
        let parts = unsafe delimiter.isEmpty ? 1 : occurrences(delimiter, in: text) + 1
        wanted = Int64(parts) + 1 + number
        if wanted <= 0 { return nothing }
    }
    if unsafe delimiter.isEmpty { return wanted == 1 ? unsafe Register(bytes: text) : nothing }
    var start = 0
    while wanted > 1 {
        guard let place = unsafe find(delimiter, in: text, from: start) else { return nothing }
        start = place + delimiter.count
        wanted -= 1
    }
    let end = unsafe find(delimiter, in: text, from: start) ?? text.count
    return unsafe Register(bytes: UnsafeRawBufferPointer(rebasing: text[start..<end]))
}

private func pad(
    _ text: UnsafeRawBufferPointer, to length: Int64, with pad: UnsafeRawBufferPointer, atStart: Bool,
    _ scratch: inout EvaluationScratch
) -> Register {
    let missing = unsafe length - Int64(characterCount(text))
    if unsafe missing <= 0 || pad.isEmpty {
        return unsafe Register(bytes: substring(text, position: 1, length: length))
    }
    let padLength = unsafe Int64(characterCount(pad))
    let rest = unsafe substring(pad, position: 1, length: missing % padLength)
    let whole = Int(missing / padLength)
    let (padByteCount, overflow) = whole.multipliedReportingOverflow(by: pad.count)
    guard !overflow, padByteCount <= textByteCountMax - text.count - rest.count else { return .null }
    let byteCount = text.count + padByteCount + rest.count
    let space = unsafe UnsafeMutableRawBufferPointer(start: scratch.space(byteCount), count: byteCount)
    var end = 0
    func append(_ piece: UnsafeRawBufferPointer) {
        unsafe UnsafeMutableRawBufferPointer(rebasing: space[end...]).copyMemory(from: piece)
        end += piece.count
    }
    if !atStart { unsafe append(text) }
    for _ in 0..<whole { unsafe append(pad) }
    unsafe append(rest)
    if atStart { unsafe append(text) }
    return scratch.keep(byteCount)
}

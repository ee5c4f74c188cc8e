// Regular expressions, compiled with the plan and matched by PCRE2's machine code where the processor allows it.
//
// A match may cost so much and no more: where a pattern begins to try the exponentially many ways that it could match a
// text, the answer is null, as for any value that has no result. Java would try for hours, and with it Spark.

internal import CPCRE2
internal import SluiceSpec

/// A compiled regular expression, with the replacement of its matches if there is one. Immutable, for any thread.
@safe final class RegularExpression: @unchecked Sendable {
    // @unchecked: PCRE2 only reads a compiled pattern.
    private let code: OpaquePointer
    let groupCount: UInt32
    /// A part of what matches are replaced by: a group, or bytes of `replacementText`.
    struct Piece {
        var group: Int
        var text: Range<Int>
    }
    /// Flat, so that workers who share it count nothing; nil: there is no replacement.
    fileprivate let pieces: [Piece]?
    fileprivate let replacementText: ByteBuffer

    /// How many steps a match may take: so many, and so many for each byte of text.
    private static let stepsMax = 100_000
    private static let stepsPerByteMax = 64

    /// nil for a pattern that the type checker refuses.
    init?(_ pattern: String, replacement: String?) {
        guard let parsed = try? JavaRegularExpression(pattern) else { return nil }
        let context = unsafe JavaRegularExpression.makeContext()
        defer { unsafe pcre2_compile_context_free_8(context) }
        var error: Int32 = 0
        var offset = 0
        let bytes = Array(parsed.pattern.utf8)
        guard
            let code = unsafe pcre2_compile_8(
                bytes, bytes.count, JavaRegularExpression.options, &error, &offset, context)
        else { return nil }
        unsafe self.code = unsafe code
        // Fails where memory may not be executed: then PCRE2 interprets, with the same answers.
        _ = unsafe pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE))
        groupCount = UInt32(parsed.groupCount)
        var text = ByteBuffer()
        pieces = replacement.flatMap { try? RegularExpressionReplacement($0, of: parsed) }?.parts.map { part in
            switch part {
            case .group(let group): return Piece(group: group, text: 0..<0)
            case .text(let bytes):
                text.append(contentsOf: bytes)
                return Piece(group: -1, text: text.count - bytes.count..<text.count)
            }
        }
        replacementText = text
    }

    deinit { unsafe pcre2_code_free_8(code) }

    enum Outcome {
        case match, noMatch
        /// The match would have cost too much.
        case tooDear
    }

    /// Looks for a match from a byte of the text on; its places are then in `memory`.
    func match(_ text: UnsafeRawBufferPointer, from start: Int, _ memory: FunctionMemory) -> Outcome {
        memory.reserve(groupCount: groupCount)
        let limit = UInt32(clamping: RegularExpression.stepsMax + text.count * RegularExpression.stepsPerByteMax)
        unsafe pcre2_set_match_limit_8(memory.matchContext, limit)
        var empty: UInt8 = 0
        let result = unsafe withUnsafePointer(to: &empty) { empty in
            let bytes = unsafe text.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? empty
            return unsafe pcre2_match_8(
                code, bytes, text.count, start, 0, memory.matchData, memory.matchContext)
        }
        if result > 0 { return .match }
        return result == PCRE2_ERROR_NOMATCH ? .noMatch : .tooDear
    }
}

extension FunctionMemory {
    /// The bytes that a group of the last match holds; nil for one that took no part.
    fileprivate func range(ofGroup group: Int) -> Range<Int>? {
        let places = unsafe pcre2_get_ovector_pointer_8(matchData)
        guard let places = unsafe places else { return nil }
        let (start, end) = unsafe (places[group * 2], places[group * 2 + 1])
        return start == Int(bitPattern: UInt.max) || start > end ? nil : start..<end
    }
}

func regularExpressionRoutine(
    _ at: UnsafePointer<Instruction>, _ a: Register, _ scratch: inout EvaluationScratch
) -> Register {
    guard let resource = unsafe at.pointee.resource(as: RegularExpression.self) else { return .null }
    let memory = scratch.memory
    return unsafe resource._withUnsafeGuaranteedRef { expression in
        switch unsafe at.pointee.routine {
        case .rlike:
            switch unsafe expression.match(a.bytes, from: 0, memory) {
            case .match: return Register(true)
            case .noMatch: return Register(false)
            case .tooDear: return .null
            }
        case .regexpExtract:
            let group = unsafe Int(scratch.registers[Int(at.pointee.c)].integer)
            if unsafe scratch.registers[Int(at.pointee.c)].isNull { return .null }
            return unsafe extract(expression, a.bytes, group, memory)
        default: return unsafe replaceMatches(of: expression, in: a.bytes, memory, &scratch)
        }
    }
}

private func extract(
    _ expression: RegularExpression, _ text: UnsafeRawBufferPointer, _ group: Int, _ memory: FunctionMemory
) -> Register {
    switch unsafe expression.match(text, from: 0, memory) {
    case .tooDear: return .null
    case .match:
        guard group <= Int(expression.groupCount), let range = memory.range(ofGroup: group) else { break }
        return unsafe Register(bytes: UnsafeRawBufferPointer(rebasing: text[range]))
    case .noMatch: break
    }
    return unsafe Register(bytes: UnsafeRawBufferPointer(rebasing: text[..<0]))
}

/// As Java's `replaceAll`: behind an empty match one character is passed over.
private func replaceMatches(
    of expression: RegularExpression, in text: UnsafeRawBufferPointer, _ memory: FunctionMemory,
    _ scratch: inout EvaluationScratch
) -> Register {
    guard let pieces = expression.pieces else { return .null }
    memory.buffer.removeAll()
    var copied = 0
    var start = 0
    while start <= text.count {
        let outcome = unsafe expression.match(text, from: start, memory)
        if outcome == .tooDear { return .null }
        guard outcome == .match, let match = memory.range(ofGroup: 0), match.lowerBound >= start else { break }
        unsafe memory.buffer.append(UnsafeRawBufferPointer(rebasing: text[copied..<match.lowerBound]))
        for piece in pieces {
            if piece.group < 0 {
                unsafe memory.buffer.append(
                    UnsafeRawBufferPointer(rebasing: expression.replacementText.bytes[piece.text]))
            } else if let range = memory.range(ofGroup: piece.group) {
                unsafe memory.buffer.append(UnsafeRawBufferPointer(rebasing: text[range]))
            }
        }
        guard memory.buffer.count <= textByteCountMax else { return .null }
        copied = match.upperBound
        start = match.upperBound
        if match.isEmpty { start += unsafe start < text.count ? characterByteCount(text[start]) : 1 }
    }
    if copied == 0, memory.buffer.count == 0 { return unsafe Register(bytes: text) }
    if copied < text.count { unsafe memory.buffer.append(UnsafeRawBufferPointer(rebasing: text[copied...])) }
    let count = memory.buffer.count
    let space = unsafe scratch.space(count)
    if count > 0 { unsafe space.copyMemory(from: memory.buffer.base, byteCount: count) }
    return scratch.keep(count)
}

// What a batch reads, seen from the engine: text in chunks, fetched by whichever worker decodes a chunk.

/// The records of one source for one batch, cut into chunks at record boundaries. The cut depends on the offset ranges
/// alone, so that a replay sees the same chunks; chunks are in offset order.
package protocol InputBytes: Sendable {
    var chunkCount: Int { get }

    /// Fills `buffer` with the text of one chunk: whole lines, each ended by `\n` (the last may lack it), and at least
    /// `inputPaddingByteCount` readable bytes of capacity behind `buffer.count`.
    /// Called once per chunk, from any thread, several at a time.
    func read(chunk: Int, into buffer: inout ByteBuffer) throws

    /// True when the chunk begins where a file begins, so that a CSV header may stand there.
    func startsFile(_ chunk: Int) -> Bool

    /// Words for the place of a byte of a chunk, such as `visits.jsonl, byte 1200`.
    func place(chunk: Int, byteOffset: Int) -> String
}

extension InputBytes {
    package func startsFile(_ chunk: Int) -> Bool { false }
    package func place(chunk: Int, byteOffset: Int) -> String { "chunk \(chunk), byte \(byteOffset)" }
}

/// Readable bytes that must follow a chunk's text (the JSON indexer reads past the end).
package let inputPaddingByteCount = 64

/// A batch that has nothing from this source.
package struct NoInputBytes: InputBytes {
    package init() {}
    package var chunkCount: Int { 0 }
    package func read(chunk: Int, into buffer: inout ByteBuffer) throws {}
}

/// Runs `body` for each index below `count`, possibly on several threads at once, and returns when all have ended.
/// The engine owns no threads: tests hand in a plain loop, the runtime its worker pool.
package typealias ParallelFor = @Sendable (_ count: Int, _ body: @Sendable (Int) -> Void) -> Void

/// Encoded rows of one shard for one format: whole lines, each ended by `\n`. Written by one worker, then only read.
package final class OutputBytes: @unchecked Sendable {
    // @unchecked: the engine hands it out only after the batch's workers are done with it.
    package var buffer = ByteBuffer()

    package init() {}

    package init(_ bytes: [UInt8]) { buffer.append(contentsOf: bytes) }
}

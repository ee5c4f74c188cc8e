// Text that is in memory already: what standard input gave.

internal import Glibc
package import SluiceEngine

/// Chunks of a text, cut at line boundaries.
package final class TextInputBytes: InputBytes {
    private let text: [UInt8]
    private let origin: String
    private let originOffset: Int64
    private let startsStream: Bool
    private let header: [UInt8]
    /// Where chunks begin; at the end the length of the text.
    private let cuts: [Int]
    /// Chunks behind which a line is left out.
    private let beforeLongLines: Set<Int>

    /// - Parameters:
    ///   - origin: words for where the text is from; `originOffset` is the place of its first byte there.
    ///   - startsStream: whether that is where a stream begins; by default at 0.
    ///   - header: the stream's first line, where it names fields.
    ///   - longLines: where empty lines stand for lines that were too long, ascending.
    ///   - chunkByteCount: the nominal size of a chunk; lines are never cut.
    package init(
        _ text: [UInt8], origin: String, originOffset: Int64, startsStream: Bool? = nil, header: [UInt8] = [],
        longLines: [Int] = [], chunkByteCount: Int = 1 << 20
    ) {
        precondition(chunkByteCount > 0)
        self.text = text
        self.origin = origin
        self.originOffset = originOffset
        self.startsStream = startsStream ?? (originOffset == 0)
        self.header = header
        // A byte order mark at the start is no text.
        var cuts = [self.startsStream && text.starts(with: byteOrderMark) ? byteOrderMark.count : 0]
        var beforeLongLines: Set<Int> = []
        var left = longLines[...]
        while let start = cuts.last, start < text.count {
            let wanted = min(start + chunkByteCount, text.count)
            let end = text[(wanted - 1)...].firstIndex(of: newline).map { $0 + 1 } ?? text.count
            if let line = left.first, line < end {
                beforeLongLines.insert(cuts.count - 1)
                cuts.append(line)
                left.removeFirst()
            } else {
                cuts.append(end)
            }
        }
        self.cuts = cuts
        self.beforeLongLines = beforeLongLines
    }

    package func readyChunks(from first: Int) -> Range<Int> { first..<cuts.count - 1 }

    package func read(chunk number: Int, into chunk: inout InputChunk) throws {
        let range = cuts[number]..<cuts[number + 1]
        chunk.text.reserve(range.count + inputPaddingByteCount)
        unsafe text.withUnsafeBytes { unsafe chunk.text.append(UnsafeRawBufferPointer(rebasing: $0[range])) }
        chunk.header = header
        chunk.endsInLongLine = beforeLongLines.contains(number)
    }

    package func startsFile(_ chunk: Int) -> Bool { chunk == 0 && startsStream }

    package func origin(of chunk: Int) -> ChunkOrigin {
        ChunkOrigin(path: origin, firstOffset: originOffset + Int64(cuts[chunk]))
    }

    package func place(chunk: Int, record: RecordPlace) -> String {
        "\(origin)@\(originOffset + Int64(cuts[chunk] + record.byteOffset))"
    }
}

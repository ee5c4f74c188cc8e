// A block of a container file, as a source of such files hands it on: its data stand one after another, and only who
// reads one knows where the next begins.
//
//     block     | offset in its file (8) | count of data (4) | count of bytes (4) | data |

package struct AvroBlock {
    package static let headerByteCount = 16

    private let bytes: [UInt8]

    /// - Parameter bytes: its header and its data.
    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// How many data it has.
    package var count: Int { Int(number(at: 8)) }

    private func number(at place: Int) -> UInt32 {
        guard bytes.count >= place + 4 else { return 0 }
        return (0..<4).reduce(0) { $0 | UInt32(bytes[place + $1]) << (8 * UInt32($1)) }
    }

    /// Its data as blocks of one, the first `countMax`. Those that cannot be told apart stay together.
    /// - Parameters:
    ///   - program: that reads nothing.
    ///   - row: that nothing is written to.
    func data(_ program: AvroProgram, _ row: inout RowWriter, countMax: Int) -> [[UInt8]] {
        var text = ByteBuffer()
        text.append(contentsOf: bytes)
        text.reserve(inputPaddingByteCount)
        var arena = ByteBuffer()
        var machine = AvroMachine()
        let base = unsafe UnsafeRawPointer(text.base)
        unsafe machine.begin(base + min(Self.headerByteCount, bytes.count), end: base + bytes.count)
        var parts: [[UInt8]] = []
        for taken in 0..<count where parts.count < countMax {
            let start = unsafe machine.cursor - base
            let fault = machine.run(program.code, from: 0, &row, into: &arena)
            let end = unsafe fault == nil ? machine.cursor - base : bytes.count
            parts.append(part(start..<end, count: fault == nil ? 1 : count - taken))
            if fault != nil { break }
        }
        return parts
    }

    private func part(_ range: Range<Int>, count: Int) -> [UInt8] {
        func four(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        return bytes[..<8] + four(count) + four(range.count) + bytes[range]
    }
}

// What the clients of schema registries write before a value: a zero byte, and the number of its schema in four, the
// highest first.

package enum ConfluentFraming {
    package static let byteCount = 5

    /// The number that a value names; nil where it does not begin so.
    @inline(__always)
    package static func schemaNumber(_ value: UnsafeRawBufferPointer) -> UInt32? {
        guard value.count >= byteCount, unsafe value[0] == 0 else { return nil }
        return unsafe UInt32(bigEndian: value.loadUnaligned(fromByteOffset: 1, as: UInt32.self))
    }
}

// What the clients of schema registries write before a value: a zero byte, and the number of its schema in four, the
// highest first. Before a message of protobuf stands where that is in its schema, too.

internal import SluiceSpec

package enum ConfluentFraming {
    package static let byteCount = 5

    /// The number that a value names; nil where it does not begin so.
    @inline(__always)
    package static func schemaNumber(_ value: UnsafeRawBufferPointer) -> UInt32? {
        guard value.count >= byteCount, unsafe value[0] == 0 else { return nil }
        return unsafe UInt32(bigEndian: value.loadUnaligned(fromByteOffset: 1, as: UInt32.self))
    }

    private static let placeCountMax = 64

    /// Of a message of protobuf: its place among the messages of its file, that among those in it, and so on; and where
    /// it begins in the value. nil where that is not there. O(places).
    package static func message(_ value: UnsafeRawBufferPointer) -> (places: [Int], start: Int)? {
        guard value.count > byteCount, case .value(let count, var start) = unsafe BinaryNumber(value, at: byteCount),
            count >= 0, count <= placeCountMax
        else { return nil }
        // The first message of the file has a short form.
        var places = count == 0 ? [0] : []
        for _ in 0..<count {
            guard case .value(let place, let end) = unsafe BinaryNumber(value, at: start),
                let place = Int(exactly: place), place >= 0
            else { return nil }
            places.append(place)
            start = end
        }
        return (places, start)
    }
}

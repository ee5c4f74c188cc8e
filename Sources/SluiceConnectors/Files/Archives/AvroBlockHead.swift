// What a container file has before the data of a block, packed or not: how many data they are, and how many bytes. Both
// come from outside, so they are looked at before anything is made of them.

internal import SluiceSpec

/// What stands before the data of a block in a file.
struct AvroBlockHead: Hashable, Sendable {
    /// Where it begins in the file.
    var start: Int64
    var count: UInt32
    var byteCount: Int
    /// Of the two numbers.
    var headByteCount: Int

    var dataStart: Int64 { start + Int64(headByteCount) }
    var dataEnd: Int64 { dataStart + Int64(byteCount) }
    /// Behind the marker that follows the data.
    var end: Int64 { dataEnd + Int64(Self.markerByteCount) }

    static let markerByteCount = 16
    /// Two numbers of up to ten bytes.
    static let headByteCountMax = 20
    /// The largest block, packed and unpacked.
    static let byteCountMax = 64 << 20

    init(start: Int64, count: UInt32, byteCount: Int, headByteCount: Int) {
        self.start = start
        self.count = count
        self.byteCount = byteCount
        self.headByteCount = headByteCount
    }

    /// - Parameters:
    ///   - place: where it begins in the bytes; nil comes of bytes that end in it.
    ///   - start: where that is in the file.
    init?(_ bytes: UnsafeRawBufferPointer, at place: Int, start: Int64) throws(ArchiveDamage) {
        var numbers: [Int64] = []
        var index = place
        while numbers.count < 2 {
            switch unsafe BinaryNumber(bytes, at: index) {
            case .value(let value, let end):
                numbers.append(value)
                index = end
            case .short: return nil
            case .tooLong: throw Self.damage(start, "a count has more than ten bytes")
            }
        }
        guard numbers[1] >= 0, numbers[1] <= Self.byteCountMax else {
            throw Self.damage(start, "it says it has \(numbers[1]) bytes, and 0 to \(Self.byteCountMax) are read")
        }
        // Data that take no bytes are counted too.
        guard numbers[0] >= 0, numbers[0] <= Self.byteCountMax, numbers[0] > 0 || numbers[1] == 0 else {
            throw Self.damage(start, "it says it has \(numbers[0]) data in \(numbers[1]) bytes")
        }
        self.init(
            start: start, count: UInt32(numbers[0]), byteCount: Int(numbers[1]), headByteCount: index - place)
    }

    static func damage(_ offset: Int64, _ reason: String) -> ArchiveDamage {
        ArchiveDamage(reason: "the block at byte \(offset) of the file: \(reason)")
    }
}

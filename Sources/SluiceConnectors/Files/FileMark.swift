// What a checkpoint keeps of a file besides its name and offset, so that the next process knows whether what it finds
// under that name is what was read. Names change hands (rotation), devices get other numbers (a reboot, a container),
// files move to other machines; so a mark holds several things, and whoever asks weighs them.

internal import SluiceEngine
internal import SluiceSystem

/// A followed file as it was when a batch was planned.
struct FollowedFileMark: Hashable {
    var device: UInt64
    var inode: UInt64
    /// How long the file was.
    var byteCount: Int64
    /// The last line end that was found in it, and the bytes before that.
    var lineEnd: Int64
    var tail: FileTail
}

/// The last bytes before a place in a file, as a number: other content has another with near certainty.
struct FileTail: Hashable {
    static let byteCountMax: Int64 = 64

    private let hash: UInt64

    init(_ bytes: [UInt8]) {
        hash = bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    fileprivate init?(text: Substring) {
        guard let hash = UInt64(text, radix: 16) else { return nil }
        self.hash = hash
    }

    fileprivate var text: String { String(hash, radix: 16) }
}

extension FollowedFileMark {
    /// `device inode size line-end tail`, as numbers.
    var text: String { "\(device) \(inode) \(byteCount) \(lineEnd) \(tail.text)" }

    /// nil for what another version may have written: then the name alone says which file it is.
    init?(text: String) {
        let parts = text.split(separator: " ")
        guard parts.count == 5, let device = UInt64(parts[0]), let inode = UInt64(parts[1]),
            let byteCount = Int64(parts[2]), let lineEnd = Int64(parts[3]), lineEnd >= 0, lineEnd <= byteCount,
            let tail = FileTail(text: parts[4])
        else { return nil }
        self.init(device: device, inode: inode, byteCount: byteCount, lineEnd: lineEnd, tail: tail)
    }
}

/// A whole file as it was when a batch was planned. Another one, or one that was written to, has another time; and as
/// the same content may be put there again, its first and last bytes have the last word.
struct WholeFileMark: Hashable {
    var modifiedNanos: Int64
    var content: FileTail
    /// True for a compressed file of which batches have not taken all; such a mark stands beside every batch until one
    /// takes the rest.
    var isPart = false

    private static let partWord = "part"

    init(modifiedNanos: Int64, content: FileTail) {
        self.modifiedNanos = modifiedNanos
        self.content = content
    }

    /// `time content`, as numbers, and perhaps `part`; nil for what another version may have written.
    init?(text: String) {
        var parts = text.split(separator: " ")
        if parts.count == 3, parts[2] == Self.partWord {
            isPart = true
            parts.removeLast()
        }
        guard parts.count == 2, let modifiedNanos = Int64(parts[0]), let content = FileTail(text: parts[1]) else {
            return nil
        }
        (self.modifiedNanos, self.content) = (modifiedNanos, content)
    }

    var text: String { "\(modifiedNanos) \(content.text)" + (isPart ? " \(Self.partWord)" : "") }

    /// A file that was only touched since is the same.
    func isOfSameFile(as other: WholeFileMark) -> Bool {
        modifiedNanos == other.modifiedNanos || content == other.content
    }
}

// Every JSON file of a checkpoint is one line of JSON, then one line with the checksum of the first:
//
//     {"format":1,"batch":7,…}
//     crc32 0f3a77c1
//
// Files are written in place, without a rename, so a crash can leave a file that is cut short, or that has its full
// length but sectors of zeros where data never reached the disk. Both are told from damage (any other difference),
// because only the newest file of a log can be torn by a crash and then counts as not written.

internal import CDeflate
internal import SluiceSpec

/// What a file with a checksum turned out to hold.
enum Checked<Content: Sendable>: Sendable {
    case valid(Content)
    /// What a crash leaves: a prefix, or zeros in place of whole sectors.
    case torn
    case damaged(reason: String)
    case futureFormat(Int64)

    func map<Other>(_ transform: (Content) throws(JSONError) -> Other) -> Checked<Other> {
        switch self {
        case .torn: return .torn
        case .damaged(let reason): return .damaged(reason: reason)
        case .futureFormat(let format): return .futureFormat(format)
        case .valid(let content):
            do { return .valid(try transform(content)) } catch { return .damaged(reason: error.description) }
        }
    }

    var content: Content? {
        if case .valid(let content) = self { content } else { nil }
    }
}

extension Checked: Equatable where Content: Equatable {}

/// CRC-32 as gzip computes it.
func crc32(_ bytes: some Sequence<UInt8>) -> UInt32 {
    let done = bytes.withContiguousStorageIfAvailable { storage in
        unsafe libdeflate_crc32(0, storage.baseAddress, storage.count)
    }
    return done ?? crc32(Array(bytes))
}

/// `crc32 ` and eight hexadecimal digits.
func checksumText(_ bytes: some Sequence<UInt8>) -> String { "crc32 " + checksumDigits(crc32(bytes)) }

/// The lines of a file that holds `value`.
func checksummedText(_ value: JSONValue) -> [UInt8] {
    var bytes = value.text()
    bytes.append(UInt8(ascii: "\n"))
    let checksum = checksumText(bytes)
    bytes.append(contentsOf: checksum.utf8)
    bytes.append(UInt8(ascii: "\n"))
    return bytes
}

private let trailerByteCount = 15
private let sectorByteCount = 512

/// Checks and reads the lines of a file; the value's `format` has been looked at.
func readChecksummedText(_ bytes: [UInt8]) -> Checked<JSONValue> {
    if bytes.isEmpty || hasZeroSector(bytes) { return .torn }
    guard let newline = bytes.firstIndex(of: UInt8(ascii: "\n")) else {
        let isPrefix = "{\"format\":".utf8.starts(with: bytes.prefix(10))
        return isPrefix ? .torn : .damaged(reason: "it does not begin as a file of a checkpoint does")
    }
    let body = bytes[...newline]
    let trailer = bytes[(newline + 1)...]
    if trailer.count < trailerByteCount {
        // The body is whole and the trailer is not: a prefix, unless the body is no JSON (then a newline was lost).
        let isPrefix = (try? JSONValue(text: body)) != nil && "crc32 ".utf8.starts(with: trailer.prefix(6))
        return isPrefix ? .torn : .damaged(reason: "its checksum line is broken")
    }
    guard trailer.elementsEqual("\(checksumText(body))\n".utf8) else {
        return .damaged(reason: "its checksum does not match its content")
    }
    let value: JSONValue
    do { value = try JSONValue(text: body) } catch { return .damaged(reason: error.description) }
    guard case .integer(let format)? = value["format"], format >= 1 else { return .damaged(reason: "it has no format") }
    return format > stagesFormat ? .futureFormat(format) : .valid(value)
}

private func hasZeroSector(_ bytes: [UInt8]) -> Bool {
    var start = 0
    while start < bytes.count {
        let end = min(start + sectorByteCount, bytes.count)
        if bytes[start..<end].allSatisfy({ $0 == 0 }) { return true }
        start = end
    }
    return false
}

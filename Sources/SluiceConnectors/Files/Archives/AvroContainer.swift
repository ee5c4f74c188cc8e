// Container files of Avro as a stream: the file in, its blocks out, unpacked, each behind what the engine has to know
// of it (`AvroBlock`) and followed by a line end that is not part of it, so that the text can be cut between blocks and
// read by any worker. A block is a thing of at most 64 MiB, packed and unpacked, and always whole in memory; its marker
// is looked at, and the check sum that snappy has.
//
//     file      Obj 1 | names and texts: schema, codec … | marker (16) | count | byte count | packed data | marker | …
//     stream    offset in the file (8) | count (4) | byte count (4) | data | \n | …
//
// Source: Apache Avro 1.12.0 Specification, "Object Container Files".

internal import SluiceSpec
internal import SluiceSystem

/// What a container file says of itself.
struct AvroContainerHeader {
    var schema: [UInt8]
    var codec: AvroCodec
    /// What stands behind each block.
    var marker: [UInt8]
    var byteCount: Int

    static let magic = Array("Obj".utf8) + [1]
    private static let byteCountMax = 2 << 20

    /// nil while there is not all of it.
    init?(_ bytes: [UInt8]) throws(ArchiveDamage) {
        guard bytes.starts(with: Self.magic) else {
            if bytes.count < Self.magic.count { return nil }
            throw ArchiveDamage(reason: "it does not begin as a container file does")
        }
        var reader = HeaderReader(bytes: bytes, position: Self.magic.count)
        do throws(HeaderReader.End) {
            let entries = try reader.map()
            marker = try reader.take(16)
            byteCount = reader.position
            guard let schema = entries["avro.schema"] else { throw .damage("its header has no schema") }
            self.schema = schema
            let name = entries["avro.codec"].map { String(decoding: $0, as: UTF8.self) } ?? "null"
            guard let codec = AvroCodec(rawValue: name) else {
                throw .damage(
                    "its blocks are packed by `\(name)`, and what is read is null, deflate, snappy, zstandard")
            }
            self.codec = codec
        } catch {
            switch error {
            case .short where bytes.count < Self.byteCountMax: return nil
            case .short: throw ArchiveDamage(reason: "its header has more than \(Self.byteCountMax >> 20) MiB")
            case .damage(let reason): throw ArchiveDamage(reason: reason)
            }
        }
    }

    /// The text of the schema of a file, which is one; empty for an empty file.
    static func schema(of path: String, _ fileSystem: any FileSystem) throws(ConnectorError) -> [UInt8] {
        let file: any ReadableFile
        do throws(FileError) { file = try fileSystem.open(path) } catch { throw ConnectorError(reading: error) }
        guard let header = try read(file, path) else { return [] }
        do throws(AvroSchemaProblem) { _ = try AvroSchema(text: header.schema) } catch {
            throw damaged(path, ArchiveDamage(reason: "in its schema \(error.sentence)"))
        }
        return header.schema
    }

    /// nil for an empty file.
    /// - Throws: `file-damaged`, and what keeps a file from being read.
    static func read(_ file: any ReadableFile, _ path: String) throws(ConnectorError) -> AvroContainerHeader? {
        let found: Result<AvroContainerHeader?, ArchiveDamage>
        do throws(FileError) { found = try read(file) } catch { throw ConnectorError(reading: error) }
        switch found {
        case .success(let header): return header
        case .failure(let damage): throw damaged(path, damage)
        }
    }

    /// nil for an empty file, or what is wrong with the header.
    static func read(
        _ file: any ReadableFile
    ) throws(FileError) -> Result<AvroContainerHeader?, ArchiveDamage> {
        let end = try file.info().byteCount
        if end == 0 { return .success(nil) }
        var byteCount: Int64 = 4096
        while true {
            let head = try file.bytes(0..<min(byteCount, end))
            do throws(ArchiveDamage) {
                if let header = try AvroContainerHeader(head) { return .success(header) }
                if byteCount >= end { throw ArchiveDamage(reason: "it ends inside its header") }
            } catch { return .failure(error) }
            byteCount *= 8
        }
    }

    private static func damaged(_ path: String, _ damage: ArchiveDamage) -> ConnectorError {
        ConnectorError(
            code: "file-damaged",
            "\(path) cannot be read: \(damage.reason). Replace it by a good copy, or move it away",
            isRetriable: false)
    }
}

private struct HeaderReader {
    enum End: Error {
        case short
        case damage(String)
    }

    let bytes: [UInt8]
    var position: Int

    mutating func take(_ count: Int) throws(End) -> [UInt8] {
        guard count >= 0 else { throw .damage("a length in its header is negative") }
        guard bytes.count - position >= count else { throw .short }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    mutating func integer() throws(End) -> Int64 {
        switch BinaryNumber(bytes, at: position) {
        case .value(let value, let end):
            position = end
            return value
        case .short: throw .short
        case .tooLong: throw .damage("a number in its header has more than ten bytes")
        }
    }

    /// The last of two entries of one name counts.
    mutating func map() throws(End) -> [String: [UInt8]] {
        var entries: [String: [UInt8]] = [:]
        while true {
            var count = try integer()
            if count == 0 { return entries }
            if count < 0 {
                guard count > .min else { throw .damage("a count in its header is none") }
                count = -count
                _ = try integer()
            }
            for _ in 0..<count {
                let name = try take(Int(try integer()))
                entries[String(decoding: name, as: UTF8.self)] = try take(Int(try integer()))
            }
        }
    }
}

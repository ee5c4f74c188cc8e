// The header of a CSV file, where columns are found by its names, and the schema of an Avro one. It is read from the
// start of each file, whatever part of the file a batch has, and looked at before a batch is made of it: a file that
// lacks a column is none of the source.

internal import Glibc
internal import SluiceEngine
internal import SluiceSpec
internal import SluiceSystem

/// What a source wants of the headers of its files.
struct FileHeaders: Sendable {
    private let kind: Kind
    private let columns: [ColumnSpec]

    private enum Kind {
        case csv(CSVOptions)
        case avro(AvroOptions, EachSpec?)
    }

    /// A header that goes on longer is none.
    private static let byteCountMax: Int64 = 1 << 20

    /// nil for a format that has no headers.
    init?(_ format: RecordFormat, _ columns: [ColumnSpec], _ each: EachSpec? = nil) {
        switch format {
        case .csv(let options) where options.hasHeader:
            kind = .csv(options)
            self.columns = columns.filter { $0.origin.csvName != nil }
        case .avro(let options):
            kind = .avro(options, each)
            self.columns = columns
        case .json, .csv, .protobuf: return nil
        }
    }

    // MARK: - Reading

    /// The first line of an open file that is not blank, without its end and any byte order mark; empty where there is
    /// none. `end` is where the last whole line ends, as far as files grow.
    func read(_ file: TextFile, before end: Int64) throws(ConnectorError) -> [UInt8] {
        var byteCount: Int64 = 4096
        var head = ByteBuffer()
        while true {
            byteCount = min(byteCount, end)
            try file.append(Int64(head.count)..<byteCount, to: &head)
            if let line = line(of: head.array(), isWhole: byteCount == end) { return line }
            if byteCount >= Self.byteCountMax { throw tooLong(file.path) }
            byteCount *= 8
        }
    }

    /// As `read` above, of a whole file that may be compressed.
    func read(_ path: String, _ fileSystem: any FileSystem) throws(ConnectorError) -> [UInt8] {
        try read(path, fileSystem, isGrowing: false) ?? []
    }

    /// As `read` above; nil where a file `isGrowing` and the line has no end yet.
    func read(_ path: String, _ fileSystem: any FileSystem, isGrowing: Bool) throws(ConnectorError) -> [UInt8]? {
        if case .avro = kind { return try AvroContainerHeader.schema(of: path, fileSystem) }
        let file: any ReadableFile
        let fileByteCount: Int64
        let compression: Compression?
        do throws(FileError) {
            file = try fileSystem.open(path)
            fileByteCount = try file.info().byteCount
            compression = Compression(try file.bytes(0..<min(fileByteCount, 4)))
        } catch { throw ConnectorError(reading: error) }
        guard let compression else {
            let text = TextFile(path, file)
            let end = isGrowing ? try text.lastLineEnd(in: 0..<min(fileByteCount, Self.byteCountMax)) : fileByteCount
            return try end.map { end throws(ConnectorError) in try read(text, before: end) }
        }
        var byteCount: Int64 = 4096
        while true {
            let head: [UInt8]
            do throws(FileError) { head = try file.bytes(0..<min(byteCount, fileByteCount)) } catch {
                throw ConnectorError(reading: error)
            }
            let text = compression.unpackedHead(head, byteCountMax: Int(byteCount))
            // What is damaged is said when all of it has been looked at.
            let isWhole = byteCount >= fileByteCount && text.count < byteCount
            if let line = line(of: text, isWhole: isWhole) { return line }
            if byteCount >= Self.byteCountMax { throw tooLong(path) }
            byteCount *= 8
        }
    }

    /// As `read` above, of the beginning of a text; nil where the line has no end in it.
    func line(of head: [UInt8], isWhole: Bool) -> [UInt8]? {
        var start = head.starts(with: byteOrderMark) ? byteOrderMark.count : 0
        while start < head.count {
            guard let next = lineEnd(head, from: start) ?? (isWhole ? head.count : nil) else { return nil }
            var line = head[start..<next]
            if line.last == newline { line.removeLast() }
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            if !line.isEmpty { return Array(line) }
            start = next
        }
        return isWhole ? [] : nil
    }

    private func lineEnd(_ head: [UInt8], from start: Int) -> Int? {
        if case .csv(let options) = kind, options.isMultiline {
            var scan = CSVLineEnds(options)
            if let end = unsafe head.withUnsafeBytes({ unsafe scan.next(in: $0, from: start) }) { return end }
            return nil
        }
        return head[start...].firstIndex(of: newline).map { $0 + 1 }
    }

    private func tooLong(_ path: String) -> ConnectorError {
        ConnectorError(
            code: "file-header",
            "the first line of \(path) is longer than \(Self.byteCountMax >> 10) KiB and no header: give the file one, "
                + "or leave out `header: true`",
            isRetriable: false)
    }

    // MARK: - Checking

    /// A column that a header does not have, or has twice.
    struct Trouble: Hashable {
        var column: ColumnSpec
        /// To put behind the path.
        var sentence: String
        var remedy: String
    }

    /// What is wrong with a file's header, column by column; nothing for a file without a line.
    func trouble(_ line: [UInt8]) -> [Trouble] {
        guard !line.isEmpty else { return [] }
        switch kind {
        case .csv(let options): return trouble(CSVHeader(line, options).names)
        case .avro(let options, let each): return trouble(schema: line, options, each)
        }
    }

    /// A schema that is none was refused when it was read.
    private func trouble(schema: [UInt8], _ options: AvroOptions, _ each: EachSpec?) -> [Trouble] {
        guard let writer = try? AvroSchema(text: schema) else { return [] }
        return AvroResolution(writer: writer, reader: options.schema).problems(of: columns, each: each).map { problem in
            Trouble(
                column: problem.column,
                sentence: "cannot give the column `\(problem.column.name)`: \(problem.message)",
                remedy: problem.fix ?? "give a `path` that leaves the file out")
        }
    }

    private func trouble(_ names: [String]) -> [Trouble] {
        columns.compactMap { column in
            guard let name = column.origin.csvName else { return nil }
            switch names.count(where: { $0 == name }) {
            case 0: return missing(column, name, names)
            case 1: return nil
            default:
                return Trouble(
                    column: column, sentence: "has `\(name)` more than once in its header (\(list(names)))",
                    remedy: "rename one of them in the file")
            }
        }
    }

    private func missing(_ column: ColumnSpec, _ name: String, _ names: [String]) -> Trouble {
        let sentence = "has no column `\(name)` in its header, which has \(list(names))"
        let bare = trimmed(name).lowercased()
        let remedy: String
        if let found = names.first(where: { trimmed($0) == trimmed(name) }) {
            remedy = "blanks are part of a name: write `from: \"\(found)\"`, or take them out of the file"
        } else if let found = names.first(where: { trimmed($0).lowercased() == bare }) {
            remedy = "names are told apart by case: write `from: \(found)`"
        } else {
            remedy =
                (suggestion(for: name, in: names).map { $0 + " " } ?? "")
                + "write `from: NAME` where the file calls it otherwise; without `header: true` columns go by place"
        }
        return Trouble(column: column, sentence: sentence, remedy: remedy)
    }

    private func trimmed(_ name: String) -> String {
        String(name.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }

    private func list(_ names: [String]) -> String {
        let shown = names.prefix(40).map { "`\($0)`" }.joined(separator: ", ")
        return names.count > 40 ? "\(shown) and \(names.count - 40) more" : shown
    }

    /// Refuses a file, or standard input, whose header lacks a column.
    func check(_ line: [UInt8], of place: String) throws(ConnectorError) {
        guard let trouble = trouble(line).first else { return }
        throw ConnectorError(
            code: "file-header", "\(place) \(trouble.sentence): \(trouble.remedy)", isRetriable: false)
    }
}

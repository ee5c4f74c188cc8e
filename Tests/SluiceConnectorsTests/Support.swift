import SluiceConnectors
import SluiceEngine
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Synchronization
import Testing

/// A file source's spec as a reader of spec files would make it.
func fileSpec(
    _ path: String, follow: Bool, maxFiles: Int? = nil, maxBytes: Int64? = nil,
    onTruncate: FileSourceSpec.TruncatePolicy = .fail
) -> FileSourceSpec {
    FileSourceSpec(
        path: Located(path, at: SourcePosition(file: "test.yaml", line: 1, column: 1)), isFollowed: follow,
        maxFilesPerTrigger: maxFiles, maxBytesPerTrigger: maxBytes, onTruncate: onTruncate)
}

/// The text of all chunks, one after another, after checking what the engine relies on.
func text(of input: any InputBytes) throws -> String {
    var bytes: [UInt8] = []
    for number in try input.readyChunks(from: 0) {
        var chunk = InputChunk()
        try input.read(chunk: number, into: &chunk)
        #expect(chunk.text.capacity >= chunk.text.count + inputPaddingByteCount)
        if !bytes.isEmpty && chunk.text.count > 0 { #expect(bytes.last == UInt8(ascii: "\n"), "chunks begin at lines") }
        bytes += chunk.text.array()
    }
    return String(decoding: bytes, as: UTF8.self)
}

extension Sink {
    func recover(
        lastCommitted: Int64?, inHand: Int64? = nil, query: String = "query", lives: [(String, Int64)] = [("a", 0)],
        marks: [SinkMark]? = [], acceptsMissingMark: Bool = false
    ) throws(ConnectorError) {
        try recover(
            SinkStart(
                queryID: query, lives: lives.map { CheckpointLife(id: $0.0, from: $0.1) }, lastCommitted: lastCommitted,
                inHand: inHand.map { SinkBatch(id: $0, fingerprint: "f\($0)") }, marks: marks,
                acceptsMissingMark: acceptsMissingMark))
    }

    func stage(batch: Int64, parts: [OutputBytes], rowCount: Int) throws(ConnectorError) {
        try stage(SinkBatch(id: batch, fingerprint: ""), parts: parts, rowCount: rowCount)
    }
}

extension Source {
    /// As a query that has nothing else to read: the trouble of one file is an error.
    func latestOrTrouble(from position: SourceOffsets) throws(ConnectorError) -> SourceOffsets {
        let latest = try latestOffsets(from: position, untilEnd: false)
        if let trouble { throw trouble }
        return latest
    }
}

func text(_ source: any Source, _ ranges: [OffsetRange]) throws -> String {
    try text(of: try source.open(ranges))
}

/// The code of the error that `body` throws; nil when it throws none.
func connectorError(_ body: () throws -> Void) -> ConnectorError? {
    do { try body() } catch { return error as? ConnectorError }
    return nil
}

extension FileSystem {
    func append(_ path: String, text: String) throws(FileError) { try append(path, Array(text.utf8)) }
}

/// Random lines of text, some long, some empty.
func randomLines(_ count: Int, _ generator: inout SplitMix64) -> [String] {
    (0..<count).map { number in
        let length = [0, 3, 20, 20, 20, 200].randomElement(using: &generator) ?? 0
        return "\(number):" + String(repeating: "x", count: length) + "\n"
    }
}

// A file sink's folder belongs to one life of one query: nobody else's files are replaced, and nothing comes twice.

import SluiceConnectors
import SluiceEngine
import SluiceSimulation
import SluiceSystem
import SystemTesting
import Testing

@Suite("The folder of a file sink")
struct FolderOwnerTests {
    private let mark = "/out/.sluice-owner"

    private func sink(_ files: any FileSystem, query: String = "q") -> FileSink {
        FileSink(query: query, folder: "/out", fileExtension: "jsonl", header: [], fileSystem: files)
    }

    /// A folder that a query has written `batches` to, and is not open any more.
    private func written(_ batches: ClosedRange<Int64>, lives: [(String, Int64)] = [("a", 0)]) throws
        -> SimulatedFileSystem
    {
        let files = SimulatedFileSystem()
        let sink = sink(files)
        try sink.recover(lastCommitted: nil, lives: lives)
        for batch in batches {
            try sink.stage(batch: batch, parts: [OutputBytes(Array("\(batch)\n".utf8))], rowCount: 1)
            try sink.commit(batch: batch)
        }
        try sink.sync()
        return files.restartProcess()
    }

    private func refusal(
        _ files: SimulatedFileSystem, lastCommitted: Int64?, inHand: Int64? = nil, query: String = "query",
        lives: [(String, Int64)] = [("a", 0)], marks: [SinkMark]? = []
    ) -> String? {
        let before = files.files()
        do {
            try sink(files).recover(
                lastCommitted: lastCommitted, inHand: inHand, query: query, lives: lives, marks: marks)
            return nil
        } catch {
            #expect(files.files() == before && !error.isRetriable)
            #expect(error.message.contains("/out") && error.message.contains("folder of its own"))
            return error.code
        }
    }

    @Test("Goes on under its own checkpoint, also with a batch that is run again")
    func own() throws {
        #expect(try refusal(written(0...3), lastCommitted: 3) == nil)
        #expect(try refusal(written(0...3), lastCommitted: 2, inHand: 3) == nil)
        #expect(try refusal(written(0...3), lastCommitted: 9) == nil)
    }

    @Test("Is refused to another query, and to the same one with a new checkpoint")
    func otherQuery() throws {
        #expect(try refusal(written(0...3), lastCommitted: nil, query: "new") == "sink-folder-of-another-query")
        #expect(try refusal(written(0...3), lastCommitted: 9, query: "other") == "sink-folder-of-another-query")
    }

    @Test("Is refused to a checkpoint that is behind it")
    func ahead() throws {
        #expect(try refusal(written(0...3), lastCommitted: 2) == "sink-folder-ahead")
        #expect(try refusal(written(0...3), lastCommitted: 1, inHand: 2) == "sink-folder-ahead")
        #expect(try refusal(written(0...0), lastCommitted: nil) == "sink-folder-ahead")
        // Rolled back: the files behind it have to go first.
        let files = try written(0...3)
        #expect(refusal(files, lastCommitted: 1, lives: [("a", 0), ("b", 2)]) == "sink-folder-ahead")
        for batch in 2...3 { try files.remove("/out/batch-000000000\(batch).jsonl") }
        #expect(refusal(files, lastCommitted: 1, lives: [("a", 0), ("b", 2)]) == nil)
        #expect(files.text(mark)?.contains("life=b from=2") == true)
    }

    @Test("Is refused to a copy that went another way")
    func otherLife() throws {
        let files = try written(0...3, lives: [("a", 0), ("b", 2)])
        #expect(refusal(files, lastCommitted: 5, lives: [("a", 0), ("c", 2)]) == "sink-folder-of-another-life")
        #expect(refusal(files, lastCommitted: 5) == "sink-folder-of-another-life")
    }

    @Test("Without a mark it is taken by a checkpoint of the version before that can have written it, else refused")
    func noMark() throws {
        let files = try written(0...3)
        try files.remove(mark)
        #expect(refusal(files, lastCommitted: 3) == "sink-folder-not-owned")
        #expect(refusal(files, lastCommitted: 1, marks: nil) == "sink-folder-not-owned")
        #expect(refusal(files, lastCommitted: 2, marks: nil) == nil)
        #expect(refusal(files, lastCommitted: 3) == nil, "it has a mark now")
    }

    @Test("Without batches it is anybody's, and temporary files of others stay")
    func empty() throws {
        let files = try written(0...0)
        try files.remove("/out/batch-0000000000.jsonl")
        files.put("/out/.batch-0000000009.jsonl.tmp", "of somebody\n")
        #expect(refusal(files, lastCommitted: 20, query: "other") == nil)
        #expect(files.text("/out/.batch-0000000009.jsonl.tmp") == "of somebody\n")
        #expect(files.text("/out/batch-0000000009.jsonl") == nil)
    }

    @Test("Files of another format count too")
    func otherFormat() throws {
        let files = SimulatedFileSystem()
        files.put("/out/batch-0000000004.csv", "a\n")
        #expect(refusal(files, lastCommitted: 4) == "sink-folder-not-owned")
    }

    @Test("A mark that cannot be read is an error that names it")
    func damagedMark() throws {
        for text in [
            "", "sluice/1", "sluice/1 id=a query=b\nlife=x from=1\n", "sluice/2 id=a query=b\nlife=x from=0\n",
        ] {
            let files = SimulatedFileSystem()
            files.put(mark, text)
            let error = #expect(throws: ConnectorError.self) { try sink(files).recover(lastCommitted: nil) }
            #expect(error?.code == "sink-folder-mark" && error?.message.contains(mark) == true)
        }
    }

    @Test("Is locked while a query writes to it, whatever files are deleted in it")
    func lock() throws {
        let temporary = try TemporaryFolder()
        let files = RealFileSystem()
        func sink() -> FileSink {
            FileSink(
                query: "q", folder: temporary.path + "/out", fileExtension: "jsonl", header: [], fileSystem: files)
        }
        var first: FileSink? = sink()
        try first?.recover(lastCommitted: nil)
        for name in try files.list(temporary.path + "/out") { try files.remove("\(temporary.path)/out/\(name)") }
        let error = #expect(throws: ConnectorError.self) { try sink().recover(lastCommitted: nil) }
        #expect(error?.code == "sink-folder-in-use")
        first = nil
        try sink().recover(lastCommitted: nil)
    }

    @Test("The mark is written once a life")
    func writtenOnce() throws {
        let files = try written(0...1)
        files.recordsTrace = true
        try sink(files).recover(lastCommitted: 1)
        #expect(files.trace.allSatisfy { ![.write, .rename].contains($0.verb) })
    }
}

// The cost of a checkpoint follows the batch and the live state, never the query's age: files stay few, bytes a batch
// stay the same, and opening reads about what is live. SLUICE_TINY_BATCHES sets how many batches are run.

import Glibc
import SluiceConnectors
import SluiceCheckpoint
import SluiceSimulation
import SluiceSystem
import Synchronization
import Testing

/// Counts the bytes that are read.
private final class CountingFileSystem: FileSystem {
    let base: SimulatedFileSystem
    let bytesRead = Atomic<Int>(0)

    init(_ base: SimulatedFileSystem) { self.base = base }

    private final class Reader: ReadableFile {
        let base: any ReadableFile
        let counter: CountingFileSystem

        init(_ base: any ReadableFile, _ counter: CountingFileSystem) {
            self.base = base
            self.counter = counter
        }

        func info() throws(FileError) -> FileInfo { try base.info() }

        func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
            let count = try unsafe base.read(at: offset, into: buffer)
            counter.bytesRead.add(count, ordering: .relaxed)
            return count
        }
    }

    func info(_ path: String) throws(FileError) -> FileInfo? { try base.info(path) }
    func list(_ folder: String) throws(FileError) -> [String] { try base.list(folder) }
    func makeFolders(_ path: String) throws(FileError) { try base.makeFolders(path) }
    func open(_ path: String) throws(FileError) -> any ReadableFile { Reader(try base.open(path), self) }
    func readAll(_ path: String) throws(FileError) -> [UInt8] {
        let bytes = try base.readAll(path)
        bytesRead.add(bytes.count, ordering: .relaxed)
        return bytes
    }
    func write(_ path: String, _ parts: [UnsafeRawBufferPointer]) throws(FileError) {
        try unsafe base.write(path, parts)
    }
    func append(_ path: String, _ parts: [UnsafeRawBufferPointer]) throws(FileError) {
        try unsafe base.append(path, parts)
    }
    func sync(_ path: String) throws(FileError) { try base.sync(path) }
    func syncFolder(_ path: String) throws(FileError) { try base.syncFolder(path) }
    func rename(_ from: String, to: String) throws(FileError) { try base.rename(from, to: to) }
    func remove(_ path: String) throws(FileError) { try base.remove(path) }
    func makeScratchFile(in folder: String) throws(FileError) -> any ScratchFile {
        try base.makeScratchFile(in: folder)
    }
    func lock(folder: String, note: String?) throws(FileError) -> (any FolderLock)? {
        try base.lock(folder: folder, note: note)
    }
}

/// One row a batch, one shard, one side; leaves `lifetime` batches later, or never.
private struct TinyQuery {
    let checkpoint: Checkpoint
    var batch: Int64 = 0
    let lifetime: Int64?

    mutating func run(_ count: Int64) throws {
        for _ in 0..<count {
            let entry = OffsetsEntry(
                batch: batch, batchTimeMillis: batch, lateWatermarkMillis: batch, evictionWatermarkMillis: batch,
                isNoData: false,
                sources: [
                    SourceBatch(
                        source: "rows", ranges: [OffsetRange(partition: "0", start: batch, end: batch + 1)],
                        next: SourceOffsets(["0": batch + 1]))
                ])
            try checkpoint.logOffsets(entry)
            let evicted = [lifetime.map { batch - $0 } ?? .min]
            let payload = ToyEntry.encode([ToyEntry(kind: .row, side: 0, id: batch, timeMicros: batch)])
            try payload.withUnsafeBytes { bytes in
                try checkpoint.writeState(
                    batch: batch, [ShardPayload(shard: 0, bytes: bytes)], lastJoinTimeMicros: [batch],
                    evictedThroughMicros: evicted)
            }
            try checkpoint.writeCommit(
                CommitEntry(
                    batch: batch, nextWatermarkMillis: batch, inputMaximaMillis: [batch],
                    evictedThroughMicros: evicted, counters: [:]))
            if let plan = checkpoint.planMaintenance() { try checkpoint.perform(plan, merge: mergeToyPayloads) }
            batch += 1
        }
    }
}

@Suite("The size of a checkpoint")
struct CheckpointSizeTests {
    private static let batches: Int64 = {
        if let text = unsafe getenv("SLUICE_TINY_BATCHES") {
            return Int64(unsafe String(cString: text)) ?? 0
        }
        return 12_000
    }()

    @Test("Stays bounded over many tiny batches", arguments: [300, nil] as [Int64?])
    func tinyBatches(lifetime: Int64?) throws {
        let files = SimulatedFileSystem()
        var query = TinyQuery(
            checkpoint: try Checkpoint.open(ToyQuery.options(files, retain: 100)) { _ in }.0, lifetime: lifetime)
        var worstFileCount = 0
        var written: [Int64] = []
        let steps: Int64 = 50
        for _ in 0..<steps {
            let before = files.bytesWritten(under: "/cp")
            try query.run(Self.batches / steps)
            written.append((files.bytesWritten(under: "/cp") - before) / (Self.batches / steps))
            worstFileCount = max(worstFileCount, files.fileCount(under: "/cp"))
        }
        let (batches, worst) = (query.batch, written.max()!)
        #expect(worstFileCount < 100 * 3 + 16 * 3 + 5 * 16 + 5, "after \(batches) batches: \(worstFileCount)")
        #expect(worst < 1_600, "bytes a batch: \(written)")
        #expect(files.syncCount < batches * 5)
        try checkOpening(files, batches: batches, lifetime: lifetime)
    }

    private func checkOpening(_ files: SimulatedFileSystem, batches: Int64, lifetime: Int64?) throws {
        let counting = CountingFileSystem(files.restartProcess())
        let (checkpoint, recovered) = try Checkpoint.open(ToyQuery.options(counting, retain: 100)) { _ in }
        let opened = counting.bytesRead.load(ordering: .relaxed)
        #expect(recovered.nextBatch == batches)
        let ids = Mutex<[Int64]>([])
        try checkpoint.loadState(parallel: inline) { _, payload in
            let read = try ToyEntry.decode(payload).map(\.id)
            ids.withLock { $0 += read }
        }
        let found = Set(ids.withLock { $0 })
        let live = lifetime.map { Set(batches - $0..<batches) } ?? Set(0..<batches)
        #expect(found.isSuperset(of: live))
        // Not much is read beside what is live: what the last merge of the oldest live file did not leave out.
        #expect(ids.withLock { $0.count } < live.count + 300)
        #expect(opened < 600_000, "logs and headers: \(opened) bytes")
        #expect(counting.bytesRead.load(ordering: .relaxed) - opened < 18 * live.count + 60 * 400)
    }

    @Test("Two waits for the disk and three small files a batch")
    func operations() throws {
        let files = SimulatedFileSystem()
        var query = TinyQuery(
            checkpoint: try Checkpoint.open(ToyQuery.options(files)) { _ in }.0, lifetime: nil)
        try query.run(3)
        files.recordsTrace = true
        let start = files.operationCount
        try query.run(1)
        let expected = [
            "write /cp/q/offsets/3", "sync /cp/q/offsets/3", "syncFolder /cp/q/offsets",
            "write /cp/q/state/3.delta.gz", "sync /cp/q/state/3.delta.gz", "syncFolder /cp/q/state",
            "write /cp/q/commits/3",
        ]
        #expect(files.trace.map { "\($0.verb.rawValue) \($0.path)" } == expected)
        #expect(files.operationCount == start + expected.count)
    }

    @Test("Merged state is the same state", arguments: 0..<6)
    func mergedIsUnmerged(seed: Int) throws {
        var results: [(state: ToyState, files: Int)] = []
        for isMaintained in [true, false] {
            let files = SimulatedFileSystem()
            var history = ToyHistory()
            var query = try ToyQuery(ToyQuery.options(files, retain: 1), seed: 5)
            query.isMaintained = isMaintained
            // The same batches in both: the generator decides on batches only through a plan made before.
            for batch in Int64(0)..<350 {
                var planner = query
                planner.generator = SplitMix64(seed: UInt64(seed) << 32 | UInt64(batch))
                let plan = planner.planBatch()
                let result = ToyBatch(plan, on: query.state, after: query.committed?.commit)
                try query.checkpoint.logOffsets(plan)
                try query.checkpoint.writeToyState(result)
                try query.checkpoint.writeCommit(result.commit)
                if isMaintained, let plan = query.checkpoint.planMaintenance() {
                    try query.checkpoint.perform(plan, merge: mergeToyPayloads)
                }
                query.state = result.state
                query.committed = Recovered.Committed(offsets: plan, commit: result.commit)
                history.states[batch] = result.state
            }
            let reopened = try ToyQuery(ToyQuery.options(files.restartProcess()), seed: 0)
            #expect(reopened.state == history.states[349])
            results.append((reopened.state, files.paths("state").count))
        }
        #expect(results[0].state == results[1].state)
        #expect(results[0].files < 60 && results[1].files > 200)
    }
}

import SluiceConnectors
import SluiceEngine
import SluiceCheckpoint
import SluiceSimulation
import SluiceSystem
import Synchronization
import Testing

/// A thread an index, all at once.
private let threaded: ParallelFor = { count, body in
    withoutActuallyEscaping(body) { body in
        let threads = (0..<count).map { index in SystemThread(name: "shard \(index)") { body(index) } }
        for thread in threads { thread?.join() }
    }
}

@Suite("A checkpoint under threads")
struct CheckpointThreadTests {
    @Test("Is maintained on a thread of its own while batches are written", arguments: 0..<4)
    func maintenance(seed: Int) throws {
        let files = SimulatedFileSystem()
        var history = ToyHistory()
        var query = try ToyQuery(ToyQuery.options(files, retain: 3), seed: UInt64(seed))
        query.isMaintained = false
        let failures = Mutex<[CheckpointError]>([])
        var threads: [SystemThread] = []
        for _ in 0..<400 {
            try query.runBatch(&history)
            // `runBatch` asks for a plan and, not maintained, keeps it.
            guard let plan = query.plan else { continue }
            query.plan = nil
            let checkpoint = query.checkpoint
            let thread = SystemThread(name: "merge") {
                do throws(CheckpointError) {
                    try checkpoint.perform(plan, parallel: threaded, merge: mergeToyPayloads)
                } catch { failures.withLock { $0.append(error) } }
            }
            threads.append(try #require(thread))
            // A plan that is carried out long after it was made finds little to do: on a busy machine none would.
            if threads.count > 4 { threads.removeFirst().join() }
        }
        for thread in threads { thread.join() }
        #expect(failures.withLock { $0 }.isEmpty)
        #expect(files.paths("state").count < 100)
        history.check(try ToyQuery(ToyQuery.options(files.restartProcess()), seed: 0), "seed \(seed)")
    }

    @Test("Compresses and unpacks large state in parallel, each shard's payloads in order")
    func parallelShards() throws {
        let files = SimulatedFileSystem()
        var options = ToyQuery.options(files)
        options.parallel = threaded
        let (checkpoint, _) = try Checkpoint.open(options) { _ in }
        var written: [Int: [[UInt8]]] = [:]
        var generator = SplitMix64(seed: 1)
        for batch in Int64(0)..<40 {
            let shards = (0..<toyShards).filter { _ in Int.random(in: 0..<4, using: &generator) > 0 }
            let payloads = shards.map { _ in
                (0..<Int.random(in: 1...60_000, using: &generator)).map { UInt8(truncatingIfNeeded: $0 / 7) }
            }
            for (shard, payload) in zip(shards, payloads) { written[shard, default: []].append(payload) }
            try checkpoint.logOffsets(
                OffsetsEntry(
                    batch: batch, batchTimeMillis: 0, lateWatermarkMillis: 0, evictionWatermarkMillis: 0,
                    isNoData: true, sources: []))
            let bytes = payloads.map { OutputBytes($0) }
            try checkpoint.writeState(
                batch: batch,
                zip(shards, bytes).map { unsafe ShardPayload(shard: $0, bytes: $1.buffer.bytes) },
                lastJoinTimeMicros: [1, 1], evictedThroughMicros: [0, 0])
            withExtendedLifetime(bytes) {}
            try checkpoint.writeCommit(
                CommitEntry(
                    batch: batch, nextWatermarkMillis: 0, inputMaximaMillis: [], evictedThroughMicros: [0, 0],
                    counters: [:]))
        }
        let read = Mutex<[Int: [[UInt8]]]>([:])
        try checkpoint.loadState(parallel: threaded) { shard, payload in
            read.withLock { $0[shard, default: []].append(payload) }
        }
        #expect(read.withLock { $0 } == written)
    }
}

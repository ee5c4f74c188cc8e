// A query that runs for long: what it keeps and writes follows what it reads, not how long it has run. (That the
// checkpoint alone holds this over a million batches is shown by CheckpointSizeTests.)

import QueryTesting
import SluiceRuntime
import SluiceSimulation
import SluiceSystem
import Synchronization
import Testing

@Suite struct ManyBatchesTests {
    /// What is measured after a step.
    private struct Sample {
        var files: Int
        var writtenBytes: Int64
        var stateRows: Int
        var stateBytes: Int
    }

    @Test func `Over 2,000 tiny batches files, bytes written per batch and state stay bounded`() throws {
        var spec = JoinSpecText(isFollowed: true, retainBatches: 10)
        spec.trigger = "as_fast_as_possible"
        let disk = SimulatedFileSystem()
        for path in ["/in/l.jsonl", "/in/r.jsonl"] { disk.put(path, "") }
        let reports = Reports()
        let pool = WorkerPool(width: 2)
        let runner = try TestedQuery(spec.text).open(QueryEnvironment(disk, pool: pool) { reports.add($0) })
        var samples: [Sample] = []
        for step in 0..<1000 {
            let seconds = Double(step)
            try disk.append("/in/l.jsonl", Array((row("a\(step)", "k\(step % 5)", seconds) + "\n").utf8))
            try disk.append("/in/r.jsonl", Array((row("b\(step)", "k\(step % 7)", seconds) + "\n").utf8))
            try runner.runPending()
            let state = try #require(reports.all.last?.stages.first)
            samples.append(
                Sample(
                    files: disk.fileCount(under: "/check"), writtenBytes: disk.bytesWritten(under: "/check"),
                    stateRows: state.rowsTotal, stateBytes: state.byteCount))
        }
        // A data batch moves the watermark, a no-data batch follows.
        #expect(reports.all.count >= 1_990)
        let (early, late) = (samples[100..<550], samples[550..<1000])
        func growth(_ value: (Sample) -> Int) -> Double {
            Double(late.map(value).max() ?? 0) / Double(max(1, early.map(value).max() ?? 0))
        }
        // Rows of 10 s on the left and of the last second on the right.
        #expect(samples.allSatisfy { $0.stateRows <= 16 })
        #expect(growth(\.stateBytes) <= 1.1)
        // 10 batches to go back to, 16 between two rounds of maintenance, a round in hand: a plan and a commit each.
        // The round runs beside the query, so its share is not exact.
        #expect(growth(\.files) <= 1.5)
        #expect((samples.map(\.files).max() ?? 0) < 300)
        func written(_ part: ArraySlice<Sample>) -> Double {
            Double((part.last?.writtenBytes ?? 0) - (part.first?.writtenBytes ?? 0)) / Double(part.count)
        }
        #expect(written(late) <= written(early) * 1.1)
    }
}

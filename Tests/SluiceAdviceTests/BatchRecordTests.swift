// Batches as advice looks at them, wherever they were written down.

import QueryTesting
import SluiceCheckpoint
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceAdvice

@Suite struct BatchRecordTests {
    @Test func `The checkpoint and the progress of a query tell of the same batches`() throws {
        let spec = JoinSpecText()
        let harness = try RunnerHarness(spec: spec.text, disk: SimulatedFileSystem())
        for number in 0..<6 {
            let second = Double(number) * 100
            harness.disk.feed(
                Step(left: [row("a\(number)", "k", second)], right: [row("b\(number)", "k", second)]), number: number,
                isFollowed: false)
            harness.clock.advance(byMillis: 1000)
            try harness.runPending()
        }
        let stored = try CheckpointReader(folder: "/check", fileSystem: harness.disk).batchRecords()
        #expect(stored.count == harness.reports.all.count && stored.count > 6)
        for (var record, progress) in zip(stored, harness.reports.all) {
            #expect(record.cost?.checkpointBytes ?? 0 > 500)
            if progress.inputRows > 0 {
                #expect(record.advances["l"]?.partitions == 1 && record.advances["r"]?.partitions == 1)
            }
            record.advances = [:]
            #expect(record == BatchRecord(progress))
        }
        #expect(stored.map(\.removedRows).reduce(0, +) > 0)
    }
}

// A query with a topic's table below a join of streams and a table of files above it is stopped at every numbered
// file operation, by a loss of power and by the end of its process, and goes on. At the end the sink must hold the
// same files as without any stop.

import QueryTesting
import SluiceRuntime
import SluiceSimulation
import SluiceSystem
import Testing

@Suite struct TableCrashTests {
    private static let spec = """
        sluice: 1
        sources:
          orders:
            file: { path: /in/orders }
            columns: { id: string, shop: string, at: timestamp }
            watermark: { column: at, delay: 5 seconds }
          payments:
            file: { path: /in/payments }
            columns: { id: string, paid: timestamp }
            watermark: { column: paid, delay: 5 seconds }
        tables:
          shops:
            kafka: { brokers: "nowhere:9092", topic: shops }
            key: shop
            columns: { shop: string, owner: string }
          owners:
            file: { path: /owners }
            columns: { owner: string, name: string }
        queries:
          q:
            from: orders
            join:
              - { with: shops, type: left outer, keys: { orders.shop: shops.shop } }
              - with: payments
                type: left outer
                keys: { orders.id: payments.id }
                within: payments.paid between orders.at and orders.at + 10 seconds
              - { with: owners, type: left outer, keys: { shops.owner: owners.owner } }
            select: { id: orders.id, owner: shops.owner, name: owners.name, paid: payments.paid }
            trigger: available_now
            state: { retain_batches: 2, shards: 2 }
            checkpoint: /check
            to: out
        sinks:
          out: { file: { path: /out }, format: json }

        """

    private static let stepCount = 24

    /// One run with a stop at an operation, or without.
    private struct Run {
        var disk: SimulatedFileSystem
        let topic = MemoryTopic("shops", partitions: 2)
        let losesPower: Bool

        init(crashAt operation: Int?, losesPower: Bool) throws {
            disk = SimulatedFileSystem(plan: FaultPlan(seed: 3, crashAtOperation: operation))
            self.losesPower = losesPower
        }

        /// The same whenever it is done again.
        private func feed(_ step: Int) {
            let time = "2024-05-05T12:00:\(step < 10 ? "0" : "")\(step)Z"
            disk.put("/in/orders/\(step).jsonl", "{\"id\":\"o\(step)\",\"shop\":\"s\(step % 3)\",\"at\":\"\(time)\"}\n")
            if step % 2 == 0 {
                disk.put("/in/payments/\(step).jsonl", "{\"id\":\"o\(step - 1)\",\"paid\":\"\(time)\"}\n")
            }
            topic.put(
                "s\(step % 3)", step % 5 == 4 ? nil : "{\"owner\":\"w\(step % 4)\"}", partition: step % 3 == 0 ? 0 : 1)
            if step % 3 == 0 {
                disk.put(
                    "/owners/a.jsonl",
                    (0..<4).map { "{\"owner\":\"w\($0)\",\"name\":\"name-\(step)-\($0)\"}\n" }.joined())
            }
        }

        private func harness() throws -> RunnerHarness {
            let harness = try RunnerHarness(spec: TableCrashTests.spec, disk: disk)
            harness.topics = ["shops": topic]
            return harness
        }

        /// What the sink holds at the end, by file; how many operations there were; how many stops.
        mutating func outcome() throws -> (files: [String: String], operations: Int, crashes: Int) {
            var harness: RunnerHarness?
            var crashes = 0
            var step = 0
            while step < TableCrashTests.stepCount {
                if disk.hasCrashed {
                    harness?.stop()
                    harness = nil
                    disk = losesPower ? disk.restart() : disk.restartProcess()
                    disk.plan.crashAtOperation = nil
                    crashes += 1
                }
                do {
                    if harness == nil { harness = try self.harness() }
                    feed(step)
                    try harness?.runPending()
                    step += 1
                } catch { guard disk.hasCrashed else { throw error } }
            }
            harness?.stop()
            let operations = disk.operationCount
            return (disk.sinkFiles, operations, crashes)
        }
    }

    @Test(arguments: [false, true])
    func `A stop at any file operation changes nothing of what comes out`(losesPower: Bool) throws {
        var whole = try Run(crashAt: nil, losesPower: losesPower)
        let expected = try whole.outcome()
        #expect(expected.files.count >= Self.stepCount / 2 && expected.crashes == 0)
        #expect(expected.files.values.contains { $0.contains("name-3-") && $0.contains("paid") })
        let stride = CrashTests.stride
        var crashes = 0
        for operation in Swift.stride(from: 1, to: expected.operations, by: stride) {
            var run = try Run(crashAt: operation, losesPower: losesPower)
            let outcome = try run.outcome()
            crashes += outcome.crashes
            #expect(outcome.files == expected.files, "a stop at operation \(operation)")
            if outcome.files != expected.files { return }
        }
        #expect(crashes > expected.operations / stride / 2)
    }
}

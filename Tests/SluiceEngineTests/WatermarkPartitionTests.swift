// A watermark per partition: the side follows its slowest partition that is not idle, and never goes back.

import SluicePlan
import SluiceSpec
import Testing

@testable import SluiceEngine

@Suite struct WatermarkPartitionTests {
    private let second: Int64 = 1_000_000

    private func tracker(idleSeconds: Int64? = nil, delaySeconds: Int64 = 10) -> WatermarkTracker {
        let input = InputPlan(
            source: "s", format: .json(), timeZone: "UTC", badRows: .null, fieldCount: 1,
            columns: [InputColumn(name: "t", type: .timestamp, origin: .field(FieldPath(name: "t")), declaredIndex: 0)],
            watermark: WatermarkPlan(
                column: 0, delayMicros: delaySeconds * second, idleTimeoutMicros: idleSeconds.map { $0 * second },
                parts: .partitions))
        let plan = PhysicalPlan(
            query: "q", inputs: [input], stages: [], output: OutputPlan(filter: nil, columns: [], sinks: []),
            watermarkPolicy: .min)
        return WatermarkTracker(plan, nowMillis: 0)
    }

    /// A batch at wall second `at`, with the newest event second of each partition that it read.
    private func run(_ tracker: inout WatermarkTracker, at: Int64, _ newest: [String: Int64]) {
        tracker.heard(input: 0, parts: Array(newest.keys), atMillis: at * 1000)
        tracker.observe(
            input: 0, maxEventTimeMicros: newest.values.max().map { $0 * second }, rowCount: newest.count,
            batchTimeMillis: at * 1000)
        tracker.observe(input: 0, parts: newest.mapValues { $0 * second }, batchTimeMillis: at * 1000)
        tracker.advance(nowMillis: at * 1000)
    }

    @Test func `The slowest partition decides`() {
        var tracker = tracker()
        tracker.setParts(input: 0, ["0", "1"], nowMillis: 0)
        run(&tracker, at: 1, ["0": 1000])
        #expect(tracker.globalMillis == 0, "partition 1 has shown nothing")
        run(&tracker, at: 2, ["1": 500])
        #expect(tracker.globalMillis == 490_000)
        run(&tracker, at: 3, ["0": 5000])
        #expect(tracker.globalMillis == 490_000)
        run(&tracker, at: 4, ["1": 700, "0": 4000])
        #expect(tracker.globalMillis == 690_000)
    }

    @Test func `An idle partition stops holding the others back, and comes back late`() {
        var tracker = tracker(idleSeconds: 60)
        tracker.setParts(input: 0, ["0", "1"], nowMillis: 0)
        run(&tracker, at: 1, ["0": 1000, "1": 500])
        #expect(tracker.globalMillis == 490_000)
        run(&tracker, at: 60, ["0": 2000])
        #expect(tracker.globalMillis == 490_000)
        run(&tracker, at: 61, ["0": 2001])
        #expect(tracker.globalMillis == 1_991_000)
        run(&tracker, at: 62, ["1": 600])
        #expect(tracker.globalMillis == 1_991_000, "it never goes back")
    }

    @Test func `What partitions have reached survives a restart`() {
        var before = tracker()
        before.setParts(input: 0, ["0", "1"], nowMillis: 0)
        run(&before, at: 1, ["0": 1000, "1": 500])
        let side = before.sides[0]
        var after = tracker()
        after.restore(
            globalMillis: before.globalMillis, sides: [0: side.watermarkMillis ?? 0],
            parts: [0: (side.parts ?? [:]).compactMapValues(\.watermarkMillis)])
        after.setParts(input: 0, ["0", "1"], nowMillis: 0)
        run(&before, at: 2, ["1": 800])
        run(&after, at: 2, ["1": 800])
        #expect(before.globalMillis == 790_000)
        #expect(after.globalMillis == before.globalMillis)
    }

    @Test func `A partition that is gone holds nothing back`() {
        var tracker = tracker()
        tracker.setParts(input: 0, ["0", "1"], nowMillis: 0)
        run(&tracker, at: 1, ["0": 1000, "1": 500])
        #expect(tracker.globalMillis == 490_000)
        tracker.setParts(input: 0, ["0"], nowMillis: 2000)
        run(&tracker, at: 2, ["0": 2000])
        #expect(tracker.globalMillis == 1_990_000)
        tracker.setParts(input: 0, ["0", "1"], nowMillis: 3000)
        run(&tracker, at: 3, ["1": 600])
        #expect(tracker.globalMillis == 1_990_000, "it never goes back")
    }

    @Test func `A partition that is added holds the watermark until it has shown something`() {
        var tracker = tracker()
        tracker.setParts(input: 0, ["0"], nowMillis: 0)
        run(&tracker, at: 1, ["0": 1000])
        #expect(tracker.globalMillis == 990_000)
        tracker.setParts(input: 0, ["0", "1"], nowMillis: 1000)
        run(&tracker, at: 2, ["0": 2000])
        #expect(tracker.globalMillis == 990_000)
        run(&tracker, at: 3, ["1": 1500])
        #expect(tracker.globalMillis == 1_490_000)
    }
}

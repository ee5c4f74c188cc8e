// Pauses and trigger changes while a query runs, under a clock that a test moves: when batches start, and that none is
// lost or doubled.

import QueryTesting
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import SluiceStatus
import SluiceSystem
import Testing

@Suite struct TriggerChangeTests {
    private static func every(_ seconds: Int64) -> TriggerSpec { .interval(micros: seconds * 1_000_000) }

    /// A query at a 10 s trigger that has run its first batch, at time 0.
    private func started(_ trigger: String = "10s") throws -> LiveQueries {
        let live = try LiveQueries(CopySpec(triggers: ["q": trigger]).text)
        try live.append(row("a0", "k", 0))
        live.start()
        try live.until("the first batch") { live.reports.all.count == 1 && live.status("q") == .waiting }
        return live
    }

    /// Moves the clock, having made sure that there is something to read.
    private func advance(_ live: LiveQueries, toSecond second: Int64, expecting batches: Int) throws {
        try live.append(row("a\(second)", "k", Double(second)))
        live.clock.advance(byMillis: second * 1000 - live.clock.wallMillis)
        try live.until("batch \(batches) at \(second) s") { live.reports.all.count == batches }
    }

    private func deadline(_ live: LiveQueries, is second: Int64) throws {
        try live.until("a wait until \(second) s, not \(live.clock.waitedFor)") {
            live.clock.waitedFor.last == .some(second * 1000)
        }
    }

    private func starts(_ live: LiveQueries) -> [Int64] { live.reports.all.map { $0.timestampMillis / 1000 } }

    @Test func `A longer interval lengthens the wait in hand, and stays aligned`() throws {
        let live = try started()
        try deadline(live, is: 10)
        #expect(try live.set.setTrigger("q", Self.every(60)).trigger == Self.every(60))
        try deadline(live, is: 60)
        live.clock.advance(byMillis: 30_000)
        try advance(live, toSecond: 60, expecting: 2)
        try deadline(live, is: 120)
        try advance(live, toSecond: 120, expecting: 3)
        #expect(starts(live) == [0, 60, 120])
        try live.stop()
    }

    @Test func `A shorter interval cuts the wait short: to its next multiple, or to now when that is past`() throws {
        let live = try started("1h")
        live.clock.advance(byMillis: 5000)
        _ = try live.set.setTrigger("q", Self.every(10))
        try deadline(live, is: 10)
        try advance(live, toSecond: 10, expecting: 2)
        _ = try live.set.setTrigger("q", Self.every(3600))
        try deadline(live, is: 3600)
        try live.append(row("late", "k", 0))
        live.clock.advance(byMillis: 33_000)
        _ = try live.set.setTrigger("q", Self.every(10))
        try live.until("a batch at once") { live.reports.all.count == 3 }
        try deadline(live, is: 50)
        try advance(live, toSecond: 50, expecting: 4)
        #expect(starts(live) == [0, 10, 43, 50])
        try live.stop()
    }

    @Test func `As fast as possible and back`() throws {
        let live = try started("1h")
        try live.append(row("b", "k", 1))
        _ = try live.set.setTrigger("q", .asFastAsPossible)
        try live.until("a batch at once") { live.reports.all.count == 2 }
        _ = try live.set.setTrigger("q", Self.every(10))
        try deadline(live, is: 10)
        try live.stop()
    }

    @Test func `A pause holds at any trigger, and ends with a batch at once when one was missed`() throws {
        let live = try started()
        try deadline(live, is: 10)
        #expect(try live.set.pause("q").status == .paused)
        #expect(try live.set.pause("q").status == .paused)
        try live.until("a wait without end") { live.clock.waitedFor.last == .some(nil) }
        try live.append(row("b", "k", 1))
        live.clock.advance(byMillis: 33_000)
        #expect(live.status("q") == .paused && live.reports.all.count == 1)
        _ = try live.set.resume("q")
        try live.until("the batch that was missed") { live.reports.all.count == 2 }
        #expect(try live.set.resume("q").status != .paused)
        try deadline(live, is: 40)
        #expect(starts(live) == [0, 33])
        try live.stop()
    }

    @Test func `Resumed before its trigger, a query waits for it`() throws {
        let live = try started()
        try deadline(live, is: 10)
        _ = try live.set.pause("q")
        try live.until("a wait without end") { live.clock.waitedFor.last == .some(nil) }
        live.clock.advance(byMillis: 5000)
        _ = try live.set.resume("q")
        try deadline(live, is: 10)
        try advance(live, toSecond: 10, expecting: 2)
        #expect(starts(live) == [0, 10])
        try live.stop()
    }

    @Test func `A paused query stops when it is asked to`() throws {
        let live = try started()
        _ = try live.set.pause("q")
        try live.stop()
        #expect(live.status("q") == .finished)
    }

    @Test func `What cannot be asked is refused by name`() throws {
        let live = try LiveQueries(CopySpec(triggers: ["visits": "available_now"]).text)
        #expect(throws: ControlError.unknownQuery("vistis", meant: "visits")) { try live.set.pause("vistis") }
        #expect(throws: ControlError.endsByItself(query: "visits")) { try live.set.setTrigger("visits", Self.every(1)) }
        live.start()
        try live.until("the end") { live.status("visits") == .finished }
        #expect(throws: ControlError.ended(query: "visits", status: "finished")) { try live.set.pause("visits") }
        #expect(throws: ControlError.self) { try live.set.setTrigger("visits", .once) }
    }

    @Test(arguments: 0..<8)
    func `Whatever is asked in whatever order, every row comes out once and batches follow each other`(
        seed: UInt64
    ) throws {
        var random = SplitMix64(seed: seed)
        let live = try started()
        var rows = 1
        for _ in 0..<120 {
            switch Int.random(in: 0..<6, using: &random) {
            case 0: _ = try live.set.pause("q")
            case 1: _ = try live.set.resume("q")
            case 2: _ = try live.set.setTrigger("q", Self.every(Int64.random(in: 1...30, using: &random)))
            case 3:
                try live.append(row("a\(rows)", "k", Double(rows)))
                rows += 1
            default: live.clock.advance(byMillis: Int64.random(in: 1...20_000, using: &random))
            }
        }
        _ = try live.set.resume("q")
        try live.until("all rows, seed \(seed)") {
            live.clock.advance(byMillis: 30_000)
            return live.reports.all.reduce(0) { $0 + $1.inputRows } >= rows
        }
        try live.stop()
        #expect(try live.rows("/out/q").count == rows, "seed \(seed)")
        #expect(live.reports.all.map(\.batchID) == Array(0..<Int64(live.reports.all.count)), "seed \(seed)")
    }
}

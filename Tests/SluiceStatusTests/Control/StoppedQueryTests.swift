// What a person is told of a query that does not run: what has come since, that it was paused and by what it goes on.

import QueryTesting
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import SluiceStatus
import SluiceSystem
import SystemTesting
import Testing

@Suite struct StoppedQueryTests {
    private func backlog(_ live: LiveQueries) -> Int? {
        let answer = live.send("GET", "/api/queries/q").json["backlog"] as? [String: [String: Int]]
        return answer?["l"]?["bytes"]
    }

    private func started(_ live: LiveQueries) throws {
        try live.append(row("a0", "k", 0))
        live.start()
        try live.until("the first batch") { live.reports.all.count == 1 && live.status("q") == .waiting }
    }

    @Test func `A paused query says how much has come since, as it grows, and nothing of the kind when it goes on`()
        throws
    {
        let live = try LiveQueries(CopySpec(triggers: ["q": "10s"]).text)
        try started(live)
        #expect(live.send("GET", "/api/queries/q").json["backlog"] == nil)
        _ = try live.set.pause("q")
        try live.until("nothing to read") { backlog(live) == 0 }
        let line = row("a1", "k", 1)
        for count in 1...2 {
            try live.append(line)
            try live.until("\(count) lines to read") { backlog(live) == count * (line.utf8.count + 1) }
        }
        _ = try live.set.resume("q")
        #expect(backlog(live) == nil)
        try live.stop()
    }

    @Test func `Beside a query that runs, one that has failed says how much has come since`() throws {
        let spec = CopySpec(triggers: ["other": "1h", "q": "10s"], fields: ["q": "on_failure: stop"])
        let live = try LiveQueries(spec.text)
        try live.append(row("a0", "k", 0))
        live.start()
        try live.until("the first batches") { live.reports.all.count == 2 && live.status("q") == .waiting }
        live.disk.plan.fails = { $0.verb == .write && $0.path.hasPrefix("/check/q/offsets") ? 13 : nil }
        let line = row("a1", "k", 1)
        try live.append(line)
        live.clock.advance(byMillis: 10_000)
        try live.until("the failure") { live.status("q")?.word == "failed" }
        #expect(live.send("GET", "/api/queries/q").json["errorCode"] as? String == "permission-denied")
        try live.until("one line to read") { backlog(live) == line.utf8.count + 1 }
        try live.append(line)
        try live.until("two lines to read") { backlog(live) == 2 * (line.utf8.count + 1) }
        try live.stop()
    }

    @Test func `Pauses, their ends and triggers are logged once each`() throws {
        let log = LogLines()
        let live = try LiveQueries(CopySpec(triggers: ["q": "10s"]).text, log: log.log)
        try started(live)
        for _ in 0..<2 { _ = try live.set.pause("q") }
        for _ in 0..<2 { _ = try live.set.resume("q") }
        for _ in 0..<2 { _ = try live.set.setTrigger("q", .interval(micros: 2_000_000)) }
        try live.stop()
        for text in ["Query paused by hand", "Query resumed by hand", "Trigger set by hand"] {
            #expect(log.all.count { $0.contains(text) && $0.contains("sluice.query=q") } == 1, "\(log.all)")
        }
        #expect(log.all.contains { $0.contains("sluice.trigger=2s") && $0.contains("sluice.before=10s") })
    }

    @Test func `A pause that a restart ends is said at the start, once; one that was ended by hand is not`() throws {
        let disk = SimulatedFileSystem()
        let spec = CopySpec(triggers: ["q": "10s"]).text
        func said(resuming: Bool?) throws -> Int {
            let log = LogLines()
            let live = try LiveQueries(spec, disk: disk, log: log.log)
            live.start()
            try live.until("the start") { live.status("q") == .waiting }
            if let resuming {
                _ = try live.set.pause("q")
                if resuming { _ = try live.set.resume("q") }
            }
            try live.stop()
            return log.all.count { $0.contains("was paused when its process ended") }
        }
        #expect(try said(resuming: false) == 0)
        #expect(try said(resuming: nil) == 1)
        #expect(try said(resuming: true) == 0)
        #expect(try said(resuming: nil) == 0)
    }
}

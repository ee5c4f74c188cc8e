// Reload: what it does to which query, and that a refused one does nothing.

import QueryTesting
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import SluiceStatus
import Testing

@Suite struct ReloadTests {
    /// Queries that have run their first batch, at time 0.
    private func started(_ spec: CopySpec) throws -> LiveQueries {
        let live = try LiveQueries(spec.text)
        try live.append(row("a0", "k", 0))
        live.start()
        try live.until("the first batches") {
            live.reports.all.count == spec.triggers.count
                && spec.triggers.keys.allSatisfy { live.status($0) == .waiting }
        }
        return live
    }

    private func reload(_ live: LiveQueries, _ spec: CopySpec) -> [String: [String]] {
        live.disk.put("/spec/spec.yaml", spec.text)
        let answer = live.send("POST", "/api/reload")
        #expect(answer.status == 200, "\(answer.text)")
        return answer.json.compactMapValues { $0 as? [String] }
    }

    @Test func `Added queries start, removed ones stop, changed ones start again, others stay`() throws {
        var spec = CopySpec(triggers: ["a": "10s", "b": "10s", "c": "10s"])
        let live = try started(spec)
        spec.triggers["d"] = "10s"
        spec.triggers["a"] = nil
        spec.fields["b"] = "where: \"l.k = 'k'\""
        spec.comment = "moves everything a line down"
        #expect(
            reload(live, spec) == ["started": ["d"], "stopped": ["a"], "changed": ["b"], "unchanged": ["c"]])
        try live.until("the new query's batch") { live.reports.all.contains { $0.name == "d" } }
        #expect(Set(live.set.statuses.map(\.name)) == ["b", "c", "d"])
        // Not the same runner: it went on from its checkpoint.
        try live.append(row("a1", "k", 1))
        try live.until("the next batches") {
            live.clock.advance(byMillis: 1000)
            return ["b", "c"].allSatisfy { name in live.reports.all.contains { $0.name == name && $0.batchID == 1 } }
        }
        let runs = { (name: String) in Set(live.reports.all.filter { $0.name == name }.map(\.runID)).count }
        #expect(runs("b") == 2 && runs("c") == 1)
        try live.stop()
        for query in ["b", "c", "d"] { #expect(try live.rows("/out/\(query)").count == 2) }
    }

    @Test func `Only the trigger has changed: the query takes it while it runs`() throws {
        var spec = CopySpec(triggers: ["a": "1h"])
        let live = try started(spec)
        spec.triggers["a"] = "10s"
        #expect(reload(live, spec)["changed"] == ["a"])
        let query = try live.set.description(of: "a")
        #expect(query.trigger == query.specTrigger && query.trigger.text == "10s")
        try live.append(row("a1", "k", 1))
        live.clock.advance(byMillis: 10_000)
        try live.until("the batch") { live.reports.all.count == 2 }
        #expect(Set(live.reports.all.map(\.runID)).count == 1)
        try live.stop()
    }

    @Test func `A trigger set by hand ends with a reload, and a pause does not`() throws {
        var spec = CopySpec(triggers: ["a": "1h", "b": "1h"])
        let live = try started(spec)
        for name in ["a", "b"] {
            _ = try live.set.setTrigger(name, .interval(micros: 7_000_000))
            _ = try live.set.pause(name)
        }
        spec.fields["b"] = "where: \"l.k = 'k'\""
        #expect(reload(live, spec)["unchanged"] == ["a"])
        for name in ["a", "b"] {
            #expect(try live.set.description(of: name).trigger.text == "1h")
            try live.until("\(name) is paused") { live.status(name) == .paused }
        }
        try live.stop()
    }

    @Test func `A spec with mistakes changes nothing, and they are told as check tells them`() throws {
        let spec = CopySpec(triggers: ["a": "1h", "b": "1h"])
        let live = try started(spec)
        live.disk.put("/spec/spec.yaml", spec.text.replacing("trigger: 1h", with: "trigger: 5"))
        let answer = live.send("POST", "/api/reload")
        #expect(answer.status == 400)
        #expect((answer.json["error"] as? [String: Any])?["code"] as? String == "refused")
        let diagnostics = try #require(answer.json["diagnostics"] as? [[String: Any]])
        #expect(diagnostics.map { $0["code"] as? String } == ["bad-duration", "bad-duration"])
        #expect(live.set.statuses.map(\.name) == ["a", "b"])
        try live.disk.remove("/spec/spec.yaml")
        #expect(live.send("POST", "/api/reload").status == 400)
        try live.stop()
    }

    @Test func `A change that a checkpoint cannot follow is refused before anything is stopped`() throws {
        let join = JoinSpecText()
        let spec = { (type: String, other: String) in
            var text = join
            text.type = type
            text.trigger = "1h"
            return text.text.replacing("queries:", with: "queries:\n  other: { from: l, trigger: \(other), to: out2 }")
                .replacing("sinks:", with: "sinks:\n  out2: { file: { path: /out2 }, format: json }")
        }
        let live = try LiveQueries(spec("left outer", "1h"))
        live.start()
        try live.until("both wait") { live.status("q") == .waiting && live.status("other") == .waiting }
        live.disk.put("/spec/spec.yaml", spec("inner", "2h"))
        let answer = live.send("POST", "/api/reload")
        #expect(answer.status == 400)
        let diagnostics = answer.json["diagnostics"] as? [[String: Any]]
        #expect((diagnostics?.first?["message"] as? String)?.contains("does not fit the checkpoint") == true)
        #expect(try live.set.description(of: "other").trigger.text == "1h")
        #expect(live.status("q") == .waiting)
        try live.stop()
    }

    @Test func `A failed query is tried again`() throws {
        let spec = CopySpec(triggers: ["a": "1h", "b": "1h"])
        let live = try LiveQueries(spec.text)
        live.disk.put("/check/a/metadata.json", "damaged")
        live.start()
        try live.until("a has failed") { if case .failed = live.status("a") { true } else { false } }
        #expect(live.send("GET", "/healthz").status == 503)
        #expect(live.send("GET", "/api/queries/a").json["error"] is String)
        // It would fail again.
        #expect(live.send("POST", "/api/reload").status == 400)
        try live.disk.remove("/check/a/metadata.json")
        #expect(reload(live, spec) == ["started": ["a"], "stopped": [], "changed": [], "unchanged": ["b"]])
        try live.until("a waits") { live.status("a") == .waiting }
        #expect(live.send("GET", "/healthz").status == 200)
        try live.stop()
    }
}

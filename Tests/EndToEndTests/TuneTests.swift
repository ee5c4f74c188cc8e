// `sluice tune` through the binary: advice from the checkpoint of a query that ran, a replay that leaves everything as
// it was, and what is said where there is nothing to say. No time is asserted: the machine may be busy.

import Foundation
import Testing

@Suite struct TuneTests {
    /// A left outer join of two files that grow.
    private static let spec = """
        sluice: 1
        sources:
          l:
            file: { path: l.jsonl, follow: true }
            format: json
            columns: { id: long, k: long, t: timestamp }
            watermark: { column: t, delay: 2s }
          r:
            file: { path: r.jsonl, follow: true }
            format: json
            columns: { id: long, k: long, t: timestamp }
            watermark: { column: t, delay: 2s }
        queries:
          joined:
            from: l
            join:
              - { with: r, type: left outer, keys: k, within: r.t between l.t and l.t + 3s }
            select: { id: l.id, k: l.k, t: l.t, rid: r.id }
            trigger: 50ms
            checkpoint: check
            to: out
        sinks:
          out: { file: { path: out }, format: json }
        """

    private static func lines(_ numbers: Range<Int>) -> String {
        numbers.map { "{\"id\":\($0),\"k\":\($0 % 7),\"t\":\(1_700_000_000 + $0 / 10)}\n" }.joined()
    }

    /// A query that has run `batches` batches or more, and still runs.
    private static func started(_ folder: TemporaryFolder, batches: Int = 20) throws -> SluiceProcess {
        try folder.write("spec.yaml", spec)
        try folder.write("l.jsonl", "")
        try folder.write("r.jsonl", "")
        let sluice = try SluiceProcess(["run", "spec.yaml"], in: folder)
        var written = 0
        try sluice.waitUntil("too few batches") {
            try? folder.append("l.jsonl", lines(written..<written + 20))
            try? folder.append("r.jsonl", lines(written..<written + 20))
            written += 20
            usleep(10_000)
            return folder.names(in: "check/commits").count >= batches
        }
        return sluice
    }

    private static func tune(_ folder: TemporaryFolder, _ options: String...) throws -> [String: Any] {
        let outcome = try SluiceProcess.run(
            ["tune", "spec.yaml", "--query", "joined", "--format", "json"] + options, in: folder)
        #expect(outcome.exitCode == 0 && outcome.standardError.isEmpty, "\(outcome.standardError)")
        return try #require(jsonObject(outcome.standardOutput), "\(outcome.standardOutput)")
    }

    private static func triggers(_ advice: [String: Any]) -> [String] {
        (advice["candidates"] as? [[String: Any]] ?? []).compactMap { $0["trigger"] as? String }
    }

    private static func checkNumbers(_ candidate: [String: Any]) throws {
        let batch = try #require(candidate["batchMs"] as? Double)
        #expect(batch > 0)
        #expect(try #require(candidate["utilisation"] as? Double) > 0)
        let latency = try #require(candidate["latencyMs"] as? [String: Double])
        let (p50, p99) = (try #require(latency["p50"]), try #require(latency["p99"]))
        #expect(p50 > 0 && p99 >= p50)
        for name in ["cpuShare", "checkpointBytesPerHour", "batchesPerHour"] {
            #expect(try #require(candidate[name] as? Double) > 0, "\(name)")
        }
        #expect(candidate["stable"] as? Bool != nil)
    }

    @Test func `Advice comes from the checkpoint of a query that ran, also while it runs`() throws {
        let folder = try TemporaryFolder()
        let sluice = try Self.started(folder)
        for isRunning in [true, false] {
            if !isRunning { #expect(sluice.stop().exitCode == 0) }
            let advice = try Self.tune(folder, "--intervals", "75ms,90s")
            #expect(advice["query"] as? String == "joined")
            try Self.checkNumbers(try #require(advice["current"] as? [String: Any]))
            let candidates = try #require(advice["candidates"] as? [[String: Any]])
            for candidate in candidates { try Self.checkNumbers(candidate) }
            #expect(
                Self.triggers(advice) == ["10ms", "20ms", "50ms", "75ms", "100ms", "200ms", "1m30s"])
            let reasons = try #require(advice["reasons"] as? [String])
            #expect(
                reasons.last
                    == "Unmatched rows of l come out 5 s after t at the earliest (bound 3 s + delay 2 s), by event "
                    + "time, and then within two triggers: no trigger changes that.")
        }
    }

    @Test func `A table and sentences are for people`() throws {
        let folder = try TemporaryFolder()
        #expect(try Self.started(folder).stop().exitCode == 0)
        let outcome = try SluiceProcess.run(["tune", "spec.yaml", "--query", "joined", "--latency", "1s"], in: folder)
        #expect(outcome.exitCode == 0)
        let lines = outcome.standardOutput.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[0] == "joined: trigger 50ms")
        #expect(lines.contains { $0.contains("trigger") && $0.contains("p99") && $0.contains("catch-up") })
        #expect(lines.contains { $0.hasPrefix("=") || $0.hasPrefix(">=") })
        #expect(lines.contains { $0.hasPrefix("- ") && $0.contains(" rows/s.") })
    }

    @Test func `A replay measures, and leaves checkpoint, output and folder as they were`() throws {
        let folder = try TemporaryFolder()
        #expect(try Self.started(folder, batches: 60).stop().exitCode == 0)
        // Somebody's copies are not a replay's, whatever they are called.
        try folder.write("check.replay-backup/run-1/x", "")
        try folder.write("check.replay-7/metadata.json", "{}\n")
        let (before, names) = (folder.contents(of: "."), folder.names(in: "."))
        // One was killed in the middle of it.
        try folder.write("check.replay-1/run-1/out-0/rows.jsonl", "{}\n")
        let advice = try Self.tune(folder, "--replay", "--intervals", "20ms,100ms")
        for candidate in try #require(advice["candidates"] as? [[String: Any]]) { try Self.checkNumbers(candidate) }
        #expect(Self.triggers(advice) == ["20ms", "50ms", "100ms"])
        let reasons = try #require(advice["reasons"] as? [String])
        #expect(reasons.contains { $0.hasPrefix("What batches 1 to ") && $0.contains("ran again") }, "\(reasons)")
        // The streams of the processes of this test are new files.
        let after = folder.contents(of: ".").filter { !$0.key.hasPrefix("std") }
        #expect(after == before.filter { !$0.key.hasPrefix("std") })
        #expect(folder.names(in: ".").filter { !$0.hasPrefix("std") } == names.filter { !$0.hasPrefix("std") })
    }

    @Test func `A replay beside the running query lets it go on, and its rows are all there`() throws {
        let folder = try TemporaryFolder()
        let sluice = try Self.started(folder, batches: 60)
        let advice = try Self.tune(folder, "--replay", "--intervals", "200ms")
        #expect(Self.triggers(advice) == ["50ms", "200ms"])
        #expect(sluice.isRunning)
        #expect(sluice.stop().exitCode == 0)
        let rest = try SluiceProcess.run(["run", "spec.yaml", "--trigger", "available_now"], in: folder)
        #expect(rest.exitCode == 0, "\(rest.standardError)")
        let matched = folder.rows(in: "out").compactMap { jsonObject($0)?["id"] as? Int }
        let count = (folder.read("l.jsonl") ?? "").split(separator: "\n").count
        #expect(Set(matched) == Set(0..<count))
    }

    @Test func `What the source does not have any more is said, and the replay begins behind it`() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            "spec.yaml",
            """
            sluice: 1
            sources:
              numbers:
                file: { path: in, max_files_per_trigger: 1 }
                format: json
                columns: { n: long }
            queries:
              joined: { from: numbers, trigger: 20ms, checkpoint: check, to: out }
            sinks:
              out: { file: { path: out }, format: json }
            """)
        for number in 10..<40 { try folder.write("in/\(number).jsonl", "{\"n\":\(number)}\n") }
        let sluice = try SluiceProcess(["run", "spec.yaml"], in: folder)
        try sluice.waitUntil("too few batches") { folder.names(in: "check/commits").count >= 30 }
        #expect(sluice.stop().exitCode == 0)
        func replayed() throws -> [String] {
            try #require(try Self.tune(folder, "--replay", "--intervals", "50ms")["reasons"] as? [String])
        }
        #expect(try replayed().contains { $0.hasPrefix("What batches 1 to 29 read") })
        for number in 10...14 { try folder.remove("in/\(number).jsonl") }
        let reasons = try replayed()
        #expect(reasons.contains { $0.hasPrefix("What batches 5 to 29 read") }, "\(reasons)")
        #expect(
            reasons.contains(
                "The replay cannot begin earlier: the source numbers does not have any more what batch 4 read."))
        for number in 15...39 { try folder.remove("in/\(number).jsonl") }
        #expect(
            try replayed().contains(
                "There is no replay: the source numbers does not have any more what batch 29 read."))
    }

    @Test func `Without a checkpoint it says what is missing`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec)
        for options in [[], ["--replay"]] {
            let outcome = try SluiceProcess.run(["tune", "spec.yaml", "--query", "joined"] + options, in: folder)
            #expect(outcome.exitCode == 0)
            #expect(
                outcome.standardOutput.hasPrefix(
                    "joined: trigger 50ms\n- The checkpoint has no committed batch: advice takes 5 batches with rows."))
            #expect(!folder.exists("check"))
        }
    }

    @Test(
        arguments: [
            (["--query", "jioned"], "error: --query: there is no query `jioned`, did you mean `joined`?"),
            (
                ["--query", "joined", "--latency", "5"],
                "error: --latency: `5` is not a trigger; say the unit: `5s` or `5 seconds`"
            ),
            (["--query", "joined", "--intervals", "1s,once"], "error: --intervals: `once` is no duration"),
            (["--query", "joined", "--intervals", "1s,"], "error: --intervals: `` is not a trigger"),
        ])
    func `Wrong usage exits with 2 and says what is wrong`(options: [String], message: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec)
        let outcome = try SluiceProcess.run(["tune", "spec.yaml"] + options, in: folder)
        #expect(outcome.exitCode == 2)
        #expect(outcome.standardError.hasPrefix(message), "\(outcome.standardError)")
    }

    @Test func `Mistakes of the spec and a damaged checkpoint exit with 1`() throws {
        let folder = try TemporaryFolder()
        #expect(try Self.started(folder).stop().exitCode == 0)
        try folder.write("check/commits/3", "{\"format\":1,\"batch\":4}\ncrc32 00000000\n")
        let damaged = try SluiceProcess.run(["tune", "spec.yaml", "--query", "joined"], in: folder)
        #expect(damaged.exitCode == 1)
        #expect(damaged.standardError.contains("check/commits/3 is damaged"), "\(damaged.standardError)")
        try folder.write("spec.yaml", Self.spec.replacing("delay", with: "dealy"))
        let wrong = try SluiceProcess.run(["tune", "spec.yaml", "--query", "joined"], in: folder)
        #expect(wrong.exitCode == 1)
        #expect(wrong.standardError.contains("error[unknown-key]"))
    }
}

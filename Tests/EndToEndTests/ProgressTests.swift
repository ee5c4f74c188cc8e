// The progress file in Spark's words and units, triggers as one sees them from outside, and what the standard streams
// carry.

import Foundation
import Testing

@Suite struct ProgressTests {
    /// A left outer join, one file of each side a batch.
    private static let joinSpec = """
        sluice: 1
        sources:
          l:
            file: { path: left, max_files_per_trigger: 1 }
            format: json
            columns: { k: long, t: timestamp }
            watermark: { column: t, delay: 10s }
          r:
            file: { path: right, max_files_per_trigger: 1 }
            format: json
            columns: { k: long, t: timestamp }
            watermark: { column: t, delay: 10s }
        queries:
          q:
            from: l
            join:
              - { with: r, type: left outer, keys: k, within: r.t between l.t and l.t + 5s }
            select: { k: l.k, t: l.t, rt: r.t }
            to: out
        sinks:
          out: { file: { path: out }, format: json }
        """

    private static func rows(_ seconds: [Int]) -> String {
        seconds.map { "{\"k\":\($0),\"t\":\(1_700_000_000 + $0)}\n" }.joined()
    }

    /// Three data batches and the no-data batch; the rows of the third at or before second 90 are late.
    private func joined() throws -> [[String: Any]] {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.joinSpec)
        for (number, (left, right)) in [([100, 101], [100]), ([102], [102]), ([90, 80, 103], [90, 103])].enumerated() {
            try folder.write("left/\(number)", Self.rows(left))
            try folder.write("right/\(number)", Self.rows(right))
        }
        let arguments = ["run", "spec.yaml", "--trigger", "available_now", "--progress", "progress.jsonl"]
        #expect(try SluiceProcess.run(arguments, in: folder).exitCode == 0)
        #expect(try SluiceProcess.run(arguments, in: folder).exitCode == 0)
        return progressRecords(folder)
    }

    @Test func `A progress file that is full is begun anew, and the one before is kept`() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            "spec.yaml",
            StopTests.copySpec().replacing("follow: true", with: "max_files_per_trigger: 1")
                .replacing("path: numbers.jsonl", with: "path: in"))
        for number in 0..<30 { try folder.write("in/\(number + 10)", "{\"n\":\(number)}\n") }
        let arguments = ["run", "spec.yaml", "--trigger", "available_now", "--progress", "p.jsonl"]
        #expect(try SluiceProcess.run(arguments + ["--progress-max", "10KB"], in: folder).exitCode == 0)
        #expect(folder.names(in: ".").filter { $0.hasPrefix("p.jsonl") } == ["p.jsonl", "p.jsonl.1"])
        for name in ["p.jsonl", "p.jsonl.1"] { #expect((folder.bytes(name)?.count ?? .max) <= 10_000) }
        let kept = (progressRecords(folder, "p.jsonl.1") + progressRecords(folder, "p.jsonl"))
            .compactMap { $0["batchId"] as? Int }
        #expect(kept.last == 29 && kept == Array((kept.first ?? 0)...29), "whole lines, and the newest")
    }

    @Test func `A progress file that somebody renames is made again`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", StopTests.copySpec())
        try folder.write("numbers.jsonl", "{\"n\":1}\n")
        let sluice = try SluiceProcess(["run", "spec.yaml", "--progress", "p.jsonl"], in: folder)
        try sluice.waitUntil("no first record") { progressRecords(folder, "p.jsonl").count == 1 }
        try folder.rename("p.jsonl", to: "p.old")
        try folder.append("numbers.jsonl", "{\"n\":2}\n")
        try sluice.waitUntil("no second record") { progressRecords(folder, "p.jsonl").count == 1 }
        #expect(sluice.stop().exitCode == 0)
        #expect(progressRecords(folder, "p.old").count == 1)
    }

    @Test(arguments: [["--progress-max", "1MiB"], ["--progress", "p", "--progress-max", "much"]])
    func `A limit of the progress file that is none is wrong usage`(options: [String]) throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", StopTests.copySpec())
        let outcome = try SluiceProcess.run(["run", "spec.yaml"] + options, in: folder)
        #expect(outcome.exitCode == 2 && outcome.standardError.contains("--progress-max"))
    }

    @Test func `Progress has one record a batch, in Spark's names and units`() throws {
        let records = try joined()
        #expect(records.map { $0["batchId"] as? Int } == [0, 1, 2, 3], "and none for the run that found nothing")
        for record in records {
            let names: Set = [
                "id", "runId", "name", "timestamp", "batchId", "batchDuration", "numInputRows", "inputRowsPerSecond",
                "processedRowsPerSecond", "durationMs", "eventTime", "stateOperators", "sources", "sink",
            ]
            #expect(names.isSubset(of: record.keys))
            #expect(record["name"] as? String == "q")
            let timestamp = try #require(record["timestamp"] as? String)
            #expect(timestamp.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
            let durations = try #require(record["durationMs"] as? [String: Int])
            let phases: Set = [
                "latestOffset", "walCommit", "getBatch", "queryPlanning", "addBatch", "commitOffsets",
                "triggerExecution",
            ]
            #expect(Set(durations.keys) == phases)
            #expect(record["batchDuration"] as? Int == durations["triggerExecution"])
            let state = try #require((record["stateOperators"] as? [[String: Any]])?.first)
            #expect(state["operatorName"] as? String == "symmetricHashJoin")
            let sources = try #require(record["sources"] as? [[String: Any]])
            #expect(sources.count == 2)
            for source in sources {
                #expect(["description", "startOffset", "endOffset", "latestOffset"].allSatisfy(source.keys.contains))
            }
        }
        #expect(Set(records.map { $0["id"] as? String }).count == 1)
        let inputRows = records.map { $0["numInputRows"] as? Int }
        #expect(inputRows == [3, 2, 5, 0])
        let outputRows = records.map { ($0["sink"] as? [String: Any])?["numOutputRows"] as? Int }
        #expect(outputRows == [1, 1, 1, 0])
        let times = records.compactMap { $0["eventTime"] as? [String: String] }
        // 1,700,000,000 is 2023-11-14T22:13:20Z; minimum, maximum and average are of the side that was seen first.
        #expect(times[0]["min"] == "2023-11-14T22:15:00.000Z" && times[0]["max"] == "2023-11-14T22:15:01.000Z")
        #expect(times[0]["avg"] == "2023-11-14T22:15:00.500Z")
        #expect(
            times.map { $0["watermark"] } == [
                "1970-01-01T00:00:00.000Z", "2023-11-14T22:14:50.000Z", "2023-11-14T22:14:52.000Z",
                "2023-11-14T22:14:53.000Z",
            ])
        #expect(Set(times[3].keys) == ["watermark"], "a no-data batch saw no event time")
    }

    @Test func `Progress counts late rows per source and together`() throws {
        let records = try joined()
        let perSource = records.map { record in
            (record["sources"] as? [[String: Any]])?.map { $0["numRowsDroppedByWatermark"] as? Int }
        }
        #expect(perSource == [[0, 0], [0, 0], [2, 1], [0, 0]])
        let together = records.map { record in
            (record["stateOperators"] as? [[String: Any]])?.first?["numRowsDroppedByWatermark"] as? Int
        }
        #expect(together == [0, 0, 3, 0])
    }

    @Test func `Progress has what each side of a join keeps, and what became of its rows`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.joinSpec.replacing(", max_files_per_trigger: 1", with: ""))
        let arguments = ["run", "spec.yaml", "--trigger", "available_now", "--progress", "progress.jsonl"]
        // Both rows of the right are gone after 25 s; of the left two of three had a partner.
        for (number, (left, right)) in [([100, 101, 102], [100, 101]), ([130], [130])].enumerated() {
            try folder.write("left/\(number)", Self.rows(left))
            try folder.write("right/\(number)", Self.rows(right))
            #expect(try SluiceProcess.run(arguments, in: folder).exitCode == 0)
        }
        let records = progressRecords(folder)
        let sides = records.compactMap { record in
            (record["stateOperators"] as? [[String: Any]])?.first?["customMetrics"] as? [String: Int]
        }
        #expect(sides.map { $0["leftNumRowsTotal"] } == [3, 3, 4, 1])
        #expect(sides.map { $0["rightNumRowsTotal"] } == [2, 2, 3, 1])
        #expect(sides.map { $0["leftNumRowsRemoved"] } == [0, 0, 0, 3])
        #expect(sides.map { $0["rightNumRowsRemoved"] } == [0, 0, 0, 2])
        #expect(sides.map { $0["leftNumRowsMatched"] } == [0, 0, 0, 2])
        #expect(sides.map { $0["leftNumRowsUnmatched"] } == [0, 0, 0, 1])
        #expect(sides.allSatisfy { $0["rightNumRowsUnmatched"] == nil && $0["leftMemoryUsedBytes", default: 0] > 0 })
        #expect(records.allSatisfy { $0["checkpointBytes"] as? Int ?? 0 > 0 })
        // The first batch of a start cannot know how long its rows had lain there; the others had none.
        #expect(records.allSatisfy { $0["latencyMs"] == nil })
    }

    @Test func `Without a watermark there is no event time, and another start has its own run id`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", StopTests.copySpec())
        let arguments = ["run", "spec.yaml", "--trigger", "available_now", "--progress", "progress.jsonl"]
        for number in 1...2 {
            try folder.append("numbers.jsonl", "{\"n\":\(number)}\n")
            #expect(try SluiceProcess.run(arguments, in: folder).exitCode == 0)
        }
        let records = progressRecords(folder)
        #expect(records.count == 2 && records.allSatisfy { $0["eventTime"] == nil })
        #expect(Set(records.map { $0["id"] as? String }).count == 1)
        #expect(Set(records.map { $0["runId"] as? String }).count == 2)
    }

    /// Milliseconds since the epoch.
    private func timestamps(_ folder: TemporaryFolder) throws -> [Int] {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        return try progressRecords(folder).map { record in
            let text = try #require(record["timestamp"] as? String)
            return Int((try style.parse(text).timeIntervalSince1970 * 1000).rounded())
        }
    }

    @Test func `With data at every trigger, batches start at multiples of the interval`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", StopTests.copySpec())
        try folder.write("numbers.jsonl", "{\"n\":0}\n")
        let sluice = try SluiceProcess(
            ["run", "spec.yaml", "--trigger", "200ms", "--progress", "progress.jsonl"], in: folder)
        var seen = 0
        try sluice.waitUntil("too few batches") {
            let now = progressRecords(folder).count
            if now > seen { try? folder.append("numbers.jsonl", "{\"n\":\(now)}\n") }
            seen = max(seen, now)
            return now >= 13
        }
        #expect(sluice.stop().exitCode == 0)
        let times = try timestamps(folder)
        let boundaries = times.map { $0 / 200 }
        #expect(zip(boundaries, boundaries.dropFirst()).allSatisfy { $0 < $1 }, "\(times)")
        // The first batch comes at once, and a busy machine may hold up some; the rest is on the boundary.
        let aligned = times.dropFirst().count { $0 % 200 < 50 }
        #expect(aligned >= 6, "\(times)")
    }

    @Test(arguments: ["as_fast_as_possible", "20ms", "1s"])
    func `A query without data writes no records and does not spin`(trigger: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", StopTests.copySpec(trigger: trigger))
        try folder.write("numbers.jsonl", "{\"n\":0}\n")
        let sluice = try SluiceProcess(["run", "spec.yaml", "--progress", "progress.jsonl"], in: folder)
        try sluice.waitUntil("no first batch") { progressRecords(folder).count == 1 }
        let before = try processorSeconds(sluice.processID)
        let end = Date(timeIntervalSinceNow: 2)
        try sluice.waitUntil("two seconds") { Date() >= end }
        let used = try processorSeconds(sluice.processID) - before
        #expect(used < 1, "\(used) s of processor time in 2 s with nothing to do")
        #expect(progressRecords(folder).count == 1)
        #expect(sluice.stop().exitCode == 0)
        print("ProgressTests: idle, trigger \(trigger): \(used) s of processor time in 2 s")
    }

    /// User and system time a process has used.
    private func processorSeconds(_ processID: pid_t) throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8)
        let fields = try #require(text.split(separator: ")").last).split(separator: " ")
        let ticks = try #require(Double(fields[11])) + #require(Double(fields[12]))
        return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    @Test func `Results land where they are wanted although progress cannot be written`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", StopTests.copySpec(sink: "stdout: {}", trigger: "once"))
        try folder.write("numbers.jsonl", "{\"n\":1}\n")
        let outcome = try SluiceProcess.run(["run", "spec.yaml", "--progress", "nowhere/p"], in: folder)
        #expect(outcome.exitCode == 0 && outcome.standardOutput == "{\"n\":1}\n")
        #expect(outcome.standardError.contains("Progress cannot be written"))
    }
}

// What is said of rows that are bad or late: the first of a run, then at most one line a minute and source, with counts
// that add up; and the sums at the end.

import QueryTesting
import SluiceRuntime
import SluiceSimulation
import SluiceSystem
import SystemTesting
import Testing

@Suite struct RowAccountsTests {
    private func warnings(_ lines: LogLines) -> [String] { lines.all.filter { $0.contains("level=warning") } }

    private func field(_ name: String, of line: String) -> String? {
        line.split(separator: " ").first { $0.hasPrefix("sluice.\(name)=") }.map {
            $0.dropFirst("sluice.\(name)=".count).trimmingNewline
        }
    }

    @Test func `Bad rows are said at first and then once a minute, with the count since`() throws {
        let (disk, clock, lines) = (SimulatedFileSystem(), SimulatedClock(), LogLines())
        for folder in ["/in/l", "/in/r"] { try disk.makeFolders(folder) }
        let harness = try RunnerHarness(spec: JoinSpecText().text, disk: disk, clock: clock, log: lines.log(clock))
        // Two bad rows a batch, every 25 s: a field that does not fit, and a record that is none.
        for batch in 0..<6 {
            let secret = "{\"id\":\"a\",\"k\":\"k\",\"t\":\"hush\"}"
            disk.feed(Step(left: [row("x", "k", 10), secret, "hush"]), number: batch, isFollowed: false)
            try harness.runPending()
            clock.advance(byMillis: 25_000)
        }
        let warnings = warnings(lines).filter { $0.contains("bad") }
        // At 0 s, 75 s (batches 1, 2 and 3); the next would be due at 135 s.
        #expect(warnings.map { field("count", of: $0) } == ["2", "6"])
        #expect(warnings.map { field("dropped", of: $0) } == ["1", "3"])
        #expect(warnings.map { field("place", of: $0) } == ["/in/l/000000.jsonl:2", "/in/l/000001.jsonl:2"])
        #expect(warnings.allSatisfy { field("source", of: $0) == "l" && field("column", of: $0) == "t" })
        #expect(warnings.allSatisfy { $0.contains("it cannot be read as timestamp") && !$0.contains("hush") })
    }

    @Test func `Late rows are said with how far they are behind`() throws {
        let (disk, clock, lines) = (SimulatedFileSystem(), SimulatedClock(), LogLines())
        for folder in ["/in/l", "/in/r"] { try disk.makeFolders(folder) }
        let harness = try RunnerHarness(
            spec: JoinSpecText(type: "inner").text, disk: disk, clock: clock, log: lines.log(clock))
        for (number, second) in [100.0, 101, 40, 41].enumerated() {
            disk.feed(
                Step(left: [row("a", "k", second)], right: [row("b", "k", max(second, 200))]), number: number,
                isFollowed: false)
            try harness.runPending()
        }
        #expect(warnings(lines).count == 1)
        let warning = try #require(warnings(lines).first)
        #expect(warning.contains("late") && field("column", of: warning) == "t" && field("count", of: warning) == "1")
        #expect(field("place", of: warning) == "/in/l/000002.jsonl:1")
        #expect(warning.contains("it is 61 s behind the watermark"))
    }
}

extension Substring {
    fileprivate var trimmingNewline: String { String(last == "\n" ? dropLast() : self[...]) }
}

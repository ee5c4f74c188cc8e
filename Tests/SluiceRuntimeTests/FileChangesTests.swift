// What happens to files between two processes, seen by whole queries: the checkpoint says which file is which.

import QueryTesting
import SluiceConnectors
import SluiceRuntime
import SluiceSimulation
import SluiceSystem
import Testing

@Suite struct FileChangesTests {
    private func spec(_ change: (inout JoinSpecText) -> Void) -> JoinSpecText {
        var spec = JoinSpecText(type: nil)
        spec.select = ["lid: l.id"]
        change(&spec)
        return spec
    }

    private func ids(_ harness: RunnerHarness) throws -> [String] { try harness.allRows().map(pair) }

    @Test func `A log that was rotated while nothing ran is read on under its new name`() throws {
        let text = spec { $0.isFollowed = true }.text.replacing("/in/l.jsonl", with: "\"/in/l.jsonl*\"")
        var disk = SimulatedFileSystem()
        try disk.makeFolders("/in")
        disk.put("/in/l.jsonl", row("a", "k", 1) + "\n")
        var harness = try RunnerHarness(spec: text, disk: disk)
        try harness.runPending()
        harness.stop()
        disk = disk.restartProcess()
        try disk.append("/in/l.jsonl", Array((row("b", "k", 2) + "\n").utf8))
        try disk.rename("/in/l.jsonl", to: "/in/l.jsonl.1")
        disk.put("/in/l.jsonl", row("c", "k", 3) + "\n" + row("d", "k", 4) + "\n")
        harness = try RunnerHarness(spec: text, disk: disk)
        try harness.runPending()
        #expect(try ids(harness) == ["a", "b", "c", "d"])
    }

    @Test(arguments: [true, false])
    func `A whole file that was replaced by one as long before its batch ran again is refused`(
        isReplaced: Bool
    ) throws {
        var disk = SimulatedFileSystem()
        try disk.makeFolders("/in/l")
        disk.put("/in/l/0", row("a", "k", 1) + "\n")
        let text = spec { _ in }.text
        // The batch is planned, and then nothing can be written any more.
        disk.plan.fails = { $0.verb == .write && $0.path.contains("batch-") ? 28 : nil }
        var harness = try RunnerHarness(spec: text, disk: disk)
        #expect(throws: ConnectorError.self) { try harness.runPending() }
        harness.stop()
        disk = disk.restartProcess(plan: FaultPlan(seed: 1))
        if isReplaced { disk.put("/in/l/0", row("b", "k", 1) + "\n") }
        harness = try RunnerHarness(spec: text, disk: disk)
        if isReplaced {
            let error = #expect(throws: ConnectorError.self) { try harness.runPending() }
            #expect(error?.code == "file-changed" && error?.message.contains("/in/l/0 was replaced") == true)
        } else {
            try harness.runPending()
            #expect(try ids(harness) == ["a"])
        }
    }
}

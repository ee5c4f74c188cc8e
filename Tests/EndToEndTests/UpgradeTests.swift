// What the release before this one has left is gone on from. The fixture was made by it: a full outer join of files to
// files in four shards, with merged state, that was killed with a batch in hand and its output staged; `expected.jsonl`
// is what it puts out when nobody disturbs it. A checkpoint names whole files by their full paths, so the fixture has
// to lie where it was made.

import Foundation
import Testing

@Suite(.serialized) struct UpgradeTests {
    private static let place = "/tmp/sluice-format-1"

    /// A folder with what is in the fixture, all files of the input among it.
    private func fixture() throws -> TemporaryFolder {
        let folder = try TemporaryFolder(at: Self.place)
        let archive = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "Checkpoints/format-1.tar.gz")
        let tar = try Process.run(URL(filePath: "/bin/tar"), arguments: ["-xzf", archive.path, "-C", folder.path])
        tar.waitUntilExit()
        #expect(tar.terminationStatus == 0)
        return folder
    }

    @Test func `A checkpoint of the release before is gone on from with the right rows, and nothing twice`() throws {
        let folder = try fixture()
        let outcome = try SluiceProcess.run(["run", "spec.yaml"], in: folder)
        #expect(outcome.exitCode == 0, "\(outcome.standardError)")
        #expect(outcome.standardError.contains("A batch that was interrupted runs again"))
        let expected = try #require(folder.read("expected.jsonl")).split(separator: "\n").map(String.init)
        #expect(folder.rows(in: "out").sorted() == expected)
        #expect(folder.read("checkpoints/q/metadata.json")?.contains(#""format1Through":41"#) == true)
        let again = try SluiceProcess.run(["run", "spec.yaml"], in: folder)
        #expect(again.exitCode == 0 && folder.rows(in: "out").count == expected.count)
    }

    @Test func `Put back under what has been written since, it is refused`() throws {
        let folder = try fixture()
        try folder.copy("\(folder.path)/checkpoints", to: "older")
        #expect(try SluiceProcess.run(["run", "spec.yaml"], in: folder).exitCode == 0)
        let rows = folder.rows(in: "out")
        let outcome = try SluiceProcess.run(["run", "spec.yaml", "--checkpoint", "older"], in: folder)
        #expect(outcome.exitCode == 1 && outcome.standardError.contains("rows would come twice"))
        #expect(folder.rows(in: "out") == rows)
    }

    @Test func `A state file of the new format in an old checkpoint is refused by its name`() throws {
        let folder = try fixture()
        try folder.copy("\(folder.path)/checkpoints", to: "older")
        #expect(try SluiceProcess.run(["run", "spec.yaml"], in: folder).exitCode == 0)
        try FileManager.default.removeItem(atPath: "\(folder.path)/older/q/state/39.delta.gz")
        try folder.copy("\(folder.path)/checkpoints/q/state/42.delta.gz", to: "older/q/state/39.delta.gz")
        try FileManager.default.removeItem(atPath: "\(folder.path)/out")
        let outcome = try SluiceProcess.run(["run", "spec.yaml", "--checkpoint", "older"], in: folder)
        #expect(outcome.exitCode == 1 && outcome.standardError.contains("state/39.delta.gz"))
    }
}

// What earlier releases have left is gone on from. Each fixture was made by one, by the format of its checkpoints: a
// full outer join of files to files in four shards, with merged state, that was killed with a batch in hand and its
// output staged; `expected.jsonl` is what it puts out when nobody disturbs it. A checkpoint names whole files by their
// full paths, so the fixtures have to lie where they were made.

import Foundation
import Testing

@Suite(.serialized) struct UpgradeTests {
    /// A folder with what is in the fixture, all files of the input among it.
    private func fixture(_ format: Int) throws -> TemporaryFolder {
        let folder = try TemporaryFolder(at: "/tmp/sluice-format-\(format)")
        let archive = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "Checkpoints/format-\(format).tar.gz")
        let tar = try Process.run(URL(filePath: "/bin/tar"), arguments: ["-xzf", archive.path, "-C", folder.path])
        tar.waitUntilExit()
        #expect(tar.terminationStatus == 0)
        return folder
    }

    @Test(arguments: [1, 2])
    func `A checkpoint of an earlier release is gone on from with the right rows, and nothing twice`(format: Int) throws
    {
        let folder = try fixture(format)
        let outcome = try SluiceProcess.run(["run", "spec.yaml"], in: folder)
        #expect(outcome.exitCode == 0, "\(outcome.standardError)")
        #expect(outcome.standardError.contains("A batch that was interrupted runs again"))
        let expected = try #require(folder.read("expected.jsonl")).split(separator: "\n").map(String.init)
        #expect(folder.rows(in: "out").sorted() == expected)
        let metadata = folder.read("checkpoints/q/metadata.json") ?? ""
        #expect(metadata.contains(format == 1 ? #""format1Through":41"# : #""format1Through":-1"#))
        let again = try SluiceProcess.run(["run", "spec.yaml"], in: folder)
        #expect(again.exitCode == 0 && folder.rows(in: "out").count == expected.count)
    }

    /// The rows that wait in the state of the join below are met by what comes later, in the stage that has been added
    /// too; and the batch in hand is finished first as it was begun.
    @Test(arguments: [1, 2])
    func `A join is added on top of a checkpoint of an earlier release, whose state stays`(format: Int) throws {
        let folder = try fixture(format)
        let spec = try #require(folder.read("spec.yaml"))
        try folder.write("chain.yaml", withThirdStream(spec))
        try folder.write("s/0.jsonl", "")
        let early = try SluiceProcess.run(["run", "chain.yaml"], in: folder)
        #expect(early.exitCode == 1 && early.standardError.contains("run the query once with the spec as it was"))
        // One batch: the state is still in files of the earlier release.
        let first = try SluiceProcess.run(["run", "spec.yaml", "--trigger", "once"], in: folder)
        #expect(first.exitCode == 0, "\(first.standardError)")
        // The newest rows of `l`, of its last file, match a row of `s`; then all that waits leaves.
        let last = try #require(folder.names(in: "l").max().flatMap { folder.read("l/\($0)") })
        let lines = last.split(separator: "\n").map(String.init)
        try folder.write("s/1.jsonl", lines.map { $0.replacing("\"l", with: "\"s") + "\n" }.joined())
        for stream in ["l", "r", "s"] {
            let row = "{\"id\":\"\(stream)-last\",\"k\":\"\(stream)\",\"t\":\"2024-01-02T00:00:00Z\"}\n"
            try folder.write("\(stream)/999999.jsonl", row)
        }
        let outcome = try SluiceProcess.run(["run", "chain.yaml"], in: folder)
        #expect(outcome.exitCode == 0, "\(outcome.standardError)")
        #expect(outcome.standardError.contains("the stage `l+r+s` is new"))
        let rows = folder.rows(in: "out")
        let expected = try #require(folder.read("expected.jsonl")).split(separator: "\n").map(String.init)
        #expect(pairs(rows) == pairs(expected))
        #expect(rows.contains { $0.contains("\"sid\":\"s") }, "no pair has met a row of the stream that was added")
        let again = try SluiceProcess.run(["run", "chain.yaml"], in: folder)
        #expect(again.exitCode == 0 && folder.rows(in: "out").count == rows.count, "\(again.standardError)")
    }

    private func pairs(_ rows: [String]) -> Set<String> {
        Set(
            rows.compactMap { text in
                let row = jsonObject(text)
                guard let left = row?["lid"] as? String, let right = row?["rid"] as? String else { return nil }
                return "\(left)+\(right)"
            })
    }

    private func withThirdStream(_ spec: String) -> String {
        spec.replacing(
            "queries:",
            with: """
                  s:
                    file: { path: s, max_files_per_trigger: 1 }
                    format: json
                    columns: { id: string, k: string, t: timestamp }
                    watermark: { column: t, delay: 2 seconds }
                queries:
                """
        ).replacing(
            "    select: { lid: l.id, rid: r.id, t: l.t }",
            with: """
                      - with: s
                        type: left outer
                        keys: { l.k: s.k }
                        within: s.t between l.t - 2 seconds and l.t + 1 minute
                    select: { lid: l.id, rid: r.id, sid: s.id, t: l.t }
                """)
    }

    @Test func `Put back under what has been written since, it is refused`() throws {
        let folder = try fixture(1)
        try folder.copy("\(folder.path)/checkpoints", to: "older")
        #expect(try SluiceProcess.run(["run", "spec.yaml"], in: folder).exitCode == 0)
        let rows = folder.rows(in: "out")
        let outcome = try SluiceProcess.run(["run", "spec.yaml", "--checkpoint", "older"], in: folder)
        #expect(outcome.exitCode == 1 && outcome.standardError.contains("rows would come twice"))
        #expect(folder.rows(in: "out") == rows)
    }

    @Test func `A state file of the new format in an old checkpoint is refused by its name`() throws {
        let folder = try fixture(1)
        try folder.copy("\(folder.path)/checkpoints", to: "older")
        #expect(try SluiceProcess.run(["run", "spec.yaml"], in: folder).exitCode == 0)
        try FileManager.default.removeItem(atPath: "\(folder.path)/older/q/state/39.delta.gz")
        try folder.copy("\(folder.path)/checkpoints/q/state/42.delta.gz", to: "older/q/state/39.delta.gz")
        try FileManager.default.removeItem(atPath: "\(folder.path)/out")
        let outcome = try SluiceProcess.run(["run", "spec.yaml", "--checkpoint", "older"], in: folder)
        #expect(outcome.exitCode == 1 && outcome.standardError.contains("state/39.delta.gz"))
    }
}

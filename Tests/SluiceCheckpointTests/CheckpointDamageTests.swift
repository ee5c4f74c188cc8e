// No byte of a checkpoint may change unnoticed, and no file of a later version may be taken for one of this.

import SluicePlan
import SluiceCheckpoint
import SluiceSimulation
import SluiceSystem
import SystemTesting
import Testing

private let root = "/cp/q"

/// One file of each kind, and both ends of the logs.
private let kinds = [
    "metadata.json", "offsets/115", "offsets/119", "commits/116", "commits/119", "state/119.delta.gz", "merged",
    "sources/files.log",
]

private func path(_ kind: String, _ files: SimulatedFileSystem) throws -> String {
    kind == "merged"
        ? try #require(files.paths("state").last { $0.hasSuffix(".merged.gz") }) : "\(root)/\(kind)"
}

/// Opens a checkpoint and reads its state.
private func read(_ files: SimulatedFileSystem) throws {
    let (checkpoint, recovered) = try Checkpoint.open(ToyQuery.options(files)) { _ in }
    _ = try checkpoint.loadToyState(evictedThrough: recovered.committed?.commit.evictedThroughMicros ?? [0, 0])
}

@Suite("A damaged checkpoint")
struct CheckpointDamageTests {
    @Test("A changed byte anywhere is an error that names the file", arguments: kinds)
    func changedBytes(kind: String) throws {
        let files = try OrdinaryCheckpoint().copy()
        let path = try path(kind, files)
        let good = try files.readAll(path)
        // Every byte of small files; every seventh of the log, whose last lines recovery can do without.
        let isLog = kind == "sources/files.log"
        let end = isLog ? good.count / 2 : good.count
        for position in stride(from: 0, to: end, by: isLog ? 7 : 1) {
            // All bits of a byte: the last bits of a compressed stream mean nothing and may change one by one.
            for change in kind.hasSuffix("json") || kind.contains("/1") && !kind.hasSuffix("gz") ? [1, 32, 255] : [255]
            {
                var bad = good
                bad[position] ^= UInt8(change)
                try files.edit(path, bad)
                let error = #expect(throws: CheckpointError.self, "byte \(position)") { try read(files) }
                let text = error.map(String.init(describing:)) ?? "nothing thrown"
                #expect(text.contains(path), "byte \(position) ^ \(change): \(text)")
                #expect(try files.readAll(path) == bad)
            }
        }
        try files.edit(path, good)
        try read(files)
    }

    @Test("A file that is cut short anywhere is an error, or what a crash leaves", arguments: kinds)
    func truncated(kind: String) throws {
        let made = try OrdinaryCheckpoint()
        let files = made.copy()
        let path = try path(kind, files)
        let good = try files.readAll(path)
        for count in stride(from: 0, to: good.count, by: kind == "sources/files.log" ? 97 : 7) {
            let copy = made.copy()
            try copy.edit(path, Array(good.prefix(count)))
            do {
                let query = try ToyQuery(ToyQuery.options(copy), seed: 0)
                // A commit is not waited for, and the plan behind it has a copy.
                #expect(kind.hasPrefix("commits/") || kind.hasPrefix("sources/"), "\(count) bytes")
                let batch: Int64 = kind == "commits/119" ? 118 : 119
                #expect(query.recovered.committed?.commit == made.history.commits[batch])
                #expect(query.recovered.committed?.offsets == made.history.plans[batch])
                #expect(query.state == made.history.states[batch])
            } catch let error as CheckpointError {
                #expect("\(error)".contains(path), "\(count) bytes: \(error)")
                #expect(!kind.hasPrefix("commits/"))
                #expect(try copy.readAll(path) == Array(good.prefix(count)))
            }
        }
    }

    @Test(
        "A file of a later format is refused, with the way out",
        arguments: ["metadata.json", "offsets/115", "offsets/119", "commits/116", "commits/119", "state/119.delta.gz"])
    func laterFormat(kind: String) throws {
        let files = try OrdinaryCheckpoint().copy()
        let path = "\(root)/\(kind)"
        if kind.hasSuffix(".gz") {
            try files.edit(path, storedGzip(Array(#"{"format":4,"unheard":"of"}"#.utf8)))
        } else {
            try files.edit(path, checksummed(#"{"format":4,"unheard":"of"}"#))
        }
        let before = try files.snapshot()
        #expect(throws: CheckpointError.futureFormat(path: path, format: 4)) { try read(files) }
        #expect(try files.snapshot() == before)
        let text = "\(CheckpointError.futureFormat(path: path, format: 4))"
        #expect(text.contains("has format 4") && text.contains("version of sluice"))
    }

    @Test(
        "JSON that is not exactly what the checkpoint writes is refused, checksum or not",
        arguments: [
            (#"{"format":1} x"#, "behind the value"), (#"{"format":1,}"#, "name must stand"),
            (#"{"format":1,"format":1}"#, "stands twice"), (#"{"format":1.0}"#, "whole number"),
            (#"{"format":01}"#, "whole number"), (#"{"format":1e3}"#, "whole number"),
            (#"{"format":99999999999999999999}"#, "whole number"), (#"{"format":1,"a":"\ud800"}"#, "surrogate"),
            (#"{"format":1,"a":"\x"}"#, "escape"), (#"{"format":1,"a":tru}"#, "unknown word"),
            (#"{"format":1,"a":[1 2]}"#, "`,` must"), (#"{"format":1,"a" 1}"#, "`:` must"),
            (String(repeating: "[", count: 100_000), "nested"), (#"{"format":1,"a":""#, "control character"),
            ("{\"format\":1,\"a\":\"\t\"}", "control character"), (#"{"format":1"#, "must stand"),
            (#"{"format":0}"#, "no format"), (#"{"format":"1"}"#, "no format"), ("[]", "no format"), ("", "too early"),
            (#"{"format":1,"queryId":"x","fingerprint":[]}"#, "`layout` is missing"),
            (#"{"format":1,"queryId":1,"fingerprint":[],"layout":null}"#, "not text"),
            (#"{"format":1,"queryId":"x","fingerprint":[],"layout":{"shards":0}}"#, "`shards` is 0"),
        ])
    func strictText(json: String, words: String) throws {
        let files = try OrdinaryCheckpoint().copy()
        try files.edit("\(root)/metadata.json", checksummed(json))
        let error = #expect(throws: CheckpointError.self) { try read(files) }
        #expect(
            "\(error as Any)".contains("metadata.json is damaged") && "\(error as Any)".contains(words),
            "\(error as Any)")
    }

    @Test("Text is read back as it was written")
    func text() throws {
        let files = SimulatedFileSystem()
        var options = ToyQuery.options(files)
        let values = ["", "\"\\/\u{8}\u{C}\n\r\t\u{0}\u{7F}", "é😀\u{2028}", String(repeating: "x", count: 70_000)]
        options.facts = values.map { PlanFact(nil, $0, .text($0)) }
        _ = try Checkpoint.open(options) { _ in }
        let stored = try Checkpoint.open(options) { _ in }.0.metadata
        #expect(stored.facts == options.facts)
        try files.edit("\(root)/metadata.json") { bytes in
            bytes = checksummed(json(of: bytes).replacing("é😀", with: #"\u00e9\ud83d\ude00"#))
        }
        #expect(try Checkpoint.open(options) { _ in }.0.metadata == stored)
    }

    @Test("What the engine cannot read is reported with the file it came from")
    func unreadablePayload() throws {
        struct Refusal: Error {}
        let (checkpoint, _) = try Checkpoint.open(ToyQuery.options(try OrdinaryCheckpoint().copy())) { _ in }
        let error = #expect(throws: CheckpointError.self) {
            try checkpoint.loadState(parallel: inline) { _, _ in throw Refusal() }
        }
        #expect("\(error as Any)".contains("/cp/q/state/") && "\(error as Any)".contains("Refusal"))
    }
}

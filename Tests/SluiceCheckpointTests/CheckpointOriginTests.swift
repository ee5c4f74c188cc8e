// A whole file of a checkpoint in a place where it does not belong: of another query, of another life of the same
// query, of another copy that went its own way, of another batch. Every pair is tried. Each has to be refused by name,
// unless nothing that the checkpoint stands on is different for it.

import SluiceConnectors
import SluiceCheckpoint
import SluiceSimulation
import SluiceSystem
import Testing

/// A checkpoint, and what is true of it.
private struct Known {
    /// By path.
    var contents: [String: [UInt8]]
    var history: ToyHistory
    var last: Int64

    /// Runs batches from where the folder stands to `last`.
    static func run(
        _ files: SimulatedFileSystem, _ history: ToyHistory = ToyHistory(), to last: Int64, seed: UInt64,
        queryID: String = "a", retain: Int = 3
    ) throws -> Known {
        var history = history
        var options = ToyQuery.options(files, retain: retain)
        options.newQueryID = queryID
        var query = try ToyQuery(options, seed: seed)
        query.rowsPerBatch = 1...4
        while query.recovered.inHand != nil || (query.committed?.commit.batch ?? -1) < last {
            try query.runBatch(&history)
        }
        if let plan = query.checkpoint.planMaintenance() {
            try query.checkpoint.perform(plan, merge: mergeToyPayloads)
        }
        try query.checkpoint.syncCommit()
        return Known(contents: try files.snapshot(), history: history, last: last)
    }

    /// The folder on a disk of its own, with one file in the place of another.
    func disk(_ changed: [String: [UInt8]] = [:]) throws -> SimulatedFileSystem {
        let disk = SimulatedFileSystem()
        for folder in ["offsets", "commits", "state", "sources"] { try disk.makeFolders("/cp/q/\(folder)") }
        for (path, bytes) in contents.merging(changed, uniquingKeysWith: { $1 }) {
            try unsafe bytes.withUnsafeBytes { try unsafe disk.write(path, [$0]) }
        }
        return disk
    }

    var paths: [String] { contents.keys.sorted() }
}

/// What came of one file in the place of another.
private enum Answer: Equatable {
    case refused
    case unchanged
    case wrong(String)
}

private func answer(to file: [UInt8], at path: String, in known: Known) throws -> Answer {
    let disk = try known.disk([path: file])
    do {
        let query = try ToyQuery(ToyQuery.options(disk, retain: 3), seed: 0)
        let isRight =
            query.state == known.history.states[known.last]
            && query.recovered.committed?.commit == known.history.commits[known.last]
            && query.recovered.committed?.offsets == known.history.plans[known.last]
        return isRight ? .unchanged : .wrong("taken")
    } catch let error as CheckpointError {
        let text = "\(error)"
        return text.contains(path) ? .refused : .wrong(text)
    }
}

/// Puts every file of `other` in the place of every file of its kind in `known`, and one of each other kind.
private func tryAllPairs(_ known: Known, _ other: Known) throws -> [Answer: Int] {
    var counts: [Answer: Int] = [:]
    let samples = Set(Dictionary(grouping: other.paths, by: parentFolder(of:)).compactMap { $0.value.last })
    for path in known.paths {
        for (otherPath, file) in other.contents where file != known.contents[path] {
            guard parentFolder(of: otherPath) == parentFolder(of: path) || samples.contains(otherPath) else { continue }
            let answer = try answer(to: file, at: path, in: known)
            if case .wrong(let text) = answer { Issue.record("\(otherPath) in the place of \(path): \(text)") }
            counts[answer, default: 0] += 1
        }
    }
    return counts
}

extension Answer: Hashable {}

@Suite("A file from elsewhere")
struct CheckpointOriginTests {
    @Test("Of another query with the same columns, is refused by its name")
    func queries() throws {
        let known = try Known.run(SimulatedFileSystem(), to: 40, seed: 1)
        let other = try Known.run(SimulatedFileSystem(), to: 40, seed: 2, queryID: "b")
        #expect(known.paths.contains { $0.hasSuffix(".merged.gz") })
        let counts = try tryAllPairs(known, other)
        #expect((counts[.refused] ?? 0) > 200, "\(counts)")
        // The same rows in the same batches, started anew.
        let twin = try Known.run(SimulatedFileSystem(), to: 40, seed: 1, queryID: "b")
        for path in known.paths {
            let file = try #require(twin.contents[path])
            #expect(try answer(to: file, at: path, in: known) == .refused, "\(path)")
        }
    }

    @Test("Of an earlier or a later life of the query, is refused by its name", arguments: [true, false])
    func lives(isEarlier: Bool) throws {
        let earlier = try Known.run(SimulatedFileSystem(), to: 40, seed: 3)
        let disk = try earlier.disk()
        try Checkpoint.rollback(folder: "/cp/q", fileSystem: disk, to: 38, newLife: "later")
        let later = try Known.run(disk, earlier.history, to: 62, seed: 4)
        let earlierToo = try Known.run(try earlier.disk(), earlier.history, to: 62, seed: 5)
        let counts =
            isEarlier ? try tryAllPairs(later, earlierToo) : try tryAllPairs(earlierToo, later)
        #expect((counts[.refused] ?? 0) > 200, "\(counts)")
    }

    @Test("Of a copy that went on by itself, is refused by its name, or stands for the same")
    func copies() throws {
        let start = try Known.run(SimulatedFileSystem(), to: 20, seed: 6)
        let known = try Known.run(try start.disk(), start.history, to: 44, seed: 7)
        let other = try Known.run(try start.disk(), start.history, to: 44, seed: 8)
        let counts = try tryAllPairs(known, other)
        #expect((counts[.refused] ?? 0) > 200, "\(counts)")
    }

    @Test("Of another time or batch of the query itself, is refused by its name, or stands for the same")
    func times() throws {
        let start = try Known.run(SimulatedFileSystem(), to: 20, seed: 9)
        let known = try Known.run(try start.disk(), start.history, to: 40, seed: 10)
        _ = try tryAllPairs(known, start)
        _ = try tryAllPairs(known, known)
    }

    @Test("A whole older checkpoint is one that was put back: it opens")
    func wholeFolder() throws {
        let start = try Known.run(SimulatedFileSystem(), to: 20, seed: 9)
        let query = try ToyQuery(ToyQuery.options(try start.disk()), seed: 0)
        #expect(query.state == start.history.states[20])
    }

    @Test("The metadata names the lives and the batches they began at")
    func metadata() throws {
        let disk = try Known.run(SimulatedFileSystem(), to: 20, seed: 11).disk()
        try Checkpoint.rollback(folder: "/cp/q", fileSystem: disk, to: 19, newLife: "second")
        try Checkpoint.rollback(folder: "/cp/q", fileSystem: disk, to: 18, newLife: "third")
        let checkpoint = try Checkpoint.open(ToyQuery.options(disk)) { _ in }.0
        #expect(checkpoint.metadata.lives.map(\.from) == [0, 19])
        #expect(checkpoint.metadata.lives.last?.id == "third")
    }
}

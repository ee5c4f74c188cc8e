// Every way in which a crash or a person can leave a folder, and what opening it then does. Batches up to 119 have run;
// whatever is accepted must go on as if nothing had happened, and whatever is refused must stay as it is.

import SluiceConnectors
import SluicePlan
import SluiceCheckpoint
import SluiceSimulation
import SluiceSystem
import Testing

private enum Outcome: Sendable {
    /// Nothing was ever run.
    case fresh
    case resume(Int64)
    case rerun(Int64)
    /// The file that the message must name, and what it must say.
    case refused(String, String)
}

private struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var outcome: Outcome
    var edit: @Sendable (SimulatedFileSystem) throws -> Void

    init(_ name: String, _ outcome: Outcome, _ edit: @escaping @Sendable (SimulatedFileSystem) throws -> Void) {
        testDescription = name
        self.outcome = outcome
        self.edit = edit
    }
}

private let root = "/cp/q"

/// What the next batch's files look like, taken from a copy that has run it.
private func nextBatch(_ files: SimulatedFileSystem) throws -> SimulatedFileSystem {
    let copy = files.copyForReading()
    var query = try ToyQuery(ToyQuery.options(copy), seed: 2)
    query.rowsPerBatch = 3...3
    query.isMaintained = false
    var history = ToyHistory()
    try query.runBatch(&history)
    return copy
}

extension SimulatedFileSystem {
    /// The same files on a disk of their own; this one lives on.
    fileprivate func copyForReading() -> SimulatedFileSystem {
        let copy = SimulatedFileSystem()
        for path in files() where !path.hasSuffix("/lock") {
            guard let bytes = try? readAll(path) else { continue }
            copy.put(path, "")
            try? copy.edit(path, bytes)
        }
        return copy
    }

    fileprivate func take(_ path: String, from other: SimulatedFileSystem) throws {
        try edit(path, try other.readAll(path))
    }
}

private let crashCases: [Case] = [
    Case("nothing at all", .fresh) { files in
        for path in files.files() { try files.delete(path) }
    },
    Case("metadata alone", .fresh) { files in
        for path in files.files() where !path.hasSuffix("metadata.json") { try files.delete(path) }
    },
    Case("metadata and a torn first plan", .fresh) { files in
        for path in files.files() where !path.hasSuffix("metadata.json") { try files.delete(path) }
        try files.edit("\(root)/offsets/0", Array("{\"format\":1,\"ba".utf8))
    },
    Case("everything committed", .resume(120)) { _ in },
    Case("the last commit was lost", .rerun(119)) { files in try files.delete("\(root)/commits/119") },
    Case("the last commit is empty", .rerun(119)) { files in try files.edit("\(root)/commits/119", []) },
    Case("the last commit is cut short", .rerun(119)) { files in
        try files.edit("\(root)/commits/119") { $0.removeLast(20) }
    },
    Case("the last commit is cut within its checksum", .rerun(119)) { files in
        try files.edit("\(root)/commits/119") { $0.removeLast(1) }
    },
    Case("the last commit is all zeros", .rerun(119)) { files in
        try files.edit("\(root)/commits/119") { $0 = Array(repeating: 0, count: $0.count) }
    },
    Case("the last commit and its state were lost", .rerun(119)) { files in
        try files.delete("\(root)/commits/119")
        try files.delete("\(root)/state/119.delta.gz")
    },
    Case("the last commit was lost, its state is cut short", .rerun(119)) { files in
        try files.delete("\(root)/commits/119")
        try files.edit("\(root)/state/119.delta.gz") { $0.removeLast(9) }
    },
    Case("the next plan is there", .rerun(120)) { files in
        try files.take("\(root)/offsets/120", from: try nextBatch(files))
    },
    Case("the next plan and state are there", .rerun(120)) { files in
        let next = try nextBatch(files)
        for path in ["offsets/120", "state/120.delta.gz"] { try files.take("\(root)/\(path)", from: next) }
    },
    Case("the next plan is torn", .resume(120)) { files in
        try files.take("\(root)/offsets/120", from: try nextBatch(files))
        try files.edit("\(root)/offsets/120") { $0.removeLast(16) }
    },
    Case("the next plan is there, the last commit was lost", .rerun(120)) { files in
        try files.take("\(root)/offsets/120", from: try nextBatch(files))
        try files.delete("\(root)/commits/119")
    },
    Case("the next plan and the last commit are both torn", .rerun(119)) { files in
        try files.take("\(root)/offsets/120", from: try nextBatch(files))
        for path in ["offsets/120", "commits/119"] { try files.edit("\(root)/\(path)") { $0.removeLast(30) } }
    },
    Case("no commit file was ever made durable", .rerun(119)) { files in
        for path in files.paths("commits") { try files.edit(path, []) }
    },
    Case("a merge was cut short", .resume(120)) { files in
        try files.edit("\(root)/state/100-115.merged.gz.tmp", [1, 2, 3])
    },
    Case("a merge had not removed all its inputs", .resume(120)) { files in
        let merged = try #require(files.paths("state").first { $0.hasSuffix(".merged.gz") })
        let first = try #require(merged.split(separator: "/").last?.split(separator: "-").first)
        try files.edit("\(root)/state/\(first).delta.gz", [1, 2, 3])
    },
    Case("metadata was being replaced", .resume(120)) { files in
        try files.edit("\(root)/metadata.json.tmp", Array("{\"form".utf8))
    },
    Case("the end of a source's log was lost", .resume(120)) { files in
        try files.edit("\(root)/sources/files.log") { $0.removeLast(100) }
    },
    Case("the end of a source's log is zeros", .resume(120)) { files in
        try files.edit("\(root)/sources/files.log") { bytes in
            bytes.replaceSubrange(bytes.count - 60..<bytes.count - 20, with: Array(repeating: 0, count: 40))
        }
    },
]

private let peopleCases: [Case] = [
    Case("metadata is gone", .refused("metadata.json", "missing")) { files in
        try files.delete("\(root)/metadata.json")
    },
    Case("the last plan is gone", .refused("offsets/119", "missing")) { files in
        try files.delete("\(root)/offsets/119")
    },
    Case("the last plan is cut short", .refused("offsets/119", "cut short")) { files in
        try files.edit("\(root)/offsets/119") { $0.removeLast(3) }
    },
    Case("a plan in between is gone", .refused("offsets/117", "missing")) { files in
        try files.delete("\(root)/offsets/117")
    },
    Case("a plan in between is cut short", .refused("offsets/117", "cut short")) { files in
        try files.edit("\(root)/offsets/117", [])
    },
    Case("all plans are gone", .refused("offsets/119", "missing")) { files in
        for path in files.paths("offsets") { try files.delete(path) }
    },
    Case("all plans and commits are gone", .refused("offsets/119", "missing")) { files in
        for path in files.paths("offsets") + files.paths("commits") { try files.delete(path) }
    },
    Case("a commit ahead of the plans", .refused("offsets/120", "missing")) { files in
        try files.take("\(root)/commits/120", from: try nextBatch(files))
    },
    Case("state ahead of the plans", .refused("offsets/120", "missing")) { files in
        try files.take("\(root)/state/120.delta.gz", from: try nextBatch(files))
    },
    Case("a commit of another run", .refused("commits/118", "another copy")) { files in
        let other = json(of: try files.readAll("\(root)/commits/118")).split(separator: "\"counters\":{")
        try files.edit("\(root)/commits/118", checksummed(other.joined(separator: "\"counters\":{\"a\":1,")))
    },
    Case("a plan of another batch", .refused("offsets/118", "batch 117")) { files in
        try files.edit("\(root)/offsets/118", try files.readAll("\(root)/offsets/117"))
    },
    Case("the last state is gone", .refused("state/119.delta.gz", "missing")) { files in
        try files.delete("\(root)/state/119.delta.gz")
    },
    Case("the last state is cut short", .refused("state/119.delta.gz", "bytes")) { files in
        try files.edit("\(root)/state/119.delta.gz") { $0.removeLast() }
    },
    Case("a state in between is gone", .refused("state/118.delta.gz", "missing")) { files in
        try files.delete("\(root)/state/118.delta.gz")
    },
    Case("a state of another batch", .refused("state/118.delta.gz", "another file")) { files in
        try files.edit("\(root)/state/118.delta.gz", try files.readAll("\(root)/state/117.delta.gz"))
    },
    Case("merged state is gone", .refused("state/", "missing")) { files in
        try files.delete(try #require(files.paths("state").last { $0.hasSuffix(".merged.gz") }))
    },
    Case("all state is gone", .refused("state/119.delta.gz", "missing")) { files in
        for path in files.paths("state") { try files.delete(path) }
    },
    Case("a source's log is gone", .refused("sources/files.log", "files taken")) { files in
        try files.delete("\(root)/sources/files.log")
    },
    Case("all commits are gone", .rerun(119)) { files in
        for path in files.paths("commits") { try files.delete(path) }
    },
]

@Suite("Opening a checkpoint")
struct CheckpointRecoveryTests {
    @Test("What a crash leaves is made good", arguments: crashCases)
    private func afterCrash(_ given: Case) throws { try check(given) }

    @Test("What a crash does not leave is refused by name and not touched", arguments: peopleCases)
    private func afterPeople(_ given: Case) throws { try check(given) }

    private func check(_ given: Case) throws {
        let made = try OrdinaryCheckpoint()
        let files = made.copy()
        try given.edit(files)
        let before = try files.snapshot()
        var history = made.history
        switch given.outcome {
        case .refused(let path, let words):
            let error = #expect(throws: CheckpointError.self) { try Checkpoint.open(ToyQuery.options(files)) { _ in } }
            let text = "\(error.map(String.init(describing:)) ?? "")"
            #expect(text.contains("/cp/q/\(path)") && text.contains(words) && text.contains("Put back"), "\(text)")
            #expect(error?.isRetriable == false)
            #expect(try files.snapshot() == before)
            return
        case .fresh: history = ToyHistory()
        case .resume(let batch):
            history.durablePlan = batch - 1
            history.attemptedCommit = batch - 1
        case .rerun(let batch):
            history.durablePlan = batch
            history.attemptedCommit = batch - 1
            history.durableCommit = batch - 1
        }
        try goOn(files, &history, given.outcome)
    }

    private func goOn(_ files: SimulatedFileSystem, _ history: inout ToyHistory, _ outcome: Outcome) throws {
        for process in 0..<3 {
            var query = try ToyQuery(ToyQuery.options(files), seed: UInt64(process + 10))
            if process == 0 {
                switch outcome {
                case .rerun(let batch):
                    let inHand: OffsetsEntry = try #require(query.recovered.inHand)
                    // What the copy has planned; the plan of 119 is known.
                    if batch == 120 { history.plans[batch] = inHand }
                case .resume(let batch): #expect(query.recovered.nextBatch == batch && query.recovered.inHand == nil)
                case .fresh, .refused: #expect(query.recovered.nextBatch == 0)
                }
            }
            history.check(query, "process \(process)")
            for _ in 0..<20 { try query.runBatch(&history) }
        }
    }

    @Test("Files that are not a checkpoint's are left alone and reported")
    func foreignFiles() throws {
        let files = try OrdinaryCheckpoint().copy()
        let names = [
            "commits/-1", "commits/119~", "offsets/0117", "offsets/notes.txt", "state/1.delta.zst",
            "state/5-1.merged.gz",
        ]
        for name in names { files.put("\(root)/\(name)", "mine") }
        let query = try ToyQuery(ToyQuery.options(files), seed: 0)
        #expect(query.recovered.foreignFiles.sorted() == names)
        #expect(query.recovered.nextBatch == 120)
        for name in names { #expect(files.text("\(root)/\(name)") == "mine") }
    }

    @Test("A second process is refused and told who is at work")
    func lock() throws {
        let files = SimulatedFileSystem()
        let (first, _) = try Checkpoint.open(ToyQuery.options(files)) { _ in }
        #expect(throws: CheckpointError.locked(folder: root, processID: 1)) {
            try Checkpoint.open(ToyQuery.options(files)) { _ in }
        }
        #expect("\(CheckpointError.locked(folder: root, processID: 1))".contains("/cp/q is in use by process 1"))
        withExtendedLifetime(first) {}
    }

    @Test("The lock goes with the checkpoint, and the query's id stays")
    func reopen() throws {
        let files = SimulatedFileSystem()
        let id = try Checkpoint.open(ToyQuery.options(files)) { _ in }.0.metadata.queryID
        var options = ToyQuery.options(files)
        options.newQueryID = "another"
        #expect(try Checkpoint.open(options) { _ in }.0.metadata.queryID == id)
    }

    @Test("A changed spec is put to the runner, and stored only when it is accepted")
    func fingerprint() throws {
        let files = try OrdinaryCheckpoint().copy()
        var options = ToyQuery.options(files)
        options.facts = [PlanFact(nil, "join type", .text("inner")), PlanFact(nil, "keys", .text("a = b"))]
        options.layout?.shards = 64
        let before = try files.snapshot()
        let refusal = CheckpointError.incompatibleSpec(folder: root, reason: "join type was left outer, is inner")
        #expect(throws: refusal) {
            try Checkpoint.open(options) { (_) throws(CheckpointError) in throw refusal }
        }
        #expect(try files.snapshot() == before)
        let stored = try Checkpoint.open(options) { stored throws(CheckpointError) in
            #expect(stored.metadata.facts[0].value == .text("left outer"))
        }.0.metadata
        #expect(stored.facts == options.facts)
        #expect(stored.layout?.shards == toyShards, "what state was cut into stays")
        _ = try Checkpoint.open(options) { stored throws(CheckpointError) in
            #expect(stored.metadata.facts == options.facts)
        }
    }

    @Test("A source cannot change how it counts its progress")
    func otherPositions() throws {
        let files = try OrdinaryCheckpoint().copy()
        var options = ToyQuery.options(files)
        options.historySources = ["rows"]
        #expect(throws: CheckpointError.self) { try Checkpoint.open(options) { _ in } }
    }
}

// A query is stopped at every numbered file operation, by a loss of power (torn bytes, lost names) and by the end of
// its process, sometimes again while it recovers, and goes on from what that leaves. At the end its sink must hold the
// same bytes in the same files as without any stop, and the log of commits must say the same. The same with operations
// that fail once, under the real supervisor.
//
// What the disk holds is decided by a seed; which operations maintenance mixes in from its own thread is not, and must
// not matter. A failure prints what is needed to run it again.

import Glibc
import QueryTesting
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Testing

/// A query and what it reads, step by step.
struct CrashWorkload: Sendable, CustomTestStringConvertible {
    var name: String
    var spec: JoinSpecText
    var steps: [Step]
    /// Of `steps`: run after the last crash, on whatever state has survived.
    static let epilogueCount = 2

    var testDescription: String { name }

    init(type: String?, isFollowed: Bool, isCompressed: Bool = false, match: String? = nil) {
        let join = (type ?? "no join") + (match.map { " to the \($0)" } ?? "")
        name = "\(join), \(isCompressed ? "compressed" : isFollowed ? "followed" : "whole") files"
        spec = JoinSpecText(
            type: type, within: "r.t between l.t - 2s and l.t + 6s", leftDelay: "3s", rightDelay: "2s",
            isFollowed: isFollowed, retainBatches: 2, shards: 2)
        spec.isCompressed = isCompressed
        spec.match = match
        // One or two rows: files are cut, and fewer steps make as many batches.
        if isCompressed { spec.limits = "max_bytes_per_trigger: 120" }
        // Without a join there are no no-data batches: more steps for as many batches.
        steps = Self.makeSteps(isCompressed ? 4 : type == nil ? 20 : 10, seed: UInt64(name.utf8.count))
    }

    /// Three streams, the last with rows that come twice.
    private init(chainOf type: String, thirdType: String, isFollowed: Bool) {
        self.init(type: type, isFollowed: isFollowed)
        name = "\(type), then \(thirdType), \(isFollowed ? "followed" : "whole") files"
        spec.thirdJoin =
            "type: \(thirdType), keys: { l.k: s.k }, within: s.t between l.t - 3s and l.t + 4s"
        spec.thirdField = "deduplicate: id"
        steps = Self.makeSteps(8, seed: UInt64(name.utf8.count), hasThird: true)
    }

    private static func makeSteps(_ count: Int, seed: UInt64, hasThird: Bool = false) -> [Step] {
        var random = SplitMix64(seed: seed)
        var ids = 0
        func rows(_ side: String, _ step: Int) -> [String] {
            (0..<Int.random(in: 0...4, using: &random)).map { _ in
                ids += 1
                let key = Int.random(in: 0..<7, using: &random)
                let seconds = Double(step * 3) + Double(Int.random(in: -4000...3000, using: &random)) / 1000
                return row("\(side)\(ids)", key == 6 ? nil : "k\(key)", key == 5 ? nil : seconds)
            }
        }
        var steps = (0..<count).map { Step(left: rows("l", $0), right: rows("r", $0)) }
        // What matches and what drains the state that has survived.
        let end = Double(count * 3)
        let matching = (0..<6).map { row("m\($0)", "k\($0)", end - 3) }
        steps.append(Step(left: matching, right: matching))
        steps.append(Step(left: [row("z1", "z", end + 100)], right: [row("z2", "y", end + 100)]))
        if !hasThird { return steps }
        for step in 0..<count {
            let new = rows("s", step)
            // Some come again, in the same step or the next.
            steps[step].third += new + new.prefix(1)
            steps[step + 1].third += new.suffix(1)
        }
        steps[count].third += matching
        steps[count + 1].third = [row("z3", "x", end + 100)]
        return steps
    }

    static let all =
        [false, true].flatMap { isFollowed in
            ["left outer", "right outer", "full outer", "inner", "left semi", "left anti", nil].map {
                CrashWorkload(type: $0, isFollowed: isFollowed)
            }
        } + [
            CrashWorkload(type: "left outer", isFollowed: false, isCompressed: true),
            CrashWorkload(chainOf: "left outer", thirdType: "left outer", isFollowed: false),
            CrashWorkload(chainOf: "full outer", thirdType: "left anti", isFollowed: true),
            CrashWorkload(chainOf: "left outer", thirdType: "full outer", isFollowed: true),
            CrashWorkload(type: "left outer", isFollowed: false, match: "nearest"),
            CrashWorkload(type: "left outer", isFollowed: true, match: "latest"),
        ]

    func feed(_ disk: SimulatedFileSystem, _ number: Int) {
        disk.feed(steps[number], number: number, isFollowed: spec.isFollowed, isCompressed: spec.isCompressed)
    }
}

/// What counts at the end.
struct CrashOutcome: Hashable {
    /// Everything in the sink's folder by path, temporary files too.
    var output: [String: String]
    /// The last entry in the commit log: batch, watermarks, counters; not what was measured.
    var lastCommit: String

    init(_ disk: SimulatedFileSystem) {
        output = disk.sinkFiles
        let batches = disk.files(under: "/check/commits").compactMap { path in
            path.split(separator: "/").last.flatMap { Int($0) }
        }
        let commit = batches.max().flatMap { disk.text("/check/commits/\($0)") } ?? ""
        // The first line; the second is its checksum. Random names show in checksums, and in a plan its time.
        lastCommit = String(commit.prefix { $0 != "\n" }).replacing(/,"cost":\{[^}]*\}/, with: "")
            .replacing(/"(queryId|life|stateChecksum|plan)":"[^"]*",?/, with: "")
    }
}

/// One run of a workload through any number of crashes.
struct CrashRun {
    let workload: CrashWorkload
    let query: TestedQuery
    private let pool: WorkerPool
    /// How the machine goes down: true for a loss of power, false for the end of the process alone.
    var losesPower: (Int) -> Bool = { _ in true }
    /// What comes after the crash that is the argument's: the operation of the next one, or none.
    var nextCrash: (Int) -> Int? = { _ in nil }
    var seed: UInt64 = 0
    private(set) var crashCount = 0

    init(_ workload: CrashWorkload) throws {
        self.workload = workload
        query = try TestedQuery(workload.spec.text)
        pool = WorkerPool(width: 2)
    }

    /// Runs to the end and says what is left and how many operations there were before the epilogue.
    mutating func run(crashAtOperation: Int?) throws -> (outcome: CrashOutcome, operations: Int) {
        crashCount = 0
        var disk = SimulatedFileSystem(plan: FaultPlan(seed: seed, crashAtOperation: crashAtOperation))
        let body = workload.steps.count - CrashWorkload.epilogueCount
        for steps in [0..<body, body..<workload.steps.count] {
            var runner: QueryRunner?
            var step = steps.lowerBound
            while step < steps.upperBound || disk.hasCrashed {
                if disk.hasCrashed {
                    runner = nil
                    disk = goOn(from: disk)
                }
                do {
                    if runner == nil { runner = try query.open(QueryEnvironment(disk, pool: pool)) }
                    if step < steps.upperBound {
                        workload.feed(disk, step)
                    }
                    try runner?.runPending()
                    step += 1
                } catch {
                    guard disk.hasCrashed else { throw error }
                }
                // The thread that maintains belongs to the process, which has done its work only when that has.
                if step >= steps.upperBound { runner = nil }
            }
            disk.plan.crashAtOperation = nil
            if steps.lowerBound == 0 { operations = disk.operationCount }
        }
        return (CrashOutcome(disk), operations)
    }

    private var operations = 0

    private mutating func goOn(from disk: SimulatedFileSystem) -> SimulatedFileSystem {
        crashCount += 1
        let plan = FaultPlan(seed: seed &+ UInt64(crashCount) &* 7919, crashAtOperation: nextCrash(crashCount))
        return losesPower(crashCount) ? disk.restart(plan: plan) : disk.restartProcess(plan: plan)
    }
}

@Suite struct CrashTests {
    /// Seeds a crash point is tried with. More on request: SLUICE_CRASH_SEEDS=8.
    static let seedCount = ProcessEnvironment.integer("SLUICE_CRASH_SEEDS") ?? 1
    /// Every how many-th operation is tried; all of them with SLUICE_CRASH_STRIDE=1, as in CI.
    static let stride = max(1, ProcessEnvironment.integer("SLUICE_CRASH_STRIDE") ?? 7)

    @Test(arguments: CrashWorkload.all)
    func `A loss of power at any operation changes nothing`(workload: CrashWorkload) throws {
        try crashEverywhere(workload) { run, _, _ in run.losesPower = { _ in true } }
    }

    @Test(arguments: CrashWorkload.all)
    func `The end of the process at any operation changes nothing`(workload: CrashWorkload) throws {
        try crashEverywhere(workload) { run, _, _ in run.losesPower = { _ in false } }
    }

    @Test(arguments: CrashWorkload.all)
    func `Another crash while recovering from one changes nothing`(workload: CrashWorkload) throws {
        try crashEverywhere(workload) { run, operation, seed in
            run.losesPower = { (crash: Int) in (crash + operation) % 3 != 0 }
            var random = SplitMix64(seed: seed)
            let next = (0..<3).map { _ in Int.random(in: 0..<45, using: &random) }
            run.nextCrash = { crash in crash <= next.count ? next[crash - 1] : nil }
        }
    }

    /// Runs a workload undisturbed, and then once per file operation and seed with a crash there.
    private func crashEverywhere(
        _ workload: CrashWorkload, _ prepare: (inout CrashRun, _ operation: Int, _ seed: UInt64) -> Void
    ) throws {
        var calm = try CrashRun(workload)
        let expected = try calm.run(crashAtOperation: nil)
        #expect(expected.outcome.output.count >= 5, "a workload that shows something")
        #expect(calm.crashCount == 0)
        var crashes = 0
        // Each workload begins at another operation.
        let first = workload.name.utf8.reduce(0) { $0 &+ Int($1) } % Self.stride
        let operations = Swift.stride(from: first, to: expected.operations, by: Self.stride)
        for operation in operations {
            for number in 0..<Self.seedCount {
                let seed = UInt64(operation * 31 + number)
                var run = calm
                run.seed = seed
                prepare(&run, operation, seed)
                let found = Result { try run.run(crashAtOperation: operation).outcome }
                crashes += run.crashCount
                guard case .success(expected.outcome) = found else {
                    Issue.record("operation \(operation), seed \(seed): \(difference(found, expected.outcome))")
                    return
                }
            }
        }
        // Maintenance runs beside the query: the last few operations may not be reached in every run.
        #expect(crashes >= Array(operations).count * Self.seedCount * 8 / 10)
    }
}

/// A workload under the real supervisor, some steps at a time, with a file operation that fails.
private struct FailingRun {
    let workload: CrashWorkload
    let query: TestedQuery
    let pool = WorkerPool(width: 2)

    init(_ workload: CrashWorkload) throws {
        self.workload = workload
        query = try TestedQuery(workload.spec.text)
    }

    func run(_ plan: FaultPlan) throws -> (outcome: CrashOutcome, operations: Int, restarts: Int) {
        let disk = SimulatedFileSystem(plan: plan)
        let clock = SimulatedClock(pace: .byWaits)
        for first in stride(from: 0, to: workload.steps.count, by: 5) {
            for number in first..<min(first + 5, workload.steps.count) {
                workload.feed(disk, number)
            }
            let environment = QueryEnvironment(disk, clock: clock, pool: pool)
            let supervisor = QuerySupervisor(
                name: "q", policy: RestartPolicy(onFailure: .restart, isFinite: true), environment: environment
            ) { [query] _ in
                try query.makeQuery(environment)
            }
            supervisor.run()
            if supervisor.status != .finished { throw NotFinished(status: supervisor.status) }
        }
        return (CrashOutcome(disk), disk.operationCount, clock.waitedFor.count)
    }

    struct NotFinished: Error {
        var status: QueryStatus
    }
}

extension CrashTests {
    @Test(
        arguments: CrashWorkload.all.filter {
            ["left outer", "full outer", "no join"].contains($0.spec.type ?? "no join")
        })
    func `Any operation that fails once costs a restart at most, and changes nothing`(workload: CrashWorkload) throws {
        let run = try FailingRun(workload)
        let expected = try run.run(FaultPlan(seed: 0))
        #expect(expected.restarts == 0 && expected.outcome.output.count >= 3)
        var restarts = 0
        for operation in Swift.stride(from: 0, to: expected.operations, by: Self.stride) {
            var plan = FaultPlan(seed: UInt64(operation))
            plan.failures = [operation: operation % 2 == 0 ? EIO : ENOSPC]
            let found = Result { try run.run(plan) }
            restarts += (try? found.get().restarts) ?? 0
            guard (try? found.get().outcome) == expected.outcome else {
                Issue.record("\(plan): \(difference(found.map(\.outcome), expected.outcome))")
                return
            }
        }
        #expect(restarts > expected.operations / Self.stride / 2)
    }
}

/// What differs, for a person.
func difference(_ found: Result<CrashOutcome, any Error>, _ expected: CrashOutcome) -> String {
    switch found {
    case .failure(let error): return "\(error)"
    case .success(let outcome):
        let paths = Set(outcome.output.keys).union(expected.output.keys).sorted()
        let files = paths.filter { outcome.output[$0] != expected.output[$0] }.map { path in
            "\(path): \(outcome.output[path] ?? "(none)") instead of \(expected.output[path] ?? "(none)")"
        }
        if outcome.lastCommit == expected.lastCommit { return files.joined(separator: "\n") }
        return (files + ["\(outcome.lastCommit) instead of \(expected.lastCommit)"]).joined(separator: "\n")
    }
}

enum ProcessEnvironment {
    /// A number from the environment of the tests.
    static func integer(_ name: String) -> Int? {
        unsafe getenv(name).flatMap { unsafe Int(String(cString: $0)) }
    }
}

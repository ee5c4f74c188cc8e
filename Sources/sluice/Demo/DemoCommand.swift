// `sluice demo`: plays the seed scenario through the real spec reader, planner, engine, checkpoint and files, in a
// temporary folder, and shows what happens. It needs nothing and leaves nothing.

internal import SluiceEngine
internal import SluiceRuntime
internal import SluiceSpec
internal import SluiceSystem
internal import Synchronization

struct DemoCommand {
    private let files: any FileSystem
    private let clock: any Clock
    private let folder: String
    private let print: (String) -> Void

    init(files: any FileSystem, clock: any Clock, print: @escaping (String) -> Void) {
        self.files = files
        self.clock = clock
        self.print = print
        folder = "\(temporaryRoot())/sluice-demo-\(ProcessFacts.id)"
    }

    /// Returns whether all five rows came out, each at its step.
    func run() throws -> Bool {
        defer { removeAll(folder) }
        try files.makeFolders(folder)
        for file in ["visits.jsonl", "ads.jsonl"] { try write(file, []) }
        try write("spec.yaml", Array(SeedScenario.spec.utf8))
        let batches = Mutex<[QueryProgress]>([])
        let runner = try makeRunner { progress in batches.withLock { $0.append(progress) } }
        introduce()
        var isRight = true
        for (number, step) in SeedScenario.steps.enumerated() {
            print("")
            print("Step \(number + 1). \(step.words)")
            for input in step.inputs {
                print("  \(input.file) <- \(input.line)")
                try files.append("\(folder)/\(input.file)", Array("\(input.line)\n".utf8))
            }
            batches.withLock { $0.removeAll() }
            try runner.runPending()
            let rows = try batches.withLock { $0 }.flatMap { try show($0) }
            isRight = isRight && Set(rows) == SeedScenario.expected[number, default: []]
        }
        print("")
        print(isRight ? "All five rows came out as expected." : "Not all rows came out as expected: this is a bug.")
        return isRight
    }

    private func introduce() {
        print("Which ad was shown within 2 minutes of a visit? (left outer join, both sides may be 10 minutes late)")
        print("Times go in as UTC and come out in Europe/Paris. Files are in \(folder) while this runs.")
    }

    private func show(_ progress: QueryProgress) throws -> [String] {
        let watermark = progress.eventTime.map { utcText(millis: $0.watermarkMillis) } ?? "none"
        let rowsIn = "\(progress.inputRows) row\(progress.inputRows == 1 ? "" : "s") in"
        let kind = progress.inputRows > 0 ? rowsIn : "no data, the watermark moved"
        let stateRows = progress.stateRowsTotal
        print("  batch \(progress.batchID): \(kind); watermark \(watermark); \(stateRows) rows in state")
        let path = "\(folder)/out/\(BatchFileName(batch: progress.batchID, fileExtension: "jsonl"))"
        guard progress.outputRows > 0 else { return [] }
        let rows = String(decoding: try files.readAll(path), as: UTF8.self).split(separator: "\n").map(String.init)
        for row in rows { print("    -> \(row)") }
        return rows
    }

    private func makeRunner(report: @escaping @Sendable (QueryProgress) -> Void) throws -> QueryRunner {
        let loaded = try SpecLoader(fileSystem: files, environment: { _ in nil }).load(["\(folder)/spec.yaml"])
        guard let spec = loaded.spec, let planned = loaded.plans.first, !loaded.hasErrors else {
            throw DemoError(description: "the demo's own spec is refused: \(loaded.diagnostics)")
        }
        let environment = QueryEnvironment(
            fileSystem: files, clock: clock, pool: WorkerPool(width: 1), zones: systemTimeZones(files), log: .none,
            report: report)
        let query = try QuerySet.makeQuery(planned, spec: spec, options: QuerySetOptions(), environment: environment)
        return try QueryRunner(
            query, environment: environment, runID: randomUUID(), wakeup: Wakeup(), shouldStop: { false })
    }

    private func write(_ name: String, _ bytes: [UInt8]) throws {
        try files.append("\(folder)/\(name)", bytes)
    }
}

struct DemoError: Error, CustomStringConvertible {
    var description: String
}

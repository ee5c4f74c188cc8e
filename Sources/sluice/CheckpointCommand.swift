// `sluice checkpoint`: what a person does to a query's checkpoint by hand, while the query does not run.

internal import SluiceRuntime
internal import SluiceSpec
internal import SluiceSystem

struct CheckpointCommand {
    private let options: CheckpointCommandOptions
    private let files: any FileSystem
    private let clock: any Clock
    private let output: ErrorOutput

    init(_ options: CheckpointCommandOptions, files: any FileSystem, clock: any Clock, output: ErrorOutput) {
        self.options = options
        self.files = files
        self.clock = clock
        self.output = output
    }

    /// The exit code: 0 when it is done, 1 when it cannot be, 2 for wrong usage.
    func run() throws -> Int32 {
        let loaded = try SpecLoader(fileSystem: files, environment: environmentVariable).load([options.spec])
        output.say(loaded.diagnostics, loaded.lines)
        guard let spec = loaded.spec, !loaded.hasErrors else { return 1 }
        let names = loaded.plans.map(\.spec.name.value)
        guard let planned = loaded.plans.first(where: { $0.spec.name.value == options.query }) else {
            let meant = nearest(to: options.query, in: names).map { ", did you mean `\($0)`?" } ?? ""
            output.error("--query: there is no query `\(options.query)`\(meant)")
            return 2
        }
        var places = QuerySetOptions()
        places.checkpointRoot = options.checkpoint
        let environment = QueryEnvironment(
            fileSystem: files, clock: clock, pool: WorkerPool(width: ProcessFacts.processorCount),
            zones: systemTimeZones(files), log: .none, report: { _ in })
        switch options.action {
        case .replan:
            let batch = try QuerySet.forgetPlannedBatch(planned, spec: spec, options: places, environment: environment)
            printLine(
                "batch \(batch) of \(options.query) is forgotten; the next start plans it anew, with the limits that "
                    + "the spec has now")
        }
        return 0
    }
}

// `sluice explain`: the plans of a spec's queries, and what their state holds and for how long.

internal import SluiceCheckpoint
internal import SluicePlan
internal import SluiceRuntime
internal import SluiceSpec
internal import SluiceSystem

struct ExplainCommand {
    private let options: ExplainOptions
    private let files: any FileSystem

    init(_ options: ExplainOptions, files: any FileSystem) {
        self.options = options
        self.files = files
    }

    /// The exit code: 1 when the spec has errors.
    func run() throws -> Int32 {
        let loaded = try SpecLoader(fileSystem: files, environment: environmentVariable).load([options.spec])
        for diagnostic in loaded.diagnostics where diagnostic.severity != .hint {
            printError(diagnostic.rendered(lines: loaded.lines))
        }
        if loaded.hasErrors { return 1 }
        let results = loaded.plans.map { plan in
            var result = plan.result
            let folder = SchemaFolder(checkpoint: plan.spec.checkpoint, fileSystem: files, log: .none)
            result.schemasMet = folder.met()
            return result
        }
        switch options.format {
        case .text: printLine(Explanation.text(results))
        case .json: printLine(Explanation.json(results))
        case .dot: printLine(Explanation.dot(results))
        }
        return 0
    }
}

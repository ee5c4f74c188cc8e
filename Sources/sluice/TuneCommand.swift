// `sluice tune`: what other trigger intervals would bring a query, from what its checkpoint says of its batches.

internal import SluiceAdvice
internal import SluiceCheckpoint
internal import SluiceRuntime
internal import SluiceSpec
internal import SluiceSystem
internal import Synchronization

struct TuneCommand {
    private let options: TuneOptions
    private let files: any FileSystem
    private let clock: any Clock

    init(_ options: TuneOptions, files: any FileSystem, clock: any Clock) {
        self.options = options
        self.files = files
        self.clock = clock
    }

    /// The exit code: 0 when there is an answer, 1 when the spec has errors or the checkpoint cannot be read, 2 for
    /// wrong usage.
    func run() throws -> Int32 {
        let question: (latency: Int64?, intervals: [Int64])
        do throws(TriggerProblem) { question = try parsedQuestion() } catch { return wrongUsage("\(error)") }
        let loaded = try SpecLoader(fileSystem: files, environment: environmentVariable).load([options.spec])
        for diagnostic in loaded.diagnostics where diagnostic.severity != .hint {
            printError(diagnostic.rendered(lines: loaded.lines))
        }
        guard let spec = loaded.spec, !loaded.hasErrors else { return 1 }
        let names = loaded.plans.map(\.spec.name.value)
        guard let planned = loaded.plans.first(where: { $0.spec.name.value == options.query }) else {
            let meant = nearest(to: options.query, in: names).map { ", did you mean `\($0)`?" } ?? ""
            return wrongUsage("--query: there is no query `\(options.query)`\(meant)")
        }
        let advice = try advice(
            planned, spec,
            TriggerQuestion(
                trigger: planned.spec.trigger.value, latencyMicros: question.latency,
                intervalsMicros: question.intervals))
        switch options.format {
        case .json: printLine(spec.secretMask.hide(advice.json))
        case .text: printLine(spec.secretMask.hide(advice.text))
        }
        return 0
    }

    private func advice(_ planned: PlannedQuery, _ spec: Spec, _ question: TriggerQuestion) throws -> TriggerAdvice {
        var places = QuerySetOptions()
        places.checkpointRoot = options.checkpoint
        let folder = places.checkpointFolder(planned.spec)
        guard options.replays else {
            return try .fromCheckpoint(
                planned, spec: spec, CheckpointReader(folder: folder, fileSystem: files), question: question)
        }
        let environment = QueryEnvironment(
            fileSystem: files, clock: clock, pool: WorkerPool(width: ProcessFacts.processorCount),
            zones: systemTimeZones(files), log: .none, report: { _ in })
        // What was replayed until then is an answer, and the replay's folder has to go.
        let isStopping = Atomic<Bool>(false)
        _ = handleSignals { _ in isStopping.store(true, ordering: .sequentiallyConsistent) }
        return try .fromReplay(
            ReplayRequest(planned: planned, spec: spec, folder: folder, environment: environment) {
                isStopping.load(ordering: .sequentiallyConsistent)
            }, question: question)
    }

    private func parsedQuestion() throws(TriggerProblem) -> (latency: Int64?, intervals: [Int64]) {
        var intervals: [Int64] = []
        for text in options.intervals?.split(separator: ",", omittingEmptySubsequences: false) ?? [] {
            intervals.append(try interval(String(text), of: "--intervals"))
        }
        let latency: Int64?
        if let text = options.latency { latency = try interval(text, of: "--latency") } else { latency = nil }
        return (latency, intervals)
    }

    private func interval(_ text: String, of option: String) throws(TriggerProblem) -> Int64 {
        do throws(TriggerProblem) {
            if case .interval(let micros) = try TriggerSpec(text: text) { return micros }
        } catch { throw TriggerProblem("\(option): \(error)") }
        throw TriggerProblem("\(option): `\(text)` is no duration")
    }

    private func wrongUsage(_ message: String) -> Int32 {
        printError("error: \(message)")
        return 2
    }
}

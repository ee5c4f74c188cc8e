// What-if replay: the batches of the past again, cut by another trigger. The real engine reads the real input with
// state as it was, writes a checkpoint of its own, and waits for nothing but the disk.

internal import SluiceCheckpoint
internal import SluiceConnectors
internal import SluiceEngine
internal import SluicePlan
package import SluiceRuntime
internal import SluiceSimulation
package import SluiceSpec
internal import SluiceSystem

/// A stretch of a query's past, ready to be run at any trigger. Owns a folder, which goes with `remove`.
final class TriggerReplay {
    /// The batch whose state it begins with, and the last one whose arrivals it has.
    let startBatch: Int64
    let endBatch: Int64
    private let planned: PlannedQuery
    private let spec: Spec
    private let environment: QueryEnvironment
    private let folder: String
    /// Says that the folder is in use.
    private let lock: any FolderLock
    private let records: [OffsetsEntry]
    /// What the query's own sink takes to make a batch visible.
    private let visibleMicros: Int64
    /// Why it does not begin earlier, where the input is the reason.
    private(set) var missing: String?
    private let shouldStop: @Sendable () -> Bool
    private var runCount = 0

    private init(
        _ request: ReplayRequest, folder: String, lock: any FolderLock, startBatch: Int64, records: [OffsetsEntry],
        visibleMicros: Int64
    ) {
        self.lock = lock
        (planned, spec, environment) = (request.planned, request.spec, request.environment)
        (self.folder, self.startBatch) = (folder, startBatch)
        let times = withoutStepsBack(records.map(\.batchTimeMillis))
        self.records = zip(records, times).map { record, millis in
            var record = record
            record.batchTimeMillis = millis
            return record
        }
        (self.visibleMicros, shouldStop) = (visibleMicros, request.shouldStop)
        endBatch = records.last?.batch ?? startBatch
    }

    /// Removes what the replay has written.
    func remove() { removeAll(folder) }

    /// From the trigger of the first batch to that of the last, in microseconds.
    var spanMicros: Double {
        guard let first = records.first, let last = records.last else { return 0 }
        return Double(last.batchTimeMillis - first.batchTimeMillis) * 1000
    }

    // MARK: Preparing

    /// Copies the checkpoint as of the oldest batch that is there in full and whose followers can still be read.
    static func prepare(_ request: ReplayRequest) throws -> TriggerReplay {
        let (files, checkpoint) = (request.environment.fileSystem, request.folder)
        var records: [OffsetsEntry] = []
        var visible: [Double] = []
        let names = try request.planned.result.physical.flatMap { plan in
            try request.checkpoint.metadata().map { PartitionNames(plan, $0.fingerprint) }
        }
        for (offsets, commit) in try request.checkpoint.committedBatches() {
            records.append(names?.renamed(offsets) ?? offsets)
            if let cost = commit.cost { visible.append(Double(cost.visibleMicros)) }
        }
        // Only an unbroken run of batches says what arrived when.
        let breaks = zip(records, records.dropFirst()).filter { $1.batch != $0.batch + 1 }
        if let last = breaks.last { records.removeAll { $0.batch < last.1.batch } }
        let unreadable = try request.lastUnreadable(records)
        // Beside the checkpoint: durable writes are to go to the same disk.
        let folder = "\(checkpoint)\(folderMark)\(ProcessFacts.id)"
        removeLeftovers(checkpoint, files)
        try files.makeFolders(folder)
        guard let lock = try files.lock(folder: folder, note: nil) else { throw ReplayProblem("\(folder) is in use") }
        do {
            let fork = CheckpointFork(folder: checkpoint, fileSystem: files)
            let first = max(records.first?.batch ?? 0, unreadable?.batch ?? 0)
            let start = try fork.copy(from: first, to: "\(folder)/start")
            records.removeAll { $0.batch < start ?? .max }
            guard let start, records.count > ReplayRequest.batchCountMin else {
                throw ReplayProblem(unreadable?.reason ?? "the checkpoint keeps too few batches")
            }
            let replay = TriggerReplay(
                request, folder: folder, lock: lock, startBatch: start, records: records,
                visibleMicros: Int64(median(visible)))
            replay.missing = unreadable?.reason
            return replay
        } catch {
            removeAll(folder)
            throw error
        }
    }

    private static let folderMark = ".replay-"

    /// Removes what replays have left whose process was killed: nobody has a lock on it.
    private static func removeLeftovers(_ checkpoint: String, _ files: any FileSystem) {
        let place = parentFolder(of: checkpoint)
        let mark = (checkpoint.split(separator: "/").last ?? "") + folderMark
        for name in (try? files.list(place)) ?? [] where name.hasPrefix(mark) {
            let path = "\(place)/\(name)"
            guard name.dropFirst(mark.count).allSatisfy({ ("0"..."9").contains($0) }), isReplay(path, files),
                let lock = try? files.lock(folder: path, note: nil)
            else { continue }
            withExtendedLifetime(lock) { removeAll(path) }
        }
    }

    /// Whether a folder has nothing in it but what a replay puts there: a copy of a checkpoint may have such a name.
    private static func isReplay(_ path: String, _ files: any FileSystem) -> Bool {
        guard let names = try? files.list(path) else { return false }
        return names.allSatisfy { ["lock", "start"].contains($0) || $0.hasPrefix("run-") }
    }

    // MARK: Running

    /// Runs at one trigger until the past is over or so much time is spent.
    func run(_ trigger: TriggerSpec, budgetSeconds: Double) throws -> ReplayRun {
        runCount += 1
        let own = "\(folder)/run-\(runCount)"
        defer { removeAll(own) }
        let copy = CheckpointFork(folder: "\(folder)/start", fileSystem: environment.fileSystem)
        guard try copy.copy(from: 0, to: "\(own)/checkpoint") != nil else { throw ReplayProblem("the copy is gone") }
        let clock = SimulatedClock(wallMillis: records[0].batchTimeMillis, pace: .byWork)
        let machine = SystemClock()
        let machineStart = machine.monotonicNanos
        var environment = environment
        environment.clock = clock
        environment.log = .none
        let query = try makeQuery(trigger, environment, clock, folder: own)
        let collector = ReplayCollector(trigger, sources: query.sources.compactMap { $0 as? ReplaySource })
        environment.report = { collector.run.add($0, collector.sources) }
        let end = records[records.count - 1].batchTimeMillis
        let stop = shouldStop
        let runner = try QueryRunner(query, environment: environment, runID: "replay", wakeup: Wakeup()) {
            stop() || clock.wallMillis >= end
                || Double(machine.monotonicNanos - machineStart) > budgetSeconds * 1e9
        }
        let began = clock.wallMicros
        try runner.run()
        collector.run.simulatedMicros = Double(clock.wallMicros - began)
        collector.run.isCut = clock.wallMillis < end
        return collector.run
    }

    private func makeQuery(
        _ trigger: TriggerSpec, _ environment: QueryEnvironment, _ clock: SimulatedClock, folder: String
    ) throws -> RunnableQuery {
        var options = QuerySetOptions()
        options.trigger = trigger
        var query = try QuerySet.makeQuery(
            planned, spec: spec, options: options, environment: environment, shouldStop: shouldStop)
        query.checkpointFolder = "\(folder)/checkpoint"
        query.keepsTables = true
        query.sources = zip(zip(query.plan.inputs, query.sources), query.positionsAreHistory).map { pair, isWhole in
            let (input, source) = pair
            return ReplaySource(
                source, log: ArrivalLog(records, source: input.source, isWhole: isWhole), clock: clock,
                lines: !isWhole && input.topics == nil ? environment.fileSystem : nil)
        }
        query.sinks = query.plan.output.sinks.enumerated().map { index, output in
            sink(output, index, query.plan, environment, clock, folder: folder)
        }
        return query
    }

    private func sink(
        _ output: OutputSink, _ index: Int, _ plan: PhysicalPlan, _ environment: QueryEnvironment,
        _ clock: SimulatedClock, folder: String
    ) -> any Sink {
        guard var sink = spec.sinks.first(where: { $0.name.value == output.name }), sink.connector.folder != nil
        else { return NullSink(clock: clock, commitMicros: visibleMicros) }
        let folder = "\(folder)/out-\(index)"
        sink.connector = sink.connector.writing(folder: folder)
        let connectors = ConnectorEnvironment(
            query: plan.query, group: "", fileSystem: environment.fileSystem, clock: clock, log: .none)
        let sinks = makeSinks(
            [(sink, plan.output.csvHeader(output.format), output.schema)], sourceTopics: [], in: connectors)
        return PassingFileSink(sinks[0], folder: folder, fileSystem: environment.fileSystem)
    }
}

/// Takes in what a replay reports.
private final class ReplayCollector: @unchecked Sendable {
    // @unchecked: reports come on the thread that runs the replay, and nothing else looks at it before it has ended.
    var run: ReplayRun
    let sources: [ReplaySource]

    init(_ trigger: TriggerSpec, sources: [ReplaySource]) {
        run = ReplayRun(trigger: trigger)
        self.sources = sources
    }
}

/// Why there is no replay.
struct ReplayProblem: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}

/// Whose past, and how to read it.
package struct ReplayRequest {
    package var planned: PlannedQuery
    package var spec: Spec
    /// The query's own checkpoint; only read.
    package var folder: String
    package var environment: QueryEnvironment
    package var shouldStop: @Sendable () -> Bool

    /// Fewer batches to arrive in are no past to speak of.
    static let batchCountMin = 3

    package init(
        planned: PlannedQuery, spec: Spec, folder: String, environment: QueryEnvironment,
        shouldStop: @escaping @Sendable () -> Bool
    ) {
        self.planned = planned
        self.spec = spec
        self.folder = folder
        self.environment = environment
        self.shouldStop = shouldStop
    }
}

extension ReplayRequest {
    /// The query's own.
    var checkpoint: CheckpointReader { CheckpointReader(folder: folder, fileSystem: environment.fileSystem) }

    /// The newest batch that read what its source does not have any more, and that in words; nil when all is there.
    fileprivate func lastUnreadable(_ records: [OffsetsEntry]) throws -> (batch: Int64, reason: String)? {
        var environment = environment
        environment.log = .none
        let query = try QuerySet.makeQuery(
            planned, spec: spec, options: QuerySetOptions(), environment: environment, shouldStop: shouldStop)
        var last: (batch: Int64, reason: String)?
        for (input, source) in zip(query.plan.inputs, query.sources) {
            let batches = records.map { record in
                (record.batch, (record.sources.first { $0.source == input.source }?.ranges ?? []))
            }
            let partitions = Set(batches.flatMap { $0.1.map(\.partition) })
            let readable = try source.readable(partitions.sorted())
            let missing = batches.last { _, ranges in
                ranges.contains { range in
                    guard range.end > range.start else { return false }
                    guard let there = readable[range.partition] else { return true }
                    return range.start < there.lowerBound || range.end > there.upperBound
                }
            }
            if let missing, last.map({ missing.0 > $0.batch }) ?? true {
                let reason = "the source \(input.source) does not have any more what batch \(missing.0) read"
                last = (missing.0, reason)
            }
        }
        return last
    }
}

/// What a replay at one trigger has shown.
struct ReplayRun {
    let trigger: TriggerSpec
    private(set) var records: [BatchRecord] = []
    private(set) var latencies = WeightedQuantiles()
    /// What is to be added to latencies.
    private var shiftMicros = 0.0
    var simulatedMicros = 0.0
    /// True when there was no time for all of it.
    var isCut = false

    init(trigger: TriggerSpec) { self.trigger = trigger }

    mutating func add(_ progress: QueryProgress, _ sources: [ReplaySource]) {
        let record = BatchRecord(progress)
        records.append(record)
        // The first one finds everything cold.
        guard records.count > 1 else { return }
        let visible = Double(record.timeMillis) * 1000 + Double(progress.cost.resultMicros)
        for (source, counters) in zip(sources, progress.sources) {
            source.addLatencies(
                to: &latencies, visibleMicros: visible, weight: Double(counters.inputRows), number: records.count)
        }
    }

    /// The same batches as the query would have run them.
    func calibrated(_ calibration: ReplayCalibration) -> ReplayRun {
        var run = self
        let before = median(records.compactMap { $0.cost.map { Double($0.resultMicros) } })
        for index in records.indices { run.records[index].cost = records[index].cost.map(calibration.applied) }
        run.shiftMicros = before * (calibration.time - 1)
        return run
    }

    /// As measured; what is to be is the forecaster's. nil when there were too few batches.
    func forecast(_ forecaster: Forecaster) -> TriggerForecast? {
        let costs = records.dropFirst().compactMap(\.cost)
        guard costs.count >= CostModel.batchCountMin, let latency = latencies.quantiles([0.5, 0.99]) else { return nil }
        let batch = median(costs.map { Double($0.resultMicros) })
        let hours = simulatedMicros / 3.6e9
        return TriggerForecast(
            trigger: trigger, batchMicros: batch, utilisation: trigger.intervalMicros.map { batch / $0 },
            latency: TriggerForecast.Latency(
                p50Micros: latency[0] + shiftMicros, p99Micros: latency[1] + shiftMicros),
            // What libraries' threads use while nothing happens has not passed in a replay.
            cpuShare: costs.reduce(0) { $0 + Double($1.processorMicros) } / simulatedMicros
                + forecaster.connectors.share(batchCount: costs.count, micros: simulatedMicros),
            checkpointBytesPerHour: costs.reduce(0) { $0 + Double($1.checkpointBytes) } / hours
                + forecaster.mergedBytesPerHour(batchesPerHour: Double(costs.count) / hours),
            batchesPerHour: Double(costs.count) / hours, catchUpSeconds: forecaster.catchUpSeconds(trigger),
            isStable: forecaster.isStable(trigger))
    }
}

// What another interval would bring: the arrivals that were seen, run through the triggers of that interval with the
// batch times of the model. Waiting, queueing behind a batch that overruns and skipped triggers come out by themselves,
// because the triggers are the runner's own schedule.

internal import SluiceRuntime
package import SluiceSpec

/// What a query would do at one trigger.
package struct TriggerForecast: Hashable, Sendable {
    package struct Latency: Hashable, Sendable {
        package var p50Micros: Double
        package var p99Micros: Double
    }

    package var trigger: TriggerSpec
    /// Of an ordinary batch, from its trigger to visible output.
    package var batchMicros: Double
    /// The batch's share of the interval; above 1 it overruns. nil for a trigger without an interval.
    package var utilisation: Double?
    /// From a row's arrival to its batch's output.
    package var latency: Latency
    /// Processor seconds a second.
    package var cpuShare: Double
    package var checkpointBytesPerHour: Double
    package var batchesPerHour: Double
    /// After an hour's stop; nil when it never catches up.
    package var catchUpSeconds: Double?
    /// At twice the rate, a batch still ends well before the next trigger.
    package var isStable: Bool
}

/// Makes forecasts from one query's past. A value; pure.
package struct Forecaster: Sendable {
    package var model: CostModel
    package var arrivals: ArrivalCurve
    /// What a source's limit per trigger holds, in seconds of today's arrivals; nil without a limit.
    package var limitSeconds: Double?
    /// Whether a batch that moved the watermark makes one without rows due.
    package var evicts: Bool
    /// nil without state.
    package var life: StateLife?
    /// Of threads that connectors' libraries have.
    package var connectors: ConnectorCost

    /// At twice today's rate a batch may take this share of the interval.
    package static let stableUtilisationMax = 0.8
    /// How much the recorded load is multiplied by for `stable`.
    package static let stableLoad = 2.0
    private static let triggersMin = 200.0
    private static let triggersMax = 20_000.0

    package init(
        model: CostModel, arrivals: ArrivalCurve, limitSeconds: Double?, evicts: Bool, life: StateLife? = nil,
        connectors: ConnectorCost = ConnectorCost()
    ) {
        self.life = life
        self.connectors = connectors
        self.model = model
        self.arrivals = arrivals
        self.limitSeconds = limitSeconds
        self.evicts = evicts
    }

    package func forecast(_ trigger: TriggerSpec) -> TriggerForecast {
        var run = ForecastRun(self, TriggerSchedule(trigger))
        for part in parts(intervalMicros: max(1000, trigger.intervalMicros ?? 1000)) {
            run.run(from: part.lowerBound, to: part.upperBound)
        }
        let batch = median(run.batchMicros)
        let latency = run.latencies.quantiles([0.5, 0.99]) ?? [batch, batch]
        let hours = run.simulatedMicros / 3.6e9
        return TriggerForecast(
            trigger: trigger, batchMicros: batch, utilisation: trigger.intervalMicros.map { batch / $0 },
            latency: TriggerForecast.Latency(p50Micros: latency[0], p99Micros: latency[1]),
            cpuShare: run.processorMicros / run.simulatedMicros
                + connectors.share(batchCount: run.batchMicros.count, micros: run.simulatedMicros),
            checkpointBytesPerHour: run.checkpointBytes / hours
                + mergedBytesPerHour(batchesPerHour: Double(run.batchMicros.count) / hours),
            batchesPerHour: Double(run.batchMicros.count) / hours, catchUpSeconds: catchUpSeconds(trigger),
            isStable: isStable(trigger))
    }

    /// What maintenance writes again of today's rows.
    func mergedBytesPerHour(batchesPerHour: Double) -> Double {
        guard let life, batchesPerHour > 0 else { return 0 }
        let rows = arrivals.rowsPerSecond * 3600
        return rows * model.checkpointBytesPerRow * life.rewrites(periodMicros: 3.6e9 / batchesPerHour)
    }

    /// The past, over and over until there are enough triggers; of a long past and a short interval, parts from all
    /// over it.
    private func parts(intervalMicros: Double) -> [Range<Double>] {
        let span = max(arrivals.spanMicros, Self.triggersMin * intervalMicros)
        let most = Self.triggersMax * intervalMicros
        if span <= most { return [0..<span] }
        return (0..<8).map { index in
            let start = span * Double(index) / 8
            return start..<(start + most / 8)
        }
    }

    /// Rows one trigger takes at most.
    var limitRows: Double { limitSeconds.map { $0 * arrivals.rowsPerSecond } ?? .infinity }

    /// Whether twice today's rows still fit the interval, with the doubt that the model has about batches of that size.
    func isStable(_ trigger: TriggerSpec) -> Bool {
        guard let interval = trigger.intervalMicros else {
            // Back to back: batches grow until what is fixed is shared by enough rows, unless rows alone are too much.
            return model.meanMicros(rows: 2 * Self.stableLoad * arrivals.rowsPerSecond)
                - model.meanMicros(rows: Self.stableLoad * arrivals.rowsPerSecond)
                < Self.stableUtilisationMax * 1e6
        }
        let rows = Self.stableLoad * arrivals.rowsPerSecond * interval / 1e6
        let micros = model.meanMicros(rows: rows) + model.tailMicros + 2 * model.errorMicros(rows: rows)
        return rows <= limitRows && micros <= Self.stableUtilisationMax * interval
    }

    /// From batch to batch, when nothing has piled up: the interval, or a batch that takes longer. nil when each is
    /// longer than the one before.
    private func ordinaryPeriodMicros(_ trigger: TriggerSpec) -> Double? {
        let interval = trigger.intervalMicros ?? 0
        var period = interval
        for _ in 0..<200 {
            let rows = arrivals.rowsPerSecond * period / 1e6
            let next = max(interval, model.meanMicros(rows: rows) + model.tailMicros)
            if rows > limitRows || next > 3.6e9 { return nil }
            if abs(next - period) < 0.01 * next { return next }
            period = next
        }
        return nil
    }

    /// How long until batches are ordinary again after an hour's rows have piled up.
    func catchUpSeconds(_ trigger: TriggerSpec) -> Double? {
        let schedule = TriggerSchedule(trigger)
        let perMicro = arrivals.rowsPerSecond / 1e6
        guard let ordinaryMicros = ordinaryPeriodMicros(trigger) else { return nil }
        let ordinary = max(1, 1.5 * perMicro * ordinaryMicros)
        var waiting = perMicro * 3.6e9
        var now = 0.0
        for _ in 0..<100_000 {
            let taken = min(waiting, limitRows)
            waiting -= taken
            let end = now + model.meanMicros(rows: taken) + model.tailMicros
            let next = schedule.next(startMicros: now, didRunBatch: true, nowMicros: end)
            waiting += perMicro * (next - now)
            now = next
            if waiting <= ordinary { return end / 1e6 }
            // Nothing that takes longer than this is of use to anybody.
            if now > 1e6 * 3600 * 24 * 7 { return nil }
        }
        return nil
    }
}

/// One interval's triggers over the arrivals.
private struct ForecastRun {
    private let forecaster: Forecaster
    private let schedule: TriggerSchedule
    private(set) var batchMicros: [Double] = []
    private(set) var latencies = WeightedQuantiles()
    private(set) var simulatedMicros = 0.0
    private(set) var processorMicros = 0.0
    private(set) var checkpointBytes = 0.0
    private var number = 0

    init(_ forecaster: Forecaster, _ schedule: TriggerSchedule) {
        self.forecaster = forecaster
        self.schedule = schedule
    }

    mutating func run(from start: Double, to end: Double) {
        let (arrivals, model) = (forecaster.arrivals, forecaster.model)
        var now = start
        var taken = arrivals.rows(atMicros: start).rounded(.down)
        var isNoDataDue = false
        while now < end {
            let arrived = arrivals.rows(atMicros: now).rounded(.down)
            let rows = min(arrived - taken, forecaster.limitRows)
            let didRun = rows >= 1 || isNoDataDue
            var free = now
            if didRun {
                let micros = model.drawMicros(rows: rows, number: number)
                addLatencies(rows: taken..<(taken + rows), visibleMicros: now + micros)
                batchMicros.append(micros)
                processorMicros += model.processorMicros(rows: rows)
                checkpointBytes += model.checkpointBytes(rows: rows)
                free = now + micros + model.tailMicros
                taken += rows
                number += 1
            }
            isNoDataDue = forecaster.evicts && rows >= 1
            let next = schedule.next(startMicros: now, didRunBatch: didRun, nowMicros: free)
            simulatedMicros += next - now
            now = next
        }
    }

    /// Rows spread over the batch stand for all of it, each batch's at other places.
    private mutating func addLatencies(rows: Range<Double>, visibleMicros: Double) {
        let count = rows.upperBound - rows.lowerBound
        guard count > 0 else { return }
        let samples = 4
        for sample in 0..<samples {
            let place = (Double(sample) + (Double(number) * 0.618_034).truncatingRemainder(dividingBy: 1))
            let row = rows.lowerBound + count * place / Double(samples)
            latencies.add(visibleMicros - forecaster.arrivals.micros(atRows: row), weight: count / Double(samples))
        }
    }
}

extension TriggerSchedule {
    /// As `nextMillis`, in microseconds: when the next trigger fires, `nowMicros` when it does at once. Waits end at
    /// whole milliseconds, as the runner's do.
    func next(startMicros: Double, didRunBatch: Bool, nowMicros: Double) -> Double {
        let next = nextMillis(
            startMillis: Int64(startMicros / 1000), didRunBatch: didRunBatch, nowMillis: Int64(nowMicros / 1000))
        return max(nowMicros, next.map { Double($0) * 1000 } ?? nowMicros)
    }
}

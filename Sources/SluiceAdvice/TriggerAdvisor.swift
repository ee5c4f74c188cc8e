// From a query's last batches to advice. Pure: records and facts in, advice out.

internal import SluiceCheckpoint
internal import SluicePlan
internal import SluiceRuntime
package import SluiceSpec

/// What somebody wants to know.
package struct TriggerQuestion: Hashable, Sendable {
    /// The trigger in force.
    package var trigger: TriggerSpec
    /// 99 of 100 rows are to be out within this time.
    package var latencyMicros: Int64?
    /// To be looked at beside the usual ones.
    package var intervalsMicros: [Int64] = []

    package init(trigger: TriggerSpec, latencyMicros: Int64? = nil, intervalsMicros: [Int64] = []) {
        self.trigger = trigger
        self.latencyMicros = latencyMicros
        self.intervalsMicros = intervalsMicros
    }
}

/// What advice has to know of a query besides its batches.
package struct QueryFacts: Hashable, Sendable {
    package var query: String
    package var limit: SourceLimit?
    /// Whether state leaves by the watermark.
    package var evicts: Bool
    /// 0 without state.
    package var stateShards: Int
    /// nil without state.
    package var life: StateLife?
    /// What no trigger changes, in sentences.
    package var certainties: [String]

    package init(
        query: String, limit: SourceLimit? = nil, evicts: Bool = true, stateShards: Int = 0, life: StateLife? = nil,
        certainties: [String] = []
    ) {
        self.life = life
        self.query = query
        self.stateShards = stateShards
        self.limit = limit
        self.evicts = evicts
        self.certainties = certainties
    }
}

/// Weighs intervals against each other.
package struct TriggerAdvisor {
    let facts: QueryFacts
    let question: TriggerQuestion
    private let records: [BatchRecord]

    package init(_ records: [BatchRecord], facts: QueryFacts, question: TriggerQuestion) {
        self.facts = facts
        self.question = question
        self.records = records.sorted { $0.batch < $1.batch }
    }

    package func advice() -> TriggerAdvice {
        guard let forecaster else {
            return TriggerAdvice(
                query: facts.query, trigger: question.trigger, reasons: [missing] + facts.certainties)
        }
        let candidates = candidateTriggers.map { forecaster.forecast($0) }
        return advice(
            forecaster,
            current: measured(question.trigger, forecaster) ?? candidates.first { $0.trigger == question.trigger },
            candidates: candidates)
    }

    /// nil when the records do not say enough.
    var forecaster: Forecaster? {
        guard let model = CostModel(records, stateShards: facts.stateShards), let arrivals = ArrivalCurve(records)
        else { return nil }
        return Forecaster(
            model: model, arrivals: arrivals, limitSeconds: facts.limit?.seconds, evicts: facts.evicts,
            life: facts.life, connectors: ConnectorCost(records))
    }

    /// Chooses among candidates, however they were come by.
    func advice(
        _ forecaster: Forecaster, current: TriggerForecast?, candidates: [TriggerForecast], notes: [String] = []
    ) -> TriggerAdvice {
        let choice = choose(candidates)
        let words = AdviceWords(
            forecaster: forecaster, records: records, facts: facts, question: question, candidates: candidates,
            current: current)
        return TriggerAdvice(
            query: facts.query, trigger: question.trigger, current: current, candidates: candidates,
            recommended: choice?.trigger, reasons: words.reasons(choice) + notes + facts.certainties)
    }

    // MARK: Candidates

    private static let usualMillis: [Int64] = [
        10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000,
        1_800_000, 3_600_000,
    ]

    /// From a thousandth of today's interval to six times as long, today's own, and those that were asked for.
    var candidateTriggers: [TriggerSpec] {
        let today = question.trigger.intervalMicros.map { Int64($0) }
        let center = today ?? 1_000_000
        var intervals = Set(Self.usualMillis.map { $0 * 1000 }.filter { $0 >= center / 1000 && $0 / 6 <= center })
        intervals.formUnion(question.intervalsMicros)
        if let today { intervals.insert(today) }
        let triggers = intervals.sorted().map { TriggerSpec.interval(micros: $0) }
        return question.trigger == .asFastAsPossible ? [.asFastAsPossible] + triggers : triggers
    }

    // MARK: Choosing

    /// The shortest interval that is stable; with a wanted latency, of those that meet it the one that costs least,
    /// or the quickest when none does.
    private func choose(_ candidates: [TriggerForecast]) -> TriggerForecast? {
        let stable = candidates.filter { $0.isStable && $0.trigger.intervalMicros != nil }
        guard let latencyMicros = question.latencyMicros else { return stable.first }
        let meeting = stable.filter { $0.latency.p99Micros <= Double(latencyMicros) }
        return meeting.min { ($0.cpuShare, $0.checkpointBytesPerHour) < ($1.cpuShare, $1.checkpointBytesPerHour) }
            ?? stable.min { $0.latency.p99Micros < $1.latency.p99Micros }
    }

    // MARK: Today

    /// The interval that the last batch ran at: another than the spec's where somebody has set one by hand.
    var lastTrigger: TriggerSpec? {
        records.last?.cost.flatMap { $0.intervalMicros > 0 ? .interval(micros: $0.intervalMicros) : nil }
    }

    /// What the batches that ran at a trigger have shown; nil when they are too few.
    func measured(_ trigger: TriggerSpec, _ forecaster: Forecaster) -> TriggerForecast? {
        let interval = trigger.intervalMicros.map { Int64($0) } ?? 0
        var (latencies, batches) = (WeightedQuantiles(), [Double]())
        var (spanMicros, processorMicros, bytes) = (0.0, 0.0, 0.0)
        for (before, record) in zip(records, records.dropFirst()) {
            guard let cost = record.cost, cost.intervalMicros == interval, record.timeMillis > before.timeMillis else {
                continue
            }
            let waited = Double(record.timeMillis - before.timeMillis) * 1000
            batches.append(Double(cost.resultMicros))
            spanMicros += waited
            processorMicros += Double(cost.processorMicros + cost.connectorMicros)
            bytes += Double(cost.checkpointBytes)
            for sample in 0..<16 {
                let age = waited * (Double(sample) + 0.5) / 16
                latencies.add(age + Double(cost.resultMicros), weight: Double(record.inputRows) / 16)
            }
        }
        guard batches.count >= CostModel.batchCountMin, let latency = latencies.quantiles([0.5, 0.99]) else {
            return nil
        }
        let batch = median(batches)
        return TriggerForecast(
            trigger: trigger, batchMicros: batch, utilisation: trigger.intervalMicros.map { batch / $0 },
            latency: TriggerForecast.Latency(p50Micros: latency[0], p99Micros: latency[1]),
            cpuShare: processorMicros / spanMicros,
            checkpointBytesPerHour: bytes / spanMicros * 3.6e9
                + forecaster.mergedBytesPerHour(batchesPerHour: Double(batches.count) / spanMicros * 3.6e9),
            batchesPerHour: Double(batches.count) / spanMicros * 3.6e9,
            catchUpSeconds: forecaster.catchUpSeconds(trigger), isStable: forecaster.isStable(trigger))
    }

    /// Why there is no advice.
    private var missing: String {
        let measured = records.filter { $0.cost != nil && $0.inputRows > 0 }.count
        let needed = "advice takes \(CostModel.batchCountMin) batches with rows"
        if records.isEmpty { return "The checkpoint has no committed batch: \(needed)." }
        if records.allSatisfy({ $0.cost == nil }) {
            return "\(counted(records.count, "batch", "batches")) of the checkpoint ran under a version that did not "
                + "measure them: \(needed) that are still to come."
        }
        if measured < CostModel.batchCountMin {
            return
                "The checkpoint keeps \(counted(measured, "measured batch", "measured batches")) with rows: \(needed)."
        }
        return "No rows came behind the first batch that the checkpoint keeps, or no time passed: it does not say how "
            + "fast rows come."
    }
}

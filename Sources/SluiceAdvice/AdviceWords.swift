// The reasons, in sentences with numbers.

package import SluiceCheckpoint
package import SluicePlan
package import SluiceRuntime
package import SluiceSpec

struct AdviceWords {
    let forecaster: Forecaster
    let records: [BatchRecord]
    let facts: QueryFacts
    let question: TriggerQuestion
    let candidates: [TriggerForecast]
    let current: TriggerForecast?

    private var model: CostModel { forecaster.model }

    func reasons(_ choice: TriggerForecast?) -> [String] {
        [basis, cost] + [overload, why(choice), price(choice), doubt(choice), limit].compactMap { $0 }
    }

    private var basis: String {
        "\(counted(records.count, "batch", "batches")) of \(roundedDuration(micros: forecaster.arrivals.spanMicros)) "
            + "took in \(roundedNumber(forecaster.arrivals.rowsPerSecond)) rows/s."
    }

    private var cost: String {
        let parts = [
            (1000 * model.perRowMicros, "per 1,000 rows"),
            (1000 * model.perRemovedRowMicros, "per 1,000 rows that leave state"),
            (1000 * model.perOutputRowMicros, "per 1,000 rows of output"),
            (1e6 * model.perByteMicros, "per MB of checkpoint"),
        ]
        let more = parts.filter { $0.0 >= 5 }.map { "\(roundedDuration(micros: $0.0)) \($0.1)" }
        let spread = sizes.map { model.quantileMicros(rows: $0, 0.99) / max(1, model.quantileMicros(rows: $0, 0.5)) }
        return "A batch takes \(roundedDuration(micros: model.fixedMicros))"
            + (more.isEmpty ? "" : ", and " + more.joined(separator: ", "))
            + (spread.map { "; one in a hundred takes \(roundedNumber($0)) times as long" } ?? "") + "."
    }

    /// Rows of an ordinary batch.
    private var sizes: Double? {
        let rows = records.filter { $0.inputRows > 0 }.map { Double($0.inputRows) }
        return rows.isEmpty ? nil : median(rows)
    }

    /// Batches without a pause do not tell how many rows would have come.
    private var overload: String? {
        let costs = records.dropFirst().compactMap { record in record.cost.map { Double($0.busyMicros) } }
        let share = costs.reduce(0, +) / forecaster.arrivals.spanMicros
        guard share > 0.9 else { return nil }
        return
            "The query was busy \(roundedPercent(min(1, share))) of the time: it reads as fast as it can, and rows may "
            + "come faster than they were read."
    }

    private func why(_ choice: TriggerForecast?) -> String? {
        guard let choice else {
            let longest = candidates.last.map { " up to \($0.trigger.text)" } ?? ""
            return "No interval\(longest) is stable at twice today's rate."
        }
        let load = doubled(choice)
        guard let latencyMicros = question.latencyMicros else {
            return "\(choice.trigger.text) is the shortest of these intervals that is stable at twice today's rate: a "
                + "batch then takes \(roundedDuration(micros: load.micros)), \(roundedPercent(load.share)) of it."
        }
        let wanted = durationText(micros: latencyMicros)
        if choice.latency.p99Micros > Double(latencyMicros) {
            return
                "No stable interval brings 99 of 100 rows out within \(wanted): \(choice.trigger.text) comes nearest, "
                + "with \(roundedDuration(micros: choice.latency.p99Micros))."
        }
        return "\(choice.trigger.text) brings 99 of 100 rows out within \(wanted) "
            + "(\(roundedDuration(micros: choice.latency.p99Micros))) and costs least of those that do; at twice "
            + "today's rate a batch takes \(roundedDuration(micros: load.micros)), \(roundedPercent(load.share)) of it."
    }

    /// A batch of a candidate when twice as much comes.
    private func doubled(_ choice: TriggerForecast) -> (micros: Double, share: Double) {
        let interval = choice.trigger.intervalMicros ?? choice.batchMicros
        let rows = Forecaster.stableLoad * forecaster.arrivals.rowsPerSecond * interval / 1e6
        let micros = model.meanMicros(rows: rows)
        return (micros, micros / interval)
    }

    private func price(_ choice: TriggerForecast?) -> String? {
        guard let choice, let current, choice.trigger != current.trigger else { return nil }
        func cost(_ forecast: TriggerForecast) -> String {
            let bytes = roundedBytes(forecast.checkpointBytesPerHour)
            return "\(roundedPercent(forecast.cpuShare)) of a processor and \(bytes) of checkpoint an hour"
        }
        return "It costs \(cost(choice)), \(current.trigger.text) \(cost(current)); half of the rows are out within "
            + "\(roundedDuration(micros: choice.latency.p50Micros)) instead of "
            + "\(roundedDuration(micros: current.latency.p50Micros))."
    }

    /// Batches of one size say little about others.
    private func doubt(_ choice: TriggerForecast?) -> String? {
        guard let choice, let interval = choice.trigger.intervalMicros else { return nil }
        let rows = forecaster.arrivals.rowsPerSecond * interval / 1e6
        let (expected, error) = (model.expectedMicros(rows: rows), 2 * model.errorMicros(rows: rows))
        guard error > 0.3 * expected else { return nil }
        return
            "Batches of \(roundedNumber(rows)) rows have hardly been seen: their \(roundedDuration(micros: expected)) "
            + "may be \(roundedDuration(micros: error)) more. `--replay` measures it."
    }

    private var limit: String? {
        guard let limit = facts.limit else { return nil }
        let tooShort = candidates.contains { ($0.trigger.intervalMicros ?? 0) > limit.seconds * 1e6 / 2 }
        guard tooShort else { return nil }
        return
            "\(limit.name) is reached by \(roundedDuration(micros: limit.seconds * 1e6)) of today's rows: an interval "
            + "of more than half of that cannot take in twice as many."
    }
}

extension PhysicalPlan {
    /// What no trigger changes: when rows come out that have no match, or are given one when they leave, by stage.
    package var latencyFloors: [String] { stages.flatMap(latencyFloors(of:)) }

    private func latencyFloors(of stage: StagePlan) -> [String] {
        guard let join = stage.join else { return [] }
        let isChosen = join.choice != nil
        return JoinInput.allCases.filter { join.side($0).isPreserved || (isChosen && $0 == .left) }.map { side in
            let rows = readRows(side, stage)
            guard let retention = retention(of: side, in: stage) else {
                return "Unmatched rows of \(rows) never come out: nothing proves that no match will come."
            }
            return
                "\(isChosen ? "Rows" : "Unmatched rows") of \(rows) come out \(spoken(retention.totalMicros)) after "
                + "\(retention.timeColumn) at the earliest (\(retention.spokenParts)), by event time, and "
                + "then within two triggers: no trigger changes that."
        }
    }
}

extension TriggerAdvice {
    /// Advice for a planned query from its checkpoint, which may be in use.
    package static func fromCheckpoint(
        _ planned: PlannedQuery, spec: Spec, _ checkpoint: CheckpointReader, question: TriggerQuestion
    ) throws -> TriggerAdvice {
        let records = try checkpoint.batchRecords()
        let facts = QueryFacts(planned, spec, records)
        return TriggerAdvisor(records, facts: facts, question: question).advice()
    }
}

extension QueryFacts {
    /// Of a planned query; the records say how fast its sources move.
    package init(_ planned: PlannedQuery, _ spec: Spec, _ records: [BatchRecord]) {
        guard let plan = planned.result.physical else { preconditionFailure("a query with errors has no advice") }
        self.init(
            query: plan.query, limit: SourceLimit(plan, spec, records), evicts: plan.evicts,
            stateShards: plan.stages.reduce(0) { $0 + $1.shards },
            life: StateLife(plan, retainBatches: planned.spec.state.retainBatches), certainties: plan.latencyFloors)
    }
}

// Advice from a replay: the same table and the same choice, on figures that were measured.

internal import SluiceCheckpoint
internal import SluicePlan
internal import SluiceRuntime
internal import SluiceSpec
internal import SluiceSystem

extension TriggerAdvice {
    /// A replay of one trigger ends after so many seconds, whatever of the past is left.
    private static let budgetSeconds = 12.0
    /// Without intervals that were asked for, so many are replayed at most.
    private static let candidatesMax = 7

    /// Runs the past again at each candidate. The query's checkpoint is only read, its sinks and groups are left alone.
    package static func fromReplay(_ request: ReplayRequest, question: TriggerQuestion) throws -> TriggerAdvice {
        let records = try request.checkpoint.batchRecords()
        let advisor = TriggerAdvisor(
            records, facts: QueryFacts(request.planned, request.spec, records), question: question)
        var advice = advisor.advice()
        if records.isEmpty { return advice }
        let replay: TriggerReplay
        do { replay = try TriggerReplay.prepare(request) } catch let problem as ReplayProblem {
            advice.reasons.append("There is no replay: \(problem).")
            return advice
        }
        defer { replay.remove() }
        var runs: [ReplayRun] = []
        let clock = SystemClock()
        let began = clock.monotonicNanos
        let triggers = triggers(advice, question, last: advisor.lastTrigger, spanMicros: replay.spanMicros)
        for trigger in triggers where !request.shouldStop() {
            runs.append(try replay.run(trigger, budgetSeconds: budgetSeconds))
        }
        let spentMicros = Double(clock.monotonicNanos - began) / 1000
        return advisor.advice(runs, notes: notes(replay, runs, records, spentMicros: spentMicros)) ?? advice
    }

    /// Those that were asked for and today's; else from the longest that is not stable on, evenly, with the model's
    /// choice. All have to fire a few times in the span.
    /// - Parameter last: the trigger that the last batches ran at.
    private static func triggers(
        _ advice: TriggerAdvice, _ question: TriggerQuestion, last: TriggerSpec?, spanMicros: Double
    ) -> [TriggerSpec] {
        let asked = question.intervalsMicros.map { TriggerSpec.interval(micros: $0) }
        func fits(_ trigger: TriggerSpec) -> Bool {
            (trigger.intervalMicros ?? 0) * Double(CostModel.batchCountMin + 2) <= spanMicros
        }
        if !asked.isEmpty {
            return Set(asked + [question.trigger] + (last.map { [$0] } ?? [])).filter(fits).sorted {
                ($0.intervalMicros ?? 0) < ($1.intervalMicros ?? 0)
            }
        }
        let usual = advice.candidates.isEmpty ? [] : advice.candidates
        let first = usual.lastIndex { !$0.isStable && ($0.trigger.intervalMicros ?? 0) < spanMicros / 100 } ?? 0
        var rest = usual.dropFirst(first).map(\.trigger)
        if let last, !rest.contains(last) { rest.append(last) }
        rest = rest.filter(fits).sorted { ($0.intervalMicros ?? 0) < ($1.intervalMicros ?? 0) }
        guard rest.count > candidatesMax else { return rest }
        return rest.enumerated().filter { index, trigger in
            let step = (rest.count - 1) / (candidatesMax - 2)
            return index.isMultiple(of: max(1, step)) || [advice.recommended, question.trigger, last].contains(trigger)
        }.map(\.element)
    }

    private static func notes(
        _ replay: TriggerReplay, _ runs: [ReplayRun], _ records: [BatchRecord], spentMicros: Double
    ) -> [String] {
        let batches = "\(replay.startBatch + 1) to \(replay.endBatch)"
        var notes = [
            "What batches \(batches) read, \(roundedDuration(micros: replay.spanMicros)) of arrivals, ran again at "
                + "each of these intervals, in \(roundedDuration(micros: spentMicros)): these are measured figures."
        ]
        let cut = runs.filter(\.isCut).map { run in
            "\(roundedDuration(micros: run.simulatedMicros)) of it at \(run.trigger.text)"
        }
        if !cut.isEmpty { notes.append("There was time for \(cut.joined(separator: ", ")).") }
        if let missing = replay.missing { notes.append("The replay cannot begin earlier: \(missing).") }
        return notes
    }
}

extension TriggerAdvisor {
    /// Advice in which replays have measured what the model expects; nil when none has run enough batches.
    func advice(_ runs: [ReplayRun], notes: [String]) -> TriggerAdvice? {
        guard let past = forecaster, let measured = forecaster(runs, past) else { return nil }
        let recorded = self.measured(question.trigger, past)
        let known = lived(runs, past, measured)
        let calibration = known?.calibration ?? ReplayCalibration()
        let runs = runs.map { $0.calibrated(calibration) }
        guard let forecaster = forecaster(runs, past) else { return nil }
        let candidates = runs.compactMap { $0.forecast(forecaster) }
        guard !candidates.isEmpty else { return nil }
        var notes = notes
        if let known, calibration.time > 1.1 {
            notes.append(
                "When the query ran at \(known.trigger.text), its batches took \(roundedNumber(calibration.time)) "
                    + "times as long as in the replay, which does not wait in between: all times are scaled by that."
            )
        }
        return advice(
            forecaster, current: recorded ?? candidates.first { $0.trigger == question.trigger },
            candidates: candidates, notes: notes)
    }

    /// A trigger that the query has run at and the replay too, and how the two differ there.
    private func lived(
        _ runs: [ReplayRun], _ past: Forecaster, _ replayed: Forecaster
    ) -> (trigger: TriggerSpec, calibration: ReplayCalibration)? {
        for trigger in [question.trigger, lastTrigger].compactMap({ $0 }) {
            guard let recorded = measured(trigger, past),
                let same = runs.first(where: { $0.trigger == trigger })?.forecast(replayed)
            else { continue }
            return (trigger, ReplayCalibration(recorded: recorded, replayed: same))
        }
        return nil
    }

    /// Batches of many sizes: the model behind what was not measured is better for it.
    private func forecaster(_ runs: [ReplayRun], _ past: Forecaster) -> Forecaster? {
        let replayed = runs.flatMap { $0.records.dropFirst() }
        guard let model = CostModel(replayed, stateShards: facts.stateShards) else { return nil }
        var forecaster = past
        forecaster.model = model
        return forecaster
    }
}

// One batch of a query, from its offsets to its commit and its report.

internal import SluiceCheckpoint
internal import SluiceConnectors
internal import SluiceEngine
internal import SluicePlan
internal import SluiceSpec
internal import SluiceSystem

extension QueryRunner {
    /// Runs the batch that is due, if any. Returns whether there was one.
    func fire() throws -> Bool {
        trigger = Moment(environment.clock)
        var timer = PhaseTimer(environment.clock)
        if let entry = position.rerun {
            try beginSinks()
            control.enter(.busy)
            try tables.restore(entry.tables)
            try run(entry, latest: position.offsets, &timer)
            return true
        }
        guard let look = try look() else { return false }
        timer.end(\.planMicros)
        let due = position.next(look.ranges, wallMillis: trigger.wallMillis, steadyMillis: steadyMillis)
        guard let due else {
            try stopAtTrouble()
            return false
        }
        control.enter(.busy)
        var entry = marked(due)
        entry.tables = try tables.look()
        try checkpoint.logOffsets(entry)
        hasUnsyncedCommit = false
        timer.end(\.logMicros)
        try run(entry, latest: look.latest, &timer)
        return true
    }

    /// With what the sources know their partitions by.
    private func marked(_ entry: OffsetsEntry) -> OffsetsEntry {
        var entry = entry
        for (index, source) in query.sources.enumerated() {
            let batch = entry.sources[index]
            entry.sources[index].marks = source.marks(batch.ranges, next: batch.next)
        }
        return entry
    }

    /// Runs a batch whose offsets are durable.
    private func run(_ entry: OffsetsEntry, latest: [SourceOffsets], _ timer: inout PhaseTimer) throws {
        var inputs: [any InputBytes] = []
        for (source, batch) in zip(query.sources, entry.sources) {
            inputs.append(batch.ranges.isEmpty ? NoInputBytes() : try source.open(batch.ranges))
        }
        timer.end(\.openMicros)
        let result = try execute(entry, inputs)
        timer.end(\.engineMicros)
        try makeDurable(entry, result)
        timer.end(\.durableMicros)
        for sink in query.sinks { try sink.commit(batch: entry.batch) }
        try spill.removeAll()
        timer.end(\.visibleMicros)
        let before = position.offsets
        try commit(entry, result, &timer)
        environment.report(progress(entry, result, inputs, from: before, latest: latest, timer))
        accounts.add(
            result, watermarkMillis: position.watermarkMillis, environment.clock,
            environment.log.with([.query: .string(query.plan.query)]))
        try maintenance.beginRound(before: position.nextBatch)
        meter.end(timer)
    }

    /// Runs the engine, and stops the query where it would use more memory than it may.
    private func execute(_ entry: OffsetsEntry, _ inputs: [any InputBytes]) throws -> BatchResult {
        do {
            let result = try executor.run(inputs, watermarks: position.watermarks(entry))
            let byteCount = executor.stateByteCount
            guard let limit = query.stateByteCountMax, Int64(byteCount) > limit else { return result }
            throw MemoryError(
                .state(byteCountMax: limit), batch: entry.batch, stateRows: result.stateRowsTotal,
                stateByteCount: byteCount)
        } catch BatchError.outOfMemory {
            throw MemoryError(
                memoryReason, batch: entry.batch, stateRows: executor.stateRowCount,
                stateByteCount: executor.stateByteCount)
        }
    }

    private var memoryReason: MemoryError.Reason {
        guard let limit = environment.memoryLimit, let used = limit.usedByteCount(when: query.plan.query) else {
            return .system
        }
        return .process(byteCount: used, byteCountMax: limit.byteCountMax)
    }

    /// State and output go to the disk side by side; neither is visible before both are there.
    private func makeDurable(_ entry: OffsetsEntry, _ result: BatchResult) throws {
        let encodings = query.plan.output.distinctEncodings
        let parts = query.plan.output.sinks.map { sink in
            guard let index = encodings.firstIndex(of: sink.encoding) else {
                preconditionFailure("every sink's encoding is among the plan's")
            }
            return result.routes[0].encodings[index]
        }
        let batch = SinkBatch(id: entry.batch, fingerprint: checkpoint.planInHand)
        let failures = FirstFailure()
        let (sinks, checkpoint) = (query.sinks, self.checkpoint)
        let stages = position.statefulStages
        nonisolated(unsafe) let writeState: () throws -> Void = {
            try checkpoint.writeState(
                batch: entry.batch,
                stages.map { stage in
                    let done = result.stages[stage.number]
                    return StageChange(
                        stage: stage.name,
                        payloads: done.deltas.map {
                            unsafe ShardPayload(shard: $0.shard, bytes: $0.payload.buffer.bytes)
                        }, lastJoinTimeMicros: done.newestDeltaMicros,
                        evictedThroughMicros: done.evictedThroughMicros)
                })
        }
        environment.pool.run(1 + sinks.count) { index in
            failures.catching {
                if index == 0 {
                    unsafe try writeState()
                } else {
                    try sinks[index - 1].stage(batch, parts: parts[index - 1], rowCount: result.outputRowCount)
                }
            }
        }
        if let error = failures.first { throw error }
    }

    /// Writes that a batch is done whose output is visible, and goes on from behind it.
    private func commit(_ entry: OffsetsEntry, _ result: BatchResult, _ timer: inout PhaseTimer) throws {
        timer.cost = meter.cost(timer.cost)
        timer.cost.checkpointBytes = checkpoint.byteCountInHand
        if case .interval(let micros) = schedule.trigger { timer.cost.intervalMicros = micros }
        var (after, commit) = position.committed(entry, result, steadyMillis: steadyMillis)
        commit.cost = timer.cost
        // Sinks that share a transaction share its mark.
        commit.marks = query.sinks.compactMap(\.mark).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        try checkpoint.writeCommit(commit)
        hasUnsyncedCommit = true
        timer.end(\.commitMicros)
        position = after
        control.didCommit(entry.batch)
        control.note(positions: position.offsets)
        for (source, offsets) in zip(query.sources, position.offsets) { source.didCommit(offsets) }
    }
}

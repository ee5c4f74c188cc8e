// What a plan means for the rows of one source, in words: how long they are kept and why, when they are late, when
// unmatched ones come out.

internal import SluiceSpec

/// What happens to one side of a join.
package struct StateFacts: Hashable, Sendable {
    /// `StagePlan.name`.
    package var stage: String
    /// Where the rows come from: a source, or the name of a stage.
    package var source: String
    package var side: JoinInput
    /// nil when rows stay for ever.
    package var retention: Retention?
    /// Why they stay for ever.
    package var keptForever: KeptForever?
    /// `visits are kept 12 min: bound 2 min + delay 10 min`
    package var summary: String
    /// Further sentences: when a row leaves, and what comes out then.
    package var details: [String]
}

extension Retention {
    /// What it is the sum of, in words: `bound 2 min + delay 10 min`.
    package var spokenParts: String {
        var parts = ["bound \(spoken(boundMicros))"]
        if let windowMicros { parts = ["window \(spoken(windowMicros))"] }
        if behindMicros > 0 { parts.append("stages below \(spoken(behindMicros))") }
        parts.append("delay \(spoken(delayMicros))")
        return parts.joined(separator: " + ")
    }
}

extension PhysicalPlan {
    /// What each side of the joins keeps and until when, by stage; empty without one. `reasons` says why a side is
    /// never evicted, where that is known.
    package func stateFacts(reasons: (String, JoinInput) -> KeptForever? = { _, _ in nil }) -> [StateFacts] {
        stages.flatMap { stage in
            stage.sides.map { side in
                let retention = retention(of: side, in: stage)
                let reason = reasons(stage.name, side)
                return StateFacts(
                    stage: stage.name, source: name(of: stage.input(side)), side: side, retention: retention,
                    keptForever: reason, summary: summary(side, stage, retention, reason),
                    details: leaving(side, stage) + matching(side, stage))
            }
        }
    }

    /// The rows that a stage reads on a side, in words: `visits`, `pairs of visits and ads`.
    package func readRows(_ side: JoinInput, _ stage: StagePlan) -> String {
        guard case .stage(let number) = stage.input(side) else { return name(of: stage.input(side)) }
        let below = stages[number]
        if below.join == nil || !below.outputs(.right) { return readRows(.left, below) }
        let names = sources(of: .stage(number))
        return "pairs of \(names.dropLast().joined(separator: ", ")) and \(names[names.count - 1])"
    }

    private func summary(
        _ side: JoinInput, _ stage: StagePlan, _ retention: Retention?, _ reason: KeptForever?
    ) -> String {
        var rows = readRows(side, stage)
        if let deduplicate = stage.deduplicate {
            let columns = columns(of: stage)[0]
            let names = deduplicate.columns.map { columns[$0].name.column }.joined(separator: ", ")
            rows = "values of \(names) in \(rows)"
        } else if stages.contains(where: { $0.name != stage.name && $0.join != nil }) {
            rows += " for \(readRows(side.other, stage))"
        }
        guard let retention else {
            let why =
                switch reason {
                case nil where stage.deduplicate != nil: "no time says when they are forgotten"
                case nil, .noTimeCondition, .timeWithoutLimit: "the join has no time condition"
                case .openEnd: "no bound says how long they can still match"
                case .missingWatermark(let sources): "no watermark on \(sources.joined(separator: " and "))"
                }
            return "\(rows) are kept for ever: \(why)"
        }
        let upTo = retention.windowMicros == nil ? "" : "up to "
        return "\(rows) are kept \(upTo)\(spoken(retention.totalMicros)): \(retention.spokenParts)"
    }

    private func leaving(_ side: JoinInput, _ stage: StagePlan) -> [String] {
        guard let join = stage.join else {
            return ["the first row of equal ones passes at once; later ones are dropped and counted"]
        }
        let (plan, other) = (join.side(side), readRows(side.other, stage))
        let unmatched =
            switch join.type {
            case .leftAnti where side == .left: "a row that never matched comes out then"
            case _ where join.choice != nil && side == .left: chosen(join, other)
            case _ where plan.isPreserved: "a row that never matched comes out then, with nulls for \(other)"
            default: ""
            }
        guard let eviction = plan.eviction, let time = timeName(side, stage) else {
            return ["a row never leaves state"]
        }
        let past = spokenOffset(eviction.offsetMicros == .min ? .max : -eviction.offsetMicros)
        let behind = spokenOffset(-1000 * (stage.watermarkMillis ?? 0))
        let slack = eviction.isInclusive ? " + 1 ms" : ""
        let leaves = "a row leaves state once the watermark reaches \(time)\(past)\(behind)\(slack)"
        return [unmatched.isEmpty ? leaves : "\(leaves); \(unmatched)"]
    }

    /// What comes out with a row that is given one partner, when it leaves.
    private func chosen(_ join: JoinPlan, _ other: String) -> String {
        let word = (join.choice?.match ?? .all).rawValue
        let alone = join.type == .leftOuter ? ", or with nulls where none matches" : " if any does"
        return "it comes out then, and not before, with the \(word) row of \(other) that matches\(alone)"
    }

    private func matching(_ side: JoinInput, _ stage: StagePlan) -> [String] {
        guard let join = stage.join else {
            return stage.deduplicate?.time == nil ? [] : ["a row without a time passes, and is not remembered"]
        }
        let plan = join.side(side)
        var sentences: [String] = []
        if join.choice != nil, side == .right {
            sentences.append(
                "until then every row of \(readRows(.left, stage)) that it could be chosen for has come out")
        }
        if join.type == .leftSemi, side == .left {
            sentences.append("a row comes out with its first match, and leaves state then")
        }
        if join.type == .leftAnti, side == .left {
            sentences.append("a row that matches when it arrives is never stored")
        }
        if plan.isPreserved, let predicate = plan.predicate {
            sentences.append(
                "a row for which `\(text(predicate, ofSide: side, in: stage))` is not true comes out unmatched at once")
        }
        if let time = plan.joinTime {
            let column = name(ColumnSlot(input: side.rawValue, index: time), stage)
            sentences.append(
                plan.isPreserved
                    ? "a row without \(column) comes out unmatched at once"
                    : "a row without \(column) matches nothing and is dropped")
        }
        if plan.isPreserved, join.keys.contains(where: { !$0.isNullSafe }) {
            sentences.append("a row with a null in its key matches nothing and waits like any other unmatched row")
        }
        return sentences
    }

    /// How the watermark moves and which rows are late.
    package func timeFacts() -> [String] {
        let ends = watermarkedInputs.compactMap { indices -> String? in
            guard let watermark = inputs[indices[0]].watermark else { return nil }
            // The parts of a union may share one.
            let names = indices.map { name(watermark.column, ofInput: $0) }.joined(separator: " or ")
            let place = watermark.parts.part.map { " of the slowest \($0)" } ?? ""
            return "the latest \(names)\(place)\(spokenOffset(-watermark.delayMicros))"
        }
        guard let first = ends.first else { return ["there is no watermark: no row is late"] }
        let (few, many) = watermarkPolicy == .min ? ("earlier", "earliest") : ("later", "latest")
        let which = ends.count > 2 ? many : few
        let list = ends.dropLast().joined(separator: ", ") + " and \(ends[ends.count - 1])"
        let watermark = ends.count == 1 ? first : "the \(which) of \(list)"
        return ["the watermark is \(watermark), as of the batch before"] + lateFacts + unmatchedFacts
    }

    private var lateFacts: [String] {
        inputs.indices.compactMap { index in
            guard let keeper = keeper(ofInput: index), let time = lateTime(ofInput: index) else { return nil }
            let behind = spokenOffset(1000 * (keeper.watermarkMillis ?? 0))
            return "a row of \(inputs[index].source) is late, dropped and counted when \(time) is not after the "
                + "watermark\(behind) of the batch before its own"
        }
    }

    /// In a chain, when the last unmatched row can come out.
    private var unmatchedFacts: [String] {
        guard statefulStages.count > 1, let top = statefulStages.last.map({ stages[$0] }), let join = top.join else {
            return []
        }
        return JoinInput.allCases.compactMap { side in
            let isChosen = join.choice != nil && side == .left
            guard join.side(side).isPreserved || isChosen, let retention = retention(of: side, in: top),
                let time = timeName(side, top)
            else { return nil }
            let waits = spokenOffset(saturatingSum(retention.boundMicros, retention.behindMicros))
            let which = isChosen ? "" : " without a match"
            return "a row of \(readRows(side, top))\(which) comes out of the last stage once the watermark reaches "
                + "\(time)\(waits), a few milliseconds later at most"
        }
    }
}

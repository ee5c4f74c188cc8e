// What a plan means for the rows of one source, in words: how long they are kept and why, when they are late, when
// unmatched ones come out.

internal import SluiceSpec

/// What happens to one side of a join.
package struct StateFacts: Hashable, Sendable {
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

extension PhysicalPlan {
    /// What each side of the join keeps and until when; empty without a join. `reasons` says why a side is never
    /// evicted, where that is known.
    package func stateFacts(reasons: [JoinInput: KeptForever] = [:]) -> [StateFacts] {
        guard let join else { return [] }
        return JoinInput.allCases.map { side in
            let retention = retention(of: side)
            let source = inputs[side.rawValue].source
            return StateFacts(
                source: source, side: side, retention: retention, keptForever: reasons[side],
                summary: summary(source, retention, reasons[side]), details: leaving(side, join) + matching(side, join))
        }
    }

    private func summary(_ source: String, _ retention: Retention?, _ reason: KeptForever?) -> String {
        guard let retention else {
            let why =
                switch reason {
                case nil, .noTimeCondition: "the join has no time condition"
                case .openEnd: "no bound says how long they can still match"
                case .missingWatermark(let sources): "no watermark on \(sources.joined(separator: " and "))"
                }
            return "\(source) are kept for ever: \(why)"
        }
        var parts = ["bound \(spoken(retention.boundMicros))"]
        if let window = retention.windowMicros { parts = ["window \(spoken(window))"] }
        parts.append("delay \(spoken(retention.delayMicros))")
        let upTo = retention.windowMicros == nil ? "" : "up to "
        return "\(source) are kept \(upTo)\(spoken(retention.totalMicros)): \(parts.joined(separator: " + "))"
    }

    private func leaving(_ side: JoinInput, _ join: JoinPlan) -> [String] {
        let (plan, other) = (join.side(side), inputs[side.other.rawValue].source)
        let unmatched =
            switch join.type {
            case .leftAnti where side == .left: "a row that never matched comes out then"
            case _ where plan.isPreserved: "a row that never matched comes out then, with nulls for \(other)"
            default: ""
            }
        guard let eviction = plan.eviction, let time = timeName(side) else { return ["a row never leaves state"] }
        let past = spokenOffset(eviction.offsetMicros == .min ? .max : -eviction.offsetMicros)
        let slack = eviction.isInclusive ? " + 1 ms" : ""
        let leaves = "a row leaves state once the watermark reaches \(time)\(past)\(slack)"
        return [unmatched.isEmpty ? leaves : "\(leaves); \(unmatched)"]
    }

    private func matching(_ side: JoinInput, _ join: JoinPlan) -> [String] {
        let plan = join.side(side)
        var sentences: [String] = []
        if join.type == .leftSemi, side == .left {
            sentences.append("a row comes out with its first match, and leaves state then")
        }
        if join.type == .leftAnti, side == .left {
            sentences.append("a row that matches when it arrives is never stored")
        }
        if plan.isPreserved, let predicate = plan.predicate {
            sentences.append("a row for which `\(text(predicate))` is not true comes out unmatched at once")
        }
        if let time = plan.joinTime {
            let column = name(ColumnSlot(input: side.rawValue, index: time))
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
        let ends = inputs.enumerated().compactMap { index, input -> String? in
            guard let watermark = input.watermark else { return nil }
            let column = name(ColumnSlot(input: index, index: watermark.column))
            let place = watermark.parts.part.map { " of the slowest \($0)" } ?? ""
            return "the latest \(column)\(place)\(spokenOffset(-watermark.delayMicros))"
        }
        guard let first = ends.first else { return ["there is no watermark: no row is late"] }
        let which = watermarkPolicy == .min ? "earlier" : "later"
        let watermark = ends.count == 1 ? first : "the \(which) of \(ends.joined(separator: " and "))"
        var sentences = ["the watermark is \(watermark), as of the batch before"]
        guard join != nil else { return sentences }
        for index in inputs.indices {
            guard let time = lateTime(ofInput: index) else { continue }
            sentences.append(
                "a row of \(inputs[index].source) is late, dropped and counted when \(time) is not after the watermark "
                    + "of the batch before its own")
        }
        return sentences
    }
}

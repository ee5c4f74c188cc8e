// What Spark refuses when a query with a stream-stream join starts (UnsupportedOperationChecker), what it accepts and
// then never answers or never forgets, and what is only worth a warning: all of it found before anything runs.

internal import SluiceSpec

/// The planner's findings, by their stable names; what it has in common with the spec's reader is in DiagnosticCode.
enum PlanDiagnosticCode: String, CaseIterable {
    /// A side whose unmatched rows come out can never be evicted, so they never would.
    case unmatchedNeverEmitted = "unmatched-never-emitted"
    /// Bounds that no pair of times satisfies.
    case emptyBounds = "empty-bounds"
    /// Rows that never leave state.
    case stateGrows = "state-grows"
    /// A comparison of event times that filters pairs but bounds no state.
    case comparisonWithoutBound = "comparison-without-bound"
    /// Bounds by which every match of the right side comes before its left row.
    case backwardBounds = "backward-bounds"
    /// A time that a chain cannot bound by, as rows with that time may come out of a join below however old they are.
    case timeWithoutLimit = "time-without-limit"
    /// A query's condition that no unmatched row of an outer join meets.
    case unmatchedFiltered = "unmatched-filtered"
}

extension Diagnostic {
    init(
        _ severity: Severity, _ code: PlanDiagnosticCode, at position: SourcePosition, length: Int = 1,
        _ message: String, fix: String? = nil
    ) {
        self.init(severity, code: code.rawValue, at: position, length: length, message, fix: fix)
    }
}

/// Checks one join after all rules have run.
struct JoinChecks {
    let join: Join
    let left: LogicalPlan
    let right: LogicalPlan

    /// All findings about the joins of a rewritten plan, from the top down.
    static func diagnose(_ plan: LogicalPlan) -> [Diagnostic] {
        var own: [Diagnostic] = []
        if case .join(let join, let left, let right) = plan {
            own = JoinChecks(join: join, left: left, right: right).diagnose()
        }
        return own + plan.children.flatMap(diagnose)
    }

    private func diagnose() -> [Diagnostic] {
        right.isTable ? [] : checkEquality() + checkBounds() + checkDirection() + checkEviction() + checkComparisons()
    }

    private func diagnostic(
        _ severity: Diagnostic.Severity, _ code: PlanDiagnosticCode, _ message: String, fix: String? = nil
    ) -> Diagnostic {
        Diagnostic(
            severity, code, at: join.declaredType.position, length: join.declaredType.length, message, fix: fix)
    }

    private func checkEquality() -> [Diagnostic] {
        guard join.keys.isEmpty, join.window == nil, !right.isTable else { return [] }
        return [
            Diagnostic(
                .error, .joinWithoutEquality, at: join.declaredType.position, length: join.declaredType.length,
                "a join needs at least one equality between its sides",
                fix: "name the columns that are equal in `keys`, or put both event times in one `window`")
        ]
    }

    private func checkBounds() -> [Diagnostic] {
        guard let time = join.time, !time.limits.isEmpty else { return [] }
        let allowed = TimeBounds(tightest: time.limits)
        let position = time.limits[0].position
        let difference = "`\(name(time.right))` - `\(name(time.left))`"
        if allowed.isEmpty, let lower = allowed.lower, let upper = allowed.upper {
            return [
                Diagnostic(
                    .error, .emptyBounds, at: position,
                    "no pair of rows can match: \(difference) would be at least \(spoken(lower)) and at most "
                        + spoken(upper),
                    fix: "swap the ends, or the sign of a duration")
            ]
        }
        if time.basis == .key, !(allowed.lower ?? 0 <= 0 && allowed.upper ?? 0 >= 0) {
            return [
                Diagnostic(
                    .error, .emptyBounds, at: position,
                    "no pair of rows can match: the key makes \(difference) 0, which this comparison excludes",
                    fix: "take the event times out of `keys`, or the comparison out of the condition")
            ]
        }
        return []
    }

    /// Bounds the other way round are right for some joins and a slip in most; who asks for one row before another has
    /// thought of it.
    private func checkDirection() -> [Diagnostic] {
        guard !join.choosesOne, let time = join.time, time.basis == .range, let upper = time.bounds.upper, upper <= 0,
            time.bounds.lower ?? .min < 0, !time.bounds.isEmpty
        else { return [] }
        let (left, right) = (name(time.left), name(time.right))
        let reach = time.limits.filter { $0.end == .lower }.map(\.micros).max().map { spoken($0 == .min ? .max : -$0) }
        let before = reach.map { "at most \($0) before it" } ?? "any time before it"
        return [
            Diagnostic(
                .hint, .backwardBounds, at: time.limits[0].position,
                "a row of \(sourcesText([.left])) matches rows of \(sourcesText([.right])) that came \(before), and "
                    + "none that comes after it",
                fix: "if it should be the other way round: `\(right) between \(left) and \(left) + \(reach ?? "1 h")`")
        ]
    }

    // MARK: Eviction

    private func checkEviction() -> [Diagnostic] {
        if case .timeWithoutLimit(let columns, let others)? = join.leftState.keptForever {
            return [refuse(columns, others)]
        }
        if join.choosesOne, let problem = choiceProblem { return [problem] }
        let kept = JoinInput.allCases.filter { join.state($0).keptForever != nil }
        let refused = kept.filter(join.type.mustEvict)
        let growing = kept.filter { !join.type.mustEvict($0) }
        var found: [Diagnostic] = []
        if let reason = refused.first.flatMap({ join.state($0).keptForever }) { found.append(refuse(refused, reason)) }
        // The same missing watermark or time condition has been reported with its fix.
        if let reason = growing.first.flatMap({ join.state($0).keptForever }), refused.isEmpty || reason == .openEnd {
            found.append(warn(growing, reason))
        }
        return found
    }

    /// Why a partner can never be chosen: only bounds on both sides, and watermarks, say when no better one can come.
    private var choiceProblem: Diagnostic? {
        let what = "`match: \(join.match.rawValue)`"
        func refuse(_ message: String, _ fix: String) -> Diagnostic {
            Diagnostic(
                .error, .matchCondition, at: join.matchPosition ?? join.declaredType.position, length: "match".count,
                message, fix: fix)
        }
        // Windows, and joins without `within`, the reader has refused.
        guard let time = join.time else { return refuse("\(what) without a time condition", timeConditionFix()) }
        let (left, right) = (name(time.left), name(time.right))
        guard time.basis == .range else {
            return refuse(
                "\(what) in a join whose `keys` make \(right) equal to \(left): there is no time to choose by",
                "take the event times out of `keys`")
        }
        let ends = [(time.bounds.lower, "from below"), (time.bounds.upper, "from above")]
        if let open = ends.first(where: { $0.0 == nil }) {
            return refuse(
                "\(what) needs a `within` that is closed on both sides, and this one does not bound \(right) \(open.1)",
                "write `\(right) between … and …`")
        }
        guard case .missingWatermark(let sources)? = join.leftState.keptForever else { return nil }
        return refuse(
            "\(what) in a join that \(why(.missingWatermark(sources), [.left])): nothing says when no better row can "
                + "come, so none would ever come out", fix(.missingWatermark(sources), [.left]))
    }

    /// A time condition over a time that old rows of a join below may still come with.
    private func refuse(_ columns: [ColumnReference], _ others: [ColumnReference]) -> Diagnostic {
        let names = columns.map { "`\(name($0))`" }.joined(separator: " or ")
        let good = others.filter { (left.sources).contains($0.source) }.map { "`\(name($0))`" }
        let fix =
            good.isEmpty
            ? "give the join below a bound on both sides, such as `within: … between … and …`"
            : "compare with \(good.joined(separator: " or ")) instead, or give the join below the bound that it lacks"
        return diagnostic(
            .error, .timeWithoutLimit,
            "this join is bounded by \(names), and rows that come out of the join below may be of any age by it: they "
                + "would be late, and lost", fix: fix)
    }

    private func refuse(_ sides: [JoinInput], _ reason: KeptForever) -> Diagnostic {
        let rows = sourcesText(sides)
        let never =
            join.type == .leftSemi
            ? "rows of \(rows) that match nothing would stay in state for ever"
            : "unmatched rows of \(rows) would never come out"
        return diagnostic(
            .error, .unmatchedNeverEmitted, "this \(join.type.rawValue) join \(why(reason, sides)), so \(never)",
            fix: fix(reason, sides))
    }

    private func warn(_ sides: [JoinInput], _ reason: KeptForever) -> Diagnostic {
        diagnostic(
            .warning, .stateGrows,
            "state grows for ever: rows of \(sourcesText(sides)) never leave it, as the join \(why(reason, sides))",
            fix: fix(reason, sides))
    }

    private func why(_ reason: KeptForever, _ sides: [JoinInput]) -> String {
        switch reason {
        case .noTimeCondition: "has no time condition"
        case .openEnd: "puts no bound on how long after a row of \(sourcesText(sides)) its partner may come"
        case .timeWithoutLimit: "is bounded by a time without a limit"
        case .missingWatermark(let sources):
            "lacks a watermark on \(sources.map { "`\($0)`" }.joined(separator: " and "))"
        }
    }

    private func fix(_ reason: KeptForever, _ sides: [JoinInput]) -> String {
        switch reason {
        case .noTimeCondition, .timeWithoutLimit: return timeConditionFix()
        case .openEnd:
            guard let time = join.time else { return timeConditionFix() }
            let (left, right) = (name(time.left), name(time.right))
            return sides == [.left]
                ? "add an upper bound, such as `\(right) <= \(left) + 1 hour`"
                : "add a lower bound, such as `\(right) >= \(left)`"
        case .missingWatermark(let sources):
            let watermarks = sources.map { source in
                "`\(source)` a `watermark: { column: \(eventTime(of: source)), delay: 10 minutes }`"
            }
            return "give " + watermarks.joined(separator: " and ")
        }
    }

    /// What to write when a join says nothing about time; names what only looks like a time condition.
    private func timeConditionFix() -> String {
        let times = Set(left.eventTimes + right.eventTimes)
        if let key = join.keys.first(where: { $0.isNullSafe && (times.contains($0.left) || times.contains($0.right)) })
        {
            return "a null-safe key on `\(name(key.left))` evicts nothing: leave it out of `null_safe`"
        }
        if join.residual.contains(where: { $0.isEquality && !$0.columns.isDisjoint(with: times) }) {
            return "an equality of expressions over the event times evicts nothing: use `window`, or plain columns in "
                + "`keys`"
        }
        guard let left = left.eventTimes.first, let right = right.eventTimes.first else {
            return "give both sources a `watermark`, and the join a `within` over their event times"
        }
        return "add `within: \(name(right)) between \(name(left)) and \(name(left)) + 1 hour`, or a `window`"
    }

    /// Comparisons of the two event times in a form that bounds nothing, where a bound is missing.
    private func checkComparisons() -> [Diagnostic] {
        let lacksBound = JoinInput.allCases.contains {
            [.noTimeCondition, .openEnd].contains(join.state($0).keptForever)
        }
        guard lacksBound else { return [] }
        let (lefts, rights) = (left.eventTimes, right.eventTimes)
        return join.residual.filter { conjunct in
            conjunct.isComparison && !conjunct.columns.isDisjoint(with: lefts)
                && !conjunct.columns.isDisjoint(with: rights)
        }.map { conjunct in
            Diagnostic(
                .warning, .comparisonWithoutBound, at: conjunct.position,
                "this comparison of event times only filters pairs: it does not bound how long rows stay in state",
                fix: "compare sums and differences of the two event times and constant durations")
        }
    }

    // MARK: Names

    private func name(_ column: ColumnReference) -> String { "\(column.source).\(column.column)" }

    private func eventTime(of source: String) -> String {
        (left.relations + right.relations).first { $0.source == source }?.eventTime ?? "COLUMN"
    }

    private func sourcesText(_ sides: [JoinInput]) -> String {
        sides.flatMap { ($0 == .left ? left : right).relations.map { "`\($0.source)`" } }.joined(separator: " and ")
    }
}

extension Expression {
    fileprivate var isEquality: Bool {
        if case .call(.equal, _) = kind { return true }
        return false
    }

    fileprivate var isComparison: Bool {
        guard case .call(let function, _) = kind else { return false }
        return [.equal, .less, .lessOrEqual, .greater, .greaterOrEqual].contains(function)
    }
}

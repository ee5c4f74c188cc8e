// Whether `within` says what state can be bounded by: comparisons, joined by `and`, each of which sets one event time
// of the left side, the same in all, against the right side's, give or take a duration. The left time may be
// `coalesce` of several sources' times, for joins behind an outer one. That is the form for which Spark derives
// thresholds (StreamingJoinHelper); where Spark silently derives none, Sluice says so.

struct WithinChecker {
    let text: ExpressionText
    let left: QueryInputs
    let all: QueryInputs
    let rightName: String
    let diagnostics: DiagnosticCollector
    /// The left time that a comparison has named, as it was written.
    private var named: String?

    init(
        text: ExpressionText, left: QueryInputs, all: QueryInputs, rightName: String,
        diagnostics: DiagnosticCollector
    ) {
        self.text = text
        self.left = left
        self.all = all
        self.rightName = rightName
        self.diagnostics = diagnostics
    }

    /// How often each side's event time is added; a comparison is fine if they cancel out.
    private struct Times {
        var left = 0
        var right = 0
        /// False when something about them could not be found out.
        var isKnown = true

        static func + (a: Times, b: Times) -> Times {
            Times(left: a.left + b.left, right: a.right + b.right, isKnown: a.isKnown && b.isKnown)
        }

        static prefix func - (a: Times) -> Times { Times(left: -a.left, right: -a.right, isKnown: a.isKnown) }
    }

    /// True if the form is right; what is wrong is reported.
    mutating func check(_ syntax: Syntax) -> Bool {
        switch syntax.kind {
        case .chain(let first, let links) where links[0].operation == .and:
            // Each is looked at, so that each mistake is found.
            var isGood = check(first)
            for link in links where !check(link.operand) { isGood = false }
            return isGood
        case .binary(.less, let a, let b), .binary(.lessOrEqual, let a, let b), .binary(.greater, let a, let b),
            .binary(.greaterOrEqual, let a, let b):
            return comparison(a, b, syntax)
        case .between(let x, let low, let high, isNegated: false):
            let first = comparison(x, low, syntax)
            return comparison(x, high, syntax) && first
        case .chain(_, let links) where links[0].operation == .or: return rejectAlternatives(syntax)
        case .not, .between(_, _, _, isNegated: true): return rejectAlternatives(syntax)
        case .binary(.equal, _, _), .binary(.nullSafeEqual, _, _):
            return reject(syntax, "`within` bounds a range of time", fix: "write equalities as `keys`")
        default:
            return reject(
                syntax, "`within` is made of comparisons of the two event times",
                fix: "write it as `b.time between a.time and a.time + 2 minutes`, and move the rest to `where`")
        }
    }

    private func rejectAlternatives(_ syntax: Syntax) -> Bool {
        reject(syntax, "`within` is one range: `or` and `not` have no place in it", fix: "move it to `where`")
    }

    private mutating func comparison(_ a: Syntax, _ b: Syntax, _ syntax: Syntax) -> Bool {
        guard let first = times(a), let second = times(b) else { return false }
        let difference = first + -second
        guard difference.isKnown else { return true }
        if abs(difference.left) == 1, difference.left == -difference.right { return true }
        return reject(
            syntax, "each comparison in `within` sets one event time of each side against the other",
            fix: "write it as `b.time <= a.time + 2 minutes`")
    }

    /// The event times in a sum, or nil after a report.
    private mutating func times(_ syntax: Syntax) -> Times? {
        switch syntax.kind {
        case .literal(_, .duration): return Times()
        case .negate(let operand): return times(operand).map { -$0 }
        case .chain(let first, let links) where links.allSatisfy { [.add, .subtract].contains($0.operation) }:
            var terms = [times(first)]
            for link in links { terms.append(times(link.operand).map { link.operation == .add ? $0 : -$0 }) }
            return terms.contains { $0 == nil } ? nil : terms.compactMap(\.self).reduce(Times(), +)
        case .chain(let first, let links)
        where isConstant(first) && links.allSatisfy { $0.operation == .multiply && isConstant($0.operand) }:
            return Times()
        case .name(let source, let column): return eventTime(source, column, syntax)
        case .call(let name, _, let operands) where name.lowercased() == "coalesce" && operands.count > 1:
            return firstTime(of: operands, syntax)
        case .literal(_, let type):
            _ = reject(
                syntax, "\(article(type)) has no place in `within`",
                fix: type.isNumeric ? "say the unit, as in `10s`" : "move the condition to `where`")
            return nil
        default:
            _ = reject(
                syntax, "only event times, durations, `+` and `-` can be compared in `within`",
                fix: "move the condition to `where`")
            return nil
        }
    }

    private func isConstant(_ syntax: Syntax) -> Bool {
        switch syntax.kind {
        case .literal: true
        case .negate(let operand): isConstant(operand)
        default: false
        }
    }

    private mutating func eventTime(_ source: String?, _ column: String, _ syntax: Syntax) -> Times? {
        let shown = text.shown(syntax.range)
        switch all.scope.find(source: source, column: column, shown: shown) {
        case .broken: return Times(isKnown: false)
        case .failed(let code, let message, let fix):
            diagnostics.error(code, at: text.place(syntax.range), message, fix: fix)
            return nil
        case .found(let reference, _):
            switch all.eventTimes.last(where: { $0.source == reference.source })?.state {
            case .declared(let declared) where declared != reference.column:
                _ = reject(
                    syntax, "`\(shown)` is not the event time of `\(reference.source)`",
                    fix: "write `\(ColumnReference(source: reference.source, column: declared))`, or move the"
                        + " condition to `where`")
                return nil
            case .declared:
                return reference.source == rightName ? Times(right: 1) : leftTime("\(reference)", syntax)
            case .unknown, nil: return Times(isKnown: false)
            // The missing event time is reported with the join.
            case .some(.none): return Times(isKnown: false)
            }
        }
    }

    /// All comparisons speak of one time of the left side.
    private mutating func leftTime(_ name: String, _ syntax: Syntax) -> Times? {
        if let named, named != name {
            _ = reject(
                syntax, "`within` speaks of one event time of the left side, and this is a second one",
                fix: "bound `\(named)` here, and write the other comparison as `where`")
            return nil
        }
        named = name
        return Times(left: 1)
    }

    /// The first of several left times that is there.
    private mutating func firstTime(of operands: [Syntax], _ syntax: Syntax) -> Times? {
        let outer = named
        var names: [String] = []
        for operand in operands {
            named = nil
            guard let found = times(operand) else {
                named = outer
                return nil
            }
            guard found.isKnown else { return found }
            guard found.left == 1, found.right == 0, let name = named, case .name = operand.kind else {
                named = outer
                _ = reject(
                    operand, "`coalesce` in `within` takes event times of inputs before this join",
                    fix: "name them, as in `coalesce(a.time, b.time)`")
                return nil
            }
            names.append(name)
        }
        named = outer
        return leftTime("coalesce(\(names.joined(separator: ", ")))", syntax)
    }

    private func reject(_ syntax: Syntax, _ message: String, fix: String) -> Bool {
        diagnostics.error(.withinForm, at: text.place(syntax.range), message, fix: fix)
        return false
    }
}

// Takes the condition of a join apart: equal columns become keys, the other conjuncts are sorted by the sides they
// read. Range comparisons of the event times stay among the conjuncts over both sides; NormalizeTimeBounds takes them
// from there.
//
// Spark does the same in two places: ExtractEquiJoinKeys makes every equality between the sides a key (from `where` as
// well as from `keys`), JoinConditionSplitPredicates splits the rest into left-only, right-only and both-sides, and
// counts a conjunct without columns as left-only. Only plain columns become keys here; an equality of expressions stays
// a condition on the pair, which keeps the same pairs.
//
//     before   keys: visits.page = ads.page
//              conditions: visits.user = ads.user, ads.cost > 0, visits.bytes < ads.bytes
//     after    keys: visits.page = ads.page, visits.user = ads.user
//              right: ads.cost > 0     residual: visits.bytes < ads.bytes

internal import SluiceSpec

enum SplitJoinCondition: RewriteRule {
    static let name = "SplitJoinCondition"

    static func apply(to plan: LogicalPlan, in context: RuleContext) -> LogicalPlan {
        plan.mapJoins { join, left, right in
            .join(split(join, left: left.sources, right: right.sources), left: left, right: right)
        }
    }

    private static func split(_ join: Join, left: Set<String>, right: Set<String>) -> Join {
        var join = join
        var keys: [LogicalJoinKey] = []
        var names: Set<LogicalJoinKey.Names> = []
        func add(_ key: LogicalJoinKey) {
            if names.insert(key.names).inserted { keys.append(key) }
        }
        for key in join.keys { add(key) }
        for conjunct in join.conditions {
            if let key = key(conjunct, left: left, right: right) {
                add(key)
                continue
            }
            let sources = conjunct.sources
            if sources.isSubset(of: left) {
                join.leftConditions.append(conjunct)
            } else if sources.isSubset(of: right) {
                join.rightConditions.append(conjunct)
            } else {
                join.residual.append(conjunct)
            }
        }
        join.keys = keys
        join.conditions = []
        return join
    }

    /// The key that an equality of two plain columns, one of each side, is.
    private static func key(_ conjunct: LogicalExpression, left: Set<String>, right: Set<String>) -> LogicalJoinKey? {
        guard case .call(let function, let operands) = conjunct.kind, operands.count == 2,
            function == .equal || function == .nullSafeEqual,
            let first = keyColumn(operands[0]), let second = keyColumn(operands[1]),
            areWidened(first.type, second.type, to: operands[0].type)
        else { return nil }
        func key(_ a: ColumnReference, _ b: ColumnReference) -> LogicalJoinKey {
            LogicalJoinKey(left: a, right: b, isNullSafe: function == .nullSafeEqual, position: conjunct.position)
        }
        if left.contains(first.name.source), right.contains(second.name.source) { return key(first.name, second.name) }
        if right.contains(first.name.source), left.contains(second.name.source) { return key(second.name, first.name) }
        return nil
    }

    /// The column an operand is, looking through a cast from number to number, such as the type checker puts on an int
    /// that meets a long.
    private static func keyColumn(_ operand: LogicalExpression) -> (name: ColumnReference, type: DataType)? {
        switch operand.kind {
        case .column(let column): (column, operand.type)
        case .cast(let inner):
            if case .column(let column) = inner.kind, inner.type.isNumeric, operand.type.isNumeric {
                (column, inner.type)
            } else {
                nil
            }
        default: nil
        }
    }

    /// Whether two columns are compared in the type that keys of their types are compared in.
    private static func areWidened(_ a: DataType, _ b: DataType, to common: DataType) -> Bool {
        if a == common && b == common { return true }
        // An int is the same number as a long.
        let integers: Set<DataType> = [.int, .long]
        if integers.isSuperset(of: [a, b]) { return common == .long }
        if a == b { return false }
        return a.isNumeric && b.isNumeric && Coercion.commonType(a, b) == common
    }
}

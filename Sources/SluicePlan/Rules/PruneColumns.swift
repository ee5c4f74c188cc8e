// Leaves only the columns that someone reads: state keeps what output, residual, keys and join time need; besides
// those, what filters, the watermark and the join's own side conditions need is decoded and then forgotten.
//
// Spark does this with ColumnPruning; what state holds there, too, is the projected row. Rows are the same, as no
// expression loses a column it reads. A left semi or anti join gives left columns only, so its right state keeps no
// more than the pairing needs. A source whose bad rows are dropped, fail or go to a sink decodes every declared column,
// because each decides whether the row is bad, but state keeps no more for it.
//
// The projection below the join is what goes up into it; the join's sides say what state keeps of that. State columns
// come first in a row and in the order of their names: adding, removing or reordering columns that state does not keep
// leaves a stored row's layout as it is.
//
//     before   Join                                    after   Join
//              └─ StreamingRelation ads                        └─ Project [campaign_name, display_time, page]
//                 [page, display_time,                            └─ StreamingRelation ads
//                  campaign_name, cost]                              [campaign_name, display_time, page]

internal import SluiceSpec

enum PruneColumns: RewriteRule {
    static let name = "PruneColumns"

    static func apply(to plan: LogicalPlan, in context: RuleContext) -> LogicalPlan {
        prune(plan, needed: [])
    }

    /// `needed` is what the operators above read.
    private static func prune(_ plan: LogicalPlan, needed: Set<ColumnReference>) -> LogicalPlan {
        switch plan {
        case .sink(let sinks, let child): return .sink(sinks, prune(child, needed: needed))
        case .project(let columns, let child):
            return .project(
                columns, prune(child, needed: columns.reduce(into: []) { $0.formUnion($1.expression.columns) }))
        case .filter(let filter, let child) where filter.place == .query:
            return .filter(
                filter, prune(child, needed: filter.conjuncts.reduce(into: needed) { $0.formUnion($1.columns) }))
        case .join(var join, let left, let right):
            var paired = join.residual.reduce(into: needed) { $0.formUnion($1.columns) }
            for key in join.keys { paired.formUnion([key.left, key.right]) }
            if let time = join.time { paired.formUnion([time.left, time.right]) }
            if join.choosesOne { paired.formUnion(places(right)) }
            let prunedLeft = pruneSide(left, of: join.leftConditions, paired, computed: join.time?.computedLeft)
            let prunedRight = pruneSide(right, of: join.rightConditions, paired)
            join.leftState.columns = stateColumns(left, paired)
            join.rightState.columns = stateColumns(right, paired)
            return .join(join, left: prunedLeft, right: prunedRight)
        case .deduplicate(let deduplicate, let child):
            let own = Set(deduplicate.columns + [deduplicate.time].compactMap(\.self))
            return .deduplicate(
                deduplicate, pruneInput(child, state: needed.union(own), others: [], isJoined: true))
        case .relation, .watermark, .filter: return pruneInput(plan, state: needed, others: [], isJoined: false)
        }
    }

    /// The place of a side's records, which says which of two rows of one time is chosen.
    private static func places(_ side: LogicalPlan) -> [ColumnReference] {
        let source = side.relations[0].source
        return PlaceColumn.allCases.map { ColumnReference(source: source, column: $0.name) }
    }

    /// The columns of a side that state keeps, in the order of their names.
    private static func stateColumns(_ side: LogicalPlan, _ needed: Set<ColumnReference>) -> [ColumnReference] {
        let sources = side.sources
        return needed.filter { sources.contains($0.source) }.sorted { ($0.column, $0.source) < ($1.column, $1.source) }
    }

    /// `conditions` are the join's own over that side: they are judged before a row gets to state. `computed` is what a
    /// join below has to work out for it.
    private static func pruneSide(
        _ plan: LogicalPlan, of conditions: [LogicalExpression], _ needed: Set<ColumnReference>,
        computed: ProjectedColumn? = nil
    ) -> LogicalPlan {
        let sources = plan.sources
        let state = needed.filter { sources.contains($0.source) }
        let others = conditions.reduce(into: Set()) { $0.formUnion($1.columns) }
        if InputChain(plan) != nil { return pruneInput(plan, state: state, others: others, isJoined: true) }
        let kept = stateColumns(plan, needed).map { column -> ProjectedColumn in
            if let computed, computed.reference == column { return computed }
            return ProjectedColumn(
                name: column.column, source: column.source,
                expression: LogicalExpression(
                    .column(column), type: plan.columnType(column) ?? .null, isNullable: true,
                    at: plan.relations[0].position))
        }
        let below = kept.reduce(into: others) { $0.formUnion($1.expression.columns) }
        return .project(kept, prune(plan, needed: below))
    }

    private static func pruneInput(
        _ plan: LogicalPlan, state: Set<ColumnReference>, others: Set<ColumnReference>, isJoined: Bool
    ) -> LogicalPlan {
        guard var chain = InputChain(plan) else { return plan }
        let source = chain.relation.source
        var decoded = state.union(others)
        for conjunct in chain.belowWatermark + chain.aboveWatermark { decoded.formUnion(conjunct.columns) }
        if let watermark = chain.watermark { decoded.insert(watermark.column) }

        func reference(_ column: ColumnSpec) -> ColumnReference {
            ColumnReference(source: source, column: column.name)
        }
        let position = chain.relation.position
        let declared =
            chain.relation.columns
            + PlaceColumn.allCases.map { ColumnSpec($0, at: position) }.filter { decoded.contains(reference($0)) }
        decoded.formUnion(inputs(of: decoded, declared, source))
        let kept = declared.filter { state.contains(reference($0)) }.sorted { $0.name < $1.name }
        let rest = declared.filter { column in
            !state.contains(reference(column))
                && (chain.relation.checksAllColumns || decoded.contains(reference(column)))
        }
        chain.relation.columns = kept + rest
        if isJoined {
            let joined = kept + rest.filter { others.contains(reference($0)) }
            chain.kept = joined.map { column in
                ProjectedColumn(
                    name: column.name, source: source,
                    expression: LogicalExpression(
                        .column(reference(column)), type: column.type, isNullable: true, at: column.position))
            }
        }
        return chain.plan
    }

    /// The columns that a part of a union decodes: first those that go up, then what its own conditions, watermark and
    /// computed columns need, or all where each decides whether a row is bad.
    static func columns(of part: SourceSpec, first names: [String], _ chain: InputChain) -> [ColumnSpec] {
        let source = part.name.value
        var decoded = Set(names.map { ColumnReference(source: source, column: $0) })
        for conjunct in chain.conditions { decoded.formUnion(conjunct.columns) }
        if let watermark = chain.watermark { decoded.insert(watermark.column) }
        decoded.formUnion(inputs(of: decoded, part.columns, source))
        let first = names.compactMap { name in
            part.columns.first { $0.name == name }
                ?? PlaceColumn(named: name).map { ColumnSpec($0, at: part.name.position) }
        }
        let isAll = part.badRows.value.judgesAllColumns
        let rest = part.columns.filter { column in
            !names.contains(column.name)
                && (isAll || decoded.contains(ColumnReference(source: source, column: column.name)))
        }
        return first + rest
    }

    /// The columns that computed ones among `needed` are computed from, over however many steps.
    private static func inputs(
        of needed: Set<ColumnReference>, _ declared: [ColumnSpec], _ source: String
    ) -> Set<ColumnReference> {
        var found: Set<ColumnReference> = []
        var next = needed
        while !next.isEmpty {
            var further: Set<ColumnReference> = []
            for column in declared where next.contains(ColumnReference(source: source, column: column.name)) {
                if case .computed(let expression) = column.origin { further.formUnion(expression.columns) }
            }
            next = further.subtracting(found)
            found.formUnion(further)
        }
        return found
    }
}

// What stands below a join on one side, in the one shape it can have:
//
//     Project?  <-  Filter?  <-  EventTimeWatermark?  <-  Filter?  <-  StreamingRelation

internal import SluiceSpec

/// The operators of one input.
struct InputChain {
    var relation: StreamingRelation
    /// Decide which rows move the watermark.
    var belowWatermark: [LogicalExpression] = []
    var watermark: EventTimeWatermark?
    var aboveWatermark: [LogicalExpression] = []
    /// The columns that go up into a join, once `PruneColumns` has said which.
    var kept: [ProjectedColumn]?

    /// nil when `plan` is more than one input, or a filter of the query stands in it.
    init?(_ plan: LogicalPlan) {
        var rest = plan
        var kept: [ProjectedColumn]?
        var above: [LogicalExpression] = []
        var below: [LogicalExpression] = []
        var watermark: EventTimeWatermark?
        if case .project(let columns, let child) = rest { (kept, rest) = (columns, child) }
        if case .filter(let filter, let child) = rest, filter.place == .input {
            (above, rest) = (filter.conjuncts, child)
        }
        if case .watermark(let found, let child) = rest { (watermark, rest) = (found, child) }
        if case .filter(let filter, let child) = rest, filter.place == .input {
            (below, rest) = (filter.conjuncts, child)
        }
        guard case .relation(let relation) = rest else { return nil }
        self.relation = relation
        self.kept = kept
        self.watermark = watermark
        // Without a watermark there is no above.
        belowWatermark = watermark == nil ? below + above : below
        aboveWatermark = watermark == nil ? [] : above
    }

    /// The chain of one part of a union: what is said of the union, over the part's own columns, and what the part says
    /// itself. The columns that go up come first, in the same order for all parts.
    func part(_ part: SourceSpec, of union: SourceSpec) -> InputChain {
        let name = part.name.value
        func own(_ expression: LogicalExpression) -> LogicalExpression {
            expression.mapColumns { ColumnReference(source: name, column: $0.column) }
        }
        var chain = self
        chain.watermark =
            (union.union?.isWatermarkPerSource == true ? part.watermark : nil)
            .map { EventTimeWatermark($0, of: name) } ?? watermark
        chain.watermark?.column.source = name
        chain.belowWatermark = belowWatermark.map(own)
        chain.aboveWatermark = aboveWatermark.map(own)
        if let filter = part.filter { chain.placeLow(filter.conjuncts) }
        let wanted = kept.map { $0.map(\.name) } ?? relation.columns.map(\.name)
        chain.relation.source = name
        chain.relation.columns = PruneColumns.columns(of: part, first: wanted, chain)
        return chain
    }

    /// All of them.
    var conditions: [LogicalExpression] { belowWatermark + aboveWatermark }

    /// The chain as a plan.
    var plan: LogicalPlan {
        var plan = LogicalPlan.relation(relation)
        if !belowWatermark.isEmpty { plan = .filter(Filter(conjuncts: belowWatermark, place: .input), plan) }
        if let watermark { plan = .watermark(watermark, plan) }
        if !aboveWatermark.isEmpty { plan = .filter(Filter(conjuncts: aboveWatermark, place: .input), plan) }
        if let kept { plan = .project(kept, plan) }
        return plan
    }

    /// Puts conjuncts as low as Spark's optimizer puts them: below the watermark, unless they touch its column.
    mutating func placeLow(_ conjuncts: [LogicalExpression]) {
        for conjunct in conjuncts {
            if let watermark, conjunct.columns.contains(watermark.column) {
                aboveWatermark.append(conjunct)
            } else {
                belowWatermark.append(conjunct)
            }
        }
    }

    /// Puts conjuncts where they leave the watermark alone.
    mutating func placeAboveWatermark(_ conjuncts: [LogicalExpression]) {
        if watermark == nil { belowWatermark += conjuncts } else { aboveWatermark += conjuncts }
    }
}

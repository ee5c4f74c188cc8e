// From what the spec says to the tree as it was written: nothing is decided here.

internal import SluiceSpec

enum LogicalPlanBuilder {
    /// The plan of a query as written; `sources` maps every name the query uses to its source.
    static func build(
        _ query: QuerySpec, sources: [String: SourceSpec], tables: [String: TableSpec]
    ) -> LogicalPlan? {
        guard let from = sources[query.from.value] else { return nil }
        var plan = input(from, position: query.from.position)
        for join in query.joins {
            let with = join.isTable ? tables[join.with.value]?.source : sources[join.with.value]
            guard let with else { return nil }
            var right = input(with, position: join.with.position)
            if join.isTable { right = table(right) }
            plan = .join(self.join(join, in: query), left: plan, right: right)
        }
        if let filter = query.filter { plan = .filter(Filter(conjuncts: filter.conjuncts, place: .query), plan) }
        let outputs = query.select.map {
            ProjectedColumn(name: $0.name, objects: $0.objects, expression: $0.expression)
        }
        plan = .project(outputs, plan)
        return .sink(query.sinks.map(\.value), plan)
    }

    /// A source's `where` stands above its watermark, as in Spark's `withWatermark(…).where(…)`.
    private static func input(_ source: SourceSpec, position: SourcePosition) -> LogicalPlan {
        let name = source.name.value
        var plan = LogicalPlan.relation(
            StreamingRelation(
                source: name, position: position, columns: source.columns,
                eventTime: source.eventTime?.value ?? source.watermark?.column.value,
                checksAllColumns: source.badRows.value.judgesAllColumns))
        if let union = source.union { plan = .relation(plan.relations[0].of(union.parts.map(\.value))) }
        if let watermark = source.watermark {
            plan = .watermark(EventTimeWatermark(watermark, of: name), plan)
        }
        if let filter = source.filter { plan = .filter(Filter(conjuncts: filter.conjuncts, place: .input), plan) }
        if let deduplicate = source.deduplicate { plan = .deduplicate(self.deduplicate(deduplicate, source), plan) }
        return plan
    }

    private static func table(_ plan: LogicalPlan) -> LogicalPlan {
        guard case .relation(var relation) = plan else { return plan.replacingChildren(table) }
        relation.isTable = true
        // All of a table is kept, whatever a query reads of it.
        relation.checksAllColumns = true
        return .relation(relation)
    }

    private static func deduplicate(_ spec: DeduplicateSpec, _ source: SourceSpec) -> Deduplicate {
        func reference(_ column: Located<String>) -> ColumnReference {
            ColumnReference(source: source.name.value, column: column.value)
        }
        return Deduplicate(
            columns: spec.columns.map(reference).sorted { $0.column < $1.column },
            time: source.watermark.map { reference($0.column) },
            withinMicros: spec.keepsForever
                ? nil : spec.withinMicros?.value ?? source.watermark?.delayMicros.value)
    }

    private static func join(_ join: JoinSpec, in query: QuerySpec) -> Join {
        var plan = Join(
            type: join.type,
            keys: join.keys.map {
                LogicalJoinKey(
                    left: $0.left.value, right: $0.right.value, isNullSafe: $0.isNullSafe, position: $0.left.position)
            },
            window: join.windowMicros.map {
                JoinWindow(
                    micros: $0.value, source: join.windowSource?.value ?? query.from.value, position: $0.position)
            },
            conditions: (join.within?.conjuncts ?? []) + (join.filter?.conjuncts ?? []),
            shards: query.state.shards?.value)
        if let match = join.match { (plan.match, plan.matchPosition) = (match.value, match.position) }
        return plan
    }
}

extension StreamingRelation {
    /// The same relation as a union of sources.
    fileprivate func of(_ parts: [String]) -> StreamingRelation {
        var relation = self
        relation.parts = parts
        return relation
    }
}

// Whether every name a query uses is there. The spec's reader has checked its text already; these checks keep the
// planner total for specs that were put together in another way, and add what only a join type can tell.

internal import SluiceSpec

struct NameChecks {
    let query: QuerySpec
    let sources: [String: SourceSpec]
    let tables: [String: TableSpec]

    /// Empty when the query can be planned.
    func diagnose() -> [Diagnostic] {
        let joined = query.joins.filter { $0.isTable ? tables[$0.with.value] == nil : sources[$0.with.value] == nil }
        let missing = (sources[query.from.value] == nil ? [query.from] : []) + joined.map(\.with)
        if !missing.isEmpty {
            return missing.map { unknown(.unknownSource, "source `\($0.value)`", at: $0.position, length: $0.length) }
        }
        return repeatedInputs() + unknownColumns() + rightColumnsAfterSemiJoin()
    }

    private func repeatedInputs() -> [Diagnostic] {
        let names = [query.from.value] + query.joins.map(\.with.value)
        return query.joins.enumerated().filter { names[...$0.offset].contains($0.element.with.value) }.map { _, join in
            Diagnostic(
                .error, .selfJoin, at: join.with.position, length: join.with.length,
                "`\(join.with.value)` is already an input of this query",
                fix: "declare a second source that reads the same data, and join that")
        }
    }

    private func unknown(
        _ code: DiagnosticCode, _ what: String, at position: SourcePosition, length: Int = 1
    ) -> Diagnostic {
        Diagnostic(.error, code, at: position, length: length, "there is no \(what)")
    }

    private var outputExpressions: [LogicalExpression] {
        query.select.map(\.expression) + (query.filter.map { [$0] } ?? [])
    }

    private func unknownColumns() -> [Diagnostic] {
        let inputs = Set([query.from.value] + query.joins.map(\.with.value))
        let known = Set(
            inputs.flatMap { name in
                (sources[name]?.columns ?? tables[name]?.source.columns ?? []).map {
                    ColumnReference(source: name, column: $0.name)
                }
            })
        var expressions = outputExpressions + inputs.sorted().compactMap { sources[$0]?.filter }
        for join in query.joins {
            expressions += [join.within, join.filter].compactMap(\.self)
            for key in join.keys {
                expressions += [key.left, key.right].map {
                    LogicalExpression(.column($0.value), type: .null, isNullable: true, at: $0.position)
                }
            }
        }
        for input in inputs.sorted() {
            for column in [sources[input]?.eventTime, sources[input]?.watermark?.column].compactMap(\.self) {
                let reference = ColumnReference(source: input, column: column.value)
                expressions.append(
                    LogicalExpression(.column(reference), type: .null, isNullable: true, at: column.position))
            }
        }
        return expressions.flatMap { expression in
            // Not `subtracting`, which goes through all that are known.
            expression.columns.filter { !known.contains($0) }.map { "column `\($0.source).\($0.column)`" }.sorted()
                .map { unknown(.unknownColumn, $0, at: expression.position) }
        }
    }

    private func rightColumnsAfterSemiJoin() -> [Diagnostic] {
        query.joins.filter { !$0.type.value.outputs(.right) }.flatMap { join in
            outputExpressions.flatMap { expression in
                expression.columns.filter { $0.source == join.with.value }.map(\.column).sorted().map { column in
                    Diagnostic(
                        .error, .unknownColumn, at: expression.position,
                        "a \(join.type.value.rawValue) join gives columns of `\(query.from.value)` only, not "
                            + "`\(join.with.value).\(column)`",
                        fix: "leave it out, or use an outer join")
                }
            }
        }
    }
}

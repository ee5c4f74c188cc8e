// Expressions that stand in a sink. They speak of output columns, and those only a query has: so the text is parsed
// with the sink, and names and types are looked up once for every query that writes there.

/// An expression over the names of a query's output columns.
package struct OutputExpression: Sendable {
    private let text: ExpressionText
    private let syntax: Syntax

    init(text: ExpressionText, syntax: Syntax) {
        self.text = text
        self.syntax = syntax
    }

    /// The typed form over the output columns of `query`, nil if there are errors among the diagnostics. A value that
    /// can only be null is a string.
    package func typed(for query: QuerySpec) -> (expression: Expression<String>?, diagnostics: [Diagnostic]) {
        let diagnostics = DiagnosticCollector()
        let scope = ColumnScope(inputs: [], output: OutputScope(query: query.name.value, columns: query.select))
        var checked = TypeChecker(text: text, scope: scope, diagnostics: diagnostics).check(syntax)
        if checked?.type == .duration {
            diagnostics.error(
                .typeMismatch, at: text.place(syntax.range), "a duration has no text that could be written",
                fix: "write one of the two timestamps instead")
            checked = nil
        }
        if checked?.type == .null { checked?.type = .string }
        return (checked?.mapColumns(\.column), diagnostics.sorted())
    }
}

/// What a query puts out, as expressions of a sink see it.
struct OutputScope {
    private let query: String
    private let columns: [OutputColumnSpec]
    private let types: [String: DataType]

    /// Columns in objects have no name of their own here.
    init(query: String, columns: [OutputColumnSpec]) {
        let columns = columns.filter(\.objects.isEmpty)
        self.query = query
        self.columns = columns
        types = Dictionary(columns.map { ($0.name, $0.expression.type) }, uniquingKeysWith: { first, _ in first })
    }

    func find(source: String?, column: String, shown: String) -> ColumnScope.Lookup {
        if let source {
            let reference = ColumnReference(source: source, column: column)
            let same = columns.first { $0.expression.kind == .column(reference) }
            return .failed(
                .unknownColumn, message: "`\(shown)` is no output column, and a sink sees only those",
                fix: same.map { "write `\(quotedName($0.name))`" } ?? "select it in the query `\(query)`")
        }
        if let type = types[column] { return .found(ColumnReference(source: "", column: column), type) }
        return .failed(
            .unknownColumn, message: "the query `\(query)` has no output column `\(shown)`",
            fix: suggestion(for: column, in: columns.map(\.name), listing: "its output columns are"))
    }
}

// The columns an expression may name.

struct ColumnScope {
    struct Input {
        var name: String
        var columns: [ColumnSpec]
        /// Columns that are declared with a mistake; naming them is no second mistake.
        var brokenColumns: Set<String> = []
        /// True when the source or its columns could not be read, so that nothing can be said about its names.
        var isUnknown = false
    }

    /// Left to right.
    var inputs: [Input]
    /// Inputs that exist but cannot be named here, each with the reason.
    var hidden: [(name: String, reason: String)] = []
    /// Set where a query's output columns are what can be named, and its inputs are not.
    var output: OutputScope?
    /// Whether a name that is not found may just be a victim of something reported elsewhere.
    var isIncomplete: Bool { inputs.contains(where: \.isUnknown) }

    enum Lookup {
        case found(ColumnReference, DataType)
        /// Reported elsewhere.
        case broken
        case failed(DiagnosticCode, message: String, fix: String?)
    }

    /// Looks up `source.column`, or `column` alone. `shown` is the name as messages may show it.
    func find(source: String?, column: String, shown: String) -> Lookup {
        if let output { return output.find(source: source, column: column, shown: shown) }
        if let source { return find(column, in: source, shown: shown) }
        let owners = inputs.filter { input in
            input.columns.contains { $0.name == column } || input.brokenColumns.contains(column)
        }
        if owners.count > 1 {
            let candidates = owners.map { "`\(quotedName($0.name)).\(quotedName(column))`" }
            return .failed(
                .ambiguousColumn, message: "`\(shown)` is a column of more than one input",
                fix: "write " + candidates.joined(separator: " or "))
        }
        if let owner = owners.first { return find(column, in: owner.name, shown: shown) }
        if isIncomplete { return .broken }
        let names = inputs.flatMap { $0.columns.map(\.name) }
        if inputs.contains(where: { $0.name == column }) {
            return .failed(
                .unknownColumn, message: "`\(shown)` is a source, not a column", fix: "write `\(shown).column`")
        }
        return .failed(
            .unknownColumn, message: "no input has a column `\(shown)`",
            fix: suggestion(for: column, in: names, listing: "columns are"))
    }

    private func find(_ column: String, in source: String, shown: String) -> Lookup {
        guard let input = inputs.first(where: { $0.name == source }) else {
            if let hidden = hidden.first(where: { $0.name == source }) {
                return .failed(.unknownColumn, message: "`\(shown)` cannot be used here: \(hidden.reason)", fix: nil)
            }
            if isIncomplete { return .broken }
            return .failed(
                .unknownSource, message: "`\(shown)` names no input of this query",
                fix: suggestion(for: source, in: inputs.map(\.name), listing: "inputs are"))
        }
        if let declared = input.columns.first(where: { $0.name == column }) {
            return .found(ColumnReference(source: source, column: column), declared.type)
        }
        if input.isUnknown || input.brokenColumns.contains(column) { return .broken }
        return .failed(
            .unknownColumn, message: "`\(shown)`: the source has no such column",
            fix: suggestion(for: column, in: input.columns.map(\.name), listing: "its columns are"))
    }
}

// The columns an expression may name.

/// An input with more columns has no "did you mean": every wrong name would be compared with every right one.
private let suggestionsMax = 500

struct ColumnScope {
    struct Input {
        let name: String
        private(set) var columns: [ColumnSpec] = []
        /// Where each stands in `columns`: a spec may have thousands, each named by an expression.
        private var numbers: [String: Int] = [:]
        /// Columns that are declared with a mistake; naming them is no second mistake.
        var brokenColumns: Set<String> = []
        /// True when the source or its columns could not be read, so that nothing can be said about its names.
        var isUnknown = false

        init(name: String, isUnknown: Bool = false) {
            self.name = name
            self.isUnknown = isUnknown
        }

        mutating func add(_ column: ColumnSpec) {
            if numbers[column.name] == nil { numbers[column.name] = columns.count }
            columns.append(column)
        }

        func column(_ name: String) -> ColumnSpec? { numbers[name].map { columns[$0] } }

        /// The names among which the one that was meant may be; none where looking would take long.
        var suggestions: [String] { columns.count <= suggestionsMax ? columns.map(\.name) : [] }
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
            input.column(column) != nil || input.brokenColumns.contains(column)
        }
        if owners.count > 1 {
            let candidates = owners.map { "`\(quotedName($0.name)).\(quotedName(column))`" }
            return .failed(
                .ambiguousColumn, message: "`\(shown)` is a column of more than one input",
                fix: "write " + candidates.joined(separator: " or "))
        }
        if let owner = owners.first { return find(column, in: owner.name, shown: shown) }
        if isIncomplete { return .broken }
        if inputs.contains(where: { $0.name == column }) {
            return .failed(
                .unknownColumn, message: "`\(shown)` is a source, not a column", fix: "write `\(shown).column`")
        }
        return .failed(
            .unknownColumn, message: "no input has a column `\(shown)`",
            fix: suggestion(for: column, in: inputs.flatMap(\.suggestions), listing: "columns are"))
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
        if let declared = input.column(column) {
            return .found(ColumnReference(source: source, column: column), declared.type)
        }
        if input.isUnknown || input.brokenColumns.contains(column) { return .broken }
        return .failed(
            .unknownColumn, message: "`\(shown)`: the source has no such column",
            fix: suggestion(for: column, in: input.suggestions, listing: "its columns are"))
    }
}

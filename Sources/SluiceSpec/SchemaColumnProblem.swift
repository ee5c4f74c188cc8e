// What a schema of any language has to say against a column.

/// A column that a schema does not have, or has as something else.
package struct SchemaColumnProblem: Hashable, Sendable {
    package var column: ColumnSpec
    /// One sentence without its end.
    package var message: String
    package var fix: String?
}

/// The end of a sentence that says what a record has in place of a field that is not there.
func shownFields(_ names: [String]) -> String {
    let shown = names.prefix(40).map { "`\($0)`" }.joined(separator: ", ")
    let rest = names.count > 40 ? " and \(names.count - 40) more" : ""
    return names.isEmpty ? "none" : shown + rest
}

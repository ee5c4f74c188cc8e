// Why a query cannot go on for a table.

internal import SluiceConnectors
internal import SluiceEngine

/// A table that cannot be read, or is not what it says.
package struct TableError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A stable name such as `table-missing`.
    package var code: String
    package var description: String
    /// Whether the same may go well a moment later.
    package var isRetriable = false
}

extension TableError {
    /// What stands in the way of reading a table.
    init(_ table: String, _ error: any Error) {
        self.init(
            code: errorCode(error), description: "table `\(table)` cannot be read: \(error)",
            isRetriable: SluiceRuntime.isRetriable(error))
    }

    /// Two rows of one key.
    /// - Parameter places: of both; nil where they are not known.
    init(_ table: String, _ error: DuplicateRows, places: [String]?) {
        let rows = places.map { "its rows \($0[0]) and \($0[1])" } ?? "two of its rows"
        self.init(
            code: "table-not-unique",
            description: "table `\(table)` says `unique: true`, and \(rows) both have \(error.values) (remove one of "
                + "them, or `unique: true`: every row then joins)")
    }
}

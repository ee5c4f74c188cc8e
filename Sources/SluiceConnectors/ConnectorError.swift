// Why a source or a sink cannot do what it was asked to. One type for both: who runs a query only wants to know what to
// tell the person, and whether trying again may help.

internal import SluiceEngine

/// What happened to a source or a sink, and what to do.
package struct ConnectorError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A stable name such as `file-truncated`.
    package var code: String
    /// What happened, where (path, topic, offset), and what to do.
    package var message: String
    /// True when trying again later may work.
    package var isRetriable: Bool

    package init(code: String, _ message: String, isRetriable: Bool) {
        self.code = code
        self.message = message
        self.isRetriable = isRetriable
    }

    package var description: String { message }
}

extension ConnectorError {
    /// Output that was put away cannot be read back.
    init(unreadable error: SpillError) {
        self.init(code: "output-unreadable", error.description, isRetriable: error.isRetriable)
    }

    /// A stop was asked for while the connector waited for something that may never come.
    package static let stopped = ConnectorError(
        code: "stopped", "the query was asked to stop while it waited", isRetriable: false)
}

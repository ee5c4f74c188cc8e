// Sinks take a batch's bytes by batch id, in two steps, so that the state can become durable in between.

package import SluiceEngine

package struct SinkError: Error, Hashable, Sendable, CustomStringConvertible {
    package var code: String
    package var message: String
    package var isRetriable: Bool

    package init(code: String, _ message: String, isRetriable: Bool) {
        self.code = code
        self.message = message
        self.isRetriable = isRetriable
    }

    package var description: String { message }
}

/// One sink of one query. Used by the query's thread, but for `stage`, which may run on another while it waits.
package protocol Sink: AnyObject, Sendable {
    /// For progress records, such as `FileSink[/out]`.
    var description: String { get }

    /// Called once before the first batch. `lastCommitted` is the newest batch in the commit log, nil for none.
    /// Finishes a commit that a crash interrupted (the batch is in the log, its output still staged) and clears what
    /// batches after it have staged. Returns the newest batch this sink knows to be visible, nil when it cannot tell.
    func recover(lastCommitted: Int64?) throws(SinkError) -> Int64?
    /// Makes the batch's output durable but not yet visible. `parts` in order are the batch's bytes, whole lines.
    /// `rowCount` 0 stages nothing. Staging a batch again replaces it.
    func stage(batch: Int64, parts: [OutputBytes], rowCount: Int) throws(SinkError)
    /// Makes a staged batch visible, at once and whole.
    func commit(batch: Int64) throws(SinkError)
    /// Makes the visibility of committed batches durable.
    func sync() throws(SinkError)
}

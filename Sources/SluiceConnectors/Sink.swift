// Sinks take a batch's bytes by batch id, in two steps, so that the state can become durable in between.

package import SluiceEngine

/// A batch as a sink knows it.
package struct SinkBatch: Hashable, Sendable {
    package var id: Int64
    /// Equal for runs of a batch over the same input with the same watermarks, and for no others.
    package var fingerprint: String
    /// What the batch has read up to, of sources that have consumer groups.
    package var consumed: [ConsumedOffsets]

    package init(id: Int64, fingerprint: String, consumed: [ConsumedOffsets]) {
        self.id = id
        self.fingerprint = fingerprint
        self.consumed = consumed
    }
}

/// One sink of one query. Used by the query's thread, but for `stage`, which may run on another while it waits.
package protocol Sink: AnyObject, Sendable {
    /// For progress records, such as `FileSink[/out]`.
    var description: String { get }

    /// Called once before the first batch. `lastCommitted` is the newest batch in the commit log, nil for none;
    /// `inHand` the batch that will be run again, if there is one. Finishes a commit that a crash interrupted (the
    /// batch is in the log, its output still staged) and clears what batches after it have staged. Where the sink can
    /// tell that the batch in hand is visible already, it takes no output of it again.
    func recover(queryID: String, lastCommitted: Int64?, inHand: SinkBatch?) throws(ConnectorError)
    /// Makes the batch's output durable but not yet visible. `parts` in order are the batch's bytes, whole lines.
    /// Staging a batch again replaces it.
    func stage(_ batch: SinkBatch, parts: [OutputBytes], rowCount: Int) throws(ConnectorError)
    /// Makes a staged batch visible, at once and whole.
    func commit(batch: Int64) throws(ConnectorError)
    /// Makes the visibility of committed batches durable.
    func sync() throws(ConnectorError)
    /// True when the sink's commits move the query's consumer group on this topic.
    func reports(_ consumed: ConsumedOffsets) -> Bool
    /// Processor time so far of threads that a library has for it. May go back.
    var processorNanos: UInt64 { get }
}

extension Sink {
    package func reports(_ consumed: ConsumedOffsets) -> Bool { false }
    package var processorNanos: UInt64 { 0 }
}

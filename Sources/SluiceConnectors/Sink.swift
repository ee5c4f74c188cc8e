// Sinks take a batch's bytes by batch id, in two steps, so that the state can become durable in between.

package import SluiceEngine

/// A batch as a sink knows it.
package struct SinkBatch: Hashable, Sendable {
    package var id: Int64
    /// Equal for runs of a batch over the same input with the same watermarks, and for no others.
    package var fingerprint: String

    package init(id: Int64, fingerprint: String) {
        self.id = id
        self.fingerprint = fingerprint
    }
}

/// A life of a checkpoint: batches that follow from each other, from its making or a rollback on.
package struct CheckpointLife: Hashable, Sendable {
    /// Random; made when the life begins.
    package var id: String
    /// Its first batch.
    package var from: Int64

    package init(id: String, from: Int64) {
        self.id = id
        self.from = from
    }
}

/// Where a sink has left a mark of a batch in the system it writes to, so that a start can tell when it is gone.
package struct SinkMark: Hashable, Sendable {
    /// The Kafka cluster's own id.
    package var clusterID: String
    /// The topic under whose partition 0 the mark stands.
    package var topic: String
    package var batch: Int64

    package init(clusterID: String, topic: String, batch: Int64) {
        self.clusterID = clusterID
        self.topic = topic
        self.batch = batch
    }
}

/// Where a query stands when its sinks are opened.
package struct SinkStart: Sendable {
    /// The checkpoint's id.
    package var queryID: String
    /// Ascending; the first is from batch 0.
    package var lives: [CheckpointLife]
    /// The newest batch in the commit log, nil for none.
    package var lastCommitted: Int64?
    /// The batch that will be run again, if there is one.
    package var inHand: SinkBatch?
    /// What the newest commit says of the marks that sinks have left; nil where an earlier version has written it,
    /// which did not say.
    package var marks: [SinkMark]?
    /// A mark that should be there may be missing: a person has said so.
    package var acceptsMissingMark: Bool

    package init(
        queryID: String, lives: [CheckpointLife], lastCommitted: Int64?, inHand: SinkBatch? = nil,
        marks: [SinkMark]? = [],
        acceptsMissingMark: Bool = false
    ) {
        precondition(lives.first?.from == 0)
        self.queryID = queryID
        self.lives = lives
        self.lastCommitted = lastCommitted
        self.inHand = inHand
        self.marks = marks
        self.acceptsMissingMark = acceptsMissingMark
    }

    /// The newest batch that this checkpoint can have given to a sink.
    var newestBatch: Int64 { inHand?.id ?? lastCommitted ?? -1 }

    /// The life in force at a batch.
    func life(at batch: Int64) -> String? { lives.last { $0.from <= batch }?.id }
}

/// One sink of one query. Used by the query's thread, but for `stage`, which may run on another while it waits.
package protocol Sink: AnyObject, Sendable {
    /// For progress records, such as `FileSink[/out]`.
    var description: String { get }
    /// The newest mark that it has left, for the commit of the batch; nil where it leaves none.
    var mark: SinkMark? { get }

    /// Called once before the first batch. Finishes a commit that a crash interrupted (the batch is in the log, its
    /// output still staged) and clears what batches after it have staged. Where the sink can tell that the batch in
    /// hand is visible already, it takes no output of it again. Throws where what it writes to belongs to somebody
    /// else, or has batches that the checkpoint does not know.
    func recover(_ start: SinkStart) throws(ConnectorError)
    /// Called once, when all sources have been looked at, or a batch that was interrupted is about to run again, and
    /// before a row is read: what others see before the first batch, such as the schema of its values, is made here.
    func begin() throws(ConnectorError)
    /// Makes the batch's output durable but not yet visible. `parts` in order are the batch's bytes, whole lines.
    /// Staging a batch again replaces it.
    func stage(_ batch: SinkBatch, parts: [OutputBytes], rowCount: Int) throws(ConnectorError)
    /// Makes a staged batch visible, at once and whole.
    func commit(batch: Int64) throws(ConnectorError)
    /// Makes the visibility of committed batches durable.
    func sync() throws(ConnectorError)
    /// True where a batch can be seen already, as far as the sink can tell. Asked after `recover`.
    func shows(batch: Int64) throws(ConnectorError) -> Bool
    /// Called between batches: renews from time to time what would be forgotten otherwise.
    func keepAlive() throws(ConnectorError)
    /// Processor time so far of threads that a library has for it. May go back.
    var processorNanos: UInt64 { get }
}

extension Sink {
    package var mark: SinkMark? { nil }
    package func shows(batch: Int64) throws(ConnectorError) -> Bool { false }
    package func begin() throws(ConnectorError) {}
    package func keepAlive() throws(ConnectorError) {}
    package var processorNanos: UInt64 { 0 }
}

// What an exactly-once transaction writes into the metadata of the offset that it commits, and what a start reads back:
// which batch of which checkpoint the transaction was of. A transaction that was committed is the only place where it
// can be read, so a batch is visible exactly when its mark is there.

/// The mark of one batch.
struct CommittedBatch: Hashable {
    /// The checkpoint's query id: another checkpoint numbers its batches anew.
    var queryID: String
    /// The life of the checkpoint that was in force; nil in marks of earlier versions.
    var life: String?
    /// The one sink that it speaks of, in marks of earlier versions; else it speaks of all.
    var sink: String?
    var batch: Int64
    /// `SinkBatch.fingerprint`.
    var fingerprint: String

    init(queryID: String, life: String, batch: Int64, fingerprint: String) {
        self.queryID = queryID
        self.life = life
        self.batch = batch
        self.fingerprint = fingerprint
    }

    /// False for a mark of an earlier version, which stood elsewhere.
    var isOfThisFormat: Bool { life != nil }

    /// The metadata text; a few words that a person can read in `kafka-consumer-groups`' offsets topic.
    var text: String { "sluice/2 query=\(queryID) life=\(life ?? "") batch=\(batch) input=\(fingerprint)" }

    /// nil for a text that is not a mark.
    init?(_ text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 5, ["sluice/1", "sluice/2"].contains(words[0]) else { return nil }
        func value(_ word: Substring, _ name: String) -> String? {
            word.hasPrefix("\(name)=") ? String(word.dropFirst(name.utf8.count + 1)) : nil
        }
        guard let queryID = value(words[1], "query"),
            let batch = value(words[3], "batch").flatMap({ Int64($0) }), batch >= 0,
            let fingerprint = value(words[4], "input")
        else { return nil }
        (self.queryID, self.batch, self.fingerprint) = (queryID, batch, fingerprint)
        if words[0] == "sluice/1" {
            guard let sink = value(words[2], "sink") else { return nil }
            self.sink = sink
        } else {
            guard let life = value(words[2], "life") else { return nil }
            self.life = life
        }
    }
}

/// What the marks that were found mean for the batch to come.
enum RecoveredTransaction: Hashable {
    /// Nothing of a batch behind the last committed one is visible.
    case clean
    /// The batch in hand is visible already.
    case inHandIsVisible
    /// The topics have batches that a rollback has taken out of the checkpoint: they come again, and a person knows.
    case repeatsAfterRollback(CommittedBatch)
    /// The mark of this batch, or a later one, should be there.
    case missing(Int64)
    /// The topics have batches that this checkpoint knows nothing of: it is an older copy, or another has gone on.
    case ahead(CommittedBatch)

    /// Pure. `marks` are those of the query; `expected` is the batch of the last one that the commit log knows of.
    init(_ marks: [CommittedBatch], _ start: SinkStart, expected: Int64?) {
        guard let newest = marks.max(by: { $0.batch < $1.batch }) else {
            self = expected.map { .missing($0) } ?? .clean
            return
        }
        let isOfOtherLife = newest.life != nil && newest.life != start.life(at: newest.batch)
        if isOfOtherLife {
            let isKnown = start.lives.contains { $0.id == newest.life && $0.from <= newest.batch }
            self = isKnown ? .repeatsAfterRollback(newest) : .ahead(newest)
        } else if newest.batch > start.lastCommitted ?? -1 {
            let isInHand = newest.batch == start.inHand?.id && newest.fingerprint == start.inHand?.fingerprint
            self = isInHand ? .inHandIsVisible : .ahead(newest)
        } else if let expected, newest.batch < expected {
            self = .missing(expected)
        } else {
            self = .clean
        }
    }
}

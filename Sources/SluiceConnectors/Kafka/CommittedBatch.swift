// What a Kafka sink writes into the metadata of the offsets that its transactions commit, and reads back at its start:
// which batch of which checkpoint the transaction was of. A transaction that was committed is the only place where it
// can be read, so a batch is visible exactly when its mark is there.

/// The mark of one batch.
struct CommittedBatch: Hashable {
    /// The checkpoint's query id: another checkpoint numbers its batches anew.
    var queryID: String
    var sink: String
    var batch: Int64
    /// `SinkBatch.fingerprint`.
    var fingerprint: String

    /// The metadata text; a few words that a person can read in `kafka-consumer-groups`' offsets topic. Names have no
    /// blanks.
    var text: String { "sluice/1 query=\(queryID) sink=\(sink) batch=\(batch) input=\(fingerprint)" }

    init(queryID: String, sink: String, batch: Int64, fingerprint: String) {
        self.queryID = queryID
        self.sink = sink
        self.batch = batch
        self.fingerprint = fingerprint
    }

    /// nil for a text that is not a mark.
    init?(_ text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 5, words[0] == "sluice/1" else { return nil }
        func value(_ word: Substring, _ name: String) -> String? {
            word.hasPrefix("\(name)=") ? String(word.dropFirst(name.utf8.count + 1)) : nil
        }
        guard let queryID = value(words[1], "query"), let sink = value(words[2], "sink"),
            let batch = value(words[3], "batch").flatMap({ Int64($0) }), batch >= 0,
            let fingerprint = value(words[4], "input")
        else { return nil }
        self.init(queryID: queryID, sink: sink, batch: batch, fingerprint: fingerprint)
    }
}

/// What a mark that was found means for the batch to come.
enum RecoveredSink: Hashable {
    /// Nothing of a batch behind the last committed one is visible.
    case clean
    /// The batch in hand is visible already.
    case inHandIsVisible
    /// The sink has batches that this checkpoint knows nothing of: it is an older copy, or was rolled back.
    case ahead(CommittedBatch)

    /// Pure. `marks` are those found for the query and sink.
    init(_ marks: [CommittedBatch], lastCommitted: Int64?, inHand: SinkBatch?) {
        let newest = marks.max { $0.batch < $1.batch }
        guard let newest, newest.batch > lastCommitted ?? -1 else {
            self = .clean
            return
        }
        let isInHand = newest.batch == inHand?.id && newest.fingerprint == inHand?.fingerprint
        self = isInHand ? .inHandIsVisible : .ahead(newest)
    }
}

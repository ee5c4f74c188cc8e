// What the status server knows of the queries beside their controls: their last progress records, what they have added
// up to, and who wants to hear of it. Queries write to it from their threads.

package import SluiceRuntime
internal import SluiceSpec
internal import SluiceSystem
internal import Synchronization

/// The part of a process that watches.
package final class StatusBoard: Sendable {
    private final class Record: Sendable {
        let content = Mutex(Content())
    }

    private struct Content: Sendable {
        var history = ProgressHistory()
        var metrics = QueryMetrics()
    }

    let events = EventLog()
    private let records = Mutex<[String: Record]>([:])

    package init() {}

    /// Takes a batch's record, on its query's thread.
    package func add(_ progress: QueryProgress) {
        let json = progress.jsonValue.text()
        record(progress.name).content.withLock { content in
            content.history.append(json)
            content.metrics.add(progress)
        }
        events.append("progress", json: json)
    }

    /// A query's status may have changed.
    package func didChange(_ query: String) { events.noteChange(query) }

    /// Forgets queries that are gone.
    func keepOnly(_ names: Set<String>) {
        records.withLock { records in records = records.filter { names.contains($0.key) } }
    }

    func metrics(_ query: String) -> QueryMetrics { record(query).content.withLock { $0.metrics } }

    func lastProgress(_ query: String) -> QueryProgress? { record(query).content.withLock { $0.metrics.last } }

    /// The JSON of the last records, oldest first.
    package func history(_ query: String, last count: Int) -> [[UInt8]] {
        record(query).content.withLock { $0.history }.last(count)
    }

    private func record(_ query: String) -> Record {
        records.withLock { records in
            if let record = records[query] { return record }
            let record = Record()
            records[query] = record
            return record
        }
    }
}

// What a query waits for outside of the process, told by its connectors while they wait, and by whoever watches a
// broker while the query itself has nothing to ask it. A query's object, its page and the readiness of the process show
// it.

internal import Synchronization

/// What one query waits for. From any thread.
package final class Waiting: Sendable {
    private let what = Mutex<[ObjectIdentifier: String]>([:])
    private let didChange: @Sendable () -> Void

    /// - Parameter didChange: called on the thread that told the news. Must be quick.
    package init(didChange: @escaping @Sendable () -> Void = {}) { self.didChange = didChange }

    /// In words, such as `Kafka at localhost:9092`; nil when it waits for nothing.
    package var text: String? {
        let all = Set(what.withLock { $0.values }).sorted()
        return all.isEmpty ? nil : all.joined(separator: " and ")
    }

    /// Says what somebody waits for, or with nil that it does not wait any more.
    func note(_ waiter: AnyObject, _ text: String?) {
        let isNews = what.withLock { what in
            defer { what[ObjectIdentifier(waiter)] = text }
            return what[ObjectIdentifier(waiter)] != text
        }
        if isNews { didChange() }
    }
}

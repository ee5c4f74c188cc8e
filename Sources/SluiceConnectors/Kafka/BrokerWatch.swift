// Whether brokers answer, whatever queries are doing: one that waits an hour for its trigger asks nothing meanwhile,
// and a person is to see at once that its broker is away. One look a second over the handle that asks about topics, and
// only when nobody else has had an answer.

internal import CRdKafka
internal import SluiceSystem
internal import Synchronization

/// Watches the brokers of one handle, for all who want to know.
@safe final class BrokerWatch: Sendable {
    private struct State {
        var answeredNanos: UInt64
        var isAway = false
        var observers: [ObjectIdentifier: @Sendable (_ isAway: Bool) -> Void] = [:]
    }

    private let state: Mutex<State>
    private let clock = SystemClock()
    private static let lookMillis: Int64 = 1000
    private static let awayNanos: UInt64 = 1_500_000_000

    init() { state = Mutex(State(answeredNanos: SystemClock().monotonicNanos)) }

    /// Looks for as long as there is the handle.
    /// - Parameter topic: what is asked about; without a name librdkafka would ask for all there are.
    func start(_ handle: KafkaHandle, topic: String) {
        let (clock, weak) = (clock, WeakHandle(handle))
        SystemThread(name: "kafka-watch") { [self] in
            while true {
                clock.wait(untilNanos: clock.nanos(inMillis: Self.lookMillis), wakeup: Wakeup())
                guard let handle = weak.handle else { return }
                look(handle, topic)
            }
        }?.detach()
    }

    private func look(_ handle: KafkaHandle, _ topic: String) {
        if silentNanos < UInt64(Self.lookMillis) * 1_000_000 { return }
        let name = unsafe rd_kafka_topic_new(handle.pointer, topic, nil)
        defer { unsafe rd_kafka_topic_destroy(name) }
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let error = unsafe rd_kafka_metadata(handle.pointer, 0, name, &metadata, Int32(Self.lookMillis))
        if error == RD_KAFKA_RESP_ERR_NO_ERROR {
            unsafe rd_kafka_metadata_destroy(metadata)
            noteAnswer()
        } else if silentNanos > Self.awayNanos {
            setAway(true)
        }
    }

    private var silentNanos: UInt64 { clock.monotonicNanos - state.withLock { $0.answeredNanos } }

    /// A broker has answered somebody.
    func noteAnswer() {
        let now = clock.monotonicNanos
        let wasAway = state.withLock { state in
            state.answeredNanos = now
            return state.isAway
        }
        if wasAway { setAway(false) }
    }

    private func setAway(_ isAway: Bool) {
        let observers = state.withLock { state -> [@Sendable (Bool) -> Void] in
            if state.isAway == isAway { return [] }
            state.isAway = isAway
            return Array(state.observers.values)
        }
        for observer in observers { observer(isAway) }
    }

    /// Calls `change` whenever brokers go away and come back, from any thread, until `forget`.
    func tell(_ owner: AnyObject, _ change: @escaping @Sendable (_ isAway: Bool) -> Void) {
        let isAway = state.withLock { state in
            state.observers[ObjectIdentifier(owner)] = change
            return state.isAway
        }
        if isAway { change(true) }
    }

    var observerCount: Int { state.withLock { $0.observers.count } }

    func forget(_ owner: AnyObject) { state.withLock { $0.observers[ObjectIdentifier(owner)] = nil } }

    /// The watch must not keep the handle alive.
    private final class WeakHandle: Sendable {
        private let reference: Mutex<Reference>
        private struct Reference { weak var handle: KafkaHandle? }

        init(_ handle: KafkaHandle) { reference = Mutex(Reference(handle: handle)) }
        var handle: KafkaHandle? { reference.withLock { $0.handle } }
    }
}

// A handle of librdkafka's: its connections, its threads, and what its events have said of them. Handles that only ask
// where topics begin and end are shared by all queries of the process that connect alike: a handle is four threads and
// seven descriptors, and its main thread spins for half a millisecond a second.

internal import CRdKafka
internal import SluiceSpec
internal import SluiceSystem
internal import Synchronization

@safe final class KafkaHandle: @unchecked Sendable {
    // @unchecked: librdkafka's handles and queues are made for many threads.

    /// What is known of the connections.
    struct State {
        /// What the last error event said.
        var trouble: String?
        var refusal: KafkaFailure?
    }

    let pointer: OpaquePointer
    let events: OpaquePointer
    let state = Mutex(State())
    /// Of a handle that is shared.
    let watch = BrokerWatch()
    /// True when nobody is to wait for the handle's end.
    let isLeftAlone = Atomic(false)
    private let context: HandleContext
    /// Processor time of librdkafka's threads for this handle, so far.
    var processorNanos: UInt64 { context.threads.nanos }

    /// Starts connecting; nothing is waited for.
    init(_ type: rd_kafka_type_t, settings: consuming KafkaSettings, log: Log) throws(KafkaFailure) {
        ignoreBrokenPipes()
        let context = HandleContext(log)
        self.context = context
        let box = unsafe Unmanaged.passRetained(context)
        unsafe settings.withPointer { conf in
            unsafe rd_kafka_conf_set_opaque(conf, box.toOpaque())
            unsafe meterThreads(conf, box.toOpaque())
            unsafe rd_kafka_conf_set_log_cb(conf) { handle, _, _, text in
                guard let opaque = unsafe rd_kafka_opaque(handle), let text = unsafe text else { return }
                let context = unsafe Unmanaged<HandleContext>.fromOpaque(opaque).takeUnretainedValue()
                context.log.debug("librdkafka says", [.detail: .string(unsafe String(cString: text))])
            }
            unsafe rd_kafka_conf_set_events(
                conf, RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_OFFSET_COMMIT)
        }
        let conf = unsafe settings.take()
        var created: OpaquePointer?
        let problem = unsafe withErrorText { text, count in
            unsafe created = rd_kafka_new(type, conf, text, count)
            return unsafe created == nil
        }
        guard let created = unsafe created else {
            // The settings and what they refer to are left to themselves: librdkafka has freed a part of settings with
            // interceptors already, and would free it once more (2.0.2).
            throw KafkaFailure(
                .permanent, code: "kafka-option", "librdkafka does not take the `options`: \(problem ?? "")")
        }
        unsafe pointer = unsafe created
        unsafe events = rd_kafka_queue_get_main(created)
    }

    /// True without TLS and login.
    var isPlain: Bool {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
            guard let base = text.baseAddress else { return false }
            var size = text.count
            let found = unsafe rd_kafka_conf_get(rd_kafka_conf(pointer), "security.protocol", base, &size)
            return unsafe found == RD_KAFKA_CONF_OK && String(cString: base) == "plaintext"
        }
    }

    /// Messages and queues of this handle must be gone by now: whoever holds one holds the handle too.
    deinit {
        unsafe rd_kafka_queue_destroy(events)
        nonisolated(unsafe) let handle = unsafe pointer
        let context = context
        let end = PatientCall {
            unsafe rd_kafka_purge(handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
            unsafe rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
            // What librdkafka has called with it is not called any more.
            unsafe Unmanaged.passUnretained(context).release()
            return unsafe PatientCall.Answer(pointer: nil)
        }
        // A commit that still waits for a coordinator can hold this up for most of a minute; nobody needs its end.
        if isLeftAlone.load(ordering: .relaxed) { return }
        if end.wait(millis: Self.patienceWithEndMillis) == nil {
            context.log.info("A Kafka client does not end, its threads stay until the process ends", [:])
        }
    }

    /// librdkafka can wait for ever for a partition that is gone: what its threads still had to say about it refers to
    /// it (its pull request 4724). A query that is to stop does not wait with it.
    private static let patienceWithEndMillis: Int64 = 2000
}

/// What librdkafka's threads may use.
private final class HandleContext: Sendable {
    let log: Log
    let threads = ThreadTimes()
    init(_ log: Log) { self.log = log }
}

/// Processor time of threads that begin and end.
private final class ThreadTimes: Sendable {
    private struct State {
        var running: Set<ThreadClock> = []
        var endedNanos: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Called on the thread.
    func begin() { state.withLock { _ = $0.running.insert(ThreadClock()) } }

    /// Called on the thread, as the last thing it does.
    func end() {
        let clock = ThreadClock()
        state.withLock { state in
            if state.running.remove(clock) != nil { state.endedNanos += clock.nanos }
        }
    }

    var nanos: UInt64 { state.withLock { state in state.running.reduce(state.endedNanos) { $0 + $1.nanos } } }
}

/// Has every thread of a handle to be made say when it begins and ends. `context` is a `HandleContext`.
private func meterThreads(_ conf: OpaquePointer?, _ context: UnsafeMutableRawPointer) {
    unsafe rd_kafka_conf_interceptor_add_on_new(
        conf, "sluice",
        { handle, _, context, _, _ in
            unsafe rd_kafka_interceptor_add_on_thread_start(
                handle, "sluice",
                { _, _, _, context in
                    guard let context = unsafe context else { return RD_KAFKA_RESP_ERR_NO_ERROR }
                    unsafe Unmanaged<HandleContext>.fromOpaque(context).takeUnretainedValue().threads.begin()
                    return RD_KAFKA_RESP_ERR_NO_ERROR
                }, context)
            return unsafe rd_kafka_interceptor_add_on_thread_exit(
                handle, "sluice",
                { _, _, _, context in
                    guard let context = unsafe context else { return RD_KAFKA_RESP_ERR_NO_ERROR }
                    unsafe Unmanaged<HandleContext>.fromOpaque(context).takeUnretainedValue().threads.end()
                    return RD_KAFKA_RESP_ERR_NO_ERROR
                }, context)
        }, context)
}

// MARK: - Shared

extension KafkaHandle {
    private struct Reference: Sendable {
        weak var handle: KafkaHandle?
    }

    private static let lookups = Mutex<[[String]: Reference]>([:])

    /// A handle for questions about topics; the one that another source or sink with the same connection has, if there
    /// is one.
    /// - Parameter topic: one that whoever wants the handle uses.
    static func lookup(
        _ connection: [(String, String)], _ options: [KafkaOption], topic: String, log: Log
    ) throws(KafkaFailure) -> KafkaHandle {
        let key = connection.flatMap { [$0.0, $0.1] } + options.flatMap { [$0.name.value, $0.value.revealed] }
        return try lookups.withLock { (lookups) throws(KafkaFailure) in
            // One that was refused may have read a certificate or a key that has been renewed since.
            if let handle = lookups[key]?.handle, handle.state.withLock({ $0.refusal == nil }) { return handle }
            let settings = try KafkaSettings(
                defaults: sourceDefaults(query: nil), options: options, fixed: connection)
            let handle = try KafkaHandle(RD_KAFKA_CONSUMER, settings: settings, log: log)
            handle.watch.start(handle, topic: topic)
            lookups = lookups.filter { $0.value.handle != nil }
            lookups[key] = Reference(handle: handle)
            return handle
        }
    }
}

// Settings of librdkafka: Sluice's own defaults first, then what the spec says under `options`, then what Sluice's
// promises need. What would break them is refused before by `check`.

internal import CRdKafka
internal import SluiceSpec

/// A set of settings, given to one client.
@safe struct KafkaSettings: ~Copyable {
    private var pointer: OpaquePointer?

    /// - Throws: at the first option that librdkafka does not take.
    init(defaults: [(String, String)], options: [KafkaOption], fixed: [(String, String)]) throws(KafkaFailure) {
        unsafe pointer = rd_kafka_conf_new()
        for (name, value) in defaults { try set(name, value) }
        for option in options { try set(option.name.value, option.value.revealed) }
        for (name, value) in fixed { try set(name, value) }
    }

    deinit {
        if let pointer = unsafe pointer { unsafe rd_kafka_conf_destroy(pointer) }
    }

    /// The settings, whose owner is then the caller.
    mutating func take() -> OpaquePointer? {
        defer { unsafe pointer = nil }
        return unsafe pointer
    }

    /// Changes the settings in place.
    func withPointer(_ body: (OpaquePointer?) -> Void) { unsafe body(pointer) }

    private func set(_ name: String, _ value: String) throws(KafkaFailure) {
        if let problem = unsafe Self.problem(setting: name, to: value, in: pointer) {
            throw KafkaFailure(.permanent, code: "kafka-option", "option `\(name)`: \(problem)")
        }
    }

    /// Why librdkafka does not take a setting; nil when it does. The value is not quoted: it may be a password.
    static func problem(setting name: String, to value: String, in settings: OpaquePointer?) -> String? {
        unsafe withErrorText { text, count in
            unsafe rd_kafka_conf_set(settings, name, value, text, count) != RD_KAFKA_CONF_OK
        }.map { text in value.isEmpty ? text : text.replacing("\"\(value)\"", with: "•••") }
    }
}

/// What all clients have in common; a spec may change it.
/// - Parameter query: whose client it is; nil for one of several.
func connectionDefaults(query: String?) -> [(String, String)] {
    [
        ("reconnect.backoff.max.ms", "2000"), ("client.id", query.map { "sluice-\($0)" } ?? "sluice"),
        ("socket.nagle.disable", "true"),
    ]
}

/// What a call wrote into a buffer for an error text; nil when `body` says that there was no error.
func withErrorText(_ body: (UnsafeMutablePointer<CChar>, Int) -> Bool) -> String? {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
        unsafe buffer.initialize(repeating: 0)
        guard let base = buffer.baseAddress, unsafe body(base, buffer.count) else { return nil }
        return unsafe String(cString: base)
    }
}

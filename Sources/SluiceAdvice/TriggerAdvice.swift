// The answer to "which trigger interval?", for programs. `TriggerAdvice+Text.swift` has it for people.

package import SluiceSpec

/// What other intervals would do, and which to take.
package struct TriggerAdvice: Hashable, Sendable {
    package var query: String
    /// The trigger in force.
    package var trigger: TriggerSpec
    /// What the query does now; nil when that is not known.
    package var current: TriggerForecast?
    /// Ascending by interval; empty when nothing can be said.
    package var candidates: [TriggerForecast]
    /// nil when there is none to recommend.
    package var recommended: TriggerSpec?
    /// Sentences: what the advice stands on, why this interval, and what no interval changes.
    package var reasons: [String]

    package init(
        query: String, trigger: TriggerSpec, current: TriggerForecast? = nil, candidates: [TriggerForecast] = [],
        recommended: TriggerSpec? = nil, reasons: [String]
    ) {
        self.query = query
        self.trigger = trigger
        self.current = current
        self.candidates = candidates
        self.recommended = recommended
        self.reasons = reasons
    }
}

extension TriggerAdvice {
    /// One JSON object, no line break.
    package var json: String { String(decoding: jsonValue.text(), as: UTF8.self) }

    private var jsonValue: JSONValue {
        .object([
            JSONMember("query", .string(query)),
            JSONMember("current", Self.json(trigger, current)),
            JSONMember("candidates", .array(candidates.map { Self.json($0.trigger, $0) })),
            JSONMember("recommended", recommended.map { .string($0.text) } ?? .null),
            JSONMember("reasons", .array(reasons.map { .string($0) })),
        ])
    }

    /// What is not known is null.
    private static func json(_ trigger: TriggerSpec, _ forecast: TriggerForecast?) -> JSONValue {
        func number(_ value: Double?, digits: Double) -> JSONValue {
            value.map { .double(($0 * digits).rounded() / digits) } ?? .null
        }
        func whole(_ value: Double?) -> JSONValue { value.map { .integer(Int64(clamping: $0)) } ?? .null }
        return .object([
            JSONMember("trigger", .string(trigger.text)),
            JSONMember("batchMs", number(forecast.map { $0.batchMicros / 1000 }, digits: 100)),
            JSONMember("utilisation", number(forecast?.utilisation, digits: 10_000)),
            JSONMember(
                "latencyMs",
                .object([
                    JSONMember("p50", number(forecast.map { $0.latency.p50Micros / 1000 }, digits: 10)),
                    JSONMember("p99", number(forecast.map { $0.latency.p99Micros / 1000 }, digits: 10)),
                ])),
            JSONMember("cpuShare", number(forecast?.cpuShare, digits: 10_000)),
            JSONMember("checkpointBytesPerHour", whole(forecast?.checkpointBytesPerHour)),
            JSONMember("batchesPerHour", whole(forecast?.batchesPerHour)),
            JSONMember("catchUpSeconds", number(forecast?.catchUpSeconds, digits: 10)),
            JSONMember("stable", forecast.map { .bool($0.isStable) } ?? .null),
        ])
    }
}

extension Int64 {
    /// The nearest whole number, held at the ends.
    fileprivate init(clamping value: Double) {
        self = Int64(exactly: value.rounded()) ?? (value < 0 ? .min : .max)
    }
}

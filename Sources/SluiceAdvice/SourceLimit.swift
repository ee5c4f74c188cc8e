// What the spec's limits per trigger mean at today's rate: however long the interval, a batch takes no more.

internal import SluicePlan
internal import SluiceSpec

/// The tightest limit among a query's sources.
package struct SourceLimit: Hashable, Sendable {
    /// How long today's arrivals take to reach it, in seconds.
    package var seconds: Double
    /// `max_offsets_per_trigger: 1000 of the source visits`
    package var name: String

    package init(seconds: Double, name: String) {
        self.seconds = seconds
        self.name = name
    }
}

extension SourceLimit {
    /// nil without limits, or when the records do not show how fast their sources move.
    init?(_ plan: PhysicalPlan, _ spec: Spec, _ records: [BatchRecord]) {
        guard let first = records.first, let last = records.last, last.timeMillis > first.timeMillis else { return nil }
        let seconds = Double(last.timeMillis - first.timeMillis) / 1000
        var tightest: SourceLimit?
        for source in spec.sources where plan.inputs.contains(where: { $0.source == source.name.value }) {
            let advances = records.dropFirst().compactMap { $0.advances[source.name.value] }
            for limit in source.connector.limits {
                let (name, unit, limit) = (limit.key, limit.unit.advance, limit.limit)
                let moved = advances.reduce(0) { $0 + $1[keyPath: unit] }
                guard moved > 0 else { continue }
                let reached = Double(limit) / (Double(moved) / seconds)
                if tightest.map({ reached < $0.seconds }) ?? true {
                    tightest = SourceLimit(
                        seconds: reached, name: "`\(name): \(limit)` of the source \(source.name.value)")
                }
            }
        }
        guard let tightest else { return nil }
        self = tightest
    }
}

extension TriggerLimit.Unit {
    fileprivate var advance: KeyPath<BatchRecord.Advance, Int64> {
        switch self {
        case .offsets: \.offsets
        case .partitions: \.partitions
        }
    }
}

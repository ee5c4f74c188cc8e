// The query's watermark from the event times each source has shown. Per side a running maximum; the global one is the
// minimum (or maximum) over the sides and never goes back. It changes between batches only: a batch is judged by what
// was known before it.
// Source: Spark's WatermarkTracker. Unlike Spark, the sides' own values survive a restart (they are in the commit log).
//
// With `per_partition` a side is the minimum over its partitions, with `per_topic` over its topics: its parts, each
// with a running maximum of its own, so that one that is read faster than another does not make the other's rows late.
// A part that has shown nothing counts as 0, one that has been silent for the idle timeout does not count at all; the
// side itself never goes back.

package import SluicePlan
internal import SluiceSpec

package struct WatermarkTracker: Sendable {
    /// One watermarked source, or union of sources.
    package struct Side: Hashable, Sendable {
        /// Positions in `PhysicalPlan.inputs`: one, or the parts of a union over whose rows the watermark runs.
        package var inputs: [Int]
        fileprivate var delayMillis: Int64
        fileprivate var idleTimeoutMillis: Int64?
        /// Newest event time minus delay; nil before the first row with an event time.
        package var watermarkMillis: Int64?
        /// With a watermark per part: what each has reached.
        package var parts: [String: Part]?
        /// Wall time of the last batch that had rows of this side (or of the start).
        fileprivate var lastDataMillis: Int64
    }

    /// One part of a source with a watermark for each.
    package struct Part: Hashable, Sendable {
        /// Newest event time minus delay; nil for one that has shown nothing yet.
        package var watermarkMillis: Int64?
        fileprivate var lastDataMillis: Int64
    }

    package private(set) var sides: [Side]
    /// The global watermark in milliseconds; 0 in the beginning.
    package private(set) var globalMillis: Int64 = 0
    private let policy: WatermarkPolicy

    /// - Parameter nowMillis: wall time of the start, from which idle timeouts count.
    package init(_ plan: PhysicalPlan, nowMillis: Int64) {
        policy = plan.watermarkPolicy
        sides = plan.watermarkedInputs.compactMap { indices in
            plan.inputs[indices[0]].watermark.map { watermark in
                Side(
                    inputs: indices, delayMillis: watermark.delayMicros / 1000,
                    idleTimeoutMillis: watermark.idleTimeoutMicros.map { max(1, $0 / 1000) }, watermarkMillis: nil,
                    parts: watermark.parts == .whole ? nil : [:], lastDataMillis: nowMillis)
            }
        }
    }

    /// Puts back what the commit log says: by input, and by input and part. A side that has a watermark per part
    /// only now begins with what it had as a whole.
    package mutating func restore(
        globalMillis: Int64, sides restored: [Int: Int64], parts: [Int: [String: Int64]] = [:]
    ) {
        self.globalMillis = globalMillis
        for index in sides.indices {
            let input = sides[index].inputs[0]
            sides[index].watermarkMillis = restored[input]
            guard sides[index].parts != nil else { continue }
            let lastDataMillis = sides[index].lastDataMillis
            sides[index].parts = (parts[input] ?? [:]).mapValues {
                Part(watermarkMillis: $0, lastDataMillis: lastDataMillis)
            }
        }
    }

    /// Says which parts an input has: others hold nothing back any more. Without it, those that have shown
    /// something count.
    package mutating func setParts(input: Int, _ names: some Sequence<String>, nowMillis: Int64) {
        guard let index = sides.firstIndex(where: { $0.inputs.contains(input) }), sides[index].parts != nil else {
            return
        }
        let known = sides[index].parts ?? [:]
        sides[index].parts = Dictionary(
            names.map { ($0, known[$0] ?? Part(watermarkMillis: nil, lastDataMillis: nowMillis)) },
            uniquingKeysWith: { first, _ in first })
    }

    /// The watermark has been at least this, whatever the sides say now.
    package mutating func raise(toMillis millis: Int64) { globalMillis = max(globalMillis, millis) }

    /// Takes in one input's newest event time of a batch; `rowCount` rows reached its watermark.
    package mutating func observe(input: Int, maxEventTimeMicros: Int64?, rowCount: Int, batchTimeMillis: Int64) {
        guard let index = sides.firstIndex(where: { $0.inputs.contains(input) }) else { return }
        if rowCount > 0 { sides[index].lastDataMillis = max(sides[index].lastDataMillis, batchTimeMillis) }
        guard let maxEventTimeMicros, sides[index].parts == nil else { return }
        let watermark = sides[index].watermarkMillis(ofEventTimeMicros: maxEventTimeMicros)
        sides[index].watermarkMillis = max(sides[index].watermarkMillis ?? watermark, watermark)
    }

    /// As `observe`, of a side with a watermark per part: the newest event time of each part of the batch.
    package mutating func observe(input: Int, parts maxima: [String: Int64], batchTimeMillis: Int64) {
        guard let index = sides.firstIndex(where: { $0.inputs.contains(input) }), sides[index].parts != nil else {
            return
        }
        for (name, micros) in maxima {
            let watermark = sides[index].watermarkMillis(ofEventTimeMicros: micros)
            var part =
                sides[index].parts?[name] ?? Part(watermarkMillis: nil, lastDataMillis: batchTimeMillis)
            part.watermarkMillis = max(part.watermarkMillis ?? watermark, watermark)
            part.lastDataMillis = max(part.lastDataMillis, batchTimeMillis)
            sides[index].parts?[name] = part
        }
    }

    /// There is something to read from an input, in these parts: it is not silent, whatever the batch finds in it.
    package mutating func heard(input: Int, parts names: [String], atMillis millis: Int64) {
        guard let index = sides.firstIndex(where: { $0.inputs.contains(input) }) else { return }
        sides[index].lastDataMillis = max(sides[index].lastDataMillis, millis)
        for name in names where sides[index].parts?[name] != nil {
            sides[index].parts?[name]?.lastDataMillis = millis
        }
    }

    /// Moves the global watermark to what the sides say at a wall time. A side that has been silent for its idle
    /// timeout is left out, unless all are.
    package mutating func advance(nowMillis: Int64) {
        for index in sides.indices { sides[index].followParts(nowMillis: nowMillis) }
        let active = sides.filter { !$0.isIdle(at: nowMillis) }
        let values = (active.isEmpty ? sides : active).map { $0.watermarkMillis ?? 0 }
        guard let chosen = policy == .min ? values.min() : values.max() else { return }
        globalMillis = max(globalMillis, chosen)
    }
}

extension WatermarkTracker.Side {
    fileprivate func isIdle(at nowMillis: Int64) -> Bool {
        guard let idleTimeoutMillis else { return false }
        return nowMillis - lastDataMillis >= idleTimeoutMillis
    }

    /// The watermark that an event time gives.
    fileprivate func watermarkMillis(ofEventTimeMicros micros: Int64) -> Int64 {
        saturatingAdd(floorDivide(micros, 1000), -delayMillis)
    }

    /// Moves the side to the minimum of its parts that are not idle, or of all when all are.
    fileprivate mutating func followParts(nowMillis: Int64) {
        guard let parts, !parts.isEmpty else { return }
        let active = parts.values.filter { part in
            idleTimeoutMillis.map { nowMillis - part.lastDataMillis < $0 } ?? true
        }
        let slowest = (active.isEmpty ? Array(parts.values) : active).map { $0.watermarkMillis ?? 0 }.min()
        if let slowest, slowest != 0 || watermarkMillis != nil {
            watermarkMillis = max(watermarkMillis ?? slowest, slowest)
        }
    }
}

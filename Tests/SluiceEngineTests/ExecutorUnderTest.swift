// What the oracles of joins share: the real executor over memory, batch after batch, and one join as nested loops.

import SluiceEngine
import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

/// The executor of a plan, with its deltas kept as a checkpoint would keep them.
struct ExecutorUnderTest {
    let plan: PhysicalPlan
    var random: SplitMix64
    private(set) var executor: BatchExecutor
    private var tracker: WatermarkTracker
    /// Rows at or below it are late in the next batch.
    private(set) var lateMillis: Int64 = 0
    private(set) var lateCount = 0
    /// Per stage and shard, oldest first.
    private var payloads: [[Int: [[UInt8]]]]
    private var evicted: [[Int64]]
    /// Gives a new executor its tables.
    private let prepare: (BatchExecutor) throws -> Void

    init(_ plan: PhysicalPlan, seed: UInt64, prepare: @escaping (BatchExecutor) throws -> Void = { _ in }) throws {
        self.plan = plan
        self.prepare = prepare
        random = SplitMix64(seed: seed &* 7919)
        executor = try Self.makeExecutor(plan, prepare)
        tracker = WatermarkTracker(plan, nowMillis: 0)
        payloads = plan.stages.map { _ in [:] }
        evicted = plan.stages.map { _ in [.min, .min] }
    }

    /// Which shard is worked on first must not matter.
    private static func makeExecutor(
        _ plan: PhysicalPlan, _ prepare: (BatchExecutor) throws -> Void
    ) throws -> BatchExecutor {
        let executor = BatchExecutor(plan: plan, laneCount: 2, zones: TimeZones { _ in nil }) { count, body in
            for index in (0..<count).reversed() { body(index) }
        }
        try prepare(executor)
        return executor
    }

    /// The watermark as of now, which the next batch evicts by.
    var watermarkMillis: Int64 { tracker.globalMillis }

    /// Runs a batch by the watermarks that the batches before have come to. Returns the columns of each row that comes
    /// out, which are texts; `-` for null.
    mutating func run(_ inputs: [any InputBytes]) throws -> [String] {
        let lines = try run(inputs, lateMillis: lateMillis, evictionMillis: watermarkMillis).lines
        return lines.map { line in
            plan.output.columns.map { column in
                let marker = "\"\(column.name)\":\""
                guard let start = line.firstRange(of: marker)?.upperBound else { return "-" }
                return String(line[start...].prefix { $0 != "\"" })
            }.joined(separator: " ")
        }
    }

    /// Runs a batch.
    mutating func run(
        _ inputs: [any InputBytes], lateMillis: Int64, evictionMillis: Int64
    ) throws -> BatchResult {
        let result = try executor.run(
            inputs, watermarks: BatchWatermarks(lateMillis: lateMillis, evictionMillis: evictionMillis))
        self.lateMillis = evictionMillis
        for (stage, done) in result.stages.enumerated() {
            for delta in done.deltas {
                payloads[stage][delta.shard, default: []].append(delta.payload.buffer.array())
            }
            evicted[stage] = done.evictedThroughMicros
        }
        for (input, counters) in result.sources.enumerated() {
            lateCount += counters.lateRows
            tracker.observe(
                input: input, maxEventTimeMicros: counters.eventTimeCount > 0 ? counters.maxEventTimeMicros : nil,
                rowCount: counters.watermarkRows, batchTimeMillis: 0)
        }
        tracker.advance(nowMillis: 0)
        return result
    }

    /// A new process: state from the deltas, some neighbours among them merged as the checkpoint would.
    mutating func restart() throws {
        executor = try Self.makeExecutor(plan, prepare)
        for (number, stage) in plan.stages.enumerated() where stage.isStateful {
            executor.beginRestore(stage: number, evictedThroughMicros: evicted[number])
            let merger = SegmentMerger(plan, stage: stage)
            for (shard, deltas) in payloads[number].sorted(by: { $0.key < $1.key }) {
                var kept = deltas
                if kept.count > 1, random.chance(60) {
                    let first = Int.random(in: 0..<kept.count - 1, using: &random)
                    let last = Int.random(in: first + 1..<kept.count, using: &random)
                    let merged = try merger.merge(Array(kept[first...last]), evictedThroughMicros: evicted[number])
                    kept.replaceSubrange(first...last, with: merged.isEmpty ? [] : [merged])
                }
                payloads[number][shard] = kept
                for payload in kept { try executor.restore(stage: number, shard: shard, payload: payload) }
            }
        }
        executor.finishRestore()
    }
}

extension BatchResult {
    /// The rows that come out.
    var lines: [Substring] {
        routes[0].encodings[0].map { String(decoding: $0.buffer.array(), as: UTF8.self) }.joined().split(
            separator: "\n")
    }
}

/// The plan of a spec's query; nil where the planner refuses it. A spec that cannot be read fails the test.
func plannedQuery(_ text: String, seed: UInt64) throws -> PhysicalPlan? {
    let (spec, diagnostics) = SpecReader.read(
        files: [("spec.yaml", Array(text.utf8))], environment: { _ in nil },
        readFile: { _ in .failure(UnreadableFile(reason: "none")) })
    try #require(diagnostics.allSatisfy { $0.severity != .error }, "seed \(seed)\n\(text)\(diagnostics)")
    let read = try #require(spec)
    return Planner.plan(query: read.queries[0], in: read).physical
}

/// What two lists of rows do not have in common, for a person.
func difference(_ actual: [String], _ expected: [String]) -> String {
    var (missing, surplus) = (expected, actual)
    for row in actual { if let index = missing.firstIndex(of: row) { missing.remove(at: index) } }
    for row in expected { if let index = surplus.firstIndex(of: row) { surplus.remove(at: index) } }
    return "missing \(missing)\nsurplus \(surplus)"
}

/// One join of batch SQL: each pair with each of its partners, absent rows as nil.
/// - Parameters:
///   - left: one row, or none, of each of so many inputs.
///   - type: as a spec writes it.
///   - partners: the right rows that join a pair.
func nestedLoopJoin<Row>(
    _ left: [[Row?]], inputs: Int, _ right: [Row], type: String, id: (Row) -> String, partners: ([Row?]) -> [Row]
) -> [[Row?]] {
    var result: [[Row?]] = []
    var matchedRight: Set<String> = []
    for pair in left {
        let partners = partners(pair)
        matchedRight.formUnion(partners.map(id))
        switch type {
        case "left semi": if !partners.isEmpty { result.append(pair + [nil]) }
        case "left anti": if partners.isEmpty { result.append(pair + [nil]) }
        default:
            result += partners.map { pair + [$0] }
            if partners.isEmpty, ["left outer", "full outer"].contains(type) { result.append(pair + [nil]) }
        }
    }
    if ["right outer", "full outer"].contains(type) {
        let nothing = [Row?](repeating: nil, count: inputs)
        result += right.filter { !matchedRight.contains(id($0)) }.map { nothing + [$0] }
    }
    return result
}

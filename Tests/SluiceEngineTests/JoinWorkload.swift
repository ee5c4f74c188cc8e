// A random join and random rows for it, drawn from one seed: what the oracle and the engine both run.

import SluiceEngine
import SluicePlan
import SluiceSpec
import SluiceSystem

extension SplitMix64 {
    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
    mutating func pick<T>(_ values: [T]) -> T { values[Int.random(in: 0..<values.count, using: &self)] }
}

struct WorkloadRow {
    var id: Int
    var key: String?
    /// Microseconds since 2024-01-01T00:00:00Z.
    var time: Int64?
    var value: Int?
}

struct JoinWorkload {
    static let epochMicros: Int64 = 1_704_067_200_000_000

    enum TimeCondition {
        case none
        case bounds(TimeBounds, lowerIsStrict: Bool, upperIsStrict: Bool)
        case window(micros: Int64)
    }

    var type: JoinType
    var condition: TimeCondition
    var isNullSafe: Bool
    var hasResidual: Bool
    /// Per side: rows must have `value > limit`, in the join condition.
    var sideLimits: [Int?]
    /// Per side: `value > limit` as a filter below or above the watermark.
    var filterLimits: [Int?]
    var filtersBelow: Bool
    var delayMillis: [Int64]
    var policy: WatermarkPolicy
    var shards: Int
    var bucketWidths: [Int64?]
    var cellWidths: [Int64?]
    /// Per batch, per side.
    var batches: [[[WorkloadRow]]]
    /// Batches before which the process starts anew from its deltas.
    var restarts: Set<Int>
    var skipsNoDataBatches: Bool
}

extension JoinWorkload {
    init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        type = random.pick(JoinType.allCases)
        let kind = Int.random(in: 0..<10, using: &random)
        let lower = Int64.random(in: -8...8, using: &random) * 500_000
        let upper = lower + Int64.random(in: 0...16, using: &random) * 500_000
        condition =
            switch kind {
            case 0: .none
            case 1, 2: .window(micros: random.pick([1_000_000, 5_000_000, 7_300_000]))
            default:
                .bounds(
                    TimeBounds(lower: random.chance(12) ? nil : lower, upper: random.chance(12) ? nil : upper),
                    lowerIsStrict: random.chance(30), upperIsStrict: random.chance(30))
            }
        isNullSafe = random.chance(15)
        hasResidual = random.chance(30)
        sideLimits = [random.chance(20) ? 3 : nil, random.chance(20) ? 3 : nil]
        filterLimits = [random.chance(15) ? 2 : nil, random.chance(15) ? 2 : nil]
        filtersBelow = random.chance(50)
        delayMillis = [Int64.random(in: 0...8, using: &random) * 700, Int64.random(in: 0...8, using: &random) * 700]
        policy = random.chance(20) ? .max : .min
        shards = random.pick([1, 2, 4, 16])
        bucketWidths = [
            random.pick([1_000_000, 3_000_000, 60_000_000]), random.pick([1_000_000, 10_000_000, 777_777]),
        ]
        cellWidths = [random.pick([nil, 1000, 250_000, 4_000_000]), random.pick([nil, 1000, 500_000, 60_000_000])]
        if case .none = condition { bucketWidths = [nil, nil] }
        skipsNoDataBatches = random.chance(20)
        let batchCount = Int.random(in: 2...9, using: &random)
        restarts = Set((1..<batchCount).filter { _ in random.chance(25) })
        batches = []
        var nextID = 0
        let rowsMax = random.pick([2, 5, 12])
        let stepMicros: Int64 = random.pick([500_000, 3_000_000])
        for batch in 0..<batchCount {
            var sides: [[WorkloadRow]] = []
            for _ in 0..<2 {
                let count = random.chance(20) ? 0 : Int.random(in: 0...rowsMax, using: &random)
                sides.append((0..<count).map { _ in Self.row(&nextID, batch, stepMicros, &random) })
            }
            batches.append(sides)
        }
    }

    private static func row(
        _ nextID: inout Int, _ batch: Int, _ stepMicros: Int64, _ random: inout SplitMix64
    ) -> WorkloadRow {
        defer { nextID += 1 }
        // Half-second grid, so that bounds are hit exactly; some off the grid by a microsecond or a bit more.
        var time = 20_000_000 + Int64(batch) * stepMicros + Int64.random(in: -12...6, using: &random) * 500_000
        if random.chance(20) { time += random.pick([-1000, -1, 1, 999, 1000]) }
        return WorkloadRow(
            id: nextID, key: random.chance(12) ? nil : random.pick(["a", "b", "a long key of more than eight bytes"]),
            time: random.chance(6) ? nil : time, value: random.chance(10) ? nil : Int.random(in: 0..<8, using: &random))
    }

    /// The window end or the time itself.
    func joinTime(_ row: WorkloadRow) -> Int64? {
        guard let time = row.time else { return nil }
        guard case .window(let width) = condition else { return time }
        // Windows count from the epoch, not from this workload's zero.
        let absolute = time + Self.epochMicros
        return absolute - absolute % width + width - Self.epochMicros
    }
}

// MARK: The engine's side

extension JoinWorkload {
    /// The plan as the planner would make it, with layouts it would not choose.
    var plan: PhysicalPlan {
        let inputs = (0..<2).map { side in
            InputPlan(
                source: side == 0 ? "l" : "r", format: .json(), timeZone: "UTC", badRows: .null,
                fieldCount: 4,
                columns: [
                    InputColumn(name: "id", type: .int, origin: .field(FieldPath(name: "id")), declaredIndex: 0),
                    InputColumn(name: "k", type: .string, origin: .field(FieldPath(name: "k")), declaredIndex: 1),
                    InputColumn(name: "t", type: .timestamp, origin: .field(FieldPath(name: "t")), declaredIndex: 2),
                    InputColumn(name: "v", type: .int, origin: .field(FieldPath(name: "v")), declaredIndex: 3),
                ],
                filterBelowWatermark: filtersBelow ? filterLimits[side].map { limit(side, $0) } : nil,
                watermark: WatermarkPlan(column: 2, delayMicros: delayMillis[side] * 1000, idleTimeoutMicros: nil),
                filterAboveWatermark: filtersBelow ? nil : filterLimits[side].map { limit(side, $0) },
                latenessWindowMicros: windowMicros)
        }
        return PhysicalPlan(
            query: "q", inputs: inputs,
            stages: [
                StagePlan(
                    name: "l+r",
                    operation: .join(
                        JoinPlan(
                            type: type, keys: [JoinKey(left: 1, right: 1, isNullSafe: isNullSafe)], bounds: bounds,
                            left: sidePlan(0), right: sidePlan(1),
                            residual: hasResidual ? less(slot(0, 3), slot(1, 3)) : nil, shards: shards)),
                    inputs: [.sources([0]), .sources([1])])
            ],
            output: OutputPlan(
                filter: nil,
                columns: [
                    OutputColumn(name: "l", expression: slot(0, 0)), OutputColumn(name: "r", expression: slot(1, 0)),
                ], sinks: [OutputSink(name: "out", format: .json(timeZone: "UTC", writesNulls: false))]),
            watermarkPolicy: policy)
    }

    private var windowMicros: Int64? {
        if case .window(let micros) = condition { micros } else { nil }
    }

    private var bounds: TimeBounds? {
        switch condition {
        case .none: nil
        case .window: TimeBounds(lower: 0, upper: 0)
        case .bounds(let bounds, let lowerIsStrict, let upperIsStrict):
            TimeBounds(
                lower: bounds.lower.map { $0 + (lowerIsStrict ? 1 : 0) },
                upper: bounds.upper.map { $0 - (upperIsStrict ? 1 : 0) })
        }
    }

    private func sidePlan(_ side: Int) -> JoinSidePlan {
        let eviction: EvictionRule? =
            switch condition {
            case .none: nil
            case .window: EvictionRule(offsetMicros: 0, isInclusive: false)
            case .bounds(let bounds, let lowerIsStrict, let upperIsStrict):
                side == 0
                    ? bounds.upper.map { EvictionRule(offsetMicros: -$0, isInclusive: !upperIsStrict) }
                    : bounds.lower.map { EvictionRule(offsetMicros: $0, isInclusive: !lowerIsStrict) }
            }
        var hasTime = true
        if case .none = condition { hasTime = false }
        return JoinSidePlan(
            joinTime: hasTime ? 2 : nil, windowMicros: windowMicros, isPreserved: isPreserved(side),
            predicate: sideLimits[side].map { limit(side, $0) }, eviction: eviction, stateColumnCount: 4,
            bucketWidthMicros: bucketWidths[side], cellWidthMicros: cellWidths[side])
    }

    func isPreserved(_ side: Int) -> Bool {
        switch type {
        case .inner, .leftSemi: false
        case .leftOuter, .leftAnti: side == 0
        case .rightOuter: side == 1
        case .fullOuter: true
        }
    }

    private var nowhere: SourcePosition { SourcePosition(file: "test", line: 1, column: 1) }

    private func slot(_ input: Int, _ index: Int) -> Expression<ColumnSlot> {
        Expression(.column(ColumnSlot(input: input, index: index)), type: .int, isNullable: true, at: nowhere)
    }

    private func less(_ a: Expression<ColumnSlot>, _ b: Expression<ColumnSlot>) -> Expression<ColumnSlot> {
        Expression(.call(.less, [a, b]), type: .boolean, isNullable: true, at: nowhere)
    }

    private func limit(_ side: Int, _ limit: Int) -> Expression<ColumnSlot> {
        less(Expression(.literal(.integer(Int64(limit))), type: .int, isNullable: false, at: nowhere), slot(side, 3))
    }
}

extension WorkloadRow {
    var json: String {
        var fields = ["\"id\":\(id)"]
        if let key { fields.append("\"k\":\"\(key)\"") }
        if let time {
            func padded(_ number: Int64, _ width: Int) -> String {
                let digits = String(number)
                return String(repeating: "0", count: width - digits.count) + digits
            }
            fields.append(
                "\"t\":\"2024-01-01T00:\(padded(time / 60_000_000, 2)):\(padded(time / 1_000_000 % 60, 2))."
                    + "\(padded(time % 1_000_000, 6))Z\"")
        }
        if let value { fields.append("\"v\":\(value)") }
        return "{" + fields.joined(separator: ",") + "}"
    }
}

/// Lines in memory, cut into chunks of a few lines.
struct MemoryInput: InputBytes {
    var chunks: [[UInt8]]

    init(_ lines: [String], linesPerChunk: Int) {
        chunks = stride(from: 0, to: lines.count, by: linesPerChunk).map { start in
            Array(lines[start..<min(start + linesPerChunk, lines.count)].map { $0 + "\n" }.joined().utf8)
        }
    }

    func readyChunks(from first: Int) -> Range<Int> { first..<chunks.count }

    func read(chunk number: Int, into chunk: inout InputChunk) throws { chunk.text.append(contentsOf: chunks[number]) }
}

// Specs by hand, for tests of single rules: short to write, every position distinct where a test looks at it.

import SluicePlan
import SluiceSpec

typealias Condition = Expression<ColumnReference>

let nowhere = SourcePosition(file: "test.yaml", line: 1, column: 1)

extension Int64 {
    static let second: Int64 = 1_000_000
    static let minute: Int64 = 60 * second
    static let hour: Int64 = 60 * minute
}

func located<Value>(_ value: Value) -> Located<Value> { Located(value, at: nowhere) }

/// `source.column` as an expression.
func column(_ name: String, _ type: DataType = .timestamp) -> Condition {
    let parts = name.split(separator: ".").map(String.init)
    return Condition(
        .column(ColumnReference(source: parts[0], column: parts[1])), type: type, isNullable: true, at: nowhere)
}

func duration(_ micros: Int64) -> Condition {
    Condition(.literal(.duration(micros)), type: .duration, isNullable: false, at: nowhere)
}

func integer(_ value: Int64) -> Condition {
    Condition(.literal(.integer(value)), type: .int, isNullable: false, at: nowhere)
}

func call(_ function: Function, _ operands: Condition..., type: DataType = .boolean) -> Condition {
    Condition(.call(function, operands), type: type, isNullable: true, at: nowhere)
}

func + (a: Condition, b: Condition) -> Condition { call(.add, a, b, type: .timestamp) }
func - (a: Condition, b: Condition) -> Condition {
    call(.subtract, a, b, type: b.type == .timestamp ? .duration : .timestamp)
}
func < (a: Condition, b: Condition) -> Condition { call(.less, a, b) }
func <= (a: Condition, b: Condition) -> Condition { call(.lessOrEqual, a, b) }
func > (a: Condition, b: Condition) -> Condition { call(.greater, a, b) }
func >= (a: Condition, b: Condition) -> Condition { call(.greaterOrEqual, a, b) }
func all(_ a: Condition, _ b: Condition) -> Condition { call(.and, a, b) }

/// Two sources, one join, as the seed job has them, with parts to change.
struct TestQuery {
    var type = JoinType.leftOuter
    var keys = [("visits.page", "ads.page")]
    var isNullSafe = false
    var within: Condition?
    var window: Int64?
    var joinFilter: Condition?
    var queryFilter: Condition?
    var visitsFilter: Condition?
    var adsFilter: Condition?
    var visitsDelay: Int64? = 10 * .minute
    var adsDelay: Int64? = 10 * .minute
    var select = ["visits.visit_id", "visits.event_time", "visits.page", "ads.display_time", "ads.campaign_name"]
    var policy = WatermarkPolicy.min
    var badRows = BadRowsPolicy.null
    var shards: Int?
    var hasJoin = true

    static let visit: [(String, DataType)] = [
        ("visit_id", .string), ("event_time", .timestamp), ("page", .string), ("user", .long), ("bytes", .int),
        ("seen_time", .timestamp),
    ]
    static let ad: [(String, DataType)] = [
        ("page", .string), ("display_time", .timestamp), ("campaign_name", .string), ("user", .int), ("cost", .int),
        ("paid_time", .timestamp),
    ]

    /// `ads.display_time between visits.event_time and visits.event_time + 2 minutes`
    static let seedBounds = all(
        column("ads.display_time") >= column("visits.event_time"),
        column("ads.display_time") <= column("visits.event_time") + duration(2 * .minute))

    init(_ type: JoinType = .leftOuter, within: Condition? = TestQuery.seedBounds) {
        self.type = type
        self.within = within
        if type == .leftSemi || type == .leftAnti { select.removeLast(2) }
    }

    var spec: Spec {
        var spec = Spec()
        spec.sources = [
            source("ads", Self.ad, time: "display_time", delay: adsDelay, adsFilter),
            source("visits", Self.visit, time: "event_time", delay: visitsDelay, visitsFilter),
        ]
        spec.sinks = [
            SinkSpec(
                name: located("out"), connector: StandardOutputSpec(position: nowhere),
                format: .json(timeZone: "UTC", writesNulls: false))
        ]
        spec.queries = [query]
        return spec
    }

    private func source(
        _ name: String, _ columns: [(String, DataType)], time: String, delay: Int64?, _ filter: Condition?
    ) -> SourceSpec {
        SourceSpec(
            name: located(name), connector: StandardInputSpec(position: nowhere), format: .json(),
            columns: columns.map {
                ColumnSpec(name: $0.0, type: $0.1, origin: .field(FieldPath(name: $0.0)), position: nowhere)
            },
            eventTime: located(time),
            watermark: delay.map {
                WatermarkSpec(
                    column: located(time), delayMicros: located($0), idleTimeoutMicros: nil)
            },
            filter: filter, timeZone: located("UTC"), badRows: located(badRows))
    }

    private func reference(_ name: String) -> Located<ColumnReference> {
        let parts = name.split(separator: ".").map(String.init)
        return located(ColumnReference(source: parts[0], column: parts[1]))
    }

    private var query: QuerySpec {
        var query = QuerySpec(
            name: located("visits_ads"), file: "test.yaml", from: located("visits"),
            trigger: located(.asFastAsPossible),
            checkpoint: "checkpoints/visits_ads", late: located(.drop))
        if hasJoin {
            query.joins = [
                JoinSpec(
                    with: located("ads"), type: located(type),
                    keys: keys.map {
                        JoinKeySpec(left: reference($0.0), right: reference($0.1), isNullSafe: isNullSafe)
                    },
                    within: within, windowMicros: window.map(located), filter: joinFilter)
            ]
        }
        let types = Dictionary(
            Self.visit.map { ("visits." + $0.0, $0.1) } + Self.ad.map { ("ads." + $0.0, $0.1) },
            uniquingKeysWith: { first, _ in first })
        query.filter = queryFilter
        query.select = select.map {
            OutputColumnSpec(
                name: String($0.split(separator: ".")[1]), expression: column($0, types[$0] ?? .string),
                position: nowhere)
        }
        query.watermarkPolicy = policy
        query.sinks = [located("out")]
        query.state.shards = shards.map(located)
        return query
    }

    func plan() -> PlanningResult { Planner.plan(query: query, in: spec) }
}

/// Plans with one stage, or none.
extension PhysicalPlan {
    var join: JoinPlan? { stages.last?.join }

    var layout: PlanLayout? {
        get { stages.last?.layout }
        set { if let newValue, !stages.isEmpty { stages[stages.count - 1].layout = newValue } }
    }

    /// The facts of the only stage.
    var facts: [PlanFact] { fingerprint.flatMap(\.facts) }

    func retention(of side: JoinInput) -> Retention? { stages.last.flatMap { retention(of: side, in: $0) } }

    static func compareFacts(old: [PlanFact], new: [PlanFact]) -> FingerprintChanges {
        compareFingerprints(old: [stage(old)], new: [stage(new)])
    }

    static func rememberedFacts(_ new: [PlanFact], over old: [PlanFact]) -> [PlanFact] {
        remembered([stage(new)], over: [stage(old)]).flatMap(\.facts)
    }

    static func stage(_ facts: [PlanFact]) -> StageFingerprint { StageFingerprint(stage: "a+b", facts: facts) }
}

// Specs and rows for tests of one query over two sources: `l` and `r`, or a third, `s`, each with an `id`, a key `k`, a
// time `t` and a number `v`. Times are seconds after the start of 2024, so that tests read like the semantics do.

package import SluiceRuntime
package import SluiceSimulation
internal import SluiceSpec
package import SluiceSystem
internal import SystemTesting
internal import Testing

/// The parts of a query that tests vary; everything has a value that makes sense.
package struct JoinSpecText: Sendable {
    /// nil: no join, only `l`.
    package var type: String?
    package var keys: String?
    /// `null_safe` as it stands in the spec.
    package var nullSafe: String?
    package var within: String?
    package var window: String?
    /// The join's residual predicate.
    package var joinWhere: String?
    /// Which of the rows that match join; nil: not said.
    package var match: String?
    /// nil: no watermark on that side.
    package var leftDelay: String?
    package var rightDelay: String?
    /// Further fields of a source, such as `where: …`.
    package var leftField: String?
    package var rightField: String?
    package var isFollowed: Bool
    /// Whether the files that are fed, which are whole then, and the sink's are compressed.
    package var isCompressed: Bool
    /// Of both sources, such as `max_files_per_trigger: 1`.
    package var limits: String?
    /// Further fields of the query.
    package var queryField: String?
    /// Further fields of `watermark` on both sides, such as `idle_timeout: 1m`.
    package var watermarkField: String?
    /// nil: all columns that the join leaves.
    package var select: [String]?
    package var trigger: String
    package var checkpoint: String
    package var output: String
    /// nil: the default.
    package var retainBatches: Int?
    package var shards: Int?
    /// The second entry of `join` but for `with: s`, such as `type: inner, keys: { l.k: s.k }, within: …`.
    package var thirdJoin: String?
    /// Further fields of `s`, which has the delay of `r`.
    package var thirdField: String?

    /// A left outer join of whole files within ten seconds, but for what is given.
    package init(
        type: String? = "left outer", keys: String? = "k", nullSafe: String? = nil,
        within: String? = "r.t between l.t and l.t + 10s", window: String? = nil, joinWhere: String? = nil,
        leftDelay: String? = "0s", rightDelay: String? = "0s", leftField: String? = nil, rightField: String? = nil,
        isFollowed: Bool = false, isCompressed: Bool = false, limits: String? = "max_files_per_trigger: 1",
        queryField: String? = nil, watermarkField: String? = nil, select: [String]? = nil,
        trigger: String = "available_now", checkpoint: String = "/check", output: String = "/out",
        retainBatches: Int? = nil, shards: Int? = nil
    ) {
        self.type = type
        self.keys = keys
        self.nullSafe = nullSafe
        self.within = within
        self.window = window
        self.joinWhere = joinWhere
        self.leftDelay = leftDelay
        self.rightDelay = rightDelay
        self.leftField = leftField
        self.rightField = rightField
        self.isFollowed = isFollowed
        self.isCompressed = isCompressed
        self.limits = limits
        self.queryField = queryField
        self.watermarkField = watermarkField
        self.select = select
        self.trigger = trigger
        self.checkpoint = checkpoint
        self.output = output
        self.retainBatches = retainBatches
        self.shards = shards
    }

    /// The spec.
    package var text: String {
        var lines = ["sluice: 1", "sources:"]
        lines += source("l", leftDelay, leftField)
        if type != nil { lines += source("r", rightDelay, rightField) }
        if thirdJoin != nil { lines += source("s", rightDelay, thirdField) }
        lines += ["queries:", "  q:", "    from: l"]
        if let type {
            lines += ["    join:", "      - with: r", "        type: \(type)"]
            if let keys { lines.append("        keys: \(keys)") }
            if let nullSafe { lines.append("        null_safe: \(nullSafe)") }
            if let within { lines.append("        within: \"\(within)\"") }
            if let window { lines.append("        window: \(window)") }
            if let match { lines.append("        match: \(match)") }
            if let joinWhere { lines.append("        where: \"\(joinWhere)\"") }
            if let thirdJoin { lines.append("      - { with: s, \(thirdJoin) }") }
        }
        lines.append("    select:")
        lines += (select ?? defaultColumns).map { "      \($0)" }
        lines += ["    trigger: \(trigger)", "    checkpoint: \(checkpoint)"]
        let state = [retainBatches.map { "retain_batches: \($0)" }, shards.map { "shards: \($0)" }].compactMap { $0 }
        if !state.isEmpty { lines.append("    state: { \(state.joined(separator: ", ")) }") }
        if let queryField { lines.append("    \(queryField)") }
        lines += [
            "    to: out", "sinks:", "  out:",
            "    file: { path: \(output)\(isCompressed ? ", compression: gzip" : "") }",
            "    format: json",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    private var defaultColumns: [String] {
        let left = ["lid: l.id", "lk: l.k", "lt: l.t"]
        let hasRight = type.map { !["left semi", "left anti"].contains($0) } ?? false
        let hasThird = thirdJoin.map { !$0.contains("left semi") && !$0.contains("left anti") } ?? false
        let third = !hasThird ? [] : ["sid: s.id", "sk: s.k", "st: s.t"]
        return (hasRight ? left + ["rid: r.id", "rk: r.k", "rt: r.t"] : left) + third
    }

    private func source(_ name: String, _ delay: String?, _ field: String?) -> [String] {
        let path = isFollowed ? "path: /in/\(name).jsonl, follow: true" : "path: /in/\(name)"
        let connector = [path, isFollowed ? nil : limits].compactMap { $0 }.joined(separator: ", ")
        var lines = ["  \(name):", "    file: { \(connector) }", "    format: json"]
        lines.append("    columns: { id: string, k: string, t: timestamp, v: int }")
        if let delay {
            let more = watermarkField.map { ", \($0)" } ?? ""
            lines.append("    watermark: { column: t, delay: \(delay)\(more) }")
        } else {
            lines.append("    event_time: t")
        }
        if let field { lines.append("    \(field)") }
        return lines
    }
}

/// The start of 2024 in milliseconds since the epoch.
package let baseMillis: Int64 = 1_704_067_200_000

/// A time as text, in seconds after the start of 2024.
package func time(_ seconds: Double) -> String { utcText(millis: baseMillis + Int64((seconds * 1000).rounded())) }

/// A row of either source. nil leaves the field out.
package func row(_ id: String, _ key: String?, _ seconds: Double?, v: Int? = nil) -> String {
    var fields = ["\"id\":\"\(id)\""]
    if let key { fields.append("\"k\":\"\(key)\"") }
    if let seconds { fields.append("\"t\":\"\(time(seconds))\"") }
    if let v { fields.append("\"v\":\(v)") }
    return "{\(fields.joined(separator: ","))}"
}

/// What the files of one step hold.
package struct Step: Sendable {
    /// Lines of `l`.
    package var left: [String]
    /// Lines of `r`.
    package var right: [String]
    /// Lines of `s`.
    package var third: [String]

    /// Rows as `row` makes them, or lines that are none.
    package init(left: [String] = [], right: [String] = [], third: [String] = []) {
        self.left = left
        self.right = right
        self.third = third
    }
}

extension SimulatedFileSystem {
    /// Puts a step's rows there: as file `number` of each folder, or at the ends of the followed files. Durable, and
    /// doing it twice is doing it once. A query that does not read `s` does not see its files.
    package func feed(_ step: Step, number: Int, isFollowed: Bool, isCompressed: Bool = false) {
        for (name, rows) in [("l", step.left), ("r", step.right), ("s", step.third)] {
            let text = rows.map { $0 + "\n" }.joined()
            if isFollowed {
                let path = "/in/\(name).jsonl"
                let marker = "/fed/\(name)-\(number)"
                if self.text(marker) == nil { put(path, (self.text(path) ?? "") + text) }
                put(marker, "")
            } else {
                let digits = String(number)
                let path = "/in/\(name)/\(String(repeating: "0", count: 6 - digits.count))\(digits).jsonl"
                put(path + (isCompressed ? ".gz" : ""), isCompressed ? gzipOf(text) : Array(text.utf8))
            }
        }
    }
}

/// A gzip file of two members.
private func gzipOf(_ text: String) -> [UInt8] {
    let bytes = Array(text.utf8)
    return storedGzip(Array(bytes.prefix(bytes.count / 2))) + storedGzip(Array(bytes.dropFirst(bytes.count / 2)))
}

/// A spec's only query, planned once, for as many processes as a test needs.
package struct TestedQuery: Sendable {
    /// Without errors.
    package let loaded: LoadedSpec

    /// Loads without judging: for specs that are to be refused.
    package static func load(_ text: String) throws -> LoadedSpec {
        let disk = SimulatedFileSystem()
        disk.put("/spec/spec.yaml", text)
        return try SpecLoader(fileSystem: disk, environment: { _ in nil }, zones: RunnerHarness.zones)
            .load(["/spec/spec.yaml"])
    }

    /// Fails the test when the spec has errors.
    package init(_ text: String) throws {
        loaded = try Self.load(text)
        let messages = loaded.diagnostics.filter { $0.severity == .error }.map { "\($0.position.line): \($0.message)" }
        try #require(messages.isEmpty, "\(messages.joined(separator: "\n"))\n\(text)")
    }

    /// The query with fresh connectors.
    package func makeQuery(_ environment: QueryEnvironment) throws -> RunnableQuery {
        let spec = try #require(loaded.spec)
        let planned = try #require(loaded.plans.first)
        return try QuerySet.makeQuery(planned, spec: spec, options: QuerySetOptions(), environment: environment)
    }

    /// A new process, from the checkpoint.
    package func open(_ environment: QueryEnvironment) throws -> QueryRunner {
        try QueryRunner(
            try makeQuery(environment), environment: environment, runID: "test", wakeup: Wakeup(),
            shouldStop: { false })
    }
}

extension QueryEnvironment {
    /// Simulated all around.
    package init(
        _ disk: any FileSystem, clock: SimulatedClock = SimulatedClock(), pool: WorkerPool, log: Log = .none,
        report: @escaping @Sendable (QueryProgress) -> Void = { _ in }
    ) {
        self.init(
            fileSystem: disk, clock: clock, pool: pool, zones: RunnerHarness.zones, log: log, report: report)
    }
}

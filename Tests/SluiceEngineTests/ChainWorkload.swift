// A random chain of joins, its rows, and what batch SQL makes of them with nested loops: what must have come out once
// the watermark has passed all rows, if none was late. Some inputs are unions of two sources, some have rows twice and
// are deduplicated. Nothing of the planner or the engine is used here.

import SluiceSystem

/// A row of one input.
struct ChainRow {
    var input: Int
    var id: String
    /// Two key columns.
    var k: Int?
    var j: Int?
    /// Seconds.
    var t: Int?
    /// When it arrives, in seconds of event time.
    var arrival: Int

    var json: String {
        var fields = ["\"id\":\"\(id)\""]
        if let k { fields.append("\"k\":\"k\(k)\"") }
        if let j { fields.append("\"j\":\(j)") }
        if let t { fields.append("\"t\":\"\(Self.text(t))\"") }
        return "{\(fields.joined(separator: ","))}"
    }

    /// From the second hour of 2024 on.
    private static func text(_ seconds: Int) -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let all = seconds + 3600
        return "2024-01-\(two(1 + all / 86400))T\(two(all / 3600 % 24)):\(two(all / 60 % 60)):\(two(all % 60))Z"
    }
}

/// One entry of `join`.
struct ChainJoin {
    enum Time {
        /// The time of these inputs, the first that is there, and `lower <= right - left <= upper`, in seconds.
        case within([Int], lower: Int, upper: Int)
        case window(of: Int, seconds: Int)
        /// The times are equal.
        case key(Int)
        /// The new input is a table.
        case table
    }

    var type: String
    /// Of which input before it, and which column of both.
    var keyInput: Int
    var keyColumn: Character
    var time: Time
    /// A condition over the new input and one before it: its id is not the other's but for the first letter.
    var filterInput: Int?
}

struct ChainWorkload {
    var joins: [ChainJoin] = []
    var rows: [ChainRow] = []
    var delaySeconds = 0
    /// The query's `where`: this input's `j` is below 3.
    var filterInput: Int?
    var shards = 1
    /// Inputs that are a union of two sources, and inputs that are deduplicated by `id`.
    var unions: Set<Int> = []
    var deduplicated: Set<Int> = []
    /// Inputs that are tables.
    var tables: Set<Int> = []
    /// The entries of `joins` in the order in which the spec has them.
    private(set) var order: [Int] = []
    /// What arrives: `rows`, some of them twice.
    private(set) var arrivals: [ChainRow] = []
    /// Inputs whose columns are there in the end.
    private(set) var visible: [Int] = []

    static let names: [Character] = ["a", "b", "c", "d", "e"]
    private static let types = ["inner", "left outer", "right outer", "full outer", "left semi", "left anti"]

    /// - Parameter isStar: every join is inner or left outer, and names `a` only.
    init(seed: UInt64, isStar: Bool = false) {
        var random = SplitMix64(seed: seed)
        func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
        let inputCount = 2 + below(4)
        visible = [0]
        var timed = [0]
        for input in 1..<inputCount {
            let type = below(3) == 0 ? "left outer" : Self.types[below(isStar ? 2 : Self.types.count)]
            let left = isStar ? 0 : visible[below(visible.count)]
            let time: ChainJoin.Time
            let isTable = below(5) == 0 && ["inner", "left outer", "left semi", "left anti"].contains(type)
            switch isTable ? -1 : isStar ? 3 : below(12) {
            case -1: time = .table
            case 0: time = .window(of: timed[below(timed.count)], seconds: 5 + below(20))
            case 1: time = .key(timed[below(timed.count)])
            case 2 where timed.count > 1:
                time = .within(Array(timed.shuffled(using: &random).prefix(2)), lower: -below(8), upper: below(15))
            default:
                let lower = below(20) - 10
                time = .within([isStar ? 0 : timed[below(timed.count)]], lower: lower, upper: lower + below(20))
            }
            joins.append(
                ChainJoin(
                    type: type, keyInput: left, keyColumn: below(2) == 0 ? "k" : "j", time: time,
                    filterInput: below(5) == 0 ? (isStar ? 0 : visible[below(visible.count)]) : nil))
            if isTable { tables.insert(input) }
            if type != "left semi" && type != "left anti" {
                visible.append(input)
                if !isTable { timed.append(input) }
            }
        }
        order = Array(joins.indices)
        if below(5) == 0 { filterInput = visible[below(visible.count)] }
        shards = 1 << below(3)
        let disorder = below(3) * 5
        delaySeconds = disorder + 1
        for input in 0..<inputCount {
            for number in 0..<6 + below(14) {
                let t = below(90)
                rows.append(
                    ChainRow(
                        input: input, id: "\(Self.names[input])\(number)", k: below(12) == 0 ? nil : below(4),
                        j: below(12) == 0 ? nil : below(5), t: below(15) == 0 ? nil : t,
                        arrival: t + below(disorder + 1)))
            }
        }
        unions = Set((0..<inputCount).filter { !tables.contains($0) && below(5) == 0 })
        deduplicated = Set((0..<inputCount).filter { !tables.contains($0) && below(4) == 0 })
        arrivals = rows
        for row in rows where deduplicated.contains(row.input) && row.t != nil && below(3) == 0 {
            var again = row
            again.arrival = min(row.arrival + below(3), (row.t ?? 0) + disorder)
            arrivals.append(again)
        }
        arrivals.sort { ($0.arrival, $0.input) < ($1.arrival, $1.input) }
    }

    var inputCount: Int { joins.count + 1 }

    /// The same with the entries of `join` in another order.
    func reordered(seed: UInt64) -> ChainWorkload {
        var random = SplitMix64(seed: seed)
        var other = self
        other.order.shuffle(using: &random)
        return other
    }

    // MARK: As a spec

    var spec: String {
        var lines = ["sluice: 1", "sources:"]
        for input in 0..<inputCount where !tables.contains(input) {
            let name = Self.names[input]
            let watermark = "    watermark: { column: t, delay: \(delaySeconds) seconds }"
            for source in sources(of: input) {
                lines += ["  \(source):", "    file: { path: in }", "    format: json"]
                lines.append("    columns: { id: string, k: string, j: int, t: timestamp }")
            }
            if unions.contains(input) { lines += ["  \(name):", "    union: [\(name)1, \(name)2]"] }
            lines.append(watermark)
            if deduplicated.contains(input) { lines.append("    deduplicate: id") }
        }
        if !tables.isEmpty { lines.append("tables:") }
        for input in tables.sorted() {
            lines += ["  \(Self.names[input]):", "    file: { path: in }", "    format: json"]
            lines.append("    columns: { id: string, k: string, j: int, t: timestamp }")
        }
        lines += ["queries:", "  q:", "    from: a", "    state: { shards: \(shards) }", "    join:"]
        for number in order { lines += entry(joins[number], Self.names[number + 1]) }
        if let filterInput { lines.append("    where: \(Self.names[filterInput]).j < 3") }
        let select = visible.map { "\(Self.names[$0]): \(Self.names[$0]).id" }
        lines += ["    select: { \(select.joined(separator: ", ")) }", "    to: out"]
        lines += ["sinks:", "  out: { file: { path: out }, format: json }"]
        return lines.joined(separator: "\n") + "\n"
    }

    /// The sources that an input's rows come from.
    func sources(of input: Int) -> [String] {
        let name = Self.names[input]
        return unions.contains(input) ? ["\(name)1", "\(name)2"] : ["\(name)"]
    }

    private func entry(_ join: ChainJoin, _ right: Character) -> [String] {
        let left = Self.names[join.keyInput]
        var keys = "\(left).\(join.keyColumn): \(right).\(join.keyColumn)"
        if case .key(let input) = join.time { keys += ", \(Self.names[input]).t: \(right).t" }
        var lines = ["      - with: \(right)", "        type: \(join.type)", "        keys: { \(keys) }"]
        switch join.time {
        case .within(let inputs, let lower, let upper):
            let times = inputs.map { "\(Self.names[$0]).t" }.joined(separator: ", ")
            let time = inputs.count > 1 ? "coalesce(\(times))" : times
            lines.append(
                "        within: \(right).t between \(time) + \(lower) seconds and \(time) + \(upper) seconds")
        case .window(let input, let seconds):
            lines.append("        window: { size: \(seconds) seconds, of: \(Self.names[input]) }")
        case .key, .table: break
        }
        if let filter = join.filterInput {
            lines.append("        where: substring(\(right).id, 2, 9) <> substring(\(Self.names[filter]).id, 2, 9)")
        }
        return lines
    }

    // MARK: As batch SQL

    /// What comes out of all rows together: the ids of the visible inputs, `-` for an absent one; sorted.
    var truth: [String] {
        var pairs = rows.filter { $0.input == 0 }.map { row -> [ChainRow?] in [row] }
        for (number, join) in joins.enumerated() {
            let right = rows.filter { $0.input == number + 1 }
            pairs = nestedLoopJoin(pairs, inputs: number + 1, right, type: join.type, id: \.id) { pair in
                right.filter { matches(pair, $0, join) }
            }
        }
        if let filterInput { pairs = pairs.filter { $0[filterInput]?.j.map { $0 < 3 } ?? false } }
        return pairs.map { pair in visible.map { pair[$0]?.id ?? "-" }.joined(separator: " ") }.sorted()
    }

    private func matches(_ pair: [ChainRow?], _ right: ChainRow, _ join: ChainJoin) -> Bool {
        guard let left = pair[join.keyInput] else { return false }
        let (a, b) = join.keyColumn == "k" ? (left.k, right.k) : (left.j, right.j)
        guard let a, let b, a == b else { return false }
        if let filter = join.filterInput {
            guard let other = pair[filter], other.id.dropFirst() != right.id.dropFirst() else { return false }
        }
        if case .table = join.time { return true }
        guard let t = right.t else { return false }
        switch join.time {
        case .within(let inputs, let lower, let upper):
            guard let named = inputs.lazy.compactMap({ pair[$0]?.t }).first else { return false }
            return t - named >= lower && t - named <= upper
        case .window(let input, let seconds):
            guard let named = pair[input]?.t else { return false }
            // Windows since the epoch; 2024 begins at a multiple of an hour, not of every size.
            let zero = 1_704_067_200 + 3600
            return (zero + named) / seconds == (zero + t) / seconds
        case .key(let input): return pair[input]?.t == t
        case .table: return true
        }
    }
}

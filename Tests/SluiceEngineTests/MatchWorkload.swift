// A random chain of joins of which most give a row one partner (`match`), its rows with the places they are read from,
// and what nested loops make of them: what must have come out once the watermark has passed all rows, if none was late,
// however the rows were cut into batches. Times meet on a grid of half seconds, so that bounds are hit exactly and rows
// are equally near or of one time; some are off it by a microsecond or a millisecond. Nothing of the planner or the
// engine is used here.

import SluiceSystem

/// A row of one input, and where it stands.
struct MatchRow {
    var input: Int
    var id: String
    var k: Int?
    var j: Int?
    var v: Int?
    /// Microseconds after the second hour of 2024.
    var t: Int?
    /// When it arrives, in microseconds of event time.
    var arrival: Int
    /// The part of a union, else 0.
    var part: Int
    var partition: Int
    var path: String
    /// Of its first byte among those of its file.
    var offset = 0

    var json: String {
        var fields = ["\"id\":\"\(id)\""]
        if let k { fields.append("\"k\":\"k\(k)\"") }
        if let j { fields.append("\"j\":\(j)") }
        if let v { fields.append("\"v\":\(v)") }
        if let t { fields.append("\"t\":\"\(Self.text(t))\"") }
        return "{\(fields.joined(separator: ","))}"
    }

    private static func text(_ micros: Int) -> String {
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: width - digits.count) + digits
        }
        let (seconds, rest) = (micros / 1_000_000 + 7200, micros % 1_000_000)
        return "2024-01-01T\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))."
            + "\(padded(rest, 6))Z"
    }

    /// Whether its record stands before that of another row of its input.
    func stands(before other: MatchRow) -> Bool {
        if part != other.part { return part < other.part }
        if partition != other.partition { return partition < other.partition }
        return path == other.path ? offset < other.offset : path < other.path
    }
}

/// One entry of `join`.
struct MatchJoin {
    var type: String
    var match: String
    /// Of which input before it, and which column of both.
    var keyInput: Int
    var keyColumn: Character
    var isNullSafe: Bool
    /// The time of these inputs, the first that is there.
    var timeInputs: [Int]
    /// Of right - left, in half seconds.
    var lower: Int
    var upper: Int
    var lowerIsStrict: Bool
    var upperIsStrict: Bool
    /// The entry's `where`: the new row's `v` is above that of this input's row.
    var residualInput: Int?
    /// The entry's `where`: `v` is above this, of the new row, and of the row of an input before it.
    var rightLimit: Int?
    var leftLimit: (input: Int, above: Int)?
}

struct MatchWorkload {
    var joins: [MatchJoin] = []
    /// In the order of their arrival.
    var rows: [MatchRow] = []
    /// Those of `rows` that come again.
    var again: [MatchRow] = []
    var delayMillis = 0
    /// The query's `where`: this input's `v` is below 6, or is null where that is said.
    var filter: (input: Int, orNull: Bool)?
    var shards = 1
    var unions: Set<Int> = []
    var deduplicated: Set<Int> = []
    /// Inputs whose columns are there in the end.
    private(set) var visible: [Int] = []

    static let names: [Character] = ["a", "b", "c", "d"]
    private static let types = ["inner", "left outer", "right outer", "full outer", "left semi", "left anti"]

    /// - Parameter isLate: whether rows may come later than the watermark allows.
    init(seed: UInt64, joinsMax: Int = 3, isLate: Bool = false) {
        var random = SplitMix64(seed: seed)
        func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
        visible = [0]
        let inputCount = 2 + below(joinsMax)
        let choosing = 1 + below(inputCount - 1)
        for input in 1..<inputCount { addJoin(input, chooses: input == choosing || below(5) < 3, below) }
        if below(4) == 0 { filter = (visible[below(visible.count)], below(2) == 0) }
        shards = 1 << below(4)
        let disorder = below(3) * 4
        delayMillis = isLate ? disorder * 100 : disorder * 500 + 2
        unions = Set((0..<inputCount).filter { _ in below(5) == 0 })
        deduplicated = isLate ? [] : Set((0..<inputCount).filter { _ in below(5) == 0 })
        let span = 20 + below(100)
        for input in 0..<inputCount {
            for number in 0..<(isLate ? 20 + below(20) : 4 + below(18)) {
                rows.append(row(input, number, span, disorder, below))
            }
        }
        rows.sort { ($0.arrival, $0.input) < ($1.arrival, $1.input) }
        for row in rows where deduplicated.contains(row.input) && row.t != nil && below(3) == 0 {
            var copy = row
            copy.arrival = min(row.arrival + below(1000) * 1000, (row.t ?? 0) + disorder * 500_000)
            if copy.arrival > row.arrival { again.append(copy) }
        }
        place()
    }

    private mutating func addJoin(_ input: Int, chooses: Bool, _ below: (Int) -> Int) {
        let match = chooses ? ["nearest", "latest", "earliest"][below(3)] : "all"
        let type = Self.types[below(match == "all" ? Self.types.count : 2)]
        let lower = below(30) - 18
        let timeInputs =
            visible.count > 1 && below(6) == 0
            ? Array(visible.prefix(2)) : [visible[below(visible.count)]]
        joins.append(
            MatchJoin(
                type: type, match: match, keyInput: visible[below(visible.count)], keyColumn: below(2) == 0 ? "k" : "j",
                isNullSafe: below(8) == 0, timeInputs: timeInputs, lower: lower, upper: lower + 1 + below(24),
                lowerIsStrict: below(4) == 0, upperIsStrict: below(4) == 0,
                residualInput: below(4) == 0 ? visible[below(visible.count)] : nil,
                rightLimit: below(6) == 0 ? 2 : nil,
                leftLimit: below(8) == 0 ? (visible[below(visible.count)], 2) : nil))
        if type != "left semi" && type != "left anti" { visible.append(input) }
    }

    private func row(
        _ input: Int, _ number: Int, _ span: Int, _ disorder: Int, _ below: (Int) -> Int
    ) -> MatchRow {
        let t = below(span) * 500_000 + (below(5) == 0 ? [0, 1, 999, 1000, 499_999][below(5)] : 0)
        return MatchRow(
            input: input, id: "\(Self.names[input])\(number)", k: below(12) == 0 ? nil : below(3),
            j: below(12) == 0 ? nil : below(2), v: below(10) == 0 ? nil : below(8), t: below(15) == 0 ? nil : t,
            arrival: t + below(disorder + 1) * 500_000, part: unions.contains(input) ? below(2) : 0,
            partition: below(2), path: ["x", "xy", "w/z"][below(3)])
    }

    /// Gives each row that arrives its offset among those of its file, in the order of arrival.
    private mutating func place() {
        var ends: [String: Int] = [:]
        var all = arrivals
        for index in all.indices {
            let file = "\(all[index].input)/\(all[index].part)/\(all[index].partition)/\(all[index].path)"
            all[index].offset = ends[file] ?? 0
            ends[file] = all[index].offset + all[index].json.utf8.count + 1
        }
        var seen: Set<String> = []
        rows = []
        again = []
        for row in all {
            if seen.insert(row.id).inserted { rows.append(row) } else { again.append(row) }
        }
    }

    /// What arrives, some rows twice; a row's second time is not before its first.
    var arrivals: [MatchRow] {
        let all = rows.map { ($0, 0) } + again.map { ($0, 1) }
        return all.sorted { ($0.0.arrival, $0.1, $0.0.input, $0.0.id) < ($1.0.arrival, $1.1, $1.0.input, $1.0.id) }
            .map(\.0)
    }

    var inputCount: Int { joins.count + 1 }

    // MARK: As a spec

    var spec: String {
        var lines = ["sluice: 1", "sources:"]
        for input in 0..<inputCount {
            let name = Self.names[input]
            for source in sources(of: input) {
                lines += ["  \(source):", "    file: { path: in }", "    format: json"]
                lines.append("    columns: { id: string, k: string, j: int, v: int, t: timestamp }")
            }
            if unions.contains(input) { lines += ["  \(name):", "    union: [\(name)2, \(name)1]"] }
            lines.append("    watermark: { column: t, delay: \(delayMillis) ms }")
            if deduplicated.contains(input) { lines.append("    deduplicate: id") }
        }
        lines += ["queries:", "  q:", "    from: a", "    state: { shards: \(shards) }", "    join:"]
        for (number, join) in joins.enumerated() { lines += entry(join, Self.names[number + 1]) }
        if let filter {
            let column = "\(Self.names[filter.input]).v"
            lines.append("    where: \(column) < 6\(filter.orNull ? " or \(column) is null" : "")")
        }
        let select = visible.map { "\(Self.names[$0]): \(Self.names[$0]).id" }
        lines += ["    select: { \(select.joined(separator: ", ")) }", "    to: out"]
        lines += ["sinks:", "  out: { file: { path: out }, format: json }"]
        return lines.joined(separator: "\n") + "\n"
    }

    /// The sources that an input's rows come from, in the order of the union.
    func sources(of input: Int) -> [String] {
        let name = Self.names[input]
        return unions.contains(input) ? ["\(name)2", "\(name)1"] : ["\(name)"]
    }

    private func entry(_ join: MatchJoin, _ right: Character) -> [String] {
        let left = Self.names[join.keyInput]
        var lines = ["      - with: \(right)", "        type: \(join.type)"]
        lines.append("        keys: { \(left).\(join.keyColumn): \(right).\(join.keyColumn) }")
        if join.isNullSafe { lines.append("        null_safe: true") }
        if join.match != "all" { lines.append("        match: \(join.match)") }
        let times = join.timeInputs.map { "\(Self.names[$0]).t" }.joined(separator: ", ")
        let time = join.timeInputs.count > 1 ? "coalesce(\(times))" : times
        lines.append(
            "        within: \(right).t >\(join.lowerIsStrict ? "" : "=") \(time) + \(join.lower * 500) ms and \(right).t "
                + "<\(join.upperIsStrict ? "" : "=") \(time) + \(join.upper * 500) ms")
        var conditions: [String] = []
        if let input = join.residualInput { conditions.append("\(right).v > \(Self.names[input]).v") }
        if let limit = join.rightLimit { conditions.append("\(right).v > \(limit)") }
        if let limit = join.leftLimit { conditions.append("\(Self.names[limit.input]).v > \(limit.above)") }
        if !conditions.isEmpty { lines.append("        where: \(conditions.joined(separator: " and "))") }
        return lines
    }

    // MARK: As nested loops

    /// What comes out of all rows together: the ids of the visible inputs, `-` for an absent one; sorted.
    var truth: [String] {
        var pairs = rows.filter { $0.input == 0 }.map { row -> [MatchRow?] in [row] }
        for (number, join) in joins.enumerated() {
            let right = rows.filter { $0.input == number + 1 }
            pairs = nestedLoopJoin(pairs, inputs: number + 1, right, type: join.type, id: \.id) { pair in
                Self.choose(right.filter { matches(pair, $0, join) }, time(pair, join), join.match)
            }
        }
        return pairs.filter(passes).map(text).sorted()
    }

    /// Whether the query's `where` lets a row out.
    func passes(_ pair: [MatchRow?]) -> Bool {
        guard let filter else { return true }
        return pair[filter.input]?.v.map { $0 < 6 } ?? filter.orNull
    }

    func text(_ pair: [MatchRow?]) -> String { visible.map { pair[$0]?.id ?? "-" }.joined(separator: " ") }

    func time(_ pair: [MatchRow?], _ join: MatchJoin) -> Int? {
        join.timeInputs.lazy.compactMap { pair[$0]?.t }.first
    }

    /// Of the rows that match, those that join: the first in the order that `match` puts them in, or all.
    static func choose(_ rows: [MatchRow], _ time: Int?, _ match: String) -> [MatchRow] {
        guard match != "all", let time else { return rows }
        func rank(_ row: MatchRow) -> [Int] {
            let t = row.t ?? 0
            switch match {
            case "latest": return [-t]
            case "earliest": return [t]
            default: return [abs(t - time), t]
            }
        }
        let best = rows.min { a, b in
            let (first, second) = (rank(a), rank(b))
            return first == second ? a.stands(before: b) : first.lexicographicallyPrecedes(second)
        }
        return best.map { [$0] } ?? []
    }

    func matches(_ pair: [MatchRow?], _ right: MatchRow, _ join: MatchJoin) -> Bool {
        let left = pair[join.keyInput]
        let (a, b) = join.keyColumn == "k" ? (left?.k, right.k) : (left?.j, right.j)
        guard join.isNullSafe ? a == b : a != nil && a == b else { return false }
        if let input = join.residualInput {
            guard let other = pair[input]?.v, let own = right.v, own > other else { return false }
        }
        if let limit = join.rightLimit, right.v ?? 0 <= limit { return false }
        if let limit = join.leftLimit, pair[limit.input]?.v ?? 0 <= limit.above { return false }
        guard let t = right.t, let named = time(pair, join) else { return false }
        let gap = t - named
        let (lower, upper) = (join.lower * 500_000, join.upper * 500_000)
        return (join.lowerIsStrict ? gap > lower : gap >= lower) && (join.upperIsStrict ? gap < upper : gap <= upper)
    }
}

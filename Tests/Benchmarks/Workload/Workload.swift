// The workload `visits-ads`: two streams of page visits and ads. A row is a function of the seed and its number, so any
// number of them takes no memory, and the truth about their join (Truth.swift) comes from the same numbers without any
// code of the product.

import Glibc

struct Workload {
    /// How rows are spread over the pages, which are the join's keys.
    enum Keys {
        case uniform
        /// Every other row is of page 0.
        case oneHot
        /// Page k with weight (k + 1)^-exponent; made by `Workload.zipf`.
        case weighted(cumulative: [Double])
    }

    /// Which ads match a visit.
    enum Matches {
        /// Pages and times are independent: a visit has about `rowsPerSecond / pages * bound` ads.
        case byChance
        /// Ad i is made for visit i, but for rows of a hot page, which match by chance.
        case constructed
    }

    /// Rows a side.
    var rows = 5_000_000
    var batches = 50
    /// Rows a side that come before the batches, in files of their own, so that state is full when these begin.
    var fillRows = 0
    var seed: UInt64 = 1
    /// Rows a second of event time, per side.
    var rowsPerSecond = 1000
    var pages = 120_000
    var disorderMillis = 60_000
    var boundMillis = 120_000
    var delayMillis = 600_000
    var keys = Keys.uniform
    var matches = Matches.byChance
    /// How rows are written in the input; what comes out is the same in each.
    var format = RowFormat.json
    /// Columns beside a row's own three: none, or a multiple of three from 27 on. The join takes `c09` and `c21`.
    var fillerCount = 0
    /// Whether a spec declares the columns that the join has no use for.
    var declaresFillers = true

    var isWide: Bool { fillerCount > 0 }

    /// The first of January 2024 at noon, counted as `RowTemplate` does; disorder may reach back by hours.
    static let startMillis = RowTemplate.dayMillis * 3 / 2
    /// Rows a side in a file of `fillRows`.
    private static let fillFileRows = 500_000

    struct Visit {
        var page: Int
        var timeMillis: Int
    }

    /// Visit i happens about i / rowsPerSecond seconds after the start, up to `disorderMillis` earlier.
    func visit(_ index: Int) -> Visit { row(index, side: 0) }

    func ad(_ index: Int) -> Visit {
        guard case .constructed = matches else { return row(index, side: 1) }
        var visit = self.visit(index)
        if case .oneHot = keys, visit.page == 0 {
            visit.timeMillis = row(index, side: 1).timeMillis
        } else {
            visit.timeMillis += Int(random(index, draw: 2, side: 1) % UInt64(boundMillis))
        }
        return visit
    }

    private func row(_ index: Int, side: UInt64) -> Visit {
        Visit(
            page: page(random(index, draw: 0, side: side)),
            timeMillis: Self.startMillis + index * 1000 / rowsPerSecond
                - Int(random(index, draw: 1, side: side) % UInt64(disorderMillis)))
    }

    private func page(_ random: UInt64) -> Int {
        switch keys {
        case .uniform: return Int(random % UInt64(pages))
        case .oneHot: return random & 1 == 0 ? 0 : 1 + Int((random >> 1) % UInt64(pages - 1))
        case .weighted(let cumulative):
            let wanted = Double(random >> 11) * 0x1p-53 * cumulative[pages - 1]
            var (low, high) = (0, pages - 1)
            while low < high {
                let middle = (low + high) / 2
                if cumulative[middle] > wanted { high = middle } else { low = middle + 1 }
            }
            return low
        }
    }

    private func random(_ index: Int, draw: UInt64, side: UInt64) -> UInt64 {
        SplitMix.mixed(SplitMix.mixed(seed &* 2 &+ side) &+ UInt64(index) &* 4 &+ draw)
    }
}

extension Workload {
    /// Weights of `pages` keys after Zipf's law.
    static func zipf(exponent: Double, pages: Int) -> Keys {
        var sum = 0.0
        return .weighted(
            cumulative: (1...pages).map { rank in
                sum += pow(Double(rank), -exponent)
                return sum
            })
    }

    /// The rows of each file, in the order they are read.
    var files: [Range<Int>] {
        let fill = stride(from: 0, to: fillRows, by: Self.fillFileRows).map {
            $0..<min(fillRows, $0 + Self.fillFileRows)
        }
        let steady = rows - fillRows
        return fill
            + (0..<batches).map { batch in
                fillRows + steady * batch / batches..<fillRows + steady * (batch + 1) / batches
            }
    }
}

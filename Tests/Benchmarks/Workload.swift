// The `visits-ads` workload: two streams of page visits and ads, generated from a seed, and the truth about their join,
// computed from the same numbers without any code of the product.

import Glibc

struct Workload {
    /// Rows a side.
    var rows = 1_000_000
    var batches = 50
    var seed: UInt64 = 1
    /// Rows a second of event time, per side.
    var rowsPerSecond = 1000
    var pages = 120_000
    var disorderMillis: Int64 = 60_000
    let boundMillis: Int64 = 120_000
    let delayMillis: Int64 = 600_000
    let startMillis: Int64 = 1_704_067_200_000

    struct Visit {
        var page: Int32
        var timeMillis: Int64
    }

    /// Both sides are alike but for the seed: row i happens about i / rowsPerSecond seconds after the start.
    func side(_ number: UInt64) -> [Visit] {
        var random = SplitMix(state: seed &* 2 &+ number)
        return (0..<rows).map { index in
            Visit(
                page: Int32(random.next() % UInt64(pages)),
                timeMillis: startMillis + Int64(index) * 1000 / Int64(rowsPerSecond)
                    - Int64(random.next() % UInt64(disorderMillis)))
        }
    }
}

struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z &>> 31)
    }
}

/// Rows that must come out, as a count and an order-free checksum.
struct Answer: Equatable {
    var matched = 0
    var unmatched = 0
    var checksum: UInt64 = 0

    mutating func add(visit: Int, displayMillis: Int64?) {
        if displayMillis == nil { unmatched += 1 } else { matched += 1 }
        var random = SplitMix(state: UInt64(visit) &* 0x1_0000_0001 ^ UInt64(bitPattern: displayMillis ?? -1))
        checksum &+= random.next()
    }
}

extension Workload {
    /// What a left outer join must give once all input is through: every pair within the bound, and every visit without
    /// a pair that the final watermark has passed.
    func truth(visits: [Visit], ads: [Visit]) -> Answer {
        var adTimes = [[Int64]](repeating: [], count: pages)
        for ad in ads { adTimes[Int(ad.page)].append(ad.timeMillis) }
        for page in adTimes.indices { adTimes[page].sort() }
        let newest = min(visits.map(\.timeMillis).max() ?? 0, ads.map(\.timeMillis).max() ?? 0)
        let threshold = newest - delayMillis - boundMillis - 1
        var answer = Answer()
        for (index, visit) in visits.enumerated() {
            var found = false
            for time in adTimes[Int(visit.page)]
            where time >= visit.timeMillis && time <= visit.timeMillis + boundMillis {
                answer.add(visit: index, displayMillis: time)
                found = true
            }
            if !found && visit.timeMillis <= threshold { answer.add(visit: index, displayMillis: nil) }
        }
        return answer
    }
}

// MARK: Rows

extension Workload {
    func appendVisit(_ index: Int, _ row: Visit, to text: inout [UInt8]) {
        text += Array("{\"visit_id\":\"visit-\(padded(Int64(index), 9))\",\"event_time\":\"".utf8)
        appendTime(row.timeMillis, to: &text)
        text += Array("\",\"page\":\"/shop/page-\(padded(Int64(row.page), 6)).html\"}".utf8)
    }

    func appendAd(_ index: Int, _ row: Visit, to text: inout [UInt8]) {
        text += Array("{\"page\":\"/shop/page-\(padded(Int64(row.page), 6)).html\",\"display_time\":\"".utf8)
        appendTime(row.timeMillis, to: &text)
        text += Array("\",\"campaign_name\":\"campaign-\(padded(Int64(index % 1000), 4))\"}".utf8)
    }
}

// MARK: Files

extension Workload {
    /// Writes one file per batch and side, `visits/0001.jsonl` …, and returns the bytes written.
    func write(visits: [Visit], ads: [Visit], to folder: String) -> Int {
        var total = 0
        for (name, rows) in [("visits", visits), ("ads", ads)] {
            makeFolder("\(folder)/\(name)")
            for batch in 0..<batches {
                let range = rows.count * batch / batches..<rows.count * (batch + 1) / batches
                var text: [UInt8] = []
                text.reserveCapacity(range.count * 110)
                for index in range {
                    if name == "visits" {
                        appendVisit(index, rows[index], to: &text)
                    } else {
                        appendAd(index, rows[index], to: &text)
                    }
                    text.append(UInt8(ascii: "\n"))
                }
                total += text.count
                writeFile("\(folder)/\(name)/\(padded(Int64(batch), 4)).jsonl", text)
            }
        }
        return total
    }

    /// Reads the sink's files back.
    func answer(in folder: String) -> Answer {
        var answer = Answer()
        for name in list(folder) where name.hasSuffix(".jsonl") {
            let text = readFile("\(folder)/\(name)")
            var start = 0
            while start < text.count {
                let end = text[start...].firstIndex(of: 10) ?? text.count
                add(text[start..<end], to: &answer)
                start = end + 1
            }
        }
        return answer
    }

    /// Adds a row that has come out.
    func add(_ line: ArraySlice<UInt8>, to answer: inout Answer) {
        // {"visit_id":"visit-000000012", …,"display_time":"2024-01-01T00:00:00.123Z", …}
        let visit = line.dropFirst(19).prefix(9).reduce(0) { $0 * 10 + Int($1) - 48 }
        answer.add(visit: visit, displayMillis: time(of: "display_time", in: line))
    }

    private func time(of name: String, in line: ArraySlice<UInt8>) -> Int64? {
        let needle = Array("\"\(name)\":\"".utf8)
        var index = line.startIndex
        while index + needle.count < line.endIndex {
            if line[index] == needle[0], line[index..<index + needle.count].elementsEqual(needle) {
                let text = line[(index + needle.count)...]
                func number(_ from: Int, _ count: Int) -> Int64 {
                    text.dropFirst(from).prefix(count).reduce(0) { $0 * 10 + Int64($1) - 48 }
                }
                // The workload stays inside January 2024, but for a minute of the day before.
                let day = (number(5, 2) == 12 ? -1 : number(8, 2) - 1) * 86_400_000
                return startMillis + day + number(11, 2) * 3_600_000 + number(14, 2) * 60_000 + number(17, 2) * 1000
                    + number(20, 3)
            }
            index += 1
        }
        return nil
    }

    private func appendTime(_ millis: Int64, to text: inout [UInt8]) {
        // Row 0 may lie up to the disorder before the start: the last minute of 2023.
        let since = millis - startMillis + 86_400_000
        let day = since / 86_400_000
        let date = day == 0 ? "2023-12-31" : "2024-01-\(padded(day, 2))"
        let rest = since % 86_400_000
        text += Array(
            "\(date)T\(padded(rest / 3_600_000, 2)):\(padded(rest / 60_000 % 60, 2)):\(padded(rest / 1000 % 60, 2))."
                .utf8)
        text += Array("\(padded(rest % 1000, 3))Z".utf8)
    }
}

func padded(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

// The truth about the workload's join, for each type of it:
//
//     ads sorted by page, then time        p0: 3 9 12 | p1: 1 7 | p2 …
//     a visit of page 1 at 5, bound 4          matches [5, 9] -> the run that holds 7
//     ads that no run covers                   found by adding up where runs begin and end
//
// O(n log n), 8 bytes an ad and 4 bytes a visit's run.

import Glibc

enum JoinType: String, CaseIterable {
    case inner
    case leftOuter = "left outer"
    case rightOuter = "right outer"
    case fullOuter = "full outer"
    case leftSemi = "left semi"
    case leftAnti = "left anti"

    /// Output rows hold columns of visits only.
    var hasVisitsOnly: Bool { self == .leftSemi || self == .leftAnti }
}

/// Rows that must come out, or have: counts, and a checksum that does not depend on their order.
struct Answer: Equatable, CustomStringConvertible {
    var pairs = 0
    var visitsAlone = 0
    var adsAlone = 0
    var checksum: UInt64 = 0

    var rowCount: Int { pairs + visitsAlone + adsAlone }

    var description: String {
        "\(pairs) pairs, \(visitsAlone) visits alone, \(adsAlone) ads alone, checksum \(String(checksum, radix: 16))"
    }

    mutating func add(_ line: UnsafeRawBufferPointer, _ forms: Workload.Forms) {
        if let values = forms.pair.read(line) {
            pairs += 1
            checksum &+= values.hash
        } else if let values = forms.visitAlone.read(line) {
            visitsAlone += 1
            checksum &+= values.hash
        } else if let values = forms.adAlone.read(line) {
            adsAlone += 1
            checksum &+= values.hash
        } else {
            fail("a row that nobody expects: \(String(decoding: line.prefix(400), as: UTF8.self))")
        }
    }
}

struct Truth {
    private let workload: Workload
    /// Time and campaign in one number, sorted within each page.
    private var ads: [Int]
    /// Where each page's ads begin.
    private var starts: [Int]
    private let visitsNewest: Int
    private let adsNewest: Int

    private static let campaignsPerTime = 1000

    init(_ workload: Workload) {
        self.workload = workload
        starts = [Int](repeating: 0, count: workload.pages + 1)
        var newest = 0
        for index in 0..<workload.rows {
            let ad = workload.ad(index)
            starts[ad.page + 1] += 1
            newest = max(newest, ad.timeMillis)
        }
        adsNewest = newest
        for page in 0..<workload.pages { starts[page + 1] += starts[page] }
        var next = starts
        var ads = [Int](repeating: 0, count: workload.rows)
        for index in 0..<workload.rows {
            let ad = workload.ad(index)
            ads[next[ad.page]] = ad.timeMillis * Self.campaignsPerTime + Workload.campaign(ofAd: index)
            next[ad.page] += 1
        }
        for page in 0..<workload.pages { ads[starts[page]..<starts[page + 1]].sort() }
        self.ads = ads
        visitsNewest = (0..<workload.rows).reduce(0) { max($0, workload.visit($1).timeMillis) }
    }

    /// What must have come out once all input is through and the no-data batch at its end.
    /// - Parameter delayMillis: in place of the workload's; no row may be late by it.
    func answer(_ type: JoinType, delayMillis: Int? = nil) -> Answer {
        let watermark = min(visitsNewest, adsNewest) - (delayMillis ?? workload.delayMillis)
        var answer = Answer()
        // +1 where a visit's run of ads begins, -1 where it ends.
        var edges = [Int32](repeating: 0, count: ads.count + 1)
        for index in 0..<workload.rows {
            let visit = workload.visit(index)
            let run = self.run(of: visit)
            edges[run.lowerBound] += 1
            edges[run.upperBound] -= 1
            var values = RowValues()
            workload.setVisit(index, visit, in: &values)
            switch (type, run.isEmpty) {
            case (.inner, _), (.rightOuter, _), (.leftOuter, false), (.fullOuter, false):
                for ad in run { answer.addPair(&values, adValues(ad, page: visit.page)) }
            case (.leftSemi, false): answer.addVisit(values)
            case (.leftOuter, true), (.fullOuter, true), (.leftAnti, true):
                // Ads up to the visit's bound can still come unless the watermark is past it.
                if visit.timeMillis + workload.boundMillis < watermark { answer.addVisit(values) }
            case (.leftSemi, true), (.leftAnti, false): break
            }
        }
        if type == .rightOuter || type == .fullOuter { addAdsAlone(edges, watermark: watermark, to: &answer) }
        return answer
    }

    private func addAdsAlone(_ edges: [Int32], watermark: Int, to answer: inout Answer) {
        var (covering, page) = (Int32(0), 0)
        for index in ads.indices {
            while starts[page + 1] <= index { page += 1 }
            covering += edges[index]
            if covering == 0, ads[index] / Self.campaignsPerTime < watermark {
                answer.adsAlone += 1
                answer.checksum &+= adValues(index, page: page).hash
            }
        }
    }

    private func adValues(_ index: Int, page: Int) -> RowValues {
        var values = RowValues()
        let (time, campaign) = ads[index].quotientAndRemainder(dividingBy: Self.campaignsPerTime)
        workload.setAd(campaign: campaign, Workload.Visit(page: page, timeMillis: time), in: &values)
        return values
    }

    /// The ads within the visit's bound.
    private func run(of visit: Workload.Visit) -> Range<Int> {
        let first = firstAd(of: visit.page, at: visit.timeMillis)
        return first..<firstAd(of: visit.page, at: visit.timeMillis + workload.boundMillis + 1)
    }

    /// The first ad of a page that is at or after a time.
    private func firstAd(of page: Int, at time: Int) -> Int {
        var (low, high) = (starts[page], starts[page + 1])
        let wanted = time * Self.campaignsPerTime
        while low < high {
            let middle = (low + high) / 2
            if ads[middle] < wanted { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension Answer {
    fileprivate mutating func addVisit(_ values: RowValues) {
        visitsAlone += 1
        checksum &+= values.hash
    }

    fileprivate mutating func addPair(_ visit: inout RowValues, _ ad: RowValues) {
        for field in [RowField.adPage, .displayTime, .campaign, .adC09, .adC21] { visit[field] = ad[field] }
        pairs += 1
        checksum &+= visit.hash
    }
}

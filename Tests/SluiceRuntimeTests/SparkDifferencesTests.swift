// The recorded runs of Spark that carry a `sluiceDiffers`: what Sluice does with the same input instead, batch by
// batch. The lines are what the engine put out, each read against Spark's recording and the list of deliberate
// differences before it was kept. A line per batch, as in Scenario.swift; the rows' ids are those of the recorded
// runs.

import Foundation
import QueryTesting
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import Testing

@Suite struct SparkDifferencesTests {
    /// Batch by batch, per run.
    static let expected: [String: [String]] = [
        // A line that is blank is no row, as for Spark's own reader of JSON files; here Spark read text.
        "garbage-left": [
            "0 @- [3]: - - a1+b1 a2", "1 no data @10 [2]", "2 @10 [4]: a1+b4 a4+b1 a4+b4", "3 no data @12 [4]",
            "4 @12 [6]", "5 no data @40 [2]", "6 @40 [4]", "7 no data @60 [2]: m1",
        ],
        "nullkey-full-two": [
            "0 @- [8]: a2+b2", "1 no data @10 [8]", "2 @10 [10]", "3 no data @40 [2]: +b1 +b3 +b4 a1 a3 a4",
            "4 @40 [4]", "5 no data @60 [2]: +n1 m1",
        ],
        "nullkey-full-watermark": [
            "0 @- [2]: a1+b1", "1 no data @10 [2]", "2 @10 [4]", "3 no data @60 [2]", "4 @60 [2] late 2",
            "5 @60 [2] late 2", "6 @60 [3]", "7 @60 [4]", "8 no data @100 [2]: +b2 a2",
        ],
        // Null keys match nothing and come out alone when they are evicted.
        "nullkey-full": [
            "0 @- [4]: a2+b2", "1 no data @10 [4]", "2 @10 [6]", "3 no data @12 [6]", "4 @12 [8]: a2+b4 a4+b2 a4+b4",
            "5 no data @13 [8]", "6 @13 [10]", "7 no data @30 [2]: +b1 +b3 a1 a3", "8 @30 [4]",
            "9 no data @50 [2]: +n1 m1",
        ],
        // A null time comes out alone in its own batch and is never stored.
        "nulltime-full": [
            "0 @- [2]: +b1 a1 a2+b2", "1 no data @10 [2]", "2 @10 [4]: a2+b3 a3+b2 a3+b3", "3 no data @12 [4]",
            "4 @12 [6]", "5 no data @40 [2]", "6 @40 [4]", "7 no data @60 [2]: +n1 m1",
        ],
        "nulltime-left": [
            "0 @- [2]: a1 a2+b2", "1 no data @10 [2]", "2 @10 [4]: a2+b3 a3+b2 a3+b3", "3 no data @12 [4]",
            "4 @12 [6]", "5 no data @40 [2]", "6 @40 [4]", "7 no data @60 [2]: m1",
        ],
        "nulltime-right": [
            "0 @- [2]: +b1 a2+b2", "1 no data @10 [2]", "2 @10 [4]: a2+b3 a3+b2 a3+b3", "3 no data @12 [4]",
            "4 @12 [6]", "5 no data @40 [2]", "6 @40 [4]", "7 no data @60 [2]: +n1",
        ],
        "on-both-sides-full-backlog": [
            "0 @- [2]: +b2 +b3 a1+b1 a2 a3", "1 @11 [4]: a1+b4 a4+b1 a4+b4", "2 @12 [4]: +n1 m1",
            "3 @40 [0]: a1+b5 a4+b5 a5+b1 a5+b4 a5+b5", "4 @40 [2]", "5 @41 [4]", "6 no data @80 [2]: +n2 m2",
        ],
        "on-both-sides-full": [
            "0 @- [2]: +b2 +b3 a1+b1 a2 a3", "1 no data @11 [2]", "2 @11 [4]: a1+b4 a4+b1 a4+b4", "3 no data @12 [4]",
            "4 @12 [4]: +n1 m1", "5 no data @40 [0]", "6 @40 [0] late 2", "7 @40 [2]", "8 no data @41 [2]",
            "9 @41 [4]", "10 no data @80 [2]: +n2 m2",
        ],
        "on-left-between-left": [
            "0 @- [4]: a1+b1 a1+b2 a2 a3", "1 no data @11 [4]", "2 @11 [6]: a1+b4 a4+b1 a4+b2 a4+b4",
            "3 no data @12 [6]", "4 @12 [7]: m1", "5 no data @40 [1]", "6 @40 [1] late 2", "7 @40 [3]",
            "8 no data @41 [3]", "9 @41 [5]", "10 no data @80 [2]: m2",
        ],
        "on-left-full": [
            "0 @- [4]: a1+b1 a1+b2 a2 a3", "1 no data @11 [4]", "2 @11 [6]: a1+b4 a4+b1 a4+b2 a4+b4",
            "3 no data @12 [6]", "4 @12 [7]: m1", "5 no data @40 [1]: +b3", "6 @40 [1] late 2", "7 @40 [3]",
            "8 no data @41 [3]", "9 @41 [5]", "10 no data @80 [2]: +n1 +n2 m2",
        ],
        // The false threshold `v > 0` keeps nothing: a4 leaves at watermark 40 s, m2 comes out at 80 s.
        "on-left-left": [
            "0 @- [4]: a1+b1 a1+b2 a2 a3", "1 no data @11 [4]", "2 @11 [6]: a1+b4 a4+b1 a4+b2 a4+b4",
            "3 no data @12 [6]", "4 @12 [7]: m1", "5 no data @40 [1]", "6 @40 [1] late 2", "7 @40 [3]",
            "8 no data @41 [3]", "9 @41 [5]", "10 no data @80 [2]: m2",
        ],
        "on-left-turned-left": [
            "0 @- [4]: a1+b1 a1+b2 a2 a3", "1 no data @11 [4]", "2 @11 [6]: a1+b4 a4+b1 a4+b2 a4+b4",
            "3 no data @12 [6]", "4 @12 [7]: m1", "5 no data @40 [1]", "6 @40 [1] late 2", "7 @40 [3]",
            "8 no data @41 [3]", "9 @41 [5]", "10 no data @80 [2]: m2",
        ],
        "on-right-full": [
            "0 @- [4]: +b2 +b3 a1+b1 a2+b1", "1 no data @11 [4]", "2 @11 [6]: a1+b4 a2+b4 a4+b1 a4+b4",
            "3 no data @12 [6]", "4 @12 [7]: +n1", "5 no data @40 [1]: a3", "6 @40 [1] late 2", "7 @40 [3]",
            "8 no data @41 [3]", "9 @41 [5]", "10 no data @80 [2]: +n2 m1 m2",
        ],
        "on-right-right": [
            "0 @- [4]: +b2 +b3 a1+b1 a2+b1", "1 no data @11 [4]", "2 @11 [6]: a1+b4 a2+b4 a4+b1 a4+b4",
            "3 no data @12 [6]", "4 @12 [7]: +n1", "5 no data @40 [1]", "6 @40 [1] late 2", "7 @40 [3]",
            "8 no data @41 [3]", "9 @41 [5]", "10 no data @80 [2]: +n2",
        ],
        // Rows with a null `v` reach the watermark: batch 2 moves it to 60 s and batch 4 is late.
        "residual-null-inner": [
            "0 @- [4]: a1+b1", "1 no data @11 [4]", "2 @11 [6]", "3 no data @60 [2]", "4 @60 [2] late 2", "5 @60 [4]",
            "6 no data @100 [2]", "7 @100 [4]", "8 no data @110 [2]",
        ],
        "residual-null-left": [
            "0 @- [4]: a1+b1", "1 no data @11 [4]", "2 @11 [6]", "3 no data @60 [2]: a2", "4 @60 [2] late 2",
            "5 @60 [4]", "6 no data @100 [2]: a3", "7 @100 [4]", "8 no data @110 [2]: m1",
        ],
        "residual-null-right": [
            "0 @- [4]: a1+b1", "1 no data @11 [4]", "2 @11 [6]", "3 no data @60 [2]: +b2", "4 @60 [2] late 2",
            "5 @60 [4]", "6 no data @100 [2]: +b3", "7 @100 [4]", "8 no data @110 [2]: +n1",
        ],
        "residual-null-semi": [
            "0 @- [4]: a1", "1 no data @11 [4]", "2 @11 [6]", "3 no data @60 [2]", "4 @60 [2] late 2", "5 @60 [4]",
            "6 no data @100 [2]", "7 @100 [4]", "8 no data @110 [2]",
        ],
        // No window of a null time: as any null event time.
        "window-full-nulls": [
            "0 @- [4]: +b2 +b4 a2 a3+b3 a4", "1 no data @5 [4]", "2 @5 [6]", "3 @5 [8]",
            "4 no data @40 [2]: +b1 +b5 a1 a5", "5 @40 [4]", "6 no data @60 [2]: +n1 m1",
        ],
        "window-left-nulls": [
            "0 @- [3]: a2 a3+b3 a4", "1 no data @5 [3]", "2 @5 [4]", "3 @5 [6]", "4 no data @40 [2]: a1 a5",
            "5 @40 [4]", "6 no data @60 [2]: m1",
        ],
        "window-right-nulls": [
            "0 @- [3]: +b2 +b4 a3+b3", "1 no data @5 [3]", "2 @5 [4]", "3 @5 [6]", "4 no data @40 [2]: +b1 +b5",
            "5 @40 [4]", "6 no data @60 [2]: +n1",
        ],
        // A day is 24 hours in every zone: what Spark does in UTC (zone-utc-day-bound).
        "zone-paris-day-bound": [
            "0 @- [2]", "1 @- [5]: a1+b1 a1+b2 a1+b3", "2 no data @7732800 [5]", "3 @7732800 [7]",
            "4 no data @7819200 [4]", "5 @7819200 [6]", "6 no data @7819200.001 [3]: a2", "7 @7819200.001 [6]",
            "8 no data @25876800 [3]: m1 m2", "9 @25876800 [5]", "10 no data @25965600 [2]: a3 a4",
            "11 @25965600 [3]", "12 @25965600 [5]", "13 no data @26179200 [2]: m3",
        ],
    ]

    /// What `check` refuses with its fix, where Spark starts and never emits.
    static let refused = [
        "open-full-lower", "open-full-lowerstrict", "open-full-upper", "open-full-upperstrict", "wm-full-leftonly",
        "wm-full-rightonly", "wm-left-rightonly", "wm-right-leftonly",
    ]

    @Test func `Every recorded difference is accounted for`() {
        let names = SparkRun.all.filter { $0.sluiceDiffers != nil }.map(\.name)
        #expect(names.sorted() == (Self.expected.keys + Self.refused).sorted())
    }

    @Test(arguments: SparkRun.all.filter { $0.sluiceDiffers != nil && !refused.contains($0.name) })
    func `Where Sluice differs from Spark it does what the design says`(run: SparkRun) throws {
        let actual = try SparkTruthTests().replay(run).map { batch in
            tellBatch(batch.progress, rows: batch.rows.map(jsonOfIDs))
        }
        let expected = try #require(Self.expected[run.name])
        #expect(actual == expected)
    }

    /// `replay` gives rows as sorted `name=value` fields.
    private func jsonOfIDs(_ fields: String) -> String {
        let ids = fields.split(separator: " ").filter { $0.hasPrefix("lid=") || $0.hasPrefix("rid=") }
        return "{" + ids.map { "\"\($0.prefix(3))\":\"\($0.dropFirst(4))\"" }.joined(separator: ",") + "}"
    }

    @Test(arguments: SparkRun.all.filter { refused.contains($0.name) })
    func `A preserved side that could never be evicted is refused with the fix`(run: SparkRun) throws {
        let found = try TestedQuery.load(run.spec).diagnostics.filter { $0.severity == .error }
        #expect(found.map(\.code) == ["unmatched-never-emitted"])
        let fix = try #require(found.first?.fix)
        #expect(fix.contains(run.name.hasPrefix("wm") ? "watermark" : "bound"), "\(fix)")
    }

    // MARK: What Spark refuses

    /// Specs that Spark refuses and Sluice runs, with the reason.
    static let accepted = ["wm-anti": "left anti joins are supported"]

    @Test(arguments: SparkRun.rejected)
    func `What Spark refuses to start is refused`(run: SparkRun) throws {
        let errors = try TestedQuery.load(run.spec).diagnostics.filter { $0.severity == .error }
        if Self.accepted[run.name] != nil {
            #expect(errors.isEmpty, "\(errors.map(\.message))")
        } else {
            #expect(!errors.isEmpty)
            #expect(errors.allSatisfy { $0.fix != nil })
        }
    }

    @Test func `The refused runs are there`() { #expect(SparkRun.rejected.count >= 18) }
}

extension SparkRun {
    /// Queries that Spark refuses to start: recorded as the others are, without a mode and batches.
    static let rejected: [SparkRun] = {
        guard let data = try? Data(contentsOf: folder.appending(path: "rejected.json")),
            let runs = try? JSONSerialization.jsonObject(with: data) as? [[String: Any]]
        else { return [] }
        return runs.compactMap { run in
            let whole = run.merging(["mode": "stepped", "expected": [Any]()]) { recorded, _ in recorded }
            guard let data = try? JSONSerialization.data(withJSONObject: whole) else { return nil }
            return try? JSONDecoder().decode(SparkRun.self, from: data)
        }
    }()
}

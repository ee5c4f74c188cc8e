// The recorded runs of Spark that carry a `sluiceDiffers`: what Sluice does with the same input instead, batch by batch,
// by hand from the semantics and the list of deliberate differences. A line per batch, as in Scenario.swift; the rows'
// ids are those of the recorded runs.

import Foundation
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import Testing

@Suite struct SparkDifferencesTests {
    /// Batch by batch, per run.
    static let expected: [String: [String]] = [:]

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
        #expect(actual == Self.expected[run.name])
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

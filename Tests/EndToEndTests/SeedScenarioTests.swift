// The seed scenario through the built binary: each step appends to a followed file and waits until the query is idle.
// Rows byte for byte, watermarks, state row counts and no-data batches are those of real Spark 4.1.1.

import Foundation
import Testing

@Suite struct SeedScenarioTests {
    struct Batch {
        var watermark: String
        var stateRows: Int
        var rows: Set<String> = []
        var isNoData = false
    }

    struct Step {
        var file: String
        var lines: [String]
        var batches: [Batch]
    }

    static let matched1 =
        #"{"visit_id":"visit-1","event_time":"2024-01-01T09:18:00.000+01:00","visit_page":"home","page":"home","display_time":"2024-01-01T09:18:15.000+01:00","campaign_name":"supermarket"}"#
    static let unmatched2 = #"{"visit_id":"visit-2","event_time":"2024-01-01T09:20:00.000+01:00","visit_page":"home"}"#
    static let matched6 =
        #"{"visit_id":"visit-6","event_time":"2024-01-01T10:09:00.000+01:00","visit_page":"category4","page":"category4","display_time":"2024-01-01T10:10:30.000+01:00","campaign_name":"internet provider"}"#
    static let unmatched5 =
        #"{"visit_id":"visit-5","event_time":"2024-01-01T09:58:00.000+01:00","visit_page":"category4"}"#
    static let unmatched3 =
        #"{"visit_id":"visit-3","event_time":"2024-01-01T09:58:00.000+01:00","visit_page":"category1"}"#

    static func visit(_ id: String, _ time: String, _ page: String) -> String {
        "{\"visit_id\":\"\(id)\",\"event_time\":\"2024-01-01T\(time)Z\",\"page\":\"\(page)\"}"
    }

    static func ad(_ page: String, _ time: String, _ campaign: String) -> String {
        "{\"page\":\"\(page)\",\"display_time\":\"2024-01-01T\(time)Z\",\"campaign_name\":\"\(campaign)\"}"
    }

    static let steps: [Step] = [
        Step(
            file: "visits.jsonl", lines: [visit("visit-1", "08:18:00", "home"), visit("visit-2", "08:20:00", "home")],
            batches: [Batch(watermark: "1970-01-01T00:00:00.000Z", stateRows: 2)]),
        Step(
            file: "ads.jsonl", lines: [ad("home", "08:18:15", "supermarket")],
            batches: [
                Batch(watermark: "1970-01-01T00:00:00.000Z", stateRows: 3, rows: [matched1]),
                Batch(watermark: "2024-01-01T08:08:15.000Z", stateRows: 3, isNoData: true),
            ]),
        Step(
            file: "visits.jsonl",
            lines: [visit("visit-3", "08:58:00", "category1"), visit("visit-4", "09:00:00", "category2")],
            batches: [Batch(watermark: "2024-01-01T08:08:15.000Z", stateRows: 5)]),
        Step(
            file: "ads.jsonl", lines: [ad("category3", "09:00:15", "travel agency")],
            batches: [
                Batch(watermark: "2024-01-01T08:08:15.000Z", stateRows: 6),
                Batch(watermark: "2024-01-01T08:50:00.000Z", stateRows: 3, rows: [unmatched2], isNoData: true),
            ]),
        Step(
            file: "ads.jsonl", lines: [ad("category4", "09:10:30", "internet provider")],
            batches: [Batch(watermark: "2024-01-01T08:50:00.000Z", stateRows: 4)]),
        Step(
            file: "visits.jsonl", lines: [visit("visit-5", "08:58:00", "category4")],
            batches: [Batch(watermark: "2024-01-01T08:50:00.000Z", stateRows: 5)]),
        Step(
            file: "visits.jsonl", lines: [visit("visit-6", "09:09:00", "category4")],
            batches: [
                Batch(watermark: "2024-01-01T08:50:00.000Z", stateRows: 6, rows: [matched6]),
                Batch(watermark: "2024-01-01T08:59:00.000Z", stateRows: 6, isNoData: true),
            ]),
        Step(
            file: "visits.jsonl", lines: [visit("visit-100", "10:09:00", "category6")],
            batches: [
                Batch(watermark: "2024-01-01T08:59:00.000Z", stateRows: 7),
                Batch(
                    watermark: "2024-01-01T09:00:30.000Z", stateRows: 4, rows: [unmatched5, unmatched3], isNoData: true),
            ]),
    ]

    static let spec = """
        sluice: 1
        sources:
          visits:
            file: { path: visits.jsonl, follow: true }
            format: json
            columns: { visit_id: string, event_time: timestamp, page: string }
            watermark: { column: event_time, delay: 10 minutes }
          ads:
            file: { path: ads.jsonl, follow: true }
            format: json
            columns: { page: string, display_time: timestamp, campaign_name: string }
            watermark: { column: display_time, delay: 10 minutes }
        queries:
          visits_ads:
            from: visits
            join:
              - with: ads
                type: left outer
                keys: { visits.page: ads.page }
                within: ads.display_time between visits.event_time and visits.event_time + 2 minutes
            select:
              visit_id: visits.visit_id
              event_time: visits.event_time
              visit_page: visits.page
              page: ads.page
              display_time: ads.display_time
              campaign_name: ads.campaign_name
            trigger: as_fast_as_possible
            to: visits_enriched
        sinks:
          visits_enriched:
            file: { path: out }
            format: { json: { time_zone: Europe/Paris } }
        """

    @Test(arguments: [false, true])
    func `The seed scenario gives Spark's rows, watermarks and state, batch by batch`(restartsBetweenSteps: Bool) throws
    {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec)
        try folder.write("visits.jsonl", "")
        try folder.write("ads.jsonl", "")
        let arguments = ["run", "spec.yaml", "--progress", "progress.jsonl"]
        var sluice = try SluiceProcess(arguments, in: folder)
        var expected: [Batch] = []
        for step in Self.steps {
            if restartsBetweenSteps && !expected.isEmpty {
                #expect(sluice.stop().exitCode == 0)
                sluice = try SluiceProcess(arguments, in: folder)
            }
            try folder.append(step.file, step.lines.map { $0 + "\n" }.joined())
            expected += step.batches
            try sluice.waitUntil("step \(step.lines) has not run") { progressRecords(folder).count >= expected.count }
        }
        #expect(sluice.stop().exitCode == 0)
        let records = progressRecords(folder)
        #expect(records.count == expected.count)
        for (number, (record, batch)) in zip(records, expected).enumerated() {
            let eventTime = try #require(record["eventTime"] as? [String: Any])
            let state = try #require((record["stateOperators"] as? [[String: Any]])?.first)
            #expect(record["batchId"] as? Int == number)
            #expect(eventTime["watermark"] as? String == batch.watermark, "batch \(number)")
            #expect(state["numRowsTotal"] as? Int == batch.stateRows, "batch \(number)")
            #expect(state["numRowsDroppedByWatermark"] as? Int == 0)
            #expect((record["numInputRows"] as? Int == 0) == batch.isNoData, "batch \(number)")
            let name = "out/batch-\(String(repeating: "0", count: 10 - String(number).count))\(number).jsonl"
            let rows = (folder.read(name) ?? "").split(separator: "\n").map(String.init)
            #expect(rows.count == batch.rows.count && Set(rows) == batch.rows, "batch \(number): \(rows)")
            #expect((folder.read(name) != nil) == !batch.rows.isEmpty, "a batch without rows writes no file")
        }
    }
}

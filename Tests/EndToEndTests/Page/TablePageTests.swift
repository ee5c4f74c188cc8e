// What the status page says of the tables that a query looks up.

import Foundation
import Testing

extension StatusPageTests {
    @Test func `A table stands in the plan and in its batch with rows, bytes, version and age`() throws {
        let spec = """
            sluice: 1
            sources:
              readings: { file: { path: readings.jsonl, follow: true }, columns: { id: string, device: string } }
            tables:
              device-list: { file: { path: devices.jsonl }, columns: { device: string, site: string } }
            queries:
              status:
                from: readings
                join: [{ with: device-list, type: left outer, keys: device }]
                select: { id: readings.id, site: "`device-list`.site" }
                trigger: as_fast_as_possible
                to: out
            sinks:
              out: { file: { path: out } }
            """
        let files = [
            "devices.jsonl": "{\"device\":\"d1\",\"site\":\"north\"}\n{\"device\":\"d2\",\"site\":\"south\"}\n",
            "readings.jsonl": "{\"id\":\"r1\",\"device\":\"d1\"}\n",
        ]
        let visit = try Visit(spec: spec, files: files, at: "/#/query/status")
        func text(_ selector: String) throws -> String { try visit.browser.text(selector) ?? "" }
        try visit.browser.waitUntil("the first batch") {
            try text("[data-operator=Table] .live").contains("2 rows")
        }
        let live = try text("[data-operator=Table] .live")
        #expect(live.contains("version 0") && live.contains(" B") && live.contains("taken over"), "\(live)")
        #expect(try text("[data-operator=Lookup]").hasPrefix("Look up left outer"))
        let batch = try text(".batch-body")
        #expect(batch.contains("Table device-list") && batch.contains("2 rows"), "\(batch)")
        try visit.folder.write("devices.jsonl", "{\"device\":\"d1\",\"site\":\"west\"}\n")
        try visit.folder.append("readings.jsonl", "{\"id\":\"r2\",\"device\":\"d1\"}\n")
        try visit.browser.waitUntil("the second version") {
            try text("[data-operator=Table] .live").contains("1 row, ")
        }
        #expect(try text("[data-operator=Table] .live").contains("version 1"))
        try visit.expectNoComplaints()
    }
}

// `/metrics`: that what is documented and what is there are the same, and that the text is what Prometheus reads.

import Foundation
import QueryTesting
import SluiceRuntime
import SluiceSimulation
import SluiceStatus
import SluiceSystem
import Testing

@Suite struct MetricsTests {
    /// A join with watermarks that has run two batches, at a trigger of 10 s.
    private func text() throws -> String {
        var spec = JoinSpecText()
        spec.isFollowed = true
        spec.trigger = "10s"
        let live = try LiveQueries(spec.text)
        for source in ["l", "r"] { try live.append(row("x", "k", 10), to: source) }
        live.start()
        try live.until("the first batch") { live.reports.all.count == 1 && live.status("q") == .waiting }
        for source in ["l", "r"] { try live.append(row("y", "k", 20), to: source) }
        live.clock.advance(byMillis: 10_000)
        try live.until("the second batch") { live.reports.all.count == 2 && live.status("q") == .waiting }
        let last = try #require(live.reports.all.last)
        // They came at any time of the ten seconds.
        #expect(last.latency?.medianMillis == 5000 + last.durationMillis)
        #expect(last.latency?.highMillis == 9900 + last.durationMillis)
        #expect(last.json.contains(#""latencyMs":{"p50":"#))
        let text = live.send("GET", "/metrics").text
        try live.stop()
        return text
    }

    private func lines(_ text: String, _ prefix: String) -> [[String]] {
        text.split(separator: "\n").filter { $0.hasPrefix(prefix) }.map { $0.split(separator: " ").map(String.init) }
    }

    @Test func `Every name is documented with its type, and every documented name is there`() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        let page = folder.appending(path: "../../Sources/SluiceStatus/SluiceStatus.docc/Metrics.md")
        var documented: [String: String] = [:]
        for line in try String(contentsOf: page, encoding: .utf8).split(separator: "\n") {
            guard let match = line.firstMatch(of: /^\| `(sluice_[a-z_]+)` \| ([a-z]+) \|/) else { continue }
            documented[String(match.1)] = String(match.2)
        }
        let types = lines(try text(), "# TYPE")
        #expect(Dictionary(types.map { ($0[2], $0[3]) }) { first, _ in first } == documented)
        #expect(types.count == documented.count)
    }

    @Test func `Only four labels are used, and every sample belongs to a family`() throws {
        let text = try text()
        let families = Set(lines(text, "# TYPE").map { $0[2] })
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let match = try #require(line.wholeMatch(of: /([a-z_]+)(\{(.*)\})? (NaN|[-+0-9.e]+)/), "\(line)")
            let name = String(match.1)
            let base = name.replacing(/_(bucket|sum|count)$/, with: "")
            #expect(families.contains(name) || families.contains(base), "\(line)")
            for label in (match.3 ?? "").split(separator: ",") {
                let key = String(label.prefix { $0 != "=" })
                #expect(["query", "source", "side", "phase", "le"].contains(key), "\(line)")
            }
        }
    }

    @Test func `The numbers are those of the batches`() throws {
        let text = try text()
        for sample in [
            #"sluice_query_waiting{query="q"} 1"#, #"sluice_query_batch_id{query="q"} 1"#,
            #"sluice_query_batches_total{query="q"} 2"#, #"sluice_query_trigger_interval_seconds{query="q"} 10"#,
            #"sluice_source_input_rows_total{query="q",source="l"} 2"#, #"sluice_query_output_rows_total{query="q"} 3"#,
            #"sluice_batch_duration_seconds_count{query="q"} 2"#, #"sluice_state_rows{query="q",side="left"} 2"#,
            #"sluice_state_rows{query="q",side="right"} 2"#, #"sluice_unmatched_rows_total{query="q",side="left"} 0"#,
            // The first batch's rows may have lain there for any time.
            #"sluice_end_to_end_latency_seconds_count{query="q"} 1"#,
            #"sluice_end_to_end_latency_seconds_bucket{query="q",le="10"} 1"#,
            #"sluice_end_to_end_latency_seconds_bucket{query="q",le="5"} 0"#,
            #"sluice_end_to_end_latency_seconds_bucket{query="q",le="+Inf"} 1"#,
        ] {
            #expect(text.contains(sample + "\n"), "\(sample)")
        }
        // Rows without a partner come out of the left side of this join only.
        #expect(!text.contains(#"sluice_unmatched_rows_total{query="q",side="right"}"#))
        #expect(text.firstMatch(of: /sluice_checkpoint_bytes_total\{query="q"\} [1-9]/) != nil)
    }

    @Test func `With several stages each has its name, and a deduplication no partners`() throws {
        var spec = JoinSpecText()
        (spec.isFollowed, spec.trigger, spec.leftField) = (true, "10s", "deduplicate: { columns: id, within: 1 hour }")
        let live = try LiveQueries(spec.text)
        for source in ["l", "l", "r"] { try live.append(row("x", "k", 10), to: source) }
        live.start()
        try live.until("the first batch") { live.reports.all.count == 1 && live.status("q") == .waiting }
        let text = live.send("GET", "/metrics").text
        try live.stop()
        for sample in [
            #"sluice_state_rows{query="q",stage="l+r",side="left"} 1"#,
            #"sluice_state_rows{query="q",stage="l+r",side="right"} 1"#,
            #"sluice_state_rows{query="q",stage="deduplicate l",side="left"} 1"#,
            #"sluice_unmatched_rows_total{query="q",stage="l+r",side="left"} 0"#,
            #"sluice_source_duplicate_rows_total{query="q",source="l"} 1"#,
        ] {
            #expect(text.contains(sample + "\n"), "\(sample)")
        }
        let absent = [
            #"sluice_unmatched_rows_total{query="q",stage="deduplicate l""#,
            #"sluice_matched_rows_total{query="q",stage="deduplicate l""#,
            #"sluice_source_duplicate_rows_total{query="q",source="r""#,
        ]
        for sample in absent { #expect(!text.contains(sample), "\(sample)") }
    }

    @Test func `A label's value is escaped`() throws {
        let live = try LiveQueries(CopySpec(triggers: ["a": "1h"]).text)
        #expect(live.send("GET", "/metrics").text.contains("query=\"a\""))
    }
}

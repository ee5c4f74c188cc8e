// The sample specs of `plans/`, run as a user would: from a copy, since checkpoints and output land beside the spec.

import Foundation
import Testing

/// The repository's top level.
let repositoryRoot = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

@Suite struct SampleSpecTests {
    /// What state keeps of one source, as `explain` says it.
    struct Kept {
        var source: String
        var words: String
    }

    struct Sample: CustomTestStringConvertible {
        var name: String
        /// nil: the rows come on standard output.
        var outputFolder: String?
        var rows: [String]
        var kept: [Kept]
        /// What `explain` calls its joins.
        var operation = "SymmetricHashJoin"

        var testDescription: String { name }
    }

    static let samples = [
        Sample(
            name: "visits-ads", outputFolder: nil,
            rows: [
                SeedScenarioTests.matched1, SeedScenarioTests.matched6, SeedScenarioTests.unmatched2,
                SeedScenarioTests.unmatched3, SeedScenarioTests.unmatched5,
            ],
            kept: [
                Kept(source: "visits", words: "12 min: bound 2 min + delay 10 min"),
                Kept(source: "ads", words: "10 min: bound 0 s + delay 10 min"),
            ]),
        // Order 1003 is paid a second after its hour, payment p-6 has no order.
        Sample(
            name: "payments-orders", outputFolder: "plans/out/payments-orders",
            rows: [
                #"{"order_id":1001,"customer":"ADA","payment_id":"p-1","amount":49.90,"open":0.00,"kind":"full","paid_at":"2024-03-01T10:12:30.000Z"}"#,
                #"{"order_id":1002,"customer":"GRACE","payment_id":"p-2","amount":10.00,"open":5.00,"kind":"partial","paid_at":"2024-03-01T10:50:00.000Z"}"#,
                #"{"order_id":1002,"customer":"GRACE","payment_id":"p-3","amount":5.00,"open":10.00,"kind":"partial","paid_at":"2024-03-01T11:04:59.000Z"}"#,
                #"{"order_id":1004,"customer":"BARBARA","payment_id":"p-5","amount":8.75,"open":0.00,"kind":"full","paid_at":"2024-03-01T13:11:00.000Z"}"#,
            ],
            kept: [
                Kept(source: "orders", words: "1 h 15 min: bound 1 h + delay 15 min"),
                Kept(source: "payments", words: "15 min: bound 0 s + delay 15 min"),
            ]),
        // The watermark ends at 12:35, so impression i-4 and the click on i-9 still wait for a partner.
        Sample(
            name: "clicks-impressions", outputFolder: nil,
            rows: [
                #"{"impression_id":"i-1","banner":"blue","shown_at":"2024-05-05T12:00:00.000Z","clicked_at":"2024-05-05T12:00:03.000Z","user":"u-7"}"#,
                #"{"impression_id":"i-1","banner":"blue","shown_at":"2024-05-05T12:00:00.000Z","clicked_at":"2024-05-05T12:00:04.000Z","user":"u-7"}"#,
                #"{"impression_id":"i-2","banner":"red","shown_at":"2024-05-05T12:00:10.000Z"}"#,
                #"{"impression_id":"i-3","banner":"blue","shown_at":"2024-05-05T12:02:00.000Z"}"#,
                #"{"impression_id":"i-3","clicked_at":"2024-05-05T12:03:30.000Z","user":"u-9"}"#,
                #"{"impression_id":"i-404","clicked_at":"2024-05-05T12:04:00.000Z","user":"u-3"}"#,
            ],
            kept: [
                Kept(source: "impressions", words: "6 min: bound 1 min + delay 5 min"),
                Kept(source: "clicks", words: "5 min: bound 0 s + delay 5 min"),
            ]),
        // The order of Debezium's delete and the last payment, two hours late, are not among them.
        Sample(
            name: "change-events", outputFolder: nil,
            rows: [
                #"{"order":{"id":42,"customer":"grace@example.org","total":17.50},"payment":{"amount":17.50,"at":"2024-06-01T10:50:00.000Z"},"origin":{"db":"shop","table":"orders","ts_ms":1717237200000,"lsn":1004}}"#,
                #"{"order":{"id":42,"customer":"grace@example.org","total":15.00},"payment":{"amount":17.50,"at":"2024-06-01T10:50:00.000Z"},"origin":{"db":"shop","table":"orders","ts_ms":1717236300000,"lsn":1002}}"#,
                #"{"order":{"id":41,"customer":"ada@example.org","total":49.90},"payment":{"amount":49.90,"at":"2024-06-01T10:12:30.000Z"},"origin":{"db":"shop","table":"orders","ts_ms":1717236000000,"lsn":1001}}"#,
            ],
            kept: [
                Kept(source: "order_changes", words: "1 h 5 min: bound 1 h + delay 5 min"),
                Kept(source: "payment_changes", words: "5 min: bound 0 s + delay 5 min"),
            ]),
        // The last push without commits gives no row; the watermark ends before the last two events.
        Sample(
            name: "archive", outputFolder: nil,
            rows: [
                #"{"repository":"sluice/other","commit":{"sha":"b2","author":"ada","title":"Merge change 13","number":0},"pull_request":13}"#,
                #"{"repository":"sluice/demo","commit":{"sha":"a1","author":"ada","title":"Read \"quoted\" fields","number":0},"pull_request":11}"#,
                #"{"repository":"sluice/demo","commit":{"sha":"a2","author":"grace","title":"Merge change 11","number":1},"pull_request":11}"#,
                #"{"repository":"sluice/other","commit":{"sha":"b1","author":"edsger","title":"Begin","number":0}}"#,
                #"{"repository":"sluice/demo","commit":{"sha":"a3","author":"ada","title":"Too late for 11","number":0}}"#,
            ],
            kept: [
                Kept(source: "merges", words: "11 min: bound 10 min + delay 1 min"),
                Kept(source: "commits", words: "1 min: bound 0 s + delay 1 min"),
            ]),
        // Device d-9 is not known, d-3 was registered before its reading by local time only.
        Sample(
            name: "readings-devices", outputFolder: nil,
            rows: [
                #"{"device":{"serial":"d-2","name":"Freezer","room":null},"read_at":"2024-06-01T10:00:10.000+02:00","value":19.0}"#,
                #"{"device":{"serial":"d-1","name":"Boiler; cellar","room":"B \"1\""},"read_at":"2024-06-01T10:00:00.250+02:00","value":21.5}"#,
                #"{"device":{"serial":"d-1","name":"Boiler; cellar","room":"B \"1\""},"read_at":"2024-06-01T10:05:00.000+02:00","value":22.0}"#,
                #"{"device":{"serial":"d-3","name":"Sensor\non the roof","room":"R2"},"read_at":"2024-06-01T11:00:00.000+02:00","value":18.75}"#,
            ],
            kept: [
                Kept(source: "devices", words: "30 d 1 h: bound 30 d + delay 1 h"),
                Kept(source: "readings", words: "1 h: bound 0 s + delay 1 h"),
            ]),
        // Order 1 came twice. Orders 2 and 3 were sent and paid a second too late, order 4 never paid; 6 still waits.
        Sample(
            name: "orders-payments-shipments", outputFolder: "plans/out/orders-payments-shipments",
            rows: [
                #"{"order":{"id":1,"customer":"ada","total":49.90,"at":"2024-06-03T09:00:00.000Z"},"payment":{"amount":49.90,"at":"2024-06-03T09:04:10.000Z"},"shipment":{"carrier":"post","at":"2024-06-04T15:00:00.000Z"},"status":"sent"}"#,
                #"{"order":{"id":2,"customer":"grace","total":15.00,"at":"2024-06-03T09:10:00.000Z"},"payment":{"amount":15.00,"at":"2024-06-03T09:59:00.000Z"},"shipment":{},"status":"paid"}"#,
                #"{"order":{"id":3,"customer":"edsger","total":230.00,"at":"2024-06-03T10:00:00.000Z"},"payment":{},"shipment":{},"status":"open"}"#,
                #"{"order":{"id":4,"customer":"barbara","total":8.75,"at":"2024-06-03T11:30:00.000Z"},"payment":{},"shipment":{"carrier":"courier","at":"2024-06-05T11:30:00.000Z"},"status":"sent"}"#,
                #"{"order":{"id":5,"customer":"alan","total":12.00,"at":"2024-06-06T08:00:00.000Z"},"payment":{"amount":12.00,"at":"2024-06-06T08:20:00.000Z"},"shipment":{"carrier":"post","at":"2024-06-06T11:00:00.000Z"},"status":"sent"}"#,
            ],
            kept: [
                Kept(source: "values of order_id in web_orders", words: "1 d 1 h: bound 1 d + delay 1 h"),
                Kept(source: "web_orders for web_payments", words: "2 h: bound 1 h + delay 1 h"),
                Kept(
                    source: "pairs of web_orders and web_payments for shipments",
                    words: "2 d 2 h 1 ms: bound 2 d + stages below 1 h 1 ms + delay 1 h"),
                Kept(
                    source: "shipments for pairs of web_orders and web_payments",
                    words: "2 h 1 ms: bound 0 s + stages below 1 h 1 ms + delay 1 h"),
            ]),
        // Meter m-1 was once just below, m-3 is retired, m-9 is not known; m-4 is at no site.
        Sample(
            name: "readings-sites", outputFolder: nil,
            rows: [
                #"{"meter":"m-2","read_at":"2024-06-01T08:00:05.000Z","value":26.0,"above":0.5,"site":{"name":"Cellar","city":"Lyon"}}"#,
                #"{"meter":"m-1","read_at":"2024-06-01T08:01:00.000Z","value":80.25,"above":0.25,"site":{"name":"Cellar","city":"Lyon"}}"#,
                #"{"meter":"m-4","read_at":"2024-06-01T08:01:10.000Z","value":5.5,"above":0.5,"site":{}}"#,
            ],
            kept: [], operation: "Lookup"),
        // Ada saw bags and hats at one time: the ad that stands first in the file counts. Edsger's ad was a second too
        // early, Grace's came after the purchase, p-5 still waits.
        Sample(
            name: "purchases-ads", outputFolder: nil,
            rows: [
                #"{"purchase":"p-1","amount":49.90,"bought_at":"2024-06-10T12:00:00.000Z","campaign":"shoes","shown_at":"2024-06-10T11:58:00.000Z"}"#,
                #"{"purchase":"p-2","amount":15.00,"bought_at":"2024-06-10T12:05:00.000Z"}"#,
                #"{"purchase":"p-3","amount":230.00,"bought_at":"2024-06-10T12:10:00.000Z"}"#,
                #"{"purchase":"p-4","amount":8.75,"bought_at":"2024-06-10T12:30:00.000Z","campaign":"bags","shown_at":"2024-06-10T12:20:00.000Z"}"#,
            ],
            kept: [
                Kept(source: "purchases", words: "10 min: bound 0 s + delay 10 min"),
                Kept(source: "ad_views", words: "7 d 10 min: bound 7 d + delay 10 min"),
            ]),
    ]

    private func copyOfSamples() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.copy("\(repositoryRoot)/plans", to: "plans")
        // What somebody's own run has left there is not part of the samples.
        for leftover in ["plans/checkpoints", "plans/out"] where folder.exists(leftover) { try folder.remove(leftover) }
        return folder
    }

    @Test(arguments: samples)
    func `A sample spec joins its data and gives exactly the rows it promises, once`(sample: Sample) throws {
        let folder = try copyOfSamples()
        let arguments = ["run", "plans/\(sample.name).yaml", "--trigger", "available_now"]
        let first = try SluiceProcess.run(arguments, in: folder)
        #expect(first.exitCode == 0, "\(first.standardError)")
        let printed = first.standardOutput.split(separator: "\n").map(String.init)
        let rows = sample.outputFolder.map { folder.rows(in: $0) } ?? printed
        #expect(rows.sorted() == sample.rows.sorted())
        if sample.outputFolder != nil { #expect(first.standardOutput.isEmpty) }

        let second = try SluiceProcess.run(arguments, in: folder)
        #expect(second.exitCode == 0 && second.standardOutput.isEmpty, "\(second.standardError)")
        if let outputFolder = sample.outputFolder { #expect(folder.rows(in: outputFolder).count == sample.rows.count) }
    }

    @Test func `A run of a chain ends with what waits for what`() throws {
        let folder = try copyOfSamples()
        let outcome = try SluiceProcess.run(
            ["run", "plans/orders-payments-shipments.yaml", "--trigger", "available_now"], in: folder)
        let watermark = "watermark 2024-06-06T08:45:00.000Z"
        let lines = outcome.standardError.split(separator: "\n").suffix(6).map(String.init)
        #expect(
            lines == [
                "web_orders: 7 read: 4 passed on, 2 still wait for web_payments (newest event time "
                    + "2024-06-06T09:00:00.000Z, \(watermark)), 0 late, 1 duplicate, 0 bad",
                "web_payments: 5 read: 4 left, 1 still wait for web_orders (newest event time 2024-06-06T09:01:00.000Z, "
                    + "\(watermark)), 0 late, 0 bad",
                "shipments_eu: 3 read: 0 late, 0 bad", "shipments_us: 2 read: 0 late, 0 bad",
                "pairs of web_orders and web_payments: 2 still wait for shipments",
                "shipments: 3 left, 2 still wait for pairs of web_orders and web_payments",
            ])
    }

    @Test func `A table that has changed counts from the next start on, and a run says what was looked up`() throws {
        let folder = try copyOfSamples()
        func run() throws -> (rows: [String], lastLine: Substring?) {
            let outcome = try SluiceProcess.run(
                ["run", "plans/readings-sites.yaml", "--trigger", "available_now"], in: folder)
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            return (
                outcome.standardOutput.split(separator: "\n").map(String.init),
                outcome.standardError.split(separator: "\n").last
            )
        }
        #expect(try run().lastLine == "meter_readings: 6 read: 6 looked up in meters and sites, 3 out, 0 late, 0 bad")
        try folder.write("plans/data/readings-sites/meters.csv", "id,site,value_max,retired\nm-9,20,1.5,\n")
        try folder.write(
            "plans/data/readings-sites/readings/2024-06-02.jsonl",
            #"{"meter":"m-9","value":2.0,"read_at":"2024-06-02T08:00:00Z"}"# + "\n")
        let second = try run()
        #expect(
            second.rows == [
                #"{"meter":"m-9","read_at":"2024-06-02T08:00:00.000Z","value":2.0,"above":0.5,"site":{"name":"Roof","city":"Ghent"}}"#
            ])
        #expect(second.lastLine == "meter_readings: 1 read: 1 looked up in meters and sites, 1 out, 0 late, 0 bad")

        try folder.write(
            "plans/data/readings-sites/meters.csv", "id,site,value_max,retired\nm-9,20,1.5,\nm-9,10,1.5,\n")
        try folder.write(
            "plans/data/readings-sites/readings/2024-06-03.jsonl",
            #"{"meter":"m-9","value":2.0,"read_at":"2024-06-03T08:00:00Z"}"# + "\n")
        let refused = try SluiceProcess.run(
            ["run", "plans/readings-sites.yaml", "--trigger", "available_now"], in: folder)
        #expect(refused.exitCode == 1)
        #expect(
            refused.standardError.contains("table `meters` says `unique: true`, and its rows ")
                && refused.standardError.contains("meters.csv:2 and ")
                && refused.standardError.contains("meters.csv:3 both have"),
            "\(refused.standardError)")
    }

    @Test(arguments: ["gzip", "zstd"])
    func `An archive that is compressed gives the same rows`(program: String) throws {
        let folder = try copyOfSamples()
        try folder.shell("cd plans/data/archive; \(program) -q *.json; rm -f *.json")
        let outcome = try SluiceProcess.run(["run", "plans/archive.yaml", "--trigger", "available_now"], in: folder)
        #expect(outcome.exitCode == 0, "\(outcome.standardError)")
        let sample = try #require(Self.samples.first { $0.name == "archive" })
        #expect(outcome.standardOutput.split(separator: "\n").map(String.init).sorted() == sample.rows.sorted())
    }

    @Test func `All samples run in one process, each from its own file, with their checkpoints below one root`() throws
    {
        let folder = try copyOfSamples()
        let outcome = try SluiceProcess.run(
            ["run", "plans", "--trigger=available_now", "--checkpoint", "elsewhere"], in: folder)
        #expect(outcome.exitCode == 0, "\(outcome.standardError)")
        let printed = outcome.standardOutput.split(separator: "\n").map(String.init)
        let expected = Self.samples.filter { $0.outputFolder == nil }.flatMap(\.rows)
        #expect(printed.sorted() == expected.sorted())
        for sample in Self.samples {
            if let output = sample.outputFolder { #expect(folder.rows(in: output).sorted() == sample.rows) }
        }
        #expect(
            folder.names(in: "elsewhere") == [
                "alarms", "clicks_impressions", "last_ad", "merged_commits", "order_status", "paid_orders",
                "payments_orders", "readings_devices", "visits_ads",
            ])
        #expect(!folder.exists("plans/checkpoints"))
    }

    @Test func `A query can be picked by its name, and a wrong name is wrong usage`() throws {
        let folder = try copyOfSamples()
        let picked = try SluiceProcess.run(
            ["run", "plans", "--trigger", "once", "--query", "payments_orders"], in: folder)
        #expect(picked.exitCode == 0 && picked.standardOutput.isEmpty, "\(picked.standardError)")
        #expect(folder.names(in: "plans/checkpoints") == ["payments_orders"])
        let wrong = try SluiceProcess.run(["run", "plans", "--query", "payment_orders"], in: folder)
        #expect(wrong.exitCode == 2)
        #expect(wrong.standardError.contains("did you mean `payments_orders`?"))
    }

    @Test func `A checkpoint goes on when the spec is named from another working folder`() throws {
        let folder = try copyOfSamples()
        let fromAbove = try SluiceProcess.run(["run", "plans", "--trigger", "available_now"], in: folder)
        #expect(fromAbove.exitCode == 0, "\(fromAbove.standardError)")
        let rows = folder.contents(of: "plans/out")
        let fromInside = try SluiceProcess.run(
            ["run", ".", "--trigger", "available_now"], in: folder, workingFolder: "plans")
        #expect(fromInside.exitCode == 0, "\(fromInside.standardError)")
        #expect(fromInside.standardOutput.isEmpty, "the same files, read a second time")
        #expect(folder.contents(of: "plans/out") == rows)
    }

    @Test func `check finds no mistake in the samples`() throws {
        let folder = try copyOfSamples()
        let outcome = try SluiceProcess.run(["check", "plans/"], in: folder)
        #expect(outcome.exitCode == 0)
        #expect(outcome.standardOutput == "no mistakes: 9 queries\n")
    }

    /// What else there is to them needs a broker: KafkaSeedScenarioTests, KafkaRegistrySampleTests.
    @Test func `The samples on Kafka have no mistakes, and explain shows the schema of what comes out`() throws {
        let folder = try copyOfSamples()
        let checked = try SluiceProcess.run(["check", "plans/kafka"], in: folder)
        #expect(checked.standardOutput == "no mistakes: 2 queries\n", "\(checked.standardError)")
        let explained = try SluiceProcess.run(["explain", "plans/kafka/orders-payments.yaml"], in: folder)
        #expect(explained.standardOutput.contains(#"schema: {"type":"record","name":"orders_paid","fields":["#))
        #expect(explained.standardOutput.contains("orders are kept 1 h 15 min: bound 1 h + delay 15 min\n"))
    }

    @Test(arguments: samples)
    func `explain says how long each side is kept, as text, as JSON and as a graph`(sample: Sample) throws {
        let folder = try copyOfSamples()
        func explain(_ format: String) throws -> String {
            let outcome = try SluiceProcess.run(
                ["explain", "plans/\(sample.name).yaml", "--format", format], in: folder)
            #expect(outcome.exitCode == 0 && outcome.standardError.isEmpty, "\(outcome.standardError)")
            return outcome.standardOutput
        }
        let text = try explain("text")
        for kept in sample.kept { #expect(text.contains("\(kept.source) are kept \(kept.words)\n")) }
        #expect(text.contains(sample.operation))

        let json = try JSONSerialization.jsonObject(with: Data(explain("json").utf8))
        let words = String(describing: json)
        for kept in sample.kept { #expect(words.contains(kept.source)) }

        let dot = try explain("dot")
        #expect(dot.hasPrefix("digraph"))
        #expect(dot.filter { $0 == "{" }.count == dot.filter { $0 == "}" }.count)
        #expect(dot.contains("->") && dot.contains(sample.operation))
    }
}

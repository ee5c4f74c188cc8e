// The status page in a real browser, served by the real binary over real batches. Goal: what a person does with it
// works by mouse and by keyboard, and nothing that stands in a spec or in data is ever more than text.

import Foundation
import Testing

@Suite(.enabled(if: Chromium.isWanted, Chromium.missing), .serialized)
struct StatusPageTests {
    /// A process with its page open.
    struct Visit {
        let folder: TemporaryFolder
        let served: ServedProcess
        let browser: WebDriver

        init(_ arguments: [String] = [], at path: String = "/") throws {
            let files = [
                "token": "secret-token\n", "ads<b>.jsonl": "", "visits.jsonl": "", "lines.jsonl": "",
                "broken \(StatusPageTests.hostile).jsonl": "nonsense\n",
            ]
            try self.init(spec: StatusPageTests.spec, files: files, arguments, at: path)
        }

        init(spec: String, files: [String: String], _ arguments: [String] = [], at path: String) throws {
            folder = try TemporaryFolder()
            try folder.write("spec.yaml", spec)
            for (name, text) in files { try folder.write(name, text) }
            served = try ServedProcess(["spec.yaml"] + arguments, in: folder)
            browser = try WebDriver()
            try browser.setSize(width: 1280, height: 900)
            try browser.open(served.address + path)
        }

        /// Lets a batch after the other happen.
        func makeBatches(_ count: Int) throws {
            for number in 0..<count {
                let time = "2024-05-05T12:\(10 + number):00Z"
                let visit = #"{"visit_id":"v\#(number)","event_time":"\#(time)","page":"p"}"#
                try folder.append("visits.jsonl", visit + "\n")
                try folder.append("ads<b>.jsonl", #"{"page":"p","display_time":"\#(time)","campaign":"c"}"# + "\n")
                let before = served.query("visits_ads")["batchId"] as? Int ?? -1
                try served.waitUntil("no batch \(number)") {
                    (served.query("visits_ads")["batchId"] as? Int ?? -1) > before
                }
            }
        }

        /// A batch without data may follow one with data at any time.
        func expectNewestBatch() throws {
            try browser.waitUntil("the cursor to be at the newest batch") {
                guard let batch = served.query("visits_ads")["batchId"] as? Int else { return false }
                return try browser.text("#batch-title") == "Batch \(batch)"
            }
        }

        /// The browser notes every answer that is an error; tests look at those themselves. All else is a mistake.
        func expectNoComplaints(_ location: SourceLocation = #_sourceLocation) throws {
            let mistakes = try browser.complaints().filter { !$0.contains(" - Failed to load resource: ") }
            #expect(mistakes == [], sourceLocation: location)
        }

        func expect(_ selector: String, contains part: String, _ location: SourceLocation = #_sourceLocation) throws {
            var text: String?
            do {
                try browser.waitUntil("\(selector) to have `\(part)`") {
                    text = try browser.text(selector)
                    return text?.contains(part) ?? false
                }
            } catch {
                Issue.record("\(error); it has `\(text ?? "")`", sourceLocation: location)
            }
        }
    }

    /// Sets a variable of the page wherever it is more than text.
    private static let hostile = "<script>window.harm = 1</script><img src=x onerror=window.harm=1>"

    /// A join with markup in its plan, a copy, a query that fails with markup in its error, and one that ends by
    /// itself.
    private static let spec = """
        sluice: 1
        sources:
          visits:
            file: { path: visits.jsonl, follow: true }
            format: json
            columns: { visit_id: string, event_time: timestamp, page: string }
            watermark: { column: event_time, delay: 10 minutes }
          ads:
            file: { path: "ads<b>.jsonl", follow: true }
            format: json
            columns: { page: string, display_time: timestamp, campaign: string }
            watermark: { column: display_time, delay: 10 minutes }
          broken:
            file: { path: "broken \(hostile).jsonl", follow: true }
            format: json
            columns: { page: string }
            bad_rows: fail
          lines:
            file: { path: lines.jsonl, follow: true, max_bytes_per_trigger: 1B }
            format: json
            columns: { n: long }
        queries:
          visits_ads:
            from: visits
            join:
              - with: ads
                type: left outer
                keys: page
                within: ads.display_time between visits.event_time and visits.event_time + 2 minutes
            trigger: 200ms
            select: { visit_id: visits.visit_id, campaign: ads.campaign, harm: "'\(hostile)'" }
            to: joined
          copy: { from: visits, trigger: 1s, to: copied }
          fails: { from: broken, trigger: 1s, to: failed, on_failure: stop }
          ends: { from: visits, trigger: available_now, to: ended }
          many: { from: lines, trigger: as_fast_as_possible, to: many }
        sinks:
          joined: { file: { path: out/joined }, format: json }
          copied: { file: { path: out/copied }, format: json }
          failed: { file: { path: out/failed }, format: json }
          ended: { file: { path: out/ended }, format: json }
          many: { file: { path: out/many }, format: json }
        """

    @Test func `All queries are listed, what is broken first and in words`() throws {
        let visit = try Visit()
        try visit.makeBatches(2)
        try visit.expect("#connection", contains: "live")
        try visit.expect("tr[data-query]", contains: "fails")
        #expect(try visit.browser.count("tr[data-query]") == 5)
        try visit.expect("#summary", contains: "5 queries: ")
        try visit.expect(".problems li", contains: "fails: failed: source `broken` has a record")
        try visit.expect("tr[data-query=ends] td", contains: "finished")
        // Live: without a word from the person who looks.
        let batch = try #require(visit.served.query("visits_ads")["batchId"] as? Int)
        try visit.makeBatches(3)
        try visit.browser.waitUntil("the next batches to show") {
            let text = try visit.browser.text("tr[data-query=visits_ads] td") ?? ""
            return text.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0 > batch
        }
        try visit.browser.takeScreenshot("queries")
        try visit.expectNoComplaints()
    }

    @Test func `Markup in data, errors and plans stays text`() throws {
        let visit = try Visit()
        try visit.expect(".problems", contains: Self.hostile)
        for query in ["fails", "visits_ads"] {
            try visit.browser.open("\(visit.served.address)/#/query/\(query)")
            try visit.expect("#main", contains: Self.hostile)
        }
        #expect(try visit.browser.run("return window.harm ?? null") == nil)
        #expect(try visit.browser.count("main script, main img, main b b") == 0)
        try visit.expectNoComplaints()
    }

    @Test func `A query has charts of its batches, with a cursor for pointer and keys, and its plan`() throws {
        let visit = try Visit(at: "/#/query/visits_ads")
        try visit.makeBatches(6)
        try visit.expectNewestBatch()
        let titles = try visit.browser.run(
            "return [...document.querySelectorAll('#charts figcaption b')].map((title) => title.textContent)")
        #expect(
            titles as? [String] == [
                "Rows a second", "Batch time", "Rows in state", "Watermark, behind the clock",
                "Latency, arrival to result",
            ])
        let lines = try visit.browser.run(
            "return [...document.querySelectorAll('#charts .series:not(.stack) > path:first-child')].map((path) =>"
                + "path.getAttribute('d').split(/[LHV]/).length)")
        let counts = try #require(lines as? [Int])
        #expect(counts.count == 9 && counts.count { $0 > 4 } >= 6, "\(counts)")
        // A batch is a bar of its phases, one above the other.
        let bars = try visit.browser.run(
            "return [...document.querySelectorAll('#charts .series.stack > path')].map((path) =>"
                + "path.getAttribute('d').split('V').length - 1)")
        let phases = try #require(bars as? [Int])
        #expect(phases.contains { $0 >= 1 } && phases.reduce(0, +) >= 6, "\(phases)")
        #expect(try visit.browser.text("#charts .mark-label") == nil)
        let mark = try visit.browser.run("return document.querySelector('#charts .mark-label').textContent")
        #expect((mark as? String)?.hasPrefix("trigger interval 200\u{A0}ms") == true, "\(mark as Any)")
        try visit.expect(".numbers", contains: "Latency p50")
        try visit.expect(".numbers", contains: "of visits: ")
        try visit.expect(".batch .facts", contains: "of ads 6 rows")

        try visit.browser.point(at: "#charts", share: 0.07)
        try visit.expect("#batch-title", contains: "Batch 0")
        try visit.expect(".batch", contains: "visits.jsonl")
        try visit.browser.run("document.getElementById('charts').focus()")
        try visit.browser.press(.home)
        try visit.browser.press(.left)
        try visit.expect(".batch .hint", contains: "Held")
        try visit.expect(".batch .offsets tbody", contains: "visits.jsonl none ")
        try visit.browser.press(.escape)
        try visit.expectNewestBatch()

        #expect(try visit.browser.count(".plan [data-operator=Source]") == 2)
        try visit.expect(".plan [data-operator=SymmetricHashJoin]", contains: "rows in state")
        try visit.expect(".keeps", contains: "visits are kept 12 min: bound 2 min + delay 10 min")

        // The advice that came with the view was of fewer batches.
        try visit.browser.waitUntil("a curve with today's interval on it") {
            try visit.browser.click(".advice button[type=submit]")
            return try visit.browser.count(".advice svg line.today") == 1
        }
        try visit.expect(".advice .recommended", contains: "200ms is ")
        try visit.expect(".advice .reasons", contains: "batches")
        try visit.browser.takeScreenshot("query")
        try visit.expectNoComplaints()
    }

    @Test func `A trigger is changed by hand, a wrong one explained, and a query paused`() throws {
        let visit = try Visit()
        let browser = visit.browser
        try visit.expect("#main", contains: "copy")
        try browser.click("tr[data-query=copy] a")
        try visit.expect(".in-force", contains: "In force: 1s, as the spec says.")
        try browser.type("5", into: "#trigger")
        try browser.press(.enter)
        try visit.expect("#trigger-error", contains: "A number needs a unit: 5s or 5ms?")
        try browser.run("document.getElementById('trigger').value = ''")
        try browser.type("soon", into: "#trigger")
        try browser.press(.enter)
        try visit.expect("#trigger-error", contains: "is not a trigger")
        #expect(visit.served.query("copy")["trigger"] as? String == "1s")

        try browser.run("document.getElementById('trigger').value = ''")
        try browser.type("3 seconds", into: "#trigger")
        try browser.click("#set-trigger")
        try visit.expect(".in-force", contains: "In force: 3s, set by hand. The spec says 1s.")
        try visit.expect("#spec-line", contains: "trigger: 3s")
        #expect(visit.served.query("copy")["trigger"] as? String == "3s")

        try browser.click("#pause")
        try visit.expect(".numbers", contains: "paused")
        #expect(visit.served.query("copy")["status"] as? String == "paused")
        try browser.takeScreenshot("trigger")
        try browser.click("#resume")
        try visit.expect(".numbers", contains: "waiting")
        try browser.goBack()
        try visit.expect("tr[data-query=copy]", contains: "trigger 3s, set by hand; the spec says 1s")
        try visit.expectNoComplaints()
    }

    @Test func `Specs are read again by a button, and every mistake in them is shown`() throws {
        let visit = try Visit()
        try visit.expect("tr[data-query=copy]", contains: "waiting")
        try visit.browser.click("#reload")
        try visit.expect("#reload-message", contains: "Started: fails. 4 queries as before.")
        let (whole, name) = (Self.spec, "copy: { from: visits, trigger: 1s, to: copied }")
        try visit.folder.write("spec.yaml", whole.replacing(name, with: "copy: { fro: \(Self.hostile), to: copied }"))
        try visit.browser.click("#reload")
        try visit.expect("#reload-message li", contains: "spec.yaml:")
        try visit.expect("#reload-message", contains: "`fro` is not a key of a query")
        try visit.folder.write(
            "spec.yaml", whole.replacing(name, with: "again: { from: visits, trigger: 1s, to: copied }"))
        try visit.browser.click("#reload")
        try visit.expect("#reload-message", contains: "Started: again, fails.")
        try visit.expect("#reload-message", contains: "Stopped: copy.")
        try visit.expect("tr[data-query=again]", contains: "waiting")
        // Sooner than by asking for the list, and whoever has reloaded.
        try visit.browser.waitUntil("the row to go", secondsMax: 10) {
            try visit.browser.count("tr[data-query=copy]") == 0
        }
        #expect(try visit.browser.run("return window.harm ?? null") == nil)
        try visit.expectNoComplaints()
    }

    @Test func `Everything can be reached with the keyboard, and seen where one is`() throws {
        let visit = try Visit(at: "/#/query/visits_ads")
        try visit.makeBatches(2)
        try visit.expect("#batch-title", contains: "Batch ")
        var reached: Set<String> = []
        for _ in 0..<20 {
            try visit.browser.press(.tab)
            let place = try visit.browser.run(
                "const at = document.activeElement;"
                    + "return [at.id || at.textContent, String(parseFloat(getComputedStyle(at).outlineWidth) >= 2)]")
            let words = try #require(place as? [String])
            #expect(words[1] == "true", "\(words[0]) does not show that it has the focus")
            reached.insert(words[0])
        }
        let all = ["skip", "home", "All queries", "pause", "trigger", "set-trigger", "charts", "latency"]
        #expect(reached.isSuperset(of: all), "\(reached)")
        try visit.expectNoComplaints()
    }

    @Test func `It says since when there is no connection, and comes back by itself`() throws {
        let visit = try Visit()
        try visit.expect("#connection", contains: "live")
        #expect(visit.served.process.stop().exitCode == 1)
        try visit.expect("#connection", contains: "not connected since ")
        #expect(try visit.browser.count("tr[data-query]") == 5)
        let again = try SluiceProcess(
            ["run", "spec.yaml", "--listen", "127.0.0.1:\(visit.served.port)"], in: visit.folder)
        try visit.expect("#connection", contains: "live")
        #expect(again.stop().exitCode == 1)
    }

    @Test func `A token is asked for once and kept while the page is open`() throws {
        let visit = try Visit(["--token-file", "token"])
        let browser = visit.browser
        try visit.expect("#token-dialog", contains: "This server wants a token")
        try browser.type("wrong", into: "#token")
        try browser.press(.enter)
        try visit.expect("#token-error", contains: "refused")
        try browser.type("secret-token", into: "#token")
        try browser.press(.enter)
        try visit.expect("tr[data-query=copy]", contains: "waiting")
        try browser.open(visit.served.address)
        try visit.expect("tr[data-query=copy]", contains: "waiting")
        try visit.expect("#connection", contains: "live")
        #expect(try browser.count("dialog[open]") == 0)
        try visit.expectNoComplaints()
    }

    @Test func `On a phone nothing is wider than the screen`() throws {
        let visit = try Visit()
        try visit.browser.setSize(width: 360, height: 780)
        try visit.makeBatches(2)
        for (path, selector) in [("/", "tr[data-query=fails]"), ("/#/query/visits_ads", "#batch-title")] {
            try visit.browser.open(visit.served.address + path)
            try visit.expect(selector, contains: " ")
            #expect(try visit.browser.run("return document.documentElement.scrollWidth") as? Int == 360, "\(path)")
            try visit.browser.takeScreenshot("phone-\(selector.count)")
        }
    }

    @Test func `It holds a thousand batches of a query and no more`() throws {
        let visit = try Visit(at: "/#/query/many")
        try visit.expect("h1", contains: "many")
        try visit.folder.append("lines.jsonl", String(repeating: "{\"n\":1}\n", count: 1200))
        try visit.browser.waitUntil("all batches to show", secondsMax: 120) {
            try visit.browser.text("#batch-title") == "Batch 1,199"
        }
        let range = try visit.browser.run(
            "return ['valuemin', 'valuemax'].map((name) => document.getElementById('charts').getAttribute('aria-' + name))"
        )
        #expect(range as? [String] == ["200", "1199"])
        try visit.expectNoComplaints()
    }
}

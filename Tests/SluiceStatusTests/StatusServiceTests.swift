// Requests as values: what each path answers, to whom, and in which form what is wrong is said.

import Foundation
import QueryTesting
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import SluiceStatus
import SluiceSystem
import Testing

@Suite struct StatusServiceTests {
    /// Two queries that have run a batch each.
    private func started(secrets: [String] = []) throws -> LiveQueries {
        let live = try LiveQueries(CopySpec(triggers: ["a": "1h", "b": "2s"]).text, secrets: secrets)
        try live.append(row("a0", "k", 0))
        live.start()
        try live.until("both wait") { live.reports.all.count == 2 && live.status("a") == .waiting }
        try live.until("both wait") { live.status("b") == .waiting }
        return live
    }

    private func code(_ answer: (status: Int, json: [String: Any], text: String, headers: [String: String])) -> String?
    {
        (answer.json["error"] as? [String: Any])?["code"] as? String
    }

    @Test func `Queries are objects with what the contract names`() throws {
        let live = try started()
        _ = try live.set.setTrigger("a", .interval(micros: 500_000))
        let answer = live.send("GET", "/api/queries")
        let queries = try #require(answer.json["queries"] as? [[String: Any]])
        #expect(queries.map { $0["name"] as? String } == ["a", "b"])
        #expect(queries.map { $0["trigger"] as? String } == ["500ms", "2s"])
        #expect(queries.map { $0["specTrigger"] as? String } == ["1h", "2s"])
        for query in queries {
            #expect(Set(query.keys) == ["name", "status", "trigger", "specTrigger", "batchId", "lastProgress"])
            #expect(query["batchId"] as? Int == 0)
            #expect((query["lastProgress"] as? [String: Any])?["name"] as? String == query["name"] as? String)
        }
        let one = live.send("GET", "/api/queries/b").json
        #expect(Set(one.keys).subtracting(queries[1].keys) == ["plan"])
        let plans = (one["plan"] as? [String: Any])?["queries"] as? [[String: Any]]
        #expect(plans?.map { $0["query"] as? String } == ["b"])
        try live.stop()
    }

    @Test func `Before its first batch a query has no batch and no progress`() throws {
        let live = try LiveQueries(CopySpec(triggers: ["a": "1h"]).text)
        let query = live.send("GET", "/api/queries/a").json
        #expect(
            query["batchId"] is NSNull && query["lastProgress"] is NSNull && query["status"] as? String == "running")
        #expect(live.send("GET", "/api/queries/a/progress").json["progress"] as? [String] == [])
    }

    @Test func `Controls answer with the query's object, and doing it twice is no error`() throws {
        let live = try started()
        for _ in 0..<2 {
            let answer = live.send("POST", "/api/queries/a/pause")
            #expect(answer.status == 200 && answer.json["status"] as? String == "paused")
        }
        #expect(live.send("POST", "/api/queries/a/resume", body: "{}").json["status"] as? String != "paused")
        let answer = live.send("POST", "/api/queries/a/trigger", body: #"{"trigger": "2 minutes"}"#)
        #expect(answer.status == 200 && answer.json["trigger"] as? String == "2m")
        try live.stop()
        #expect(code(live.send("POST", "/api/queries/a/pause")) == "ended")
        #expect(live.send("POST", "/api/queries/a/pause").status == 409)
    }

    @Test(arguments: [
        "", "{", "[]", "{}", "null", #"{"trigger": 5}"#, #"{"trigger": "5"}"#, #"{"trigger": "soon"}"#,
        #"{"trigger": "once"}"#, #"{"trigger": "available_now"}"#, #"{"trigger": "0s"}"#, #"{"trigger": "-1s"}"#,
        #"{"trigger": "2s"} x"#, #"{"trigger": "2s", "trigger": "3s"}"#, "\u{0}", #"{"trigger": "99999999999999d"}"#,
    ])
    func `A trigger that is none is 400 and changes nothing`(body: String) throws {
        let live = try LiveQueries(CopySpec(triggers: ["a": "1h"]).text)
        let answer = live.send("POST", "/api/queries/a/trigger", body: body)
        #expect(answer.status == 400 && code(answer) == "bad-trigger")
        #expect(try live.set.description(of: "a").trigger.text == "1h")
    }

    @Test(arguments: [
        ("GET", "/nothing", 404, "not-found"), ("GET", "/api", 404, "not-found"), ("GET", "//", 404, "not-found"),
        ("GET", "/api/queries/", 404, "unknown-query"), ("GET", "/api/queries/A", 404, "unknown-query"),
        ("GET", "/api/queries/a/x", 404, "not-found"), ("GET", "/api/queries/a/progress/", 404, "not-found"),
        ("GET", "/api/queries/%", 400, "bad-path"), ("GET", "/api/queries/%ff", 400, "bad-path"),
        ("GET", "/api/queries/%00", 400, "bad-path"), ("GET", "api/queries", 400, "bad-path"),
        ("POST", "/api/queries", 405, "method-not-allowed"), ("GET", "/api/reload", 405, "method-not-allowed"),
        ("DELETE", "/api/queries/a", 405, "method-not-allowed"), ("HEAD", "/api/events", 405, "method-not-allowed"),
        ("OPTIONS", "/api/queries/a/pause", 405, "method-not-allowed"), ("PUT", "/", 405, "method-not-allowed"),
        ("POST", "/api/queries/x/pause", 404, "unknown-query"),
    ])
    func `What is not there and what is not allowed is said in JSON`(
        method: String, path: String, status: Int, code: String
    ) throws {
        let live = try LiveQueries(CopySpec(triggers: ["a": "1h"]).text)
        let answer = live.send(method, path)
        #expect(answer.status == status && self.code(answer) == code, "\(answer.text)")
        #expect((answer.headers["allow"] != nil) == (status == 405))
    }

    @Test func `A query's name is found in whatever form a URL has it`() throws {
        let live = try LiveQueries(CopySpec(triggers: ["a_b": "1h"]).text)
        #expect(live.send("GET", "/api/queries/a_b").status == 200)
        #expect(live.send("GET", "/%61pi/queries/%61%5Fb").status == 200)
        #expect(percentEncoded("a b/ö%") == "a%20b%2F%C3%B6%25")
    }

    @Test func `The last records come oldest first, as many as asked for`() throws {
        let live = try LiveQueries(CopySpec(triggers: ["a": "as_fast_as_possible"]).text)
        live.start()
        for number in 0..<5 {
            try live.append(row("a\(number)", "k", 0))
            try live.until("batch \(number)") {
                live.clock.advance(byMillis: 10)
                return live.reports.all.count == number + 1
            }
        }
        func batches(_ last: String) -> [Int?]? {
            let answer = live.send("GET", "/api/queries/a/progress", query: [HTTPRequest.Field("last", last)])
            return (answer.json["progress"] as? [[String: Any]])?.map { $0["batchId"] as? Int }
        }
        #expect(batches("2") == [3, 4])
        #expect(batches("0") == [])
        #expect(batches("999999999") == [0, 1, 2, 3, 4])
        for last in ["-1", "x", "", "1e3", "99999999999999999999"] { #expect(batches(last) == nil, "\(last)") }
        try live.stop()
    }

    @Test func `Advice has the trigger in force, and says what is missing after one batch`() throws {
        let live = try started()
        _ = try live.set.setTrigger("a", .interval(micros: 500_000))
        func advice(latency: String) -> (status: Int, json: [String: Any], text: String, headers: [String: String]) {
            live.send("GET", "/api/queries/a/tune", query: [HTTPRequest.Field("latency", latency)])
        }
        let answer = advice(latency: "1s")
        #expect(answer.status == 200 && answer.json["query"] as? String == "a")
        #expect((answer.json["current"] as? [String: Any])?["trigger"] as? String == "500ms")
        #expect((answer.json["reasons"] as? [String])?.isEmpty == false)
        #expect(Set(answer.json.keys) == ["query", "current", "candidates", "recommended", "reasons"])
        #expect(code(advice(latency: "soon")) == "bad-latency")
        #expect(code(live.send("GET", "/api/queries/c/tune")) == "unknown-query")
        #expect(live.send("POST", "/api/queries/a/tune").status == 405)
        try live.stop()
    }

    @Test func `Every answer carries the headers that keep a browser in check`() throws {
        let live = try LiveQueries(CopySpec(triggers: ["a": "1h"]).text)
        for path in ["/", "/metrics", "/api/queries", "/nothing", "/api/events", "/healthz"] {
            let headers = live.send("GET", path).headers
            #expect(headers["content-security-policy"]?.hasPrefix("default-src 'none';") == true)
            #expect(headers["content-security-policy"]?.contains("unsafe") == false)
            #expect(headers["x-content-type-options"] == "nosniff" && headers["x-frame-options"] == "DENY")
            #expect(headers["cache-control"] == "no-store" && headers["referrer-policy"] == "no-referrer")
            #expect(headers["access-control-allow-origin"] == nil)
        }
        let page = live.send("GET", "/").text
        #expect(page.contains("nonce=\"nonce\"") && !page.contains("NONCE"))
    }

    @Test func `A secret in an error is not shown`() throws {
        let live = try LiveQueries(CopySpec(triggers: ["a": "1h"]).text, secrets: ["hunter2"])
        live.disk.put("/check/a/metadata.json", "damaged")
        live.disk.plan.fails = { $0.path.hasPrefix("/check") ? EACCES : nil }
        live.start()
        try live.until("a has failed") { if case .failed = live.status("a") { true } else { false } }
        for path in ["/api/queries", "/api/queries/a"] { #expect(live.send("GET", path).text.contains("/check/a")) }
        let hiding = try LiveQueries(CopySpec(triggers: ["a": "1h"]).text, secrets: ["/check/a"])
        hiding.disk.plan.fails = { $0.path.hasPrefix("/check") ? EACCES : nil }
        hiding.start()
        try hiding.until("a has failed") { if case .failed = hiding.status("a") { true } else { false } }
        for path in ["/api/queries", "/api/queries/a"] {
            let text = hiding.send("GET", path).text
            #expect(text.contains("•••") && !text.contains("/check/a"))
        }
    }
}

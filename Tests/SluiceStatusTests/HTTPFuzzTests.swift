// Random requests, made of pieces that mean something and of garbage: whatever comes, the answer is one that the
// contract has, in the form it has, and nothing foreign is let in.

import Foundation
import SluiceRuntime
import SluiceStatus
import SluiceSystem
import Testing

@Suite struct HTTPFuzzTests {
    private static let requestsPerSeed = 3000
    private static let statuses: Set<Int> = [200, 400, 401, 403, 404, 405, 409, 413, 503]

    private let segments = [
        "api", "queries", "a", "b", "progress", "pause", "resume", "trigger", "reload", "events", "healthz", "metrics",
        "", ".", "..", "%2e%2e", "%", "%zz", "%00", "%2F", "ö", "\u{0}", "<script>", "tune",
    ]
    private let hosts = ["127.0.0.1:4000", "localhost:4000", "evil.example", "", "[::1]:4000", "[", "127.0.0.1:4000 "]
    private let names = [
        "Host", "Origin", "Authorization", "Content-Type", "content-length", "X", "Cookie", "Transfer-Encoding", "",
    ]
    private let values = [
        "application/json", "http://127.0.0.1:4000", "Bearer t", "null", "", "chunked", "-1", "\r\nX: y", "•",
    ]
    private let bodies = ["", "{}", #"{"trigger":"2s"}"#, #"{"trigger":"1ms"}"#, "[", #"{"trigger":null}"#, "\\", "\""]

    @Test(arguments: 0..<4)
    func `Every request has an answer of the contract's`(index: Int) throws {
        let seed = index == 0 ? randomSeed() : UInt64(index)
        print("HTTPFuzzTests: seed \(seed)")
        var random = SplitMix64(seed: seed)
        let token = index % 2 == 0 ? nil : "t"
        let live = try LiveQueries(CopySpec(triggers: ["a": "1h", "b": "available_now"]).text, token: token)
        var counts: [Int: Int] = [:]
        for _ in 0..<Self.requestsPerSeed {
            let request = request(&random)
            let response = live.service.respond(to: request)
            counts[response.status, default: 0] += 1
            try #require(Self.statuses.contains(response.status), "seed \(seed): \(request)")
            if response.status >= 400, response.status != 503 {
                let json = try? JSONSerialization.jsonObject(with: Data(response.bytes)) as? [String: [String: Any]]
                try #require(json?["error"]?["code"] is String, "seed \(seed): \(request)")
            }
            guard response.status < 400 else { continue }
            let host = request.headers.first { $0.name.lowercased() == "host" }?.value.lowercased() ?? ""
            try #require(["127.0.0.1:4000", "localhost:4000", "[::1]:4000"].contains(host), "seed \(seed): \(request)")
            for field in request.headers where field.name.lowercased() == "origin" {
                try #require(field.value == "http://\(host)", "seed \(seed): \(request)")
            }
        }
        // What makes the test worth running.
        for status in [200, 400, 403, 404, 405] { #expect(counts[status, default: 0] > 10, "seed \(seed): \(counts)") }
    }

    private func request(_ random: inout SplitMix64) -> HTTPRequest {
        func pick<Element>(_ elements: [Element]) -> Element {
            elements[Int.random(in: 0..<elements.count, using: &random)]
        }
        func garbage() -> String {
            let count = Int.random(in: 0...30, using: &random)
            return String(decoding: (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }, as: UTF8.self)
        }
        let isLikely = Bool.random(using: &random)
        var path = ""
        if isLikely {
            path = pick([
                "/", "/api/queries", "/api/queries/a", "/api/queries/a/pause", "/api/queries/b/trigger",
                "/api/queries/a/trigger", "/metrics", "/healthz", "/api/queries/a/progress", "/api/reload",
                "/api/queries/a/tune",
            ])
        } else {
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                path += "/" + (Int.random(in: 0..<9, using: &random) == 0 ? garbage() : pick(segments))
            }
        }
        var headers: [HTTPRequest.Field] = []
        let isProper = Int.random(in: 0..<3, using: &random) > 0
        headers.append(HTTPRequest.Field("Host", isProper ? "127.0.0.1:4000" : pick(hosts)))
        if isProper { headers.append(HTTPRequest.Field("Authorization", "Bearer t")) }
        if isProper { headers.append(HTTPRequest.Field("Content-Type", "application/json")) }
        for _ in 0..<Int.random(in: 0...2, using: &random) where !isProper || Int.random(in: 0..<4, using: &random) == 0
        {
            headers.append(HTTPRequest.Field(pick(names), Bool.random(using: &random) ? pick(values) : garbage()))
        }
        let query = (0..<Int.random(in: 0...2, using: &random)).map { _ in
            HTTPRequest.Field(
                pick(["last", "latency", ""]), Bool.random(using: &random) ? pick(["1", "-1", "x"]) : garbage())
        }
        return HTTPRequest(
            pick(["GET", "GET", "POST", "HEAD", "PUT", "", "get", garbage()]), path, query: query, headers: headers,
            body: Array((Bool.random(using: &random) ? pick(bodies) : garbage()).utf8),
            isBodyCut: Int.random(in: 0..<40, using: &random) == 0)
    }
}

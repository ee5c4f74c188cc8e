// Clients that mean no good, over real sockets: the queries go on, memory stays, and the next honest client is served.

import Foundation
import Testing

@Suite struct HostileClientTests {
    private func started(_ folder: TemporaryFolder) throws -> ServedProcess {
        try folder.write("spec.yaml", ControlCommandTests.spec(["copy": "100ms"]))
        try folder.write("numbers.jsonl", "{\"n\":1}\n")
        let served = try ServedProcess(["spec.yaml"], in: folder)
        try served.waitUntil("no batch") { served.query("copy")["batchId"] is Int }
        return served
    }

    /// The query still makes batches, and an honest client is answered.
    private func goesOn(_ served: ServedProcess, _ folder: TemporaryFolder) throws {
        let before = try #require(served.query("copy")["batchId"] as? Int)
        try folder.append("numbers.jsonl", "{\"n\":2}\n")
        try served.waitUntil("no batch any more") { served.query("copy")["batchId"] as? Int ?? 0 > before }
        #expect(served.send("GET", "/healthz")?.status == 200)
    }

    /// A request, with the listener's own address as HOST.
    struct Request: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var status: Int
        var text: String

        init(
            _ name: String, _ status: Int, _ line: String, _ headers: [String] = [], host: String = "HOST",
            _ body: String = ""
        ) {
            testDescription = name
            self.status = status
            text =
                (["\(line) HTTP/1.1", "Host: \(host)", "Connection: close"] + headers).joined(separator: "\r\n")
                + "\r\n\r\n" + body
        }
    }

    static let long = String(repeating: "x", count: 20_000)
    static let json = "Content-Type: application/json"

    @Test(arguments: [
        Request("a foreign host", 403, "GET /healthz", host: "evil.example"),
        Request("a foreign origin", 403, "GET /api/queries", ["Origin: http://evil.example"]),
        Request("a form", 400, "POST /api/queries/copy/pause", ["Content-Type: text/plain", "Content-Length: 0"]),
        Request("a long URL", 400, "GET /\(long)"), Request("long headers", 400, "GET /", ["X: \(long)"]),
        Request("a body of a gigabyte", 413, "POST /api/reload", [json, "Content-Length: 1000000000"]),
        Request(
            "a long body in chunks", 413, "POST /api/reload", [json, "Transfer-Encoding: chunked"],
            "4e20\r\n\(long)\r\n0\r\n\r\n"),
        Request(
            "two lengths", 400, "POST /api/queries/copy/pause", [json, "Content-Length: 0", "Content-Length: 2"], "{}"),
        Request("a method that is not there", 405, "DELETE /api/queries/copy"), Request("no path", 400, "GET /%zz"),
    ])
    func `What is refused is refused in JSON over the wire too`(request: Request) throws {
        let folder = try TemporaryFolder()
        let served = try started(folder)
        let connection = try #require(RawConnection(port: served.port))
        connection.send(request.text.replacing("HOST", with: "127.0.0.1:\(served.port)"))
        let answer = try #require(ServedProcess.parse(connection.readAll()))
        #expect(answer.status == request.status && answer.json["error"] is [String: Any], "\(answer)")
        #expect(answer.headers.contains("Content-Security-Policy: default-src 'none'"))
        try goesOn(served, folder)
        #expect(served.query("copy")["status"] as? String != "paused")
    }

    /// Each has a second request behind it, which would be answered if the first were not the last.
    static let ambiguous = [
        Request("two lengths", 400, "POST /api/reload", [json, "Content-Length: 2", "Content-Length: 2"], "{}"),
        Request(
            "a length and chunks", 400, "POST /api/reload", [json, "Content-Length: 2", "Transfer-Encoding: chunked"],
            "0\r\n\r\n"),
        Request("an unknown coding", 400, "POST /api/reload", [json, "Transfer-Encoding: xchunked"], "0\r\n\r\n"),
        Request("a blank before the colon", 400, "POST /api/reload", [json, "Content-Length : 2"], "{}"),
        Request("long headers", 400, "GET /", ["X: \(long)"]), Request("a long URL", 400, "GET /\(long)"),
        Request(
            "a body of half a megabyte in chunks", 413, "POST /api/reload", [json, "Transfer-Encoding: chunked"],
            "7d000\r\n\(String(repeating: "x", count: 512_000))\r\n0\r\n\r\n"),
    ]

    @Test(arguments: ambiguous)
    func `A request that is refused for its length or framing is the last of its connection`(request: Request) throws {
        let folder = try TemporaryFolder()
        let served = try started(folder)
        let connection = try #require(RawConnection(port: served.port))
        let kept =
            request.text.replacing("Connection: close\r\n", with: "") + "GET /healthz HTTP/1.1\r\nHost: HOST\r\n\r\n"
        connection.send(kept.replacing("HOST", with: "127.0.0.1:\(served.port)"))
        // Ends, since the connection does.
        let text = String(decoding: connection.readAll(), as: UTF8.self)
        #expect(text.ranges(of: "HTTP/1.1 ").count == 1 && text.hasPrefix("HTTP/1.1 \(request.status) "), "\(text)")
        #expect(text.contains(#"{"error":"#), "\(text)")
    }

    @Test func `A proxy's name is answered when it was allowed`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", ControlCommandTests.spec(["copy": "1h"]))
        try folder.write("numbers.jsonl", "")
        let served = try ServedProcess(
            ["spec.yaml", "--allow-host", "a.example", "--allow-host=b.example"], in: folder)
        for (host, status) in [("a.example", 200), ("b.example:443", 200), ("c.example", 403)] {
            let connection = try #require(RawConnection(port: served.port))
            connection.send(
                "GET /healthz HTTP/1.1\r\nHost: \(host)\r\nOrigin: https://\(host)\r\nConnection: close\r\n\r\n")
            #expect(ServedProcess.parse(connection.readAll())?.status == status, "\(host)")
        }
        let alone = try SluiceProcess.run(["run", "spec.yaml", "--allow-host", "a.example"], in: folder)
        #expect(alone.exitCode == 2 && alone.standardError.contains("--allow-host is for --listen"))
    }

    @Test func `Hundreds of clients that begin a request and never end it take nobody's place`() throws {
        let folder = try TemporaryFolder()
        let served = try started(folder)
        var connections: [RawConnection] = []
        for number in 0..<300 {
            if let connection = RawConnection(port: served.port) {
                connection.send(number % 2 == 0 ? "GET /healthz HTT" : "POST /api/reload HTTP/1.1\r\nHost: x\r\nA: b")
                connections.append(connection)
            }
            if number % 100 == 99 { try goesOn(served, folder) }
        }
        // Those that have been answered and stay are no better.
        for _ in 0..<150 {
            if let connection = RawConnection(port: served.port) {
                connection.send("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:\(served.port)\r\n\r\n")
                connections.append(connection)
            }
        }
        try goesOn(served, folder)
        #expect(connections.count > 400)
    }

    @Test func `Readers of events that do not read cost a bounded amount, and too many are refused`() throws {
        let folder = try TemporaryFolder()
        let served = try started(folder)
        let request = "GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:\(served.port)\r\n\r\n"
        let good = try #require(RawConnection(port: served.port))
        good.send(request)
        #expect(good.read(until: "event: status"))
        var silent: [RawConnection] = []
        var refused = 0
        for _ in 0..<40 {
            guard let connection = RawConnection(port: served.port) else { continue }
            connection.send(request)
            let head = String(decoding: connection.read(64), as: UTF8.self)
            if head.hasPrefix("HTTP/1.1 409") { refused += 1 } else { silent.append(connection) }
        }
        #expect(refused >= 8 && silent.count <= 31, "\(refused) \(silent.count)")
        _ = served.send("POST", "/api/queries/copy/trigger", body: #"{"trigger": "as_fast_as_possible"}"#)
        let before = served.memoryBytes()
        // Enough for every buffer of the system's to be full.
        for _ in 0..<300 {
            try folder.append("numbers.jsonl", "{\"n\":3}\n")
            #expect(good.read(until: "event: progress"))
        }
        #expect(served.memoryBytes() - before < 32 << 20)
        silent = []
        // The dead are found out, and there is room again.
        try served.waitUntil("no room for readers") {
            guard let connection = RawConnection(port: served.port) else { return false }
            connection.send(request)
            return String(decoding: connection.read(64), as: UTF8.self).hasPrefix("HTTP/1.1 200")
        }
        try goesOn(served, folder)
    }

    @Test(arguments: 0..<2)
    func `Garbage in any form is survived`(index: Int) throws {
        let seed = index == 0 ? UInt64.random(in: 0..<1_000_000) : 7
        print("HostileClientTests: seed \(seed)")
        var random = SeededRandom(seed: seed)
        let folder = try TemporaryFolder()
        let served = try started(folder)
        let before = served.memoryBytes()
        let whole = Array(
            ("POST /api/queries/copy/trigger?last=1 HTTP/1.1\r\nHost: 127.0.0.1:\(served.port)\r\nConnection: close\r\n"
                + "Content-Type: application/json\r\nContent-Length: 18\r\n\r\n{\"trigger\": \"1s\"}\n").utf8)
        for _ in 0..<400 {
            guard let connection = RawConnection(port: served.port) else { continue }
            var bytes = whole
            for _ in 0..<Int.random(in: 1...8, using: &random) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(contentsOf: bytes[place...].prefix(40), at: place)
                default: bytes = Array(bytes[..<max(1, place)])
                }
            }
            connection.send(bytes)
            // Half of them do not wait for an answer.
            if Bool.random(using: &random), bytes.suffix(4).elementsEqual("\r\n\r\n".utf8) { _ = connection.read() }
        }
        #expect(served.process.isRunning, "seed \(seed): \(served.process.standardError.suffix(2000))")
        try goesOn(served, folder)
        #expect(served.memoryBytes() - before < 32 << 20, "seed \(seed)")
    }

    @Test func `No secret leaves, neither in answers nor in the log`() throws {
        let folder = try TemporaryFolder()
        try folder.write("secret", "open-sesame")
        try folder.write(
            "spec.yaml",
            StopTests.copySpec(trigger: "100ms").replacing(
                "path: numbers.jsonl", with: "path: \"${file:secret}/numbers.jsonl\""))
        try folder.write("open-sesame/numbers.jsonl", "{\"n\":1}\n")
        let served = try ServedProcess(["spec.yaml"], in: folder)
        try served.waitUntil("no batch") { served.query("copy")["lastProgress"] is [String: Any] }
        for path in ["/", "/metrics", "/api/queries", "/api/queries/copy", "/api/queries/copy/progress"] {
            let body = try #require(served.send("GET", path)?.body)
            #expect(!body.contains("open-sesame"), "\(path)")
        }
        #expect(served.query("copy").description.contains("•••"))
        let events = try #require(RawConnection(port: served.port))
        events.send("GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:\(served.port)\r\n\r\n")
        #expect(!String(decoding: events.read(), as: UTF8.self).contains("open-sesame"))
        // A spec that is refused quotes what is wrong with it.
        try folder.write("secret", "open-sesame\u{1}")
        _ = served.send("POST", "/api/reload")
        try folder.write("secret", "second-sesame")
        let answer = try #require(served.send("POST", "/api/reload"))
        #expect(!answer.body.contains("second-sesame"))
        let outcome = served.process.stop()
        #expect(!outcome.standardError.contains("open-sesame") && !outcome.standardError.contains("second-sesame"))
    }
}

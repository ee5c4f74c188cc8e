// Who is let in: hosts, origins, tokens and sizes.

import SluiceRuntime
import SluiceStatus
import SluiceSystem
import Testing

@Suite struct AccessPolicyTests {
    private static func live(_ address: ListeningAddress = .test, token: String? = nil) throws -> LiveQueries {
        try LiveQueries(CopySpec(triggers: ["a": "1h"]).text, address: address, token: token)
    }

    private static func address(_ ip: String, host: String, loopback: Bool = false) -> ListeningAddress {
        ListeningAddress(
            kind: .tcp(ip: ip, port: 4000, isLoopback: loopback), host: host, machineName: "box.example")
    }

    private func status(
        _ live: LiveQueries, _ path: String = "/api/queries", host: String = "127.0.0.1:4000",
        headers: [(String, String)] = []
    ) -> Int {
        live.send("GET", path, headers: headers.map { HTTPRequest.Field($0.0, $0.1) }, host: host).status
    }

    @Test(arguments: [
        ("127.0.0.1:4000", 200), ("localhost:4000", 200), ("LocalHost:4000", 200), ("[::1]:4000", 200),
        ("127.0.0.1", 403), ("127.0.0.1:4001", 403), ("127.0.0.1:40000", 403), ("evil.example:4000", 403),
        ("localhost.evil.example:4000", 403), ("127.0.0.1.evil.example:4000", 403), ("", 403), (":4000", 403),
        ("0.0.0.0:4000", 403), ("box:4000", 403), ("127.0.0.1:4000:4000", 403), ("[::1:4000", 403),
        ("user@127.0.0.1:4000", 403), ("127.0.0.1:4000/", 403), ("127.0.0.1:04000", 403), ("2130706433:4000", 403),
    ])
    func `On loopback only the listener's own names are a host`(host: String, status: Int) throws {
        #expect(self.status(try Self.live(), host: host) == status)
    }

    @Test(arguments: [
        ("10.1.2.3:4000", 200), ("10.1.2.3:80", 200), ("localhost:8080", 200), ("BOX.example:4000", 200),
        ("[fe80::1]:4000", 200), ("evil.example:4000", 403), ("10.1.2.3.evil.example", 403), ("1.2.3:4000", 403),
    ])
    func `On all addresses any number is a host, and no name but the machine's`(host: String, status: Int) throws {
        let live = try Self.live(Self.address("0.0.0.0", host: "0.0.0.0"), token: "t")
        #expect(self.status(live, host: host, headers: [("Authorization", "Bearer t")]) == status)
    }

    @Test func `On one address of several its number and the name it was given by are hosts`() throws {
        let live = try Self.live(Self.address("10.1.2.3", host: "inner.example"), token: "t")
        for (host, expected) in [
            ("10.1.2.3:4000", 200), ("inner.example:4000", 200), ("localhost:4000", 403), ("10.1.2.4:4000", 403),
        ] {
            #expect(status(live, host: host, headers: [("Authorization", "Bearer t")]) == expected, "\(host)")
        }
    }

    @Test func `Through a Unix socket the host is localhost`() throws {
        let address = ListeningAddress(kind: .unix(path: "/run/s"), host: "localhost", machineName: "box")
        let live = try Self.live(address)
        for (host, expected) in [("localhost", 200), ("localhost:80", 200), ("evil.example", 403), ("", 403)] {
            #expect(status(live, host: host) == expected, "\(host)")
        }
    }

    @Test func `A host that is missing or stands twice is none`() throws {
        let live = try Self.live()
        #expect(live.answer(HTTPRequest("GET", "/api/queries")).status == 400)
        let host = HTTPRequest.Field("Host", "127.0.0.1:4000")
        #expect(live.answer(HTTPRequest("GET", "/api/queries", headers: [host, host])).status == 400)
    }

    @Test(arguments: [
        ("http://127.0.0.1:4000", 200), ("HTTP://127.0.0.1:4000", 200), ("http://localhost:4000", 403), ("null", 403),
        ("https://127.0.0.1:4000", 403), ("http://127.0.0.1:3000", 403), ("http://evil.example", 403), ("", 403),
        ("http://127.0.0.1:4000.evil.example", 403),
    ])
    func `An origin must be the page that was asked for`(origin: String, status: Int) throws {
        #expect(self.status(try Self.live(), headers: [("Origin", origin)]) == status)
        let post = try Self.live().send("POST", "/api/queries/a/pause", headers: [HTTPRequest.Field("origin", origin)])
        #expect(post.status == status)
    }

    @Test(
        arguments: [
            ("sluice.example.com", nil, 200), ("Sluice.Example.com:8443", nil, 200),
            ("sluice.example.com", "https://sluice.example.com", 200),
            ("127.0.0.1:4000", "https://sluice.example.com", 200), ("inner:4000", "http://inner:4000", 200),
            ("inner:4001", nil, 403), ("inner", nil, 403), ("127.0.0.1:4000", nil, 200),
            ("sluice.example.com.evil.example", nil, 403), ("sluice.example.com", "https://evil.example", 403),
            ("127.0.0.1:4000", "https://127.0.0.1:4000", 403), ("sluice.example.com", "null", 403),
            ("sluice.example.com", "ftp://sluice.example.com", 403),
        ] as [(String, String?, Int)])
    func `Names that were allowed are hosts and origins too, whatever the scheme`(
        host: String, origin: String?, status: Int
    ) throws {
        let allowed = [try AllowedHost("sluice.example.com"), try AllowedHost("inner:4000")]
        let live = try LiveQueries(CopySpec(triggers: ["a": "1h"]).text, allowedHosts: allowed)
        #expect(self.status(live, host: host, headers: origin.map { [("Origin", $0)] } ?? []) == status)
    }

    @Test(arguments: ["", "http://a.example", "a b", "a.example/", "*.example", "a:port", "a:70000", "::1", "a,b"])
    func `What is no host cannot be allowed`(text: String) {
        #expect(throws: AddressProblem.self) { try AllowedHost(text) }
    }

    @Test(
        arguments: [
            [("Content-Length", "2"), ("Transfer-Encoding", "chunked")],
            [("Content-Length", "2"), ("Content-Length", "2")],
            [("Transfer-Encoding", "gzip")], [("Transfer-Encoding", "gzip, chunked")], [("Content-Length ", "2")],
            [("Content-Length", "99999999999999999999")], [("X", String(repeating: "x", count: 20_000))],
        ])
    func `A request whose end is in doubt is the last of its connection`(headers: [(String, String)]) throws {
        let refused = try Self.live().send("POST", "/api/queries/a/pause", headers: headers.map { .init($0.0, $0.1) })
        #expect(refused.status >= 400 && refused.headers["connection"] == "close", "\(refused.text)")
        #expect(refused.text.hasPrefix(#"{"error":"#))
        let foreign = try Self.live().send("GET", "/healthz", host: "evil.example")
        #expect(foreign.status == 403 && foreign.headers["connection"] == nil)
    }

    @Test(
        arguments: [
            (nil, 401), ("Bearer secret-token", 200), ("bearer secret-token", 200), ("Bearer secret-toke", 401),
            ("Bearer secret-token ", 401), ("Bearer secret-tokenn", 401), ("Bearer ", 401), ("Bearer", 401),
            ("Basic c2VjcmV0LXRva2Vu", 401), ("secret-token", 401), ("", 401), ("Bearer SECRET-TOKEN", 401),
        ] as [(String?, Int)])
    func `With a token every request but those about health carries it`(value: String?, status: Int) throws {
        let live = try Self.live(token: "secret-token")
        let headers = value.map { [("Authorization", $0)] } ?? []
        for path in ["/", "/metrics", "/api/queries", "/api/events", "/nothing"] {
            let expected = status == 200 && path == "/nothing" ? 404 : status
            #expect(self.status(live, path, headers: headers) == expected, "\(path)")
        }
        for path in ["/livez", "/healthz", "/readyz"] { #expect(self.status(live, path, headers: headers) == 200) }
        let refused = live.send("GET", "/", headers: [])
        #expect(refused.status == 401 && refused.headers["www-authenticate"] == "Bearer")
        #expect(!refused.text.contains("secret-token"))
        // A browser that is led there gets the page, which asks for the token; everybody else an error to read.
        #expect(refused.text.hasPrefix(#"{"error":"#))
        let led = live.send("GET", "/", headers: [HTTPRequest.Field("Accept", "text/html,application/xml;q=0.9")])
        #expect(led.status == 401 && led.text.hasPrefix("<!doctype html>"))
        #expect(
            self.status(live, headers: [("Authorization", "Bearer secret-token")] + headers)
                == (value == nil ? 200 : 401))
    }

    @Test(
        arguments: [
            (nil, 400), ("application/json", 200), ("Application/JSON; charset=utf-8", 200), ("text/plain", 400),
            ("application/x-www-form-urlencoded", 400), ("multipart/form-data", 400), ("", 400),
            ("application/jsonp", 400),
        ] as [(String?, Int)])
    func `A POST says that it is JSON`(type: String?, status: Int) throws {
        let headers = [HTTPRequest.Field("Host", "localhost:4000")]
        let more = type.map { [HTTPRequest.Field("content-type", $0)] } ?? []
        let request = HTTPRequest("POST", "/api/queries/a/pause", headers: headers + more)
        #expect(try Self.live().answer(request).status == status)
    }

    @Test func `What is too large is refused before it is looked at`() throws {
        let live = try Self.live()
        let long = String(repeating: "x", count: 20_000)
        #expect(status(live, "/api/queries/" + long) == 400)
        #expect(live.send("GET", "/", query: [HTTPRequest.Field("q", long)]).status == 400)
        #expect(status(live, headers: [("X", long)]) == 400)
        #expect(live.send("POST", "/api/queries/a/trigger", body: long).status == 413)
        let lengths = ["Content-Length", "content-length"].map { HTTPRequest.Field($0, "0") }
        #expect(live.send("POST", "/api/queries/a/pause", headers: lengths).status == 400)
        var cut = HTTPRequest("POST", "/api/reload", headers: [HTTPRequest.Field("Host", "localhost:4000")])
        cut.isBodyCut = true
        #expect(live.answer(cut).status == 413)
    }

    @Test(arguments: [
        ("127.0.0.1:0", SocketAddress.tcp(host: "127.0.0.1", port: 0)),
        ("http://localhost:8080/", .tcp(host: "localhost", port: 8080)), ("[::1]:1", .tcp(host: "::1", port: 1)),
        ("unix:/run/sluice.sock", .unix(path: "/run/sluice.sock")), ("unix:s", .unix(path: "s")),
    ])
    func `An address is read as the command line writes it`(text: String, address: SocketAddress) throws {
        #expect(try SocketAddress(text) == address)
    }

    @Test(arguments: [
        "", "localhost", ":80", "localhost:", "localhost:65536", "localhost:-1", "::1:80", "unix:", "a/b:80", "h:8x",
        "unix:" + String(repeating: "p", count: 108),
    ])
    func `What is no address is refused`(text: String) {
        #expect(throws: AddressProblem.self) { try SocketAddress(text) }
    }
}

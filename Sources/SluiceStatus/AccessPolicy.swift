// Who may ask at all. A web page that the user has open must not be able to pause a query: it can send requests to a
// loopback address, but it cannot choose their `Host` (a name that an attacker points at 127.0.0.1 stands there) nor
// leave out their `Origin`, so both must be the listener's own.

package import SluiceSystem

/// What a request needs to be let in. Pure.
package struct AccessPolicy: Sendable {
    private let address: ListeningAddress
    /// Compared with, never shown.
    private let token: [UInt8]?
    /// Names that the listener has elsewhere.
    private let allowedHosts: [AllowedHost]

    package init(address: ListeningAddress, token: [UInt8]?, allowedHosts: [AllowedHost] = []) {
        self.address = address
        self.token = token
        self.allowedHosts = allowedHosts
    }

    /// Throws why a request is refused, before anything else of it is looked at.
    func admit(_ request: HTTPRequest) throws(HTTPError) {
        try checkFraming(request)
        try checkHost(request)
        try checkToken(request)
    }

    /// What is known of a request's length and limits before its body has come. Two readings of where a request ends
    /// are how one is hidden in another.
    func checkFraming(_ request: HTTPRequest) throws(HTTPError) {
        func refuse(_ status: Int, _ code: String, _ message: String) throws(HTTPError) {
            throw HTTPError(status, code, message, closesConnection: true)
        }
        let target = request.query.reduce(request.path.utf8.count) { $0 + $1.name.utf8.count + $1.value.utf8.count + 2 }
        if target > HTTPLimits.targetBytesMax { try refuse(400, "target-too-long", "the URL is too long") }
        let headers = request.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        if headers > HTTPLimits.headerBytesMax { try refuse(400, "headers-too-large", "the headers are too large") }
        if request.headers.contains(where: { !isHeaderName($0.name) }) {
            try refuse(400, "bad-header", "a header's name is a word, with its colon right behind it")
        }
        let (lengths, codings) = (request.values("content-length"), request.values("transfer-encoding"))
        if lengths.count + codings.count > 1 {
            try refuse(400, "ambiguous-length", "a request says once how long it is")
        }
        if codings.contains(where: { $0.lowercased() != "chunked" }) {
            try refuse(400, "unknown-coding", "`chunked` is the only transfer coding that is read")
        }
        if lengths.contains(where: { Int($0) ?? .max > HTTPLimits.bodyBytesMax }) || request.isBodyCut
            || request.body.count > HTTPLimits.bodyBytesMax
        {
            try refuse(413, "body-too-large", "a body has at most \(HTTPLimits.bodyBytesMax) bytes")
        }
    }

    /// RFC 9110's token.
    private func isHeaderName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"(),/:;<=>?@[\\]{}".utf8.contains($0) }
    }

    private func checkHost(_ request: HTTPRequest) throws(HTTPError) {
        guard let host = request.single("host") else {
            throw HTTPError(400, "bad-host", "a request has exactly one `Host`", closesConnection: true)
        }
        guard address.isOwn(host: host) || allowedHosts.contains(where: { $0.covers(host) }) else {
            throw HTTPError(
                403, "foreign-host",
                "`Host` is not an address of this listener; a proxy's or service's name is allowed by `--allow-host`")
        }
        for origin in request.values("origin") where !isOwn(origin: origin.lowercased(), host: host.lowercased()) {
            throw HTTPError(403, "foreign-origin", "requests of other pages are refused")
        }
    }

    /// Whether a page of this listener has sent a request. A proxy may speak TLS to its clients, and to the listener
    /// under another `Host`.
    private func isOwn(origin: String, host: String) -> Bool {
        if origin == "http://\(host)" { return true }
        for scheme in ["http://", "https://"] where origin.hasPrefix(scheme) {
            let name = String(origin.dropFirst(scheme.count))
            return allowedHosts.contains { $0.covers(name) }
        }
        return false
    }

    /// What whoever keeps the process running asks, and has no token for.
    private static let openPaths: Set<String> = ["/livez", "/healthz", "/readyz"]

    private func checkToken(_ request: HTTPRequest) throws(HTTPError) {
        guard let token, !Self.openPaths.contains(request.path) else { return }
        let scheme = "bearer "
        if let value = request.single("authorization"), value.lowercased().hasPrefix(scheme),
            isEqualInConstantTime(Array(value.utf8.dropFirst(scheme.utf8.count)), token)
        {
            return
        }
        var error = HTTPError(401, "unauthorized", "this needs `Authorization: Bearer TOKEN`")
        error.headers = [HTTPRequest.Field("WWW-Authenticate", "Bearer")]
        throw error
    }
}

/// Takes as long for a guess that is nearly right as for any other of its length.
func isEqualInConstantTime(_ guess: [UInt8], _ secret: [UInt8]) -> Bool {
    var difference = guess.count ^ secret.count
    for index in guess.indices { difference |= Int(guess[index] ^ secret[index % max(1, secret.count)]) }
    return difference == 0
}

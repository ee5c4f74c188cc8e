// Who may ask at all. A web page that the user has open must not be able to pause a query: it can send requests to a
// loopback address, but it cannot choose their `Host` (a name that an attacker points at 127.0.0.1 stands there) nor
// leave out their `Origin`, so both must be the listener's own.

package import SluiceSystem

/// What a request needs to be let in. Pure.
package struct AccessPolicy: Sendable {
    private let address: ListeningAddress
    /// Compared with, never shown.
    private let token: [UInt8]?

    package init(address: ListeningAddress, token: [UInt8]?) {
        self.address = address
        self.token = token
    }

    /// Throws why a request is refused, before anything else of it is looked at.
    func admit(_ request: HTTPRequest) throws(HTTPError) {
        try checkSizes(request)
        try checkHost(request)
        try checkToken(request)
    }

    private func checkSizes(_ request: HTTPRequest) throws(HTTPError) {
        let target = request.query.reduce(request.path.utf8.count) { $0 + $1.name.utf8.count + $1.value.utf8.count + 2 }
        if target > HTTPLimits.targetBytesMax { throw HTTPError(400, "target-too-long", "the URL is too long") }
        let headers = request.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        if headers > HTTPLimits.headerBytesMax {
            throw HTTPError(400, "headers-too-large", "the headers are too large")
        }
        // Two readings of where a body ends are how a request is hidden in another one.
        guard request.values("content-length").count + request.values("transfer-encoding").count <= 1 else {
            throw HTTPError(400, "ambiguous-length", "a request says once how long it is")
        }
        if request.isBodyCut || request.body.count > HTTPLimits.bodyBytesMax {
            throw HTTPError(413, "body-too-large", "a body has at most \(HTTPLimits.bodyBytesMax) bytes")
        }
    }

    private func checkHost(_ request: HTTPRequest) throws(HTTPError) {
        guard let host = request.single("host") else {
            throw HTTPError(400, "bad-host", "a request has exactly one `Host`")
        }
        guard address.isOwn(host: host) else {
            throw HTTPError(403, "foreign-host", "`Host` is not an address of this listener")
        }
        for origin in request.values("origin") where origin.lowercased() != "http://\(host.lowercased())" {
            throw HTTPError(403, "foreign-origin", "requests of other pages are refused")
        }
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

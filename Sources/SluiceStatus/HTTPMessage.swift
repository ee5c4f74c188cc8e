// A request and a response as values. Everything the server decides is a function from one to the other; what is done
// with sockets is in StatusServer.swift.

internal import SluiceSpec

/// A request as it was sent, nothing unescaped.
package struct HTTPRequest: Hashable, Sendable {
    package struct Field: Hashable, Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package var method: String
    /// From its first slash to the question mark.
    package var path: String
    /// What stands behind the question mark, in order.
    package var query: [Field]
    package var headers: [Field]
    package var body: [UInt8]
    /// True when the body was larger than `HTTPLimits.bodyBytesMax`; `body` is its beginning then.
    package var isBodyCut: Bool

    package init(
        _ method: String, _ path: String, query: [Field] = [], headers: [Field] = [], body: [UInt8] = [],
        isBodyCut: Bool = false
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.isBodyCut = isBodyCut
    }

    /// All values of a header.
    func values(_ name: String) -> [String] {
        headers.filter { $0.name.lowercased() == name }.map(\.value)
    }

    /// The value of a header that stands there exactly once; nil otherwise.
    func single(_ name: String) -> String? {
        let values = values(name)
        return values.count == 1 ? values[0] : nil
    }
}

/// How much a client may send.
package enum HTTPLimits {
    package static let bodyBytesMax = 16 << 10
    /// So much of a body that does not say how long it is, is read over when it is too long, so that the client hears
    /// why.
    package static let bodyBytesReadMax = 1 << 20
    /// Path and query together.
    package static let targetBytesMax = 2 << 10
    /// Names and values together.
    package static let headerBytesMax = 16 << 10
}

package struct HTTPResponse: Hashable, Sendable {
    package enum Body: Hashable, Sendable {
        case bytes([UInt8])
        /// Server-sent events, until the reader goes away.
        case events
    }

    package var status: Int
    package var headers: [HTTPRequest.Field]
    package var body: Body

    init(_ status: Int, _ contentType: String, _ body: [UInt8], headers: [HTTPRequest.Field] = []) {
        self.status = status
        self.headers = [HTTPRequest.Field("Content-Type", contentType)] + headers
        self.body = .bytes(body)
    }

    init(_ status: Int = 200, json: JSONValue) {
        self.init(status, "application/json", json.text() + Array("\n".utf8))
    }

    static let events: HTTPResponse = {
        var response = HTTPResponse(200, "text/event-stream", [])
        response.body = .events
        return response
    }()

    /// The bytes of the body; none of a stream.
    package var bytes: [UInt8] {
        if case .bytes(let bytes) = body { bytes } else { [] }
    }
}

/// Why a request is not answered with what it asks for.
struct HTTPError: Error, Hashable, Sendable {
    var status: Int
    /// A stable name such as `unknown-query`.
    var code: String
    var message: String
    var headers: [HTTPRequest.Field] = []
    /// True where nobody can be sure where the request ends: what comes next on the connection is not read.
    var closesConnection = false
    /// Beside `error` in the answer.
    var details: [JSONMember] = []

    init(_ status: Int, _ code: String, _ message: String, closesConnection: Bool = false) {
        self.status = status
        self.code = code
        self.message = message
        self.closesConnection = closesConnection
    }

    var response: HTTPResponse {
        let error = JSONValue.object([JSONMember("code", .string(code)), JSONMember("message", .string(message))])
        var response = HTTPResponse(status, json: .object([JSONMember("error", error)] + details))
        response.headers += headers
        if closesConnection { response.headers.append(HTTPRequest.Field("Connection", "close")) }
        return response
    }
}

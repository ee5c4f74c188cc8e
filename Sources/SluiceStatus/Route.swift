// From a request's method and path to what it asks for. Pure.

internal import SluiceSpec

enum Route: Hashable, Sendable {
    case page
    /// The process alone, every query, and whether queries can do their work.
    case liveness
    case health
    case readiness
    case metrics
    case queries
    case query(String)
    case progress(String, last: Int)
    /// What other intervals would bring, perhaps for a wanted latency.
    case advice(String, latencyMicros: Int64?)
    case events
    case pause(String)
    case resume(String)
    case trigger(String)
    case reload

    /// True for what changes something.
    private var isPost: Bool {
        switch self {
        case .pause, .resume, .trigger, .reload: true
        case .page, .liveness, .health, .readiness, .metrics, .queries, .query, .progress, .advice, .events: false
        }
    }

    /// Throws what a client has to know when there is nothing of the kind.
    init(_ request: HTTPRequest) throws(HTTPError) {
        guard let route = try Self.route(request) else {
            throw HTTPError(404, "not-found", "there is nothing at this path")
        }
        self = route
        // What answers GET answers HEAD too; of a stream without an end the head alone makes no sense.
        let allowed = isPost ? ["POST"] : self == .events ? ["GET"] : ["GET", "HEAD"]
        guard allowed.contains(request.method) else {
            var error = HTTPError(405, "method-not-allowed", "this path takes \(allowed.joined(separator: " or "))")
            error.headers = [HTTPRequest.Field("Allow", allowed.joined(separator: ", "))]
            throw error
        }
        if isPost { try Self.checkContentType(request) }
    }

    private static func route(_ request: HTTPRequest) throws(HTTPError) -> Route? {
        var segments: [String] = []
        guard request.path.hasPrefix("/") else { throw HTTPError(400, "bad-path", "a path begins with a slash") }
        for part in request.path.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            guard let segment = percentDecoded(part) else {
                throw HTTPError(400, "bad-path", "the path is not UTF-8 with percent signs")
            }
            segments.append(segment)
        }
        switch segments.count {
        case 1:
            return [
                "": .page, "livez": .liveness, "healthz": .health, "readyz": .readiness, "metrics": .metrics,
            ][segments[0]]
        case 2 where segments[0] == "api":
            return ["queries": .queries, "events": .events, "reload": .reload][segments[1]]
        case 3 where segments[0] == "api" && segments[1] == "queries": return .query(segments[2])
        case 4 where segments[0] == "api" && segments[1] == "queries":
            return try part(segments[3], of: segments[2], request)
        default: return nil
        }
    }

    private static func part(_ name: String, of query: String, _ request: HTTPRequest) throws(HTTPError) -> Route? {
        switch name {
        case "progress": return .progress(query, last: try last(request))
        case "tune": return .advice(query, latencyMicros: try latency(request))
        case "pause": return .pause(query)
        case "resume": return .resume(query)
        case "trigger": return .trigger(query)
        default: return nil
        }
    }

    private static func latency(_ request: HTTPRequest) throws(HTTPError) -> Int64? {
        guard let field = request.query.last(where: { $0.name == "latency" }) else { return nil }
        do throws(TriggerProblem) {
            if case .interval(let micros) = try TriggerSpec(text: field.value) { return micros }
        } catch {}
        throw HTTPError(400, "bad-latency", "`latency` is a duration such as 1s")
    }

    private static func last(_ request: HTTPRequest) throws(HTTPError) -> Int {
        guard let field = request.query.last(where: { $0.name == "last" }) else { return ProgressHistory.recordsKept }
        guard let last = Int(field.value), last >= 0 else {
            throw HTTPError(400, "bad-last", "`last` is a whole number")
        }
        return min(last, ProgressHistory.recordsKept)
    }

    /// Other types can be sent by a form of any web page without asking.
    private static func checkContentType(_ request: HTTPRequest) throws(HTTPError) {
        let type = request.single("content-type")?.split(separator: ";").first?.lowercased()
        guard type?.split(separator: " ").joined() == "application/json" else {
            throw HTTPError(400, "content-type", "a POST needs `Content-Type: application/json`")
        }
    }
}

/// Text with `%41` for `A`; nil when that is not UTF-8 or a percent sign stands alone.
func percentDecoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            bytes.append(byte)
            continue
        }
        guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit) else {
            return nil
        }
        bytes.append(high << 4 | low)
    }
    return bytes.contains(0) ? nil : String(validating: bytes, as: UTF8.self)
}

/// Everything but letters, digits and `-._~` as `%41`.
package func percentEncoded(_ text: String) -> String {
    var result = ""
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            result.unicodeScalars.append(Unicode.Scalar(byte))
        default: result += "%\(byte < 16 ? "0" : "")\(String(byte, radix: 16, uppercase: true))"
        }
    }
    return result
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}

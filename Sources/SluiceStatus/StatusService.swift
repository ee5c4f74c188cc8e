// Answers requests: who may ask (AccessPolicy), what is asked (Route), and the answer, out of the queries' controls and
// the board. A request goes in, a response comes out; there are no sockets here.

internal import SluiceAdvice
internal import SluicePage
internal import SluicePlan
package import SluiceRuntime
internal import SluiceSpec
internal import SluiceSystem

/// What the server serves.
package struct StatusService: Sendable {
    let queries: QuerySet
    let board: StatusBoard
    private let policy: AccessPolicy
    private let hide: @Sendable (String) -> String
    private let reload: @Sendable () throws(ReloadError) -> ReloadReport

    /// - Parameters:
    ///   - hide: what may be shown of a text.
    ///   - reload: reads the specs again and brings the queries to them.
    package init(
        queries: QuerySet, board: StatusBoard, policy: AccessPolicy, hide: @escaping @Sendable (String) -> String,
        reload: @escaping @Sendable () throws(ReloadError) -> ReloadReport
    ) {
        self.queries = queries
        self.board = board
        self.policy = policy
        self.hide = hide
        self.reload = reload
    }

    /// The answer to a request.
    /// - Parameter nonce: unguessable, another one each time: what the page may run carries it.
    package func respond(to request: HTTPRequest, nonce: String = "") -> HTTPResponse {
        var response: HTTPResponse
        do throws(HTTPError) {
            try policy.admit(request)
            response = try answer(try Route(request), request, nonce: nonce)
        } catch {
            response = error.response
            if error.status == 401, isNavigation(request) { response = asksForToken(response, nonce: nonce) }
        }
        response.headers += securityHeaders(nonce: nonce)
        return response
    }

    /// The answer to a request whose body is not worth waiting for; nil for any other.
    package func refusal(ofHead request: HTTPRequest) -> HTTPResponse? {
        do throws(HTTPError) { try policy.checkFraming(request) } catch {
            var response = error.response
            response.headers += securityHeaders(nonce: "")
            return response
        }
        return nil
    }

    /// True when a person leads a browser to the page.
    private func isNavigation(_ request: HTTPRequest) -> Bool {
        guard let route = try? Route(request) else { return false }
        return route == .page && request.values("accept").contains { $0.lowercased().contains("text/html") }
    }

    /// A browser that is led to the page has no token to send yet. It is refused as everybody else, with the page for a
    /// message: there is nothing of the queries in it, and it asks for the token.
    private func asksForToken(_ refusal: HTTPResponse, nonce: String) -> HTTPResponse {
        var response = page(401, nonce: nonce)
        response.headers += refusal.headers.filter { $0.name != "Content-Type" }
        return response
    }

    private func page(_ status: Int, nonce: String) -> HTTPResponse {
        HTTPResponse(status, "text/html; charset=utf-8", Array(StatusPage.html(nonce: nonce).utf8))
    }

    /// True when answering may wait for queries to finish their batches, or for a disk.
    package func isSlow(_ request: HTTPRequest) -> Bool {
        request.path == "/api/reload" || request.path.hasSuffix("/tune")
    }

    private func answer(_ route: Route, _ request: HTTPRequest, nonce: String) throws(HTTPError) -> HTTPResponse {
        switch route {
        case .page: return page(200, nonce: nonce)
        case .liveness: return HTTPResponse(json: .object([JSONMember("status", .string("ok"))]))
        case .health: return health
        case .readiness: return readiness
        case .metrics:
            return HTTPResponse(
                200, "text/plain; version=0.0.4; charset=utf-8",
                Array(MetricsText(queries.descriptions, board).text.utf8))
        case .queries: return HTTPResponse(json: .object([JSONMember("queries", .array(allQueries))]))
        case .query(let name): return plan(of: try query(name))
        case .progress(let name, let last): return progress(try query(name), last: last)
        case .advice(let name, let latencyMicros): return try advice(on: name, latencyMicros: latencyMicros)
        case .events: return .events
        case .pause(let name): return try changed { () throws(ControlError) in try queries.pause(name) }
        case .resume(let name): return try changed { () throws(ControlError) in try queries.resume(name) }
        case .trigger(let name):
            return try changed { () throws(ControlError) in
                try queries.setTrigger(name, try trigger(in: request.body))
            }
        case .reload: return try reloaded()
        }
    }

    private func query(_ name: String) throws(HTTPError) -> QueryDescription {
        do throws(ControlError) { return try queries.description(of: name) } catch { throw error.httpError }
    }

    private func changed(
        _ change: () throws(ControlError) -> QueryDescription
    ) throws(HTTPError) -> HTTPResponse {
        do throws(ControlError) { return HTTPResponse(json: json(try change())) } catch { throw error.httpError }
    }

    // MARK: Answers

    private var health: HTTPResponse {
        let all = queries.descriptions.filter { $0.status.error != nil }
        func names(_ word: String) -> JSONValue {
            .array(all.filter { $0.status.word == word }.map { .string($0.name) })
        }
        if all.isEmpty { return HTTPResponse(json: .object([JSONMember("status", .string("ok"))])) }
        return HTTPResponse(
            503,
            json: .object([
                JSONMember("status", .string("unhealthy")), JSONMember("failed", names("failed")),
                JSONMember("restarting", names("restarting")),
            ]))
    }

    /// As `health`, and not well either while a query waits for something outside of the process.
    private var readiness: HTTPResponse {
        let all = queries.descriptions
        func names(_ isMeant: (QueryDescription) -> Bool) -> JSONValue {
            .array(all.filter(isMeant).map { .string($0.name) })
        }
        if all.allSatisfy({ $0.status.error == nil && $0.waitingFor == nil }) {
            return HTTPResponse(json: .object([JSONMember("status", .string("ok"))]))
        }
        return HTTPResponse(
            503,
            json: .object([
                JSONMember("status", .string("not ready")),
                JSONMember("failed", names { $0.status.word == "failed" }),
                JSONMember("restarting", names { $0.status.word == "restarting" }),
                JSONMember("waiting", names { $0.waitingFor != nil }),
            ]))
    }

    private var allQueries: [JSONValue] { queries.descriptions.map(json) }

    /// A query's object.
    func json(_ query: QueryDescription) -> JSONValue {
        var members = [JSONMember("name", .string(query.name)), JSONMember("status", .string(query.status.word))]
        if let error = query.status.error { members.append(JSONMember("error", .string(hide(error)))) }
        if let code = query.errorCode { members.append(JSONMember("errorCode", .string(code))) }
        if let backlog = query.backlog { members.append(JSONMember("backlog", backlog.jsonValue)) }
        if let what = query.waitingFor { members.append(JSONMember("waitingFor", .string(hide(what)))) }
        members += [
            JSONMember("trigger", .string(query.trigger.text)),
            JSONMember("specTrigger", .string(query.specTrigger.text)),
            JSONMember("batchId", .optional(query.lastBatch)),
            JSONMember("lastProgress", board.lastProgress(query.name)?.jsonValue ?? .null),
        ]
        // Only where there is something to tell, as with the error.
        if query.restartCount > 0 { members.append(JSONMember("restarts", .integer(Int64(query.restartCount)))) }
        return .object(members)
    }

    private func plan(of query: QueryDescription) -> HTTPResponse {
        // The plan is a text of its own; it goes in before the object's last bracket.
        var body = json(query).text()
        body.removeLast()
        body += #","plan":"#.utf8
        body += hide(Explanation.json([query.planned.result])).utf8
        body += "}\n".utf8
        return HTTPResponse(200, "application/json", body)
    }

    private func progress(_ query: QueryDescription, last: Int) -> HTTPResponse {
        let records = board.history(query.name, last: last)
        let body = Array(#"{"progress":["#.utf8) + records.joined(separator: [UInt8(ascii: ",")]) + Array("]}\n".utf8)
        return HTTPResponse(200, "application/json", body)
    }

    private func advice(on name: String, latencyMicros: Int64?) throws(HTTPError) -> HTTPResponse {
        do {
            let advice = try queries.advice(on: name, latencyMicros: latencyMicros)
            return HTTPResponse(200, "application/json", Array(hide(advice.json).utf8))
        } catch let error as ControlError {
            throw error.httpError
        } catch {
            throw HTTPError(409, "no-advice", hide("the query's checkpoint cannot be read now: \(error)"))
        }
    }

    private func trigger(in body: [UInt8]) throws(ControlError) -> TriggerSpec {
        do {
            let object = try JSONValue(text: body[...])
            return try TriggerSpec(text: try object.string("trigger"))
        } catch let error as TriggerProblem {
            throw .badTrigger("\(error)")
        } catch {
            throw .badTrigger("the body is `{\"trigger\": \"2s\"}`: \(error)")
        }
    }

    private func reloaded() throws(HTTPError) -> HTTPResponse {
        do throws(ReloadError) {
            let report = try reload()
            board.keepOnly(Set(queries.statuses.map(\.name)))
            return HTTPResponse(json: report.json)
        } catch {
            throw error.httpError(hide)
        }
    }

    // MARK: Events

    /// What a reader of events gets first: every query as it is now.
    func firstEvents() -> [UInt8] {
        let events = allQueries.map { Array("event: status\ndata: ".utf8) + $0.text() + Array("\n\n".utf8) }
        return Array("retry: 2000\n\n".utf8) + events.joined()
    }

    /// What is to be told about a query that may have changed: its object, or that a reload has removed it.
    func event(about name: String) -> QueryEvent {
        guard let query = try? queries.description(of: name) else {
            let json = JSONValue.object([JSONMember("name", .string(name))])
            return QueryEvent(name: "removed", summary: "removed", json: json.text())
        }
        let words = [
            query.status.word, query.trigger.text, query.specTrigger.text, "\(query.restartCount)",
            query.waitingFor ?? "", query.backlog.map { "\($0)" } ?? "",
        ]
        return QueryEvent(name: "status", summary: words.joined(separator: " "), json: json(query).text())
    }
}

extension [SourceBacklog] {
    fileprivate var jsonValue: JSONValue {
        .object(
            map { source in
                let amount = JSONMember(source.isRows ? "rows" : "bytes", .integer(source.amount))
                return JSONMember(source.source, .object([amount]))
            })
    }
}

/// What readers of events are told about one query.
struct QueryEvent {
    var name: StaticString
    /// Another one when there is something new to tell.
    var summary: String
    var json: [UInt8]
}

/// Nothing from elsewhere, nothing inside anything else, nothing kept.
private func securityHeaders(nonce: String) -> [HTTPRequest.Field] {
    let policy = [
        "default-src 'none'", "script-src 'nonce-\(nonce)'", "style-src 'nonce-\(nonce)'", "connect-src 'self'",
        "img-src 'self' data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    ]
    return [
        HTTPRequest.Field("Content-Security-Policy", policy.joined(separator: "; ")),
        HTTPRequest.Field("X-Content-Type-Options", "nosniff"), HTTPRequest.Field("X-Frame-Options", "DENY"),
        HTTPRequest.Field("Referrer-Policy", "no-referrer"),
        HTTPRequest.Field("Cross-Origin-Resource-Policy", "same-origin"),
        HTTPRequest.Field("Cross-Origin-Opener-Policy", "same-origin"),
        HTTPRequest.Field("Cache-Control", "no-store"),
    ]
}

extension ControlError {
    fileprivate var httpError: HTTPError {
        switch self {
        case .unknownQuery: HTTPError(404, "unknown-query", description)
        case .ended: HTTPError(409, "ended", description)
        case .endsByItself: HTTPError(409, "ends-by-itself", description)
        case .badTrigger: HTTPError(400, "bad-trigger", description)
        }
    }
}

extension ReloadError {
    fileprivate func httpError(_ hide: (String) -> String) -> HTTPError {
        switch self {
        case .refused(let diagnostics, _):
            let count = diagnostics.count { $0.severity == .error }
            var error = HTTPError(
                400, "refused", "the specs have \(count) error\(count == 1 ? "" : "s"); nothing was changed")
            error.details = [JSONMember("diagnostics", .array(diagnostics.map { $0.jsonValue(hide) }))]
            return error
        case .unreadable(let problem):
            var error = HTTPError(400, "unreadable", hide("\(problem); nothing was changed"))
            error.details = [JSONMember("diagnostics", .array([]))]
            return error
        case .stopping: return HTTPError(409, "stopping", "the process is about to end")
        }
    }
}

extension Diagnostic {
    /// As `check --format json` writes it.
    fileprivate func jsonValue(_ hide: (String) -> String) -> JSONValue {
        var shown = self
        shown.message = hide(message)
        shown.fix = fix.map(hide)
        return (try? JSONValue(text: Array(shown.json.utf8)[...])) ?? .null
    }
}

extension ReloadReport {
    fileprivate var json: JSONValue {
        func names(_ names: [String]) -> JSONValue { .array(names.map { .string($0) }) }
        return .object([
            JSONMember("started", names(started)), JSONMember("stopped", names(stopped)),
            JSONMember("changed", names(changed)), JSONMember("unchanged", names(unchanged)),
        ])
    }
}

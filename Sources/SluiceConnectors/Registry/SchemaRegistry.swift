// A schema registry, by the part of its HTTP interface that is documented and that every one of them keeps (Confluent
// Schema Registry API, version 1): media type `application/vnd.schemaregistry.v1+json`,
//
//     GET  /schemas/ids/{id}                         {"schema", "schemaType", "references"}
//     GET  /subjects/{subject}/versions/{version}    {"subject", "version", "id", "schema", "schemaType", "references"}
//     POST /subjects/{subject}/versions              {"schema", "schemaType"} -> {"id"}
//
// and errors as `{"error_code", "message"}` with 40401 (no such subject), 40402 (no such version), 40403 (no such
// schema), 409 (incompatible), 42201 (no schema). `schemaType` is absent for Avro.
//
//     answer ──2xx──▶ value            40401…40403 ──▶ nil
//       │
//       ├─ 5xx, 408, 429, none ──▶ says "away" once ──▶ pause, unless a stop was asked for ──▶ asks again
//       └─ anything else ──▶ throw
//
// A registry that is away is waited for, as a broker is.

package import SluiceSpec
internal import SluiceSystem

/// A schema as a registry has it.
package struct RegisteredSchema: Hashable, Sendable {
    package enum Language: String, Hashable, Sendable {
        case avro = "AVRO"
        case protobuf = "PROTOBUF"
        case json = "JSON"
    }

    /// A schema that others refer to by a name.
    package struct Reference: Hashable, Sendable {
        package var name: String
        package var text: String
    }

    package var id: Int32
    package var language: Language
    package var text: String
    /// Those that it refers to, each after those that it refers to itself.
    package var references: [Reference]
}

/// What one source or sink asks of a registry. Used by the query's thread.
package final class SchemaRegistry {
    private let spec: RegistrySpec
    private let environment: ConnectorEnvironment
    private let client: HTTPClient
    private var outage = Outage()
    /// Schemas never change under their number.
    private var known: [Int32: RegisteredSchema] = [:]

    static let mediaType = "application/vnd.schemaregistry.v1+json"
    private static let referenceCountMax = 200
    private static let pauseMillisMax: Int64 = 5000

    package init(_ spec: RegistrySpec, environment: ConnectorEnvironment) {
        self.spec = spec
        self.environment = environment
        client = HTTPClient(
            user: spec.user, password: spec.password?.revealed, ca: spec.ca?.value, shouldStop: environment.shouldStop)
    }

    /// The schema of a number; nil when the registry has none of that number. Asked once.
    /// - Throws: when the registry denies it, or does not answer and waiting is of no use.
    package func schema(id: Int32) throws(ConnectorError) -> RegisteredSchema? {
        if let schema = known[id] { return schema }
        guard let answer = try ask("/schemas/ids/\(id)", "schema \(id)") else { return nil }
        let schema = try read(answer, id: id, "schema \(id)")
        known[id] = schema
        return schema
    }

    /// The newest schema of a subject; nil when there is no such subject.
    /// - Parameter waits: whether a registry that is away is waited for.
    /// - Throws: as `schema`; a retriable error where it is away and not waited for.
    package func latest(subject: String, waits: Bool = true) throws(ConnectorError) -> RegisteredSchema? {
        let what = "the subject `\(subject)`"
        let path = "/subjects/\(Self.escaped(subject))/versions/latest"
        guard let answer = try ask(path, what, waits: waits) else { return nil }
        guard let number = try? answer.integer("id"), let id = Int32(exactly: number) else {
            throw unusable(what, "it has no `id`")
        }
        let schema = try read(answer, id: id, what, waits: waits)
        known[id] = schema
        return schema
    }

    /// The number of a schema under a subject, which takes it in if it is new there.
    /// - Parameter waits: whether a registry that is away is waited for.
    /// - Throws: `schema-incompatible` when the subject's rules forbid it; else as `latest`.
    package func register(
        _ text: String, as language: RegisteredSchema.Language, subject: String, waits: Bool = true
    ) throws(ConnectorError) -> Int32 {
        let what = "the subject `\(subject)`"
        var members = [JSONMember("schema", .string(text))]
        if language != .avro { members.append(JSONMember("schemaType", .string(language.rawValue))) }
        let path = "/subjects/\(Self.escaped(subject))/versions"
        guard let answer = try ask(path, what, body: JSONValue.object(members).text(), waits: waits) else {
            throw unusable(what, "it answers that there is no such subject")
        }
        guard let number = try? answer.integer("id"), let id = Int32(exactly: number) else {
            throw unusable(what, "it has no `id`")
        }
        return id
    }

    // MARK: Answers

    private func read(
        _ answer: JSONValue, id: Int32, _ what: String, waits: Bool = true
    ) throws(ConnectorError) -> RegisteredSchema {
        var seen: Set<String> = []
        var references: [RegisteredSchema.Reference] = []
        try collect(answer, what, &seen, &references, waits: waits)
        guard let text = try? answer.string("schema") else { throw unusable(what, "it has no `schema`") }
        let word = (try? answer.string("schemaType")) ?? RegisteredSchema.Language.avro.rawValue
        guard let language = RegisteredSchema.Language(rawValue: word) else {
            throw unusable(what, "its `schemaType` is `\(word)`")
        }
        return RegisteredSchema(id: id, language: language, text: text, references: references)
    }

    /// Asks for what a schema refers to, and for what that refers to.
    private func collect(
        _ answer: JSONValue, _ what: String, _ seen: inout Set<String>,
        _ references: inout [RegisteredSchema.Reference], waits: Bool
    ) throws(ConnectorError) {
        for reference in (try? answer.array("references")) ?? [] {
            guard let name = try? reference.string("name"), let subject = try? reference.string("subject"),
                let version = try? reference.integer("version")
            else { throw unusable(what, "a reference has no `name`, `subject` or `version`") }
            guard seen.insert(name).inserted else { continue }
            if seen.count > Self.referenceCountMax { throw unusable(what, "it refers to too many schemas") }
            let referred = "version \(version) of `\(subject)`, which \(what) refers to"
            let path = "/subjects/\(Self.escaped(subject))/versions/\(version)"
            guard let found = try ask(path, referred, waits: waits), let text = try? found.string("schema") else {
                throw unusable(what, "it refers to version \(version) of `\(subject)`, which is not there")
            }
            try collect(found, referred, &seen, &references, waits: waits)
            references.append(RegisteredSchema.Reference(name: name, text: text))
        }
    }

    private func unusable(_ what: String, _ why: String) -> ConnectorError {
        ConnectorError(
            code: "registry-answer", "the schema registry at \(spec.url.value) has no use for \(what): \(why)",
            isRetriable: false)
    }

    /// A subject as a part of a path.
    private static func escaped(_ text: String) -> String { percentEncoded(text, plain: "-._~") }

    // MARK: Asking

    /// The answer as JSON; nil when there is none of what was asked for.
    private func ask(
        _ path: String, _ what: String, body: [UInt8]? = nil, waits: Bool = true
    ) throws(ConnectorError) -> JSONValue? {
        let request = HTTPRequest(url: spec.url.value + path, body: body, mediaType: Self.mediaType)
        var pauseMillis: Int64 = 100
        while true {
            let trouble: String
            switch Result(catching: { () throws(HTTPFailure) in try client.send(request) }) {
            case .success(let response) where !Self.isPassing(response.status):
                wasAnswered()
                return try accept(response, what)
            case .success(let response):
                trouble = "it answers \(response.status)\(Self.message(response).map { ": \($0)" } ?? "")"
            case .failure(let failure):
                guard failure.kind == .noAnswer else { throw refusal(failure, what) }
                trouble = failure.message
            }
            if !waits { throw unreachable(what, trouble, isRetriable: true) }
            try pause(after: trouble, what, millis: pauseMillis)
            pauseMillis = min(pauseMillis * 2, Self.pauseMillisMax)
        }
    }

    /// Whether an answer says that another may come later.
    private static func isPassing(_ status: Int) -> Bool { status >= 500 || status == 408 || status == 429 }

    private func accept(_ response: HTTPResponse, _ what: String) throws(ConnectorError) -> JSONValue? {
        let answer = try? JSONValue(report: response.body[...])
        switch response.status {
        case 200..<300:
            if case .object? = answer { return answer }
            let start = String(decoding: response.body.prefix(60), as: UTF8.self)
            throw unusable(what, "its answer is no JSON object but `\(start)`: is the URL that of a schema registry?")
        case 404:
            let code = answer.flatMap { try? $0.integer("error_code") } ?? 0
            if (40401...40403).contains(code) { return nil }
            throw unusable(what, "it answers 404 as no registry does: is the URL right?")
        case 401, 403:
            throw ConnectorError(
                code: "registry-denied",
                "the schema registry at \(spec.url.value) denies \(what) (\(response.status))"
                    + (Self.message(response).map { ": \($0)" } ?? "")
                    + (spec.user == nil ? ": set `user` and `password` under `registry`" : ": look at its login"),
                isRetriable: false)
        case 409:
            throw ConnectorError(
                code: "schema-incompatible",
                "\(what) of the schema registry at \(spec.url.value) does not take the schema of the output: "
                    + (Self.message(response) ?? "it is incompatible with an earlier one")
                    + ". Change `select`, or name another `subject`", isRetriable: false)
        default:
            throw unusable(what, "it answers \(response.status): \(Self.message(response) ?? "nothing more")")
        }
    }

    /// What an error's answer says.
    private static func message(_ response: HTTPResponse) -> String? {
        guard let answer = try? JSONValue(report: response.body[...]) else { return nil }
        return try? answer.string("message")
    }

    private func refusal(_ failure: HTTPFailure, _ what: String) -> ConnectorError {
        switch failure.kind {
        case .stopped: return .stopped
        case .certificate:
            let fix = spec.ca == nil ? "name whom to trust with `registry: { url, ca: FILE }`" : "look at `ca`"
            return unreachable(what, "\(failure.message): \(fix)")
        case .noAnswer, .refused: return unreachable(what, failure.message)
        }
    }

    private func unreachable(_ what: String, _ why: String, isRetriable: Bool = false) -> ConnectorError {
        ConnectorError(
            code: "registry-unreachable",
            "the schema registry at \(spec.url.value) cannot be asked for \(what): \(why)", isRetriable: isRetriable)
    }

    // MARK: Waiting

    private var waitText: String { "the schema registry at \(spec.url.value)" }

    private func wasAnswered() {
        if outage.isNoted { environment.waiting.note(self, nil) }
        if outage.end() {
            environment.log.info("The schema registry answers again", [.registry: .string(spec.url.value)])
        }
    }

    /// Waits a little.
    /// - Throws: `.stopped` when a stop was asked for; what the trouble is when the environment's patience is over.
    private func pause(after trouble: String, _ what: String, millis: Int64) throws(ConnectorError) {
        let clock = environment.clock
        let now = clock.monotonicNanos
        environment.waiting.note(self, waitText)
        if outage.note(sinceNanos: now, atNanos: now) {
            environment.log.warning(
                "The schema registry does not answer, the query waits",
                [.registry: .string(spec.url.value), .error: .string(trouble)])
        }
        if let patience = environment.patienceMillis, outage.millis(atNanos: now) > patience {
            throw unreachable(what, trouble + environment.gaveUp(afterMillis: patience))
        }
        var left = millis
        while left > 0 {
            if environment.shouldStop() { throw .stopped }
            clock.wait(untilNanos: clock.nanos(inMillis: min(left, 100)), wakeup: Wakeup())
            left -= 100
        }
    }
}

extension LogKey {
    static let registry = LogKey("sluice.registry")
}

// The client of schema registries against a server over real HTTP: what it asks, what it makes of the answers, and of a
// server that is away, slow, wrong or closed.

import Foundation
import KafkaTesting
import RegistryTesting
import SluiceConnectors
import SluiceSpec
import SluiceSystem
import Synchronization
import Testing

@Suite struct SchemaRegistryTests {
    /// What a query says and is told while it asks.
    private final class Around: Sendable {
        let isStopping = Mutex(false)
        let waiting = Waiting()
    }

    /// What a thread is told that asks.
    private final class Answer: Sendable {
        private let result = Mutex<Result<String?, ConnectorError>?>(nil)

        init(_ ask: @escaping () throws(ConnectorError) -> String?) {
            nonisolated(unsafe) let ask = ask
            Thread.detachNewThread { [self] in
                let answer = Result(catching: { () throws(ConnectorError) in try ask() })
                result.withLock { $0 = answer }
            }
        }

        func value() throws -> Result<String?, ConnectorError>? {
            try waitUntil("the answer") { result.withLock { $0 != nil } }
            return result.withLock { $0 }
        }
    }

    private func registry(
        _ url: String, user: String? = nil, password: String? = nil, ca: String? = nil, patience: Int64? = 20_000,
        around: Around = Around()
    ) -> SchemaRegistry {
        let place = SourcePosition(file: "test.yaml", line: 1, column: 1)
        let spec = RegistrySpec(
            url: Located(url, at: place), user: user, password: password.map { Secret($0) },
            ca: ca.map { Located($0, at: place) })
        return SchemaRegistry(
            spec,
            environment: ConnectorEnvironment(
                query: "q", group: "g", fileSystem: RealFileSystem(), clock: SystemClock(),
                log: Log(level: .error, format: .logfmt, clock: SystemClock()) { _ in },
                shouldStop: { around.isStopping.withLock { $0 } }, patienceMillis: patience, waiting: around.waiting))
    }

    private let userSchema = #"{"type":"record","name":"User","fields":[{"name":"id","type":"long"}]}"#

    /// The error of asking for schema 1.
    private func failure(_ registry: SchemaRegistry) -> ConnectorError? {
        do {
            _ = try registry.schema(id: 1)
            return nil
        } catch { return error }
    }

    @Test func `A schema is had by its number, and asked for once`() throws {
        let server = try TestRegistry()
        let id = try server.register(userSchema, subject: "users-value")
        _ = try server.takeLog()
        let client = registry(server.url)
        for _ in 0..<3 {
            let schema = try #require(try client.schema(id: Int32(id)))
            #expect(schema.text == userSchema && schema.language == .avro && schema.references.isEmpty)
        }
        #expect(try server.takeLog() == ["GET /schemas/ids/\(id)"])
        #expect(try client.schema(id: 99) == nil)
    }

    @Test func `The newest schema of a subject, whatever the subject is called`() throws {
        let server = try TestRegistry()
        try server.register(userSchema, subject: "a%20b%2Fc-value")
        let newer = userSchema.replacing("long", with: "string")
        let id = try server.register(newer, subject: "a%20b%2Fc-value")
        let client = registry(server.url)
        let latest = try #require(try client.latest(subject: "a b/c-value"))
        #expect(latest.id == Int32(id) && latest.text == newer)
        #expect(try client.latest(subject: "nobody") == nil)
    }

    @Test func `What a schema refers to comes with it, innermost first, each once`() throws {
        let server = try TestRegistry()
        try server.register(#"syntax = "proto3"; message C {}"#, as: "PROTOBUF", subject: "c")
        try server.register(
            #"import "c.proto"; message B {}"#, as: "PROTOBUF", subject: "b", references: [("c.proto", "c", 1)])
        let id = try server.register(
            #"import "b.proto"; import "c.proto"; message A {}"#, as: "PROTOBUF", subject: "a",
            references: [("b.proto", "b", 1), ("c.proto", "c", 1)])
        let schema = try #require(try registry(server.url).schema(id: Int32(id)))
        #expect(schema.language == .protobuf)
        #expect(schema.references.map(\.name) == ["c.proto", "b.proto"])
        let lost = try server.register("x", as: "JSON", subject: "d", references: [("e", "e", 1)])
        #expect(throws: ConnectorError.self) { try registry(server.url).schema(id: Int32(lost)) }
    }

    @Test func `Schemas that refer to each other end`() throws {
        let server = try TestRegistry()
        try server.register("a", as: "JSON", subject: "a", references: [("b", "b", 1)])
        try server.register("b", as: "JSON", subject: "b", references: [("a", "a", 1)])
        let schema = try #require(try registry(server.url).schema(id: 1))
        #expect(Set(schema.references.map(\.name)) == ["a", "b"])
    }

    @Test func `A schema is registered once, and one that does not fit is refused`() throws {
        let server = try TestRegistry()
        let client = registry(server.url)
        let id = try client.register(userSchema, as: .avro, subject: "out-value")
        #expect(try client.register(userSchema, as: .avro, subject: "out-value") == id)
        #expect(try client.latest(subject: "out-value")?.text == userSchema)
        try server.setMode("incompatible")
        do {
            _ = try client.register("\"string\"", as: .avro, subject: "out-value")
            Issue.record("taken")
        } catch {
            #expect(error.code == "schema-incompatible" && !error.isRetriable)
            #expect(error.message.contains("`out-value`") && error.message.contains("incompatible with an earlier"))
        }
        try server.setMode("ok")
        #expect(throws: ConnectorError.self) { try client.register("{", as: .avro, subject: "out-value") }
    }

    @Test(arguments: ["401", "403"])
    func `A registry that denies a schema ends the query with its name`(mode: String) throws {
        let server = try TestRegistry()
        try server.setMode(mode)
        let error = try #require(failure(registry(server.url)))
        #expect(error.code == "registry-denied" && !error.isRetriable)
        #expect(error.message.contains("schema 1") && error.message.contains("`user` and `password`"))
    }

    @Test(arguments: [
        ("html", "is the URL that of a schema registry?"), ("array", "is the URL that of a schema registry?"),
        ("404", "is the URL right?"), ("elsewhere", "refers to another server, http://127.0.0.1:1"),
        ("loop", "without end"),
    ])
    func `What is no registry is said so at once`(mode: String, words: String) throws {
        let server = try TestRegistry()
        try server.setMode(mode)
        let error = try #require(failure(registry(server.url)))
        #expect(!error.isRetriable && error.message.contains(words), "\(error)")
        #expect(error.message.contains(server.url))
    }

    @Test func `A redirect on the same server is followed`() throws {
        let server = try TestRegistry()
        try server.register(userSchema, subject: "users-value")
        try server.setMode("moved")
        #expect(try registry(server.url).schema(id: 1)?.text == userSchema)
    }

    @Test(arguments: ["500", "503", "429", "hang", "cut"])
    func `A registry in trouble is waited for`(mode: String) throws {
        let server = try TestRegistry()
        try server.register(userSchema, subject: "users-value")
        try server.setMode(mode)
        let around = Around()
        let client = registry(server.url, patience: nil, around: around)
        let answer = Answer { () throws(ConnectorError) in try client.schema(id: 1)?.text }
        if mode != "hang" {
            try waitUntil("the query to say that it waits") { around.waiting.text != nil }
            #expect(around.waiting.text == "the schema registry at \(server.url)")
        } else {
            try waitUntil("the question") { try server.takeLog().contains { $0.hasSuffix("ids/1") } }
        }
        try server.setMode("ok")
        #expect(try answer.value() == .success(userSchema))
        #expect(around.waiting.text == nil)
    }

    /// A run that has schemas to go on with is not to wait for those that the newest one refers to.
    @Test func `Who does not wait for the newest schema does not wait for what it refers to`() throws {
        let server = try TestRegistry()
        try server.register(#"syntax = "proto3"; message B {}"#, as: "PROTOBUF", subject: "b")
        try server.register(
            #"import "b.proto"; message A {}"#, as: "PROTOBUF", subject: "a", references: [("b.proto", "b", 1)])
        try server.setMode("numbers-500")
        do {
            _ = try registry(server.url, patience: 300).latest(subject: "a", waits: false)
            Issue.record("had")
        } catch { #expect(error.isRetriable && !error.message.contains("gave up"), "\(error)") }
    }

    @Test func `A registry that is away is waited for until it is back`() throws {
        let first = try TestRegistry()
        let around = Around()
        let client = registry(first.url, patience: nil, around: around)
        try first.kill()
        let answer = Answer { () throws(ConnectorError) in try client.schema(id: 1)?.text }
        try waitUntil("the query to say that it waits") { around.waiting.text != nil }
        let second = try TestRegistry(port: first.port)
        // Without the schema it answers that there is none, with it that there is: either way it has answered.
        try second.register(userSchema, subject: "users-value")
        let text = try answer.value()
        #expect(text == .success(nil) || text == .success(userSchema))
        #expect(around.waiting.text == nil)
    }

    @Test(arguments: ["500", "hang"])
    func `Waiting ends when the query is stopped`(mode: String) throws {
        let server = try TestRegistry()
        try server.setMode(mode)
        let around = Around()
        let client = registry(server.url, patience: nil, around: around)
        let answer = Answer { () throws(ConnectorError) in try client.schema(id: 1)?.text }
        try waitUntil("the question") { try server.takeLog().contains { $0.hasSuffix("ids/1") } }
        around.isStopping.withLock { $0 = true }
        #expect(try answer.value() == .failure(.stopped))
    }

    @Test func `Patience has an end where the query ends by itself`() throws {
        let server = try TestRegistry()
        try server.kill()
        let error = try #require(failure(registry(server.url, patience: 300)))
        #expect(error.code == "registry-unreachable" && error.message.contains("gave up"))
    }

    @Test func `A login is sent, and a wrong one is refused`() throws {
        let server = try TestRegistry(login: "ada:se:cret")
        #expect(try registry(server.url, user: "ada", password: "se:cret").schema(id: 1) == nil)
        let error = try #require(failure(registry(server.url, user: "ada", password: "wrong")))
        #expect(error.code == "registry-denied" && error.message.contains("look at its login"))
        #expect(!error.message.contains("wrong"))
    }

    @Test func `TLS with a certificate of one's own, and without it`() throws {
        let folder = NSTemporaryDirectory() + "sluice-registry-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let certificate = try TestRegistry.Certificate(in: folder)
        let server = try TestRegistry(certificate: certificate)
        #expect(try registry(server.url, ca: certificate.certificate).schema(id: 1) == nil)
        let error = try #require(failure(registry(server.url)))
        #expect(!error.isRetriable && error.message.contains("ertificate"), "\(error)")
        #expect(failure(registry(server.url, ca: folder + "/none.pem")) != nil)
    }
}

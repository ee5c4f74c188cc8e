// Which schemas a source hands on with its records, over time.

import RegistryTesting
import SluiceEngine
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Synchronization
import SystemTesting
import Testing

@testable import SluiceConnectors

@Suite struct RecordSchemasTests {
    private static let place = SourcePosition(file: "test.yaml", line: 1, column: 1)

    private func schemas(
        _ url: String, _ clock: any Clock, kept: (any KeptValues)? = nil, log: Log = LogLines().log
    ) throws -> RecordSchemas {
        let registry = RegistrySpec(url: Located(url, at: Self.place))
        let topics = KafkaTopics(.one("numbers"))
        let source = SourceSpec(
            name: Located("numbers", at: Self.place),
            connector: KafkaSourceSpec(position: Self.place, brokers: Located("b", at: Self.place), topics: topics),
            format: .avro(AvroOptions(schema: nil, framing: .confluent, registry: registry)),
            columns: [
                ColumnSpec(name: "n", type: .long, origin: .field(FieldPath(name: "n")), position: Self.place)
            ], eventTime: nil, watermark: nil, filter: nil, timeZone: Located("UTC", at: Self.place),
            badRows: Located(.null, at: Self.place))
        let environment = ConnectorEnvironment(
            query: "q", group: "g", fileSystem: RealFileSystem(), kept: kept, clock: clock, log: log)
        return try #require(RecordSchemas(source, in: environment))
    }

    /// A checkpoint in memory.
    private final class Kept: KeptValues {
        private let values = Mutex<[String: JSONValue]>([:])
        func value(_ name: String) -> JSONValue? { values.withLock { $0[name] } }
        func keep(_ value: JSONValue, as name: String) { values.withLock { $0[name] = value } }
    }

    private let schema = #"{"type":"record","name":"R","fields":[{"name":"n","type":"long"}]}"#

    /// A record may be read before its registry tells everybody of the schema: it is bad, those that follow are not.
    @Test func `A number that nobody knows is asked for again, not at once`() throws {
        let server = try TestRegistry()
        try server.register(schema, subject: "numbers-value")
        let clock = SimulatedClock()
        let schemas = try schemas(server.url, clock)
        #expect(try schemas.schemas([1, 2], topic: "numbers").map(\.id) == [1])
        try server.register(schema.replacing("long", with: "int"), subject: "numbers-value")
        _ = try server.takeLog()
        #expect(try schemas.schemas([1, 2], topic: "numbers").map(\.id) == [1])
        #expect(try server.takeLog().isEmpty)
        clock.advance(byMillis: 1000)
        let found = try schemas.schemas([1, 2], topic: "numbers")
        #expect(found.map(\.id) == [1, 2])
        // What was the newest at the start stays what records are read as.
        #expect(found.allSatisfy { $0.reader == SchemaText(Array(schema.utf8)) })
        #expect(try server.takeLog() == ["GET /schemas/ids/2"])
    }

    @Test func `A schema of another language is none`() throws {
        let server = try TestRegistry()
        try server.register(schema, subject: "numbers-value")
        try server.register("message M {}", as: "PROTOBUF", subject: "other")
        #expect(try schemas(server.url, SimulatedClock()).schemas([2], topic: "numbers").isEmpty)
    }

    @Test func `A restart asks for nothing that the checkpoint has but the newest, and does without that`() throws {
        let server = try TestRegistry()
        let kept = Kept()
        try server.register(schema, subject: "numbers-value")
        let before = try schemas(server.url, SimulatedClock(), kept: kept)
        try before.open("numbers")
        let found = try before.schemas([1], topic: "numbers")
        #expect(before.marks == ["numbers-value": "1"])

        _ = try server.takeLog()
        let restarted = try schemas(server.url, SimulatedClock(), kept: kept)
        restarted.resume(before.marks)
        try restarted.open("numbers")
        #expect(try restarted.schemas([1], topic: "numbers") == found)
        #expect(try server.takeLog() == ["GET /subjects/numbers-value/versions/latest"])

        try server.setMode("500")
        let lines = LogLines()
        let alone = try schemas(server.url, SimulatedClock(), kept: kept, log: lines.log)
        alone.resume(before.marks)
        try alone.open("numbers")
        #expect(try alone.schemas([1], topic: "numbers") == found)
        #expect(try server.takeLog() == ["GET /subjects/numbers-value/versions/latest"])
        #expect(lines.all.contains { $0.contains("goes on with the schemas it has") }, "\(lines.all)")
    }

    /// A batch that runs again gives the rows it gave before, whatever was registered in between.
    @Test func `Until the first look values are read as the offset log says`() throws {
        let server = try TestRegistry()
        let kept = Kept()
        try server.register(schema, subject: "numbers-value")
        let before = try schemas(server.url, SimulatedClock(), kept: kept)
        try before.open("numbers")
        let newer = schema.replacing("}]", with: #"},{"name":"m","type":"long","default":7}]"#)
        try server.register(newer, subject: "numbers-value")

        let restarted = try schemas(server.url, SimulatedClock(), kept: kept)
        restarted.resume(before.marks)
        #expect(try restarted.schemas([1], topic: "numbers").map(\.reader) == [SchemaText(Array(schema.utf8))])
        try restarted.open("numbers")
        #expect(try restarted.schemas([1], topic: "numbers").map(\.reader) == [SchemaText(Array(newer.utf8))])
        #expect(restarted.marks == ["numbers-value": "2"])
    }

    /// Files of schemas are never waited for, so a machine that loses power may lose them, and not the offset log.
    @Test func `A schema that the offset log names and the checkpoint has lost is asked for by its number`() throws {
        let server = try TestRegistry()
        try server.register(schema, subject: "numbers-value")
        let newer = schema.replacing("}]", with: #"},{"name":"m","type":"long","default":7}]"#)
        try server.register(newer, subject: "numbers-value")
        _ = try server.takeLog()
        let restarted = try schemas(server.url, SimulatedClock(), kept: Kept())
        restarted.resume(["numbers-value": "1"])
        #expect(try restarted.schemas([2], topic: "numbers").map(\.reader) == [SchemaText(Array(schema.utf8))])
        #expect(restarted.marks == ["numbers-value": "1"])
        try restarted.open("numbers")
        #expect(restarted.marks == ["numbers-value": "2"])
        #expect(
            try server.takeLog() == [
                "GET /schemas/ids/1", "GET /schemas/ids/2", "GET /subjects/numbers-value/versions/latest",
            ])
    }

    @Test func `What another registry has under a number is not taken from the checkpoint`() throws {
        let (first, second) = (try TestRegistry(), try TestRegistry())
        let kept = Kept()
        try first.register(schema, subject: "numbers-value")
        // The number 1 is another subject's.
        let strange = schema.replacing("}]", with: #"},{"name":"m","type":"string"}]"#)
        try second.register(strange, subject: "others-value")
        let other = schema.replacing("long", with: "int")
        try second.register(other, subject: "numbers-value")
        let before = try schemas(first.url, SimulatedClock(), kept: kept)
        try before.open("numbers")
        let moved = try schemas(second.url, SimulatedClock(), kept: kept)
        moved.resume(before.marks)
        let found = try moved.schemas([2], topic: "numbers")
        #expect(found.map(\.writer) == [SchemaText(Array(other.utf8))])
        #expect(found.map(\.reader) == [SchemaText(Array(other.utf8))])
    }
}

// Which schemas a source hands on with its records, over time.

import RegistryTesting
import SluiceEngine
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceConnectors

@Suite struct RecordSchemasTests {
    private static let place = SourcePosition(file: "test.yaml", line: 1, column: 1)

    private func schemas(_ url: String, _ clock: any Clock) throws -> RecordSchemas {
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
            query: "q", group: "g", fileSystem: RealFileSystem(), clock: clock, log: LogLines().log)
        return try #require(RecordSchemas(source, in: environment))
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
}

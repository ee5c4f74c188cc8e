// The schema of a sink's values: registered when the query starts, so that what its subject does not take is known
// before a row is read, and known by its number from then on.

internal import SluiceSpec
internal import SluiceSystem

/// What one sink asks of a registry, once a run.
final class SinkSchema: Sendable {
    private let sink: String
    private let spec: RegistrySpec
    private let text: String
    private let subject: String
    private let environment: ConnectorEnvironment

    /// nil where values name no schema.
    init?(_ sink: SinkSpec, _ schema: SchemaText?, topic: String, in environment: ConnectorEnvironment) {
        guard case .avro(let output) = sink.format, let spec = output.registry, let schema else { return nil }
        self.sink = sink.name.value
        self.spec = spec
        self.environment = environment
        text = String(decoding: schema.text, as: UTF8.self)
        subject = spec.subject(ofTopic: topic)
    }

    /// The schema's number. A registry that is away is waited for, but where the checkpoint knows what it said before.
    ///
    /// - Throws: `schema-incompatible` where the subject does not take the schema; as the registry does.
    func number() throws(ConnectorError) -> UInt32 {
        let registry = SchemaRegistry(spec, environment: environment)
        let before = kept
        let number: Int32
        do throws(ConnectorError) {
            number = try registry.register(text, as: .avro, subject: subject, waits: before == nil)
        } catch {
            guard let before, error.isRetriable else { throw error }
            environment.log.warning(
                "The schema registry does not answer, the query goes on with the schema it has registered",
                [
                    .registry: .string(spec.url.value), .schema: .integer(Int64(before)),
                    .error: .string(error.message),
                ])
            number = before
        }
        guard let id = UInt32(exactly: number) else {
            throw ConnectorError(
                code: "registry-answer", "the schema registry at \(spec.url.value) gives a schema the number \(number)",
                isRetriable: false)
        }
        if before != number { keep(number) }
        return id
    }

    // MARK: The checkpoint

    private var name: String { "\(sink)-sink" }

    private var origin: [JSONMember] {
        [
            JSONMember("sink", .string(sink)), JSONMember("registry", .string(spec.url.value)),
            JSONMember("subject", .string(subject)), JSONMember("schema", .string(text)),
        ]
    }

    private var kept: Int32? {
        guard let value = environment.kept?.value(name), origin.allSatisfy({ value[$0.name] == $0.value }),
            let number = try? value.integer("id")
        else { return nil }
        return Int32(exactly: number)
    }

    private func keep(_ number: Int32) {
        environment.kept?.keep(.object(origin + [JSONMember("id", .integer(Int64(number)))]), as: name)
    }
}

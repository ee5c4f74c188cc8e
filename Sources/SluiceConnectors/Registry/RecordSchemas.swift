// The schemas that the values of a topic name by number, as a source hands them to the engine: asked for by the query's
// thread when a value first names one, each once in a process. What values are read as is the newest schema of their
// topic's subject at the start of a run.

internal import SluiceEngine
internal import SluiceSpec
internal import SluiceSystem

/// The schemas of one source's records. Used by the query's thread.
final class RecordSchemas {
    private let registry: SchemaRegistry
    private let spec: RegistrySpec
    private let source: SourceSpec
    private let language: RegisteredSchema.Language
    /// By number and subject.
    private var known: [Key: RecordSchema] = [:]
    /// Numbers of which there is no schema of the source's language, and until when that is believed: a registry may hear of a schema
    /// after the first record that names it.
    private var missing: [UInt32: UInt64] = [:]
    private let clock: any Clock
    private static let missingMillis: Int64 = 1000
    /// By subject.
    private var readers: [String: SchemaText] = [:]

    private struct Key: Hashable {
        var id: UInt32
        var subject: String
    }

    init?(_ source: SourceSpec, in environment: ConnectorEnvironment) {
        switch source.format {
        case .avro(let options):
            guard let spec = options.registry else { return nil }
            (self.spec, language) = (spec, .avro)
        case .protobuf(let options):
            guard let spec = options.registry else { return nil }
            (self.spec, language) = (spec, .protobuf)
        case .json, .csv: return nil
        }
        self.source = source
        clock = environment.clock
        registry = SchemaRegistry(spec, environment: environment)
    }

    private func subject(_ topic: String) -> String { spec.subject?.value ?? "\(topic)-value" }

    /// Sees to it that what the values of a topic are read as is known, and has the source's columns.
    /// - Throws: when it has not; as the registry does.
    func open(_ topic: String) throws(ConnectorError) { _ = try reader(subject(topic)) }

    private func reader(_ subject: String) throws(ConnectorError) -> SchemaText {
        if let reader = readers[subject] { return reader }
        let place = "the schema registry at \(spec.url.value)"
        guard let reader = try registry.latest(subject: subject) else {
            throw ConnectorError(
                code: "registry-no-subject",
                "\(place) has no subject `\(subject)`: name the one that has the schema with "
                    + "`registry: { url, subject }`", isRetriable: false)
        }
        guard reader.language == language else {
            throw ConnectorError(
                code: "registry-answer",
                "the subject `\(subject)` of \(place) has a schema of \(reader.language.rawValue), and the source "
                    + "reads \(language == .avro ? "Avro" : "Protobuf")", isRetriable: false)
        }
        try check(reader, "schema \(reader.id) of the subject `\(subject)`")
        readers[subject] = reader.written
        return reader.written
    }

    /// - Throws: when a column cannot be read with the schema.
    private func check(_ schema: RegisteredSchema, _ what: String) throws(ConnectorError) {
        func failure(_ message: String, _ fix: String?) -> ConnectorError {
            ConnectorError(code: "schema-column", message + (fix.map { ": \($0)" } ?? ""), isRetriable: false)
        }
        if case .protobuf(let options) = source.format {
            do throws(ProtobufProblem) {
                try options.check(schema.written, source.columns, each: source.each)
            } catch { throw failure("\(what): \(error.message)", error.fix) }
            return
        }
        let parsed: AvroSchema
        do throws(AvroSchemaProblem) {
            parsed = try AvroSchema(schema.written)
        } catch { throw failure("\(what) cannot be read: \(error.sentence)", error.fix) }
        guard let problem = AvroResolution(writer: parsed).problems(of: source.columns, each: source.each).first else {
            return
        }
        throw failure("`\(problem.column.name)` cannot be read with \(what): \(problem.message)", problem.fix)
    }

    /// The schemas of these numbers for records of a topic. Those that there are not are left out.
    func schemas(_ ids: [UInt32], topic: String) throws(ConnectorError) -> [RecordSchema] {
        let subject = subject(topic)
        let reader = try reader(subject)
        var schemas: [RecordSchema] = []
        for id in ids {
            let key = Key(id: id, subject: subject)
            let schema: RecordSchema?
            if let found = known[key] { schema = found } else { schema = try made(id, reader) }
            known[key] = schema
            if let schema { schemas.append(schema) }
        }
        return schemas
    }

    /// nil for one that the registry has not, or that is of another language.
    private func made(_ id: UInt32, _ reader: SchemaText) throws(ConnectorError) -> RecordSchema? {
        if let until = missing[id], clock.monotonicNanos < until { return nil }
        guard let number = Int32(exactly: id), let schema = try registry.schema(id: number), schema.language == language
        else {
            missing[id] = clock.nanos(inMillis: Self.missingMillis)
            return nil
        }
        missing[id] = nil
        return RecordSchema(id: id, writer: schema.written, reader: reader)
    }
}

extension RegisteredSchema {
    fileprivate var written: SchemaText {
        SchemaText(
            Array(text.utf8), references: references.map { Array($0.text.utf8) },
            referenceNames: references.map(\.name))
    }
}

// The schemas that the values of a topic name by number, as a source hands them to the engine: asked for by the query's
// thread when a value first names one, and kept in the checkpoint from then on. What values are read as is the newest
// schema of their topic's subject at the start of a run:
//
//     batch in hand at the start    reads by those that the offset log has beside its ranges
//     first look                    asks for the newest; where the registry is away, goes on with those of the log

internal import SluiceEngine
package import SluiceSpec
internal import SluiceSystem

/// The schemas of one source's records. Used by the query's thread.
final class RecordSchemas {
    private let registry: SchemaRegistry
    private let spec: RegistrySpec
    private let source: SourceSpec
    private let language: RegisteredSchema.Language
    /// By number and subject.
    private var known: [Key: RecordSchema] = [:]
    /// Numbers of which there is no schema of the source's language, and until when that is believed: a registry may
    /// hear of a schema after the first record that names it.
    private var missing: [UInt32: UInt64] = [:]
    private let clock: any Clock
    private static let missingMillis: Int64 = 1000
    private let kept: (any KeptValues)?
    private let log: Log
    /// By subject, what values are read as.
    private var readers: [String: RegisteredSchema] = [:]
    /// By subject, what the batch in hand reads by and the checkpoint has lost.
    private var lost: [String: Int32] = [:]
    /// Subjects that were asked about in this run.
    private var looked: Set<String> = []

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
        kept = environment.kept
        log = environment.log
        registry = SchemaRegistry(spec, environment: environment)
    }

    // MARK: What values are read as

    /// By subject, the numbers of the schemas that values are read as: for the offset log.
    var marks: [String: String] { readers.mapValues { "\($0.id)" } }

    /// Goes on with what the newest entry of the offset log has.
    func resume(_ marks: [String: String]) {
        for (subject, number) in marks {
            guard let id = Int32(number) else { continue }
            if let schema = kept(id) {
                take(schema, subject)
            } else if kept?.value(name(id)) == nil {
                // One that is there is another registry's, whose numbers mean nothing here.
                lost[subject] = id
            }
        }
    }

    private func take(_ schema: RegisteredSchema, _ subject: String) {
        // Another spec may have other columns by now.
        if (try? check(schema, "")) != nil { readers[subject] = schema }
    }

    /// Sees to it that what the values of a topic are read as in this run is known, and has the source's columns.
    /// - Throws: when it has not; as the registry does.
    func open(_ topic: String) throws(ConnectorError) {
        let subject = spec.subject(ofTopic: topic)
        guard looked.insert(subject).inserted else { return }
        do throws(ConnectorError) {
            readers[subject] = try newest(subject, waits: readers[subject] == nil)
        } catch {
            guard let reader = readers[subject], error.isRetriable else {
                looked.remove(subject)
                throw error
            }
            log.warning(
                "The schema registry does not answer, the query goes on with the schemas it has",
                [
                    .registry: .string(spec.url.value), .schema: .integer(Int64(reader.id)),
                    .error: .string(error.message),
                ])
        }
        // Values are read anew by what was found.
        known = known.filter { $0.key.subject != subject }
    }

    private func reader(_ subject: String) throws(ConnectorError) -> RegisteredSchema {
        // Schemas are not waited for when they are kept, so a crash may take one that the offset log names.
        if readers[subject] == nil, let id = lost[subject] {
            if let schema = try schema(id) { take(schema, subject) }
            lost[subject] = nil
        }
        if let reader = readers[subject] { return reader }
        let reader = try newest(subject, waits: true)
        readers[subject] = reader
        return reader
    }

    private func newest(_ subject: String, waits: Bool) throws(ConnectorError) -> RegisteredSchema {
        let place = "the schema registry at \(spec.url.value)"
        guard let reader = try registry.latest(subject: subject, waits: waits) else {
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
        try check(reader, "the newest schema of the subject `\(subject)` (id \(reader.id))")
        keep(reader)
        return reader
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

    // MARK: What values were written by

    /// The schemas of these numbers for records of a topic. Those that there are not are left out.
    func schemas(_ ids: [UInt32], topic: String) throws(ConnectorError) -> [RecordSchema] {
        let subject = spec.subject(ofTopic: topic)
        let reader = try reader(subject)
        var schemas: [RecordSchema] = []
        for id in ids {
            let key = Key(id: id, subject: subject)
            let schema: RecordSchema?
            if let found = known[key] { schema = found } else { schema = try made(id, reader.written) }
            known[key] = schema
            if let schema { schemas.append(schema) }
        }
        return schemas
    }

    /// nil for one that the registry has not, or that is of another language.
    private func made(_ id: UInt32, _ reader: SchemaText) throws(ConnectorError) -> RecordSchema? {
        if let until = missing[id], clock.monotonicNanos < until { return nil }
        guard let number = Int32(exactly: id), let schema = try schema(number), schema.language == language else {
            missing[id] = clock.nanos(inMillis: Self.missingMillis)
            return nil
        }
        missing[id] = nil
        return RecordSchema(id: id, writer: schema.written, reader: reader)
    }

    // MARK: The checkpoint

    private func schema(_ id: Int32) throws(ConnectorError) -> RegisteredSchema? {
        if let schema = kept(id) { return schema }
        guard let schema = try registry.schema(id: id) else { return nil }
        keep(schema)
        return schema
    }

    private func name(_ id: Int32) -> String { "\(source.name.value)-\(id)" }

    /// nil where there is none of the source's registry.
    private func kept(_ id: Int32) -> RegisteredSchema? {
        guard let value = kept?.value(name(id)), value["registry"] == .string(spec.url.value) else { return nil }
        return RegisteredSchema(json: value, id: id)
    }

    private func keep(_ schema: RegisteredSchema) {
        guard let kept, self.kept(schema.id) != schema else { return }
        let origin = [
            JSONMember("source", .string(source.name.value)), JSONMember("registry", .string(spec.url.value)),
        ]
        kept.keep(.object(origin + schema.members), as: name(schema.id))
    }
}

extension LogKey {
    static let schema = LogKey("sluice.schema_id")
}

extension RegisteredSchema {
    /// With those that it refers to.
    package var written: SchemaText {
        SchemaText(
            Array(text.utf8), references: references.map { Array($0.text.utf8) },
            referenceNames: references.map(\.name))
    }

    /// As the checkpoint has it, in the registry's words.
    fileprivate var members: [JSONMember] {
        [
            JSONMember("id", .integer(Int64(id))), JSONMember("schemaType", .string(language.rawValue)),
            JSONMember("schema", .string(text)),
            JSONMember(
                "references",
                .array(references.map { .object(["name": .string($0.name), "schema": .string($0.text)]) })),
        ]
    }

    /// nil where it is not the schema of that number.
    fileprivate init?(json: JSONValue, id: Int32) {
        do throws(JSONError) {
            guard try json.integer("id") == id, let language = Language(rawValue: try json.string("schemaType")) else {
                return nil
            }
            var references: [Reference] = []
            for reference in try json.array("references") {
                references.append(
                    Reference(name: try reference.string("name"), text: try reference.string("schema")))
            }
            self.init(id: id, language: language, text: try json.string("schema"), references: references)
        } catch { return nil }
    }
}

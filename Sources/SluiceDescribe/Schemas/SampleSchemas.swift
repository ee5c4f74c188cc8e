// Where the schemas of a sample's records are from: a file that somebody names, or a registry. Container files have
// theirs with them.

package import SluiceConnectors
internal import SluiceEngine
package import SluiceSpec
internal import SluiceSystem

/// What a person says of schemas.
package enum SchemaSource: Hashable, Sendable {
    case none
    /// A schema of Avro, a `.proto` or a set of descriptors; with the message that records are.
    case file(String, message: String?)
    case registry(RegistryAddress)
}

/// A registry as it is typed.
package struct RegistryAddress: Hashable, Sendable {
    package var url: String
    package var subject: String?
    package var user: String?
    package var passwordFile: String?
    package var ca: String?

    package init(
        url: String, subject: String? = nil, user: String? = nil, passwordFile: String? = nil, ca: String? = nil
    ) {
        self.url = url
        self.subject = subject
        self.user = user
        self.passwordFile = passwordFile
        self.ca = ca
    }

    /// As a spec writes it.
    var value: JSONValue {
        let plain: [(String, String?)] = [("url", url), ("subject", subject), ("user", user), ("ca", ca)]
        var members = plain.compactMap { name, text in
            text.map { JSONMember(name, .string(escapingReferences($0))) }
        }
        if let passwordFile { members.append(JSONMember("password", .string("${file:\(passwordFile)}"))) }
        return members.count == 1 ? .string(escapingReferences(url)) : .object(members)
    }
}

/// A schema that columns can be made of.
package enum RecordLanguage: Sendable {
    case avro(AvroSchema)
    case protobuf(ProtobufSchema)
    /// JSON Schema, which is not looked at: records say themselves what they hold.
    case json
}

/// What is known of the schemas of a sample.
package struct SampleSchemas: Sendable {
    package enum Origin: Sendable {
        case none
        case file(path: String, key: String, message: String?)
        case registry(RegistryAddress, RegistrySample)
    }

    package var origin: Origin
    /// What records are read as; nil where nothing is known.
    package var language: RecordLanguage?

    package static let none = SampleSchemas(origin: .none)

    package init(origin: Origin, language: RecordLanguage? = nil) {
        self.origin = origin
        self.language = language
    }

    /// Those that records may name by number.
    var named: [RecordSchema] { if case .registry(_, let sample) = origin { sample.schemas } else { [] } }

    /// The format of JSON behind the number of a schema; nil for any other.
    var jsonFraming: JSONValue? {
        guard case .registry(let address, _) = origin, case .json? = language else { return nil }
        return .object(["json": .object(["registry": address.value])])
    }
}

// MARK: - Reading

extension SampleSchemas {
    /// For files.
    /// - Throws: that a schema is none, or that a registry is of no use for files.
    package init(_ source: SchemaSource, _ reader: SampleReader) throws(ConnectorError) {
        switch source {
        case .none: self = .none
        case .file(let path, let message): self = try Self.file(path, message: message, reader)
        case .registry:
            throw Self.failure("a registry has the schemas of topics, and files are none: leave out `--registry`")
        }
    }

    /// For a topic.
    /// - Throws: that a schema is none; what a query that begins would end with.
    init(
        _ source: SchemaSource, topic: String, values: [[UInt8]], _ reader: SampleReader, _ files: any FileSystem,
        _ clock: any Clock
    ) throws(ConnectorError) {
        guard case .registry(let address) = source else {
            self = try SampleSchemas(source, reader)
            return
        }
        let spec = try reader.registry(address)
        let sample = try RegistrySample(spec, topic: topic, values: values, fileSystem: files, clock: clock)
        let what = "the newest schema of the subject `\(sample.subject)` (id \(sample.newest.id))"
        self.init(
            origin: .registry(address, sample),
            language: try Self.language(sample.newest, what: what))
    }

    private static func language(
        _ schema: RegisteredSchema, what: String
    ) throws(ConnectorError) -> RecordLanguage {
        switch schema.language {
        case .json: .json
        case .avro: .avro(try avro(schema.written, what))
        case .protobuf:
            try protobuf(what) { () throws(ProtobufProblem) in try ProtobufSchema(schema.written) }
        }
    }

    private static func file(
        _ path: String, message: String?, _ reader: SampleReader
    ) throws(ConnectorError) -> SampleSchemas {
        let content = try read(path, reader)
        if path.hasSuffix(".proto") {
            let name = path.split(separator: "/").last.map(String.init) ?? path
            let schema = try protobuf(path) { () throws(ProtobufProblem) in
                try ProtobufSchema(proto: content, name: name) { imported in
                    try? read(resolvePath(imported, besideFile: path), reader)
                }
            }
            return SampleSchemas(
                origin: .file(path: path, key: "proto", message: message), language: schema)
        }
        if let first = content.first(where: { !($0 == 0x20 || (9...13).contains($0)) }), "{[\"".utf8.contains(first) {
            return SampleSchemas(
                origin: .file(path: path, key: "schema", message: nil),
                language: .avro(try avro(SchemaText(content), path)))
        }
        let schema = try protobuf(path) { () throws(ProtobufProblem) in try ProtobufSchema(descriptors: content) }
        return SampleSchemas(
            origin: .file(path: path, key: "descriptor", message: message), language: schema)
    }

    private static func read(_ path: String, _ reader: SampleReader) throws(ConnectorError) -> [UInt8] {
        switch reader.readFile(path) {
        case .success(let content): return content
        case .failure(let failure): throw Self.failure("the schema \(path) cannot be read: \(failure.reason)")
        }
    }

    private static func avro(_ text: SchemaText, _ what: String) throws(ConnectorError) -> AvroSchema {
        do throws(AvroSchemaProblem) { return try AvroSchema(text) } catch {
            throw failure("\(what) cannot be read: \(error.sentence)" + (error.fix.map { ": \($0)" } ?? ""))
        }
    }

    private static func protobuf(
        _ what: String, _ make: () throws(ProtobufProblem) -> ProtobufSchema
    ) throws(ConnectorError) -> RecordLanguage {
        do throws(ProtobufProblem) { return .protobuf(try make()) } catch {
            throw failure("\(what) cannot be read: \(error.message)" + (error.fix.map { ": \($0)" } ?? ""))
        }
    }

    private static func failure(_ message: String) -> ConnectorError {
        ConnectorError(code: "schema", message, isRetriable: false)
    }
}

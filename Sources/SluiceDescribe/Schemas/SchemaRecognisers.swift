// Records whose schema is known: names and types of columns are the schema's, the sample says which of them are times.

internal import SluiceConnectors
internal import SluiceEngine
internal import SluicePlan
internal import SluiceSpec

extension Recogniser {
    static let avro = Recogniser(format: "avro") { (sample, reader) throws(DescribeError) in
        let containers = sample.parts.filter { if case .container = $0.content { true } else { false } }
        if !containers.isEmpty { return try sample.recognisedContainers(reader, count: containers.count) }
        guard case .avro(let schema)? = sample.schemas.language else { return nil }
        guard sample.isFramed else {
            throw DescribeError("\(sample.target.shown) is no container file of Avro, so `--schema` says nothing of it")
        }
        var found = SchemaColumns(sample, SchemaShape(schema), format: sample.schemas.format("avro"))
        found.notes = sample.schemas.notes + found.notes
        return try found.recognised(sample.lines(), reader)
    }

    static let protobuf = Recogniser(format: "protobuf") { (sample, reader) throws(DescribeError) in
        guard case .protobuf(let schema)? = sample.schemas.language else { return nil }
        guard sample.isFramed else {
            throw DescribeError(
                "records of Protobuf are read from topics, and \(sample.target.shown) is a file: its messages do not "
                    + "say where they end")
        }
        let records = sample.lines()
        let message = try sample.schemas.message(of: records, schema)
        var format = sample.schemas.format("protobuf")
        if message.isToBeNamed { format.append(JSONMember("message", .string(schema[message.index].fullName))) }
        var found = SchemaColumns(sample, SchemaShape(schema, message: message.index), format: format)
        found.notes = sample.schemas.notes + message.notes + found.notes
        return try found.recognised(records, reader)
    }
}

// MARK: - What the schema is

extension SampleSchemas {
    /// The entries of a format.
    fileprivate func format(_ word: String) -> SchemaFormat {
        switch origin {
        case .none: SchemaFormat(word: word, members: [])
        case .file(let path, let key, _):
            SchemaFormat(word: word, members: [JSONMember(key, .string(escapingReferences(path)))])
        case .registry(let address, _):
            SchemaFormat(word: word, members: [JSONMember("registry", address.value)])
        }
    }

    fileprivate var notes: [String] {
        guard case .registry(_, let sample) = origin else { return [] }
        let written = sample.schemas.map { "\($0.id)" }
        let others =
            written == ["\(sample.newest.id)"] || written.isEmpty ? "" : "; the records name the ids \(list(written))"
        return [
            "columns are those of the newest schema of the subject \(shown(sample.subject)) (id \(sample.newest.id))"
                + others
        ]
    }

    private func list(_ words: [String]) -> String {
        words.prefix(10).joined(separator: ", ") + (words.count > 10 ? " and \(words.count - 10) more" : "")
    }

    /// The message that records are.
    fileprivate struct Message {
        var index: Int
        /// Whether a spec has to say it.
        var isToBeNamed = false
        var notes: [String] = []
    }

    /// - Throws: where nothing says which message records are.
    fileprivate func message(of records: [RawRecord], _ schema: ProtobufSchema) throws(DescribeError) -> Message {
        do throws(ProtobufProblem) {
            guard case .registry(_, let sample) = origin else {
                guard case .file(_, _, let name?) = origin else { return Message(index: try schema.onlyMessage()) }
                return Message(index: try schema.message(named: name), isToBeNamed: schema.topMessages.count > 1)
            }
            let names = named(in: records, sample.schemas)
            guard let most = names.first else {
                throw ProtobufProblem(
                    message: "the records name no message of the subject \(sample.subject), whose schema is one of "
                        + "Protobuf", fix: "name the subject that has the schema with --subject")
            }
            var message = Message(index: try schema.message(named: most.name))
            if names.count > 1 {
                message.isToBeNamed = true
                let all = names.map { "\(grouped($0.count)) of \(shown($0.name))" }.joined(separator: ", ")
                message.notes = [
                    "records are of more than one message: \(all); the others are bad records to this source"
                ]
            }
            return message
        } catch {
            throw DescribeError(
                error.message + (error.fix.map { ": \($0.replacing("`message`", with: "`--message`"))" } ?? ""))
        }
    }

    /// The messages that records name, the most frequent first.
    private func named(in records: [RawRecord], _ schemas: [RecordSchema]) -> [(name: String, count: Int)] {
        let known = Dictionary(
            schemas.compactMap { schema in (try? ProtobufSchema(schema.writer)).map { (schema.id, $0) } },
            uniquingKeysWith: { first, _ in first })
        var counts: [String: Int] = [:]
        for record in records {
            let found = unsafe record.bytes.withUnsafeBytes { bytes in
                unsafe ConfluentFraming.schemaNumber(bytes).flatMap { known[$0] }.flatMap { schema in
                    unsafe ConfluentFraming.message(bytes).flatMap { schema.message(at: $0.places) }.map {
                        schema[$0].fullName
                    }
                }
            }
            if let found { counts[found, default: 0] += 1 }
        }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, $0.value) }
    }
}

// MARK: - Container files

extension Sample {
    /// - Parameter count: how many of the parts are containers.
    fileprivate func recognisedContainers(
        _ reader: SampleReader, count: Int
    ) throws(DescribeError) -> Recognised {
        guard count == parts.count else {
            throw DescribeError(
                "\(target.shown) has container files of Avro and others beside each other: describe one kind at a "
                    + "time, by a pattern that leaves the others out")
        }
        var format = SchemaFormat(word: "avro", members: [])
        var shape: SchemaShape?
        if case .avro(let schema)? = schemas.language {
            format = schemas.format("avro")
            shape = SchemaShape(schema)
        }
        let written = try containerSchemas()
        for schema in written.reversed() {
            let own = SchemaShape(schema)
            if shape == nil { shape = own } else if schemas.language == nil { shape?.keep(placesOf: own) }
        }
        var found = SchemaColumns(self, shape ?? SchemaShape(written[0]), format: format)
        try found.checkIsNotEmpty()
        if written.count > 1, schemas.language == nil {
            found.notes.append(
                "the files have \(written.count) schemas: columns are what all of them have. With `--schema FILE` they "
                    + "are read as that one says, with its aliases and defaults")
        }
        return try found.recognised(try containerRecords(found, reader), reader)
    }

    /// Each once, in the order of the files.
    private func containerSchemas() throws(DescribeError) -> [AvroSchema] {
        var found: [AvroSchema] = []
        for part in parts {
            guard case .container(let text, _) = part.content else { continue }
            do throws(AvroSchemaProblem) {
                let schema = try AvroSchema(text: text)
                if !found.contains(schema) { found.append(schema) }
            } catch { throw DescribeError("in the schema of \(part.place) \(error.sentence)") }
        }
        return found
    }

    /// Each datum as a block of its own.
    private func containerRecords(
        _ found: SchemaColumns, _ reader: SampleReader
    ) throws(DescribeError) -> [RawRecord] {
        let probe = try reader.probe(found.source(found.drafts))
        var records: [RawRecord] = []
        for (number, part) in parts.enumerated() {
            guard case .container(let schema, let blocks) = part.content else { continue }
            var left = recordCountMax
            for block in blocks where left > 0 {
                let data = probe.data(ofBlock: block, schema: schema, countMax: left)
                left -= data.count
                records += data.map { RawRecord(bytes: $0, header: schema, part: number, isFramed: true) }
            }
        }
        return records
    }
}

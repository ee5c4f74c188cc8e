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

/// A format as a spec writes it: a word, or a map of one entry.
private struct SchemaFormat {
    var word: String
    var members: [JSONMember]

    mutating func append(_ member: JSONMember) { members.append(member) }

    var value: JSONValue { members.isEmpty ? .string(word) : .object([word: .object(members)]) }
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

// MARK: - Columns

/// Columns on the way from a schema to a source.
private struct SchemaColumns {
    private let sample: Sample
    private let format: SchemaFormat
    private let places: [SchemaPlace]
    private(set) var drafts: [ColumnDraft] = []
    var notes: [String] = []

    init(_ sample: Sample, _ shape: SchemaShape, format: SchemaFormat) {
        self.sample = sample
        self.format = format
        let writable = shape.places.filter { writtenPath($0.steps) != nil }
        places = Array(writable.prefix(columnCountMax))
        var names = ColumnNames(places.map(\.steps))
        for place in places {
            let name = names.name(place.steps)
            drafts.append(
                ColumnDraft(
                    name: name, from: place.steps == [name] ? nil : writtenPath(place.steps),
                    ladder: FormLadder(place.forms), timeName: TimeName(place.steps.last ?? ""), valueCount: 0,
                    missingCount: 0, depth: place.steps.count, remark: place.remark))
        }
        if writable.count > columnCountMax {
            notes.append(leftOut(writable[columnCountMax...].map { $0.steps.joined(separator: ".") }, "the last"))
        }
        for array in shape.arrays { suggestEach(array.steps, array.element) }
    }

    private mutating func suggestEach(_ steps: [String], _ element: SchemaPlace) {
        guard let path = writtenPath(steps), let from = writtenElementPath(element.steps) else { return }
        let column = JSONValue.object(["type": .string(element.forms[0].type), "from": .string(from)])
        notes.append(
            "`\(shown(path))` holds arrays of records: `each: \(shown(path))` makes a row of each element, with "
                + "columns such as `\(shown(column.flowYAML))`")
    }

    func source(_ columns: [ColumnDraft]) -> SourceDraft {
        SourceDraft(
            name: "sample", connector: sample.target.connector, format: format.value,
            columns: columns.map { JSONMember($0.name, $0.value) })
    }

    /// - Throws: where the schema has nothing that a column can read.
    func checkIsNotEmpty() throws(DescribeError) {
        guard drafts.isEmpty else { return }
        throw DescribeError("the schema of \(sample.target.shown) has no field that a column could be read from")
    }

    /// - Throws: as `checkIsNotEmpty`, and where there are no records.
    func recognised(_ records: [RawRecord], _ reader: SampleReader) throws(DescribeError) -> Recognised {
        try checkIsNotEmpty()
        guard !records.isEmpty else {
            throw DescribeError(
                "\(sample.target.shown) has no records: there is nothing to describe yet, try again when there are")
        }
        try checkFraming(records, reader)
        var columns = drafts
        for index in columns.indices where columns[index].timeName.isTime || columns[index].form.isTime {
            if let form = try guess(columns[index], places[index].guess, records, reader) {
                columns[index].ladder = FormLadder([form] + places[index].forms)
            }
            if columns[index].form.isTime {
                let times = try times(columns[index], records, reader)
                let known = times.count { $0 != 0 }
                (columns[index].valueCount, columns[index].missingCount) = (known, records.count - known)
                columns[index].hasZeros = known < times.count
            }
        }
        return Recognised(format: format.value, records: records, columns: columns, notes: notes)
    }

    /// - Throws: where values have the number of a schema before them, which the schema of a file does not say.
    private func checkFraming(_ records: [RawRecord], _ reader: SampleReader) throws(DescribeError) {
        guard case .file = sample.schemas.origin, sample.isFramed else { return }
        let framedCount = records.count { $0.bytes.count > ConfluentFraming.byteCount && $0.bytes.first == 0 }
        guard framedCount * 2 > records.count else { return }
        let read = try reader.read(records, by: source(drafts))
        guard read.count(where: { $0.reason != nil }) * 2 > read.count else { return }
        throw DescribeError(
            "\(sample.target.shown) has values with the id of a schema in a registry before them, and are not what "
                + "`--schema` says: name the registry with `--registry URL`")
    }

    /// A time that a plain number or a text may be.
    private func guess(
        _ draft: ColumnDraft, _ guess: SchemaPlace.Guess, _ records: [RawRecord], _ reader: SampleReader
    ) throws(DescribeError) -> ColumnForm? {
        var timed = draft
        switch guess {
        case .none: return nil
        case .number:
            // As microseconds a number is what it is. A message that lacks a number has 0.
            timed.ladder = FormLadder([.epoch(EpochUnit.microseconds.rawValue)])
            var numbers = NumberFacts()
            for value in try times(timed, records, reader) where value != 0 { numbers.add("\(value)") }
            return numbers.epochUnit.map { ColumnForm.epoch($0) }
        case .text:
            timed.ladder = FormLadder([.timestamp])
            let probe = try reader.read(records, by: watched(timed))
            let isTime = probe.allSatisfy { $0.misfit == nil } && probe.contains { $0.eventTimeMicros != nil }
            return isTime ? .timestamp : nil
        }
    }

    /// Of each good record that has one.
    private func times(
        _ draft: ColumnDraft, _ records: [RawRecord], _ reader: SampleReader
    ) throws(DescribeError) -> [Int64] {
        try reader.read(records, by: watched(draft)).compactMap { $0.reason == nil ? $0.eventTimeMicros : nil }
    }

    /// A source of one column, with a watermark on it, so that its times are seen.
    private func watched(_ draft: ColumnDraft) -> SourceDraft {
        var source = source([draft])
        source.watermark = .object(["column": .string(draft.name), "delay": .string("0 seconds")])
        return source
    }
}

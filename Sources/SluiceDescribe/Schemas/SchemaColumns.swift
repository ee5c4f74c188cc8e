// Columns on the way from a schema to a source: the schema has their names and types, the sample says which of them are
// times.

internal import SluiceEngine
internal import SluiceSpec

/// A format as a spec writes it: a word, or a map of one entry.
struct SchemaFormat {
    var word: String
    var members: [JSONMember]

    mutating func append(_ member: JSONMember) { members.append(member) }

    var value: JSONValue { members.isEmpty ? .string(word) : .object([word: .object(members)]) }
}

/// Columns on the way from a schema to a source.
struct SchemaColumns {
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
        guard records.nameSchemas else { return }
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

// Records of CSV. How they are separated, quoted and escaped is found by trying: that is right which gives the most
// good rows. Lines are cut into fields by the engine's own code.

internal import SluiceEngine
internal import SluicePlan
internal import SluiceSpec

extension Recogniser {
    static let csv = Recogniser(format: "csv") { (sample, reader) throws(DescribeError) in
        guard let best = try CSVTable.best(of: sample, reader) else { return nil }
        return try best.recognised(sample)
    }
}

/// A sample as a table, by one way to read it.
private struct CSVTable {
    var options: CSVOptions
    /// Records, those that may be headers included.
    var records: [RawRecord]
    var fields: [[String]]
    /// How many fields most records of each part have.
    var widths: [Int: Int]

    init(_ sample: Sample, _ options: CSVOptions) {
        self.options = options
        records = options.isMultiline ? sample.recordsOfLines(options) : sample.lines()
        fields = records.map { CSVHeader($0.bytes, options).names }
        var counts: [Int: [Int: Int]] = [:]
        for (record, values) in zip(records, fields) {
            counts[record.part, default: [:]][values.count, default: 0] += 1
        }
        widths = counts.compactMapValues { $0.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key }
    }

    /// The narrowest part's.
    private var width: Int { widths.values.min() ?? 0 }

    // MARK: Which way

    /// The way that reads the most; nil where none reads most of it.
    static func best(of sample: Sample, _ reader: SampleReader) throws(DescribeError) -> CSVTable? {
        var best: (table: CSVTable, goodCount: Int)?
        for options in candidates(sample) {
            let table = CSVTable(sample, options)
            guard table.width >= 2 else { continue }
            let good = try table.goodCount(sample, reader)
            guard good * 10 >= table.records.count * 7, good > 0 else { continue }
            // What needs less, or gives more fields, is the likelier.
            guard let known = best else {
                best = (table, good)
                continue
            }
            let (share, knownShare) = (good * known.table.records.count, known.goodCount * table.records.count)
            let isWider = options.separator != known.table.options.separator && table.width > known.table.width
            if share > knownShare || (share == knownShare && isWider) { best = (table, good) }
        }
        return best?.table
    }

    private static func candidates(_ sample: Sample) -> [CSVOptions] {
        let lines = sample.lines()
        let hasQuotes = lines.contains { $0.bytes.contains(UInt8(ascii: "\"")) }
        let hasEscapes = lines.contains { line in
            zip(line.bytes, line.bytes.dropFirst()).contains { $0 == UInt8(ascii: "\\") && $1 == UInt8(ascii: "\"") }
        }
        var all: [CSVOptions] = []
        for separator in [",", ";", "\t", "|"] as [Character] {
            let byte = separator.asciiValue ?? 0
            if !hasQuotes, isQuoted(lines, with: UInt8(ascii: "'"), byte) {
                all.append(CSVOptions(separator: byte, quote: UInt8(ascii: "'")))
            }
            all.append(CSVOptions(separator: byte))
            if hasEscapes { all.append(CSVOptions(separator: byte, escape: UInt8(ascii: "\\"))) }
            if hasQuotes, !sample.isFramed {
                all.append(CSVOptions(separator: byte, isMultiline: true))
                if hasEscapes { all.append(CSVOptions(separator: byte, escape: UInt8(ascii: "\\"), isMultiline: true)) }
            }
        }
        return all
    }

    /// Whether many lines have a field between such quotes.
    private static func isQuoted(_ lines: [RawRecord], with quote: UInt8, _ separator: UInt8) -> Bool {
        let quoted = lines.count { line in
            let fields = line.bytes.split(separator: separator)
            return fields.contains { $0.first == quote && $0.count > 1 } && fields.contains { $0.last == quote }
        }
        return quoted * 10 >= lines.count
    }

    /// How many records are rows of as many texts as most are.
    private func goodCount(_ sample: Sample, _ reader: SampleReader) throws(DescribeError) -> Int {
        var probes: [Int: RecordProbe] = [:]
        for width in Set(widths.values) {
            let columns = (0..<width).map { JSONMember("c\($0)", .string("string")) }
            let source = SourceDraft(
                name: "sample", connector: sample.target.connector, format: format(options), columns: columns)
            probes[width] = try reader.probe(source)
        }
        return zip(records, fields).count { record, fields in
            guard fields.count == widths[record.part], let probe = probes[fields.count] else { return false }
            return probe.read(record.bytes, isFramed: record.isFramed).reason == nil
        }
    }

    private func format(_ options: CSVOptions) -> JSONValue {
        func character(_ byte: UInt8) -> JSONValue { .string(String(Unicode.Scalar(byte))) }
        var members: [JSONMember] = []
        if options.separator != UInt8(ascii: ",") {
            members.append(JSONMember("separator", character(options.separator)))
        }
        if let quote = options.quote, quote != UInt8(ascii: "\"") {
            members.append(JSONMember("quote", character(quote)))
        }
        if let escape = options.escape { members.append(JSONMember("escape", character(escape))) }
        if options.hasHeader { members.append(JSONMember("header", .bool(true))) }
        if options.isMultiline { members.append(JSONMember("multiline", .bool(true))) }
        if let text = options.nullValue { members.append(JSONMember("null_value", .string(escapingReferences(text)))) }
        return members.isEmpty ? .string("csv") : .object(["csv": .object(members)])
    }

    // MARK: Columns

    func recognised(_ sample: Sample) throws(DescribeError) -> Recognised {
        var table = self
        var notes: [String] = []
        let header = sample.isFramed ? HeaderGuess.none : HeaderGuess(records, fields, widths)
        if header == .likely { notes.append("the first line is taken for a header, which is not sure") }
        table.options.hasHeader = header != .none
        let (rows, places, names) = table.rowsAndPlaces(&notes)
        guard !places.isEmpty else {
            throw DescribeError("\(sample.target.shown) has no field in its header that a column could be read from")
        }
        guard !rows.isEmpty else {
            throw DescribeError(
                "\(sample.target.shown) has a header and no records: there is nothing to describe yet, try again when "
                    + "there are")
        }
        let good = rows.filter { $0.values.count == $0.header.count }
        table.options.nullValue = nullMarker(good, places)
        var columnNames = ColumnNames(places.map { [$0] })
        let columns = places.indices.map { index in
            let name = columnNames.name([places[index]])
            return table.draft(index, name: name, places[index], good, isByName: names)
        }
        return Recognised(format: format(table.options), records: rows.map(\.raw), columns: columns, notes: notes)
    }

    private struct Row {
        var raw: RawRecord
        var values: [String]
        var header: [String]
    }

    /// The records behind headers, what the fields are called, and whether those names are the file's.
    private func rowsAndPlaces(_ notes: inout [String]) -> (rows: [Row], places: [String], isByName: Bool) {
        guard options.hasHeader else {
            let names = (1...max(1, width)).map { "column_\($0)" }
            let rows = zip(records, fields).map { Row(raw: $0, values: $1, header: names) }
            return (rows, names, false)
        }
        var rows: [Row] = []
        var headers: [[String]] = []
        var (part, line) = (-1, [UInt8]())
        for (record, values) in zip(records, fields) {
            if record.part != part {
                (part, line) = (record.part, record.bytes)
                headers.append(values)
                continue
            }
            var raw = record
            raw.header = line
            rows.append(Row(raw: raw, values: values, header: headers[headers.count - 1]))
        }
        let all = headers[0]
        var places = all.filter { name in
            headers.allSatisfy { $0.count { $0 == name } == 1 } && !name.isEmpty
                && !["kafka.", "each.", "each["].contains { name.hasPrefix($0) }
        }
        let left = all.count - places.count
        if left > 0 {
            notes.append(
                "\(counted(left, "field", "fields")) left out: names in the header that are empty, not unique, or "
                    + "begin as a reserved one does")
        }
        if places.count > columnCountMax {
            notes.append(leftOut(Array(places[columnCountMax...]), "the last"))
            places = Array(places[..<columnCountMax])
        }
        return (rows, places, true)
    }

    private func draft(
        _ index: Int, name: String, _ place: String, _ rows: [Row], isByName: Bool
    ) -> ColumnDraft {
        var facts = FieldFacts()
        for value in values(place, rows) {
            if value.isEmpty || value == options.nullValue { facts.addNull() } else { facts.addText(value) }
        }
        let timeName = TimeName(isByName ? place : "time")
        var draft = ColumnDraft(
            name: name, from: isByName && name != place ? place : nil, ladder: facts.csvForms(timeName),
            timeName: timeName, valueCount: facts.valueCount, missingCount: facts.nullCount)
        if facts.valueCount == 0 { draft.remark = "always null in the sample" }
        return draft
    }

    private func values(_ place: String, _ rows: [Row]) -> [String] {
        rows.compactMap { row in row.header.firstIndex(of: place).map { row.values[$0] } }
    }

    /// A text that stands for null: one that nobody writes for anything else, or without which a column would have a
    /// narrower type.
    private func nullMarker(_ rows: [Row], _ places: [String]) -> String? {
        for marker in nullMarkers {
            for place in places {
                let all = values(place, rows).filter { !$0.isEmpty }
                guard all.contains(marker) else { continue }
                if marker == "\\N" || marker == "NULL" { return marker }
                var facts = FieldFacts()
                for value in all where value != marker { facts.addText(value) }
                if facts.valueCount > 0, facts.csvForms(TimeName(place)).form != .string { return marker }
            }
        }
        return nil
    }
}

/// What programs write for null.
private let nullMarkers = ["\\N", "NULL", "null", "NA", "N/A", "n/a", "None", "nan", "-"]

/// Whether first lines name fields.
private enum HeaderGuess {
    case none
    case likely
    case sure

    init(_ records: [RawRecord], _ fields: [[String]], _ widths: [Int: Int]) {
        var first: [[String]] = []
        var part = -1
        var rows: [[String]] = []
        for (record, values) in zip(records, fields) {
            if record.part != part { first.append(values) } else if values.count == widths[part] { rows.append(values) }
            part = record.part
        }
        self = .none
        guard let header = first.first, Set(header).count * 2 >= header.count else { return }
        guard first.allSatisfy({ $0.allSatisfy { Self.isName($0) } }) else { return }
        let shared = first.dropFirst().reduce(Set(header)) { $0.intersection($1) }
        if first.count > 1, shared.count * 2 > header.count {
            self = .sure
            return
        }
        // A name among texts shows where a column holds no text.
        let isTyped = header.indices.contains { index in
            var facts = FieldFacts()
            for row in rows where index < row.count && !row[index].isEmpty { facts.addText(row[index]) }
            return facts.valueCount > 0 && facts.csvForms(TimeName(header[index])).form != .string
        }
        if isTyped {
            self = .sure
            return
        }
        let isAmongData = header.indices.contains { index in
            rows.contains { index < $0.count && $0[index] == header[index] }
        }
        if !isAmongData { self = .likely }
    }

    /// True for what a field may be called, and no value is.
    private static func isName(_ text: String) -> Bool {
        guard text.count <= 64, text.contains(where: \.isLetter), !nullMarkers.contains(text) else {
            return text.isEmpty
        }
        var facts = FieldFacts()
        facts.addText(text)
        return facts.csvForms(TimeName("time")).form == .string && !text.contains { "@{}<>\n".contains($0) }
    }
}

extension Sample {
    /// The records of files whose quotes may hold line ends.
    fileprivate func recordsOfLines(_ options: CSVOptions) -> [RawRecord] {
        var records: [RawRecord] = []
        for (number, part) in parts.enumerated() {
            guard case .text(let text) = part.content else { continue }
            var count = 0
            var start = 0
            var scan = CSVLineEnds(options)
            while start < text.count, count < recordCountMax {
                var end = unsafe text.withUnsafeBytes { unsafe scan.next(in: $0, from: start) }
                if end == nil {
                    // A quote that is not closed makes one line bad. Where there is more than this, the text may be
                    // cut in a record.
                    if scan.isInQuotes, !isAll, count > 0 { break }
                    end = scan.isInQuotes ? text[start...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } : nil
                    scan.restart()
                }
                let record = text[start..<(end ?? text.count)]
                start = end ?? text.count
                var line = record.last == UInt8(ascii: "\n") ? record.dropLast() : record
                if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
                if line.isEmpty { continue }
                records.append(RawRecord(bytes: Array(line), part: number))
                count += 1
            }
        }
        return records
    }
}

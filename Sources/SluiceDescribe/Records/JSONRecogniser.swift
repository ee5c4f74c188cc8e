// Records of JSON: objects, flat or nested, perhaps in an envelope of Kafka Connect or Debezium.

internal import SluiceEngine
internal import SluicePlan
internal import SluiceSpec

extension Recogniser {
    static let json = Recogniser(format: "json") { (sample, _) throws(DescribeError) in
        let framing = sample.schemas.jsonFraming
        var records = sample.lines()
        // Who reads a topic takes the number of the schema off before the engine sees a value.
        if framing != nil {
            for index in records.indices where records[index].bytes.first == 0 {
                records[index].bytes.removeFirst(min(ConfluentFraming.byteCount, records[index].bytes.count))
            }
        }
        let root = FieldNode("")
        for record in records {
            guard let tree = JSONTree(record: record.bytes) else { continue }
            root.add(tree)
        }
        // Half of it may be broken, not more: lines of a log may hold an object, too.
        guard root.facts.objectCount > 0, root.facts.objectCount * 2 >= records.count else { return nil }
        guard !root.children.isEmpty else {
            throw DescribeError("\(sample.target.shown) has nothing but empty objects: there is no field to read")
        }
        let shape = RecordShape(root)
        let columns = shape.columns
        guard !columns.isEmpty else {
            throw DescribeError("\(sample.target.shown) has no field that a column could be read from")
        }
        return Recognised(
            format: framing ?? .string("json"), records: records, columns: columns, each: shape.each,
            notes: shape.notes)
    }
}

/// Which places of JSON records become columns.
private struct RecordShape {
    private(set) var columns: [ColumnDraft] = []
    private(set) var each: String?
    private(set) var notes: [String] = []
    private let root: FieldNode

    /// A place, by its steps from the record, with how it is named and written.
    private struct Place {
        var steps: [String]
        /// Those that names are made of.
        var named: [String]
        var isOfElement: Bool
        var node: FieldNode
        /// How many records, or elements, there are.
        var total: Int
    }

    init(_ root: FieldNode) {
        self.root = root
        let total = root.facts.objectCount
        if let array = plainArray() {
            each = writtenPath([array.name])
            let elements = array.elements ?? array
            let outer = root.children.filter { $0 !== array }.flatMap { $0.leaves([$0.name]) }
            take(
                outer.map { Place(steps: $0.steps, named: $0.steps, isOfElement: false, node: $0.node, total: total) }
                    + elements.leaves().map {
                        Place(
                            steps: $0.steps, named: $0.steps, isOfElement: true, node: $0.node,
                            total: elements.facts.objectCount)
                    })
            notes.append("a row is an element of `\(shown(array.name))`, which is what a record is for")
            return
        }
        let envelope = Envelope(root)
        notes += envelope.notes
        take(
            envelope.places.map { place in
                Place(
                    steps: place.steps, named: place.named, isOfElement: false, node: place.node,
                    total: place.node.count == 0 ? total : max(total, place.node.count))
            })
        suggestEach(envelope.places)
    }

    /// The array that is plainly what records are for: next to nothing is beside it.
    private func plainArray() -> FieldNode? {
        let arrays = root.children.filter { $0.facts.isArrayOfObjects && $0.count == root.facts.objectCount }
        guard let array = arrays.first, arrays.count == 1, writtenPath([array.name]) != nil else { return nil }
        let others = root.children.filter { $0 !== array }
        guard others.allSatisfy({ $0.facts.objectCount == 0 && $0.facts.arrayCount == 0 }) else { return nil }
        let names: Set<String> = [
            "records", "events", "items", "rows", "data", "messages", "entries", "logs", "results",
        ]
        return others.isEmpty || (others.count <= 2 && names.contains(array.name.lowercased())) ? array : nil
    }

    private mutating func suggestEach(_ places: [Envelope.Place]) {
        for place in places where place.node.facts.isArrayOfObjects {
            guard let path = writtenPath(place.steps), let elements = place.node.elements,
                let field = elements.children.first(where: { writtenElementPath([$0.name]) != nil })
            else { continue }
            let total = elements.facts.objectCount
            let column = draft(
                Place(steps: [field.name], named: [], isOfElement: true, node: field, total: total), name: "")
            notes.append(
                "`\(shown(path))` holds arrays of objects: `each: \(shown(path))` makes a row of each element, with "
                    + "columns such as `\(shown(column.value.flowYAML))`")
        }
    }

    // MARK: Columns

    private mutating func take(_ all: [Place]) {
        var places = all.filter { ($0.isOfElement ? writtenElementPath($0.steps) : writtenPath($0.steps)) != nil }
        let unwritable = all.count - places.count
        if unwritable > 0 {
            notes.append(
                "\(counted(unwritable, "field", "fields")) left out: no path can hold a name with both kinds of "
                    + "quotes in it")
        }
        if places.count > columnCountMax {
            // The rarest go first, the later ones of equally rare ones.
            let ranked = places.indices.sorted {
                (places[$1].node.facts.valueCount, $0) < (places[$0].node.facts.valueCount, $1)
            }
            let kept = Set(ranked.prefix(columnCountMax))
            let left = ranked.dropFirst(columnCountMax).map { places[$0].steps.joined(separator: ".") }
            notes.append(leftOut(left, "the rarest"))
            places = places.indices.filter { kept.contains($0) }.map { places[$0] }
        }
        var names = ColumnNames(places.map(\.named))
        columns = places.map { draft($0, name: names.name($0.named)) }
    }

    private func draft(_ place: Place, name: String) -> ColumnDraft {
        let facts = place.node.facts
        let timeName = TimeName(place.steps.last ?? "")
        let isFlat = !place.isOfElement && place.steps == [name]
        let from = isFlat ? nil : place.isOfElement ? writtenElementPath(place.steps) : writtenPath(place.steps)
        var draft = ColumnDraft(
            name: name, from: from, ladder: facts.jsonForms(timeName), timeName: timeName,
            valueCount: facts.valueCount, missingCount: max(0, place.total - facts.valueCount),
            depth: place.steps.count)
        if facts.valueCount == 0 { draft.remark = "always null in the sample" }
        return draft
    }
}

/// A sentence about fields that there are too many of; `which` says how those were chosen.
func leftOut(_ names: [String], _ which: String) -> String {
    let few = names.prefix(10).map { shown($0) }.joined(separator: ", ")
    let more = names.count > 10 ? ", …" : ""
    return "more than \(columnCountMax) fields: \(names.count) left out, \(which) (\(few)\(more))"
}

/// What stands around the fields that somebody wants, as tools write it.
struct Envelope {
    struct Place {
        var steps: [String]
        var named: [String]
        var node: FieldNode
    }

    private(set) var places: [Place] = []
    private(set) var notes: [String] = []

    init(_ root: FieldNode) {
        var (base, prefix) = (root, [String]())
        let isOfConnect =
            Set(root.children.map(\.name)) == ["schema", "payload"] && root["payload"]?.facts.isObject == true
            && root["payload"]?.children.isEmpty == false
        if isOfConnect, let payload = root["payload"] {
            (base, prefix) = (payload, ["payload"])
            notes.append("records are in Kafka Connect's envelope: `schema` is left out, columns are under `payload`")
        }
        guard let row = Self.row(base) else {
            places = base.leaves().map { Place(steps: prefix + $0.steps, named: $0.steps, node: $0.node) }
            return
        }
        notes.append(
            "records are Debezium's: columns are those of `\(row.name)`"
                + (row.name == "after" ? ", null where `op` is `d` (the row is in `before` then)" : "")
                + "; before, source and transaction are left out")
        places = row.leaves().map {
            Place(steps: prefix + [row.name] + $0.steps, named: $0.steps, node: $0.node)
        }
        for name in ["op", "ts_ms"] {
            if let node = base[name] { places.append(Place(steps: prefix + [name], named: [name], node: node)) }
        }
    }

    /// Where Debezium has the row; nil for other records.
    private static func row(_ base: FieldNode) -> FieldNode? {
        guard let op = base["op"], !op.facts.texts.isEmpty, op.facts.texts.count == op.facts.valueCount,
            op.facts.texts.allSatisfy({ ["c", "u", "d", "r", "t", "m"].contains($0) }),
            base["source"] != nil || base["ts_ms"] != nil
        else { return nil }
        return ["after", "before"].compactMap { base[$0] }.first { $0.facts.isObject && !$0.children.isEmpty }
    }
}

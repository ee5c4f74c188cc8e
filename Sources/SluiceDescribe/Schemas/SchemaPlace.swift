// What of a schema columns can be made of. A schema says names and types; only values say whether a number or a text
// is a time, so that is looked for in the sample.

internal import SluiceSpec

/// A place of a schema that one column can read.
struct SchemaPlace: Hashable {
    /// What may be a time, though its type does not say so.
    enum Guess: Hashable { case none, number, text }

    /// The names that lead to it.
    var steps: [String]
    /// How it is read, the narrowest first.
    var forms: [ColumnForm]
    var guess = Guess.none
    /// What stands behind the column as a comment.
    var remark: String?

    /// Levels of records that columns are taken from.
    static let depthMax = 6

    /// The symbols of an enum, as a comment.
    static func remark(symbols: [String]) -> String {
        symbols.prefix(8).map { shown($0) }.joined(separator: ", ") + (symbols.count > 8 ? ", …" : "")
    }
}

/// What of a schema can be read.
struct SchemaShape {
    private(set) var places: [SchemaPlace] = []
    /// Arrays of records, by the names that lead to them, with the first place of an element.
    private(set) var arrays: [(steps: [String], element: SchemaPlace)] = []

    /// More are not of use to anybody.
    private static let placeCountMax = 2000

    mutating func add(_ place: SchemaPlace) {
        if places.count < Self.placeCountMax { places.append(place) }
    }

    mutating func addArray(_ steps: [String], of element: SchemaShape) {
        add(SchemaPlace(steps: steps, forms: [.json]))
        if let first = element.places.first(where: { writtenElementPath($0.steps) != nil }) {
            arrays.append((steps, first))
        }
    }

    /// Leaves out what other schemas of the same records have not, or have as something else.
    mutating func keep(placesOf other: SchemaShape) {
        let known = Dictionary(other.places.map { ($0.steps, $0.forms) }) { first, _ in first }
        places.removeAll { known[$0.steps] != $0.forms }
        arrays.removeAll { known[$0.steps] != [.json] }
    }
}

// MARK: - Avro

extension SchemaShape {
    init(_ schema: AvroSchema) {
        self.init()
        add(schema, schema.root, [], inside: [])
    }

    private mutating func add(_ schema: AvroSchema, _ type: Int, _ steps: [String], inside: Set<Int>) {
        let type = schema.withoutNull(type)
        switch schema[type].shape {
        case .record(let fields) where steps.count < SchemaPlace.depthMax && !inside.contains(type):
            for field in fields { add(schema, field.type, steps + [field.name], inside: inside.union([type])) }
        case _ where steps.isEmpty: break
        case .array(let items):
            var element = SchemaShape()
            let items = schema.withoutNull(items)
            if case .record = schema[items].shape { element.add(schema, items, [], inside: inside) }
            addArray(steps, of: element)
        default: if let place = SchemaPlace(schema[type], steps) { add(place) }
        }
    }

}

extension AvroSchema {
    /// The branch of a union with null that is not null; any other type as it is.
    fileprivate func withoutNull(_ type: Int) -> Int {
        guard case .union(let branches) = self[type].shape else { return type }
        let others = branches.filter { self[$0].shape != .null }
        return others.count == 1 ? others[0] : type
    }
}

extension SchemaPlace {
    /// nil for what nothing but null is written for.
    fileprivate init?(_ type: AvroType, _ steps: [String]) {
        self.steps = steps
        switch (type.shape, type.logical) {
        case (.null, _): return nil
        case (_, .decimal(let precision, let scale)?) where precision <= 38:
            forms = [.decimal(precision: precision, scale: scale), .string]
        case (_, .date?): forms = [.date, .json]
        case (_, .timestamp?), (_, .localTimestamp?): forms = [.timestamp, .json]
        case (_, .timeMillis?): (forms, remark) = ([.int], "milliseconds of the day")
        case (_, .timeMicros?): (forms, remark) = ([.long], "microseconds of the day")
        case (.boolean, _): forms = [.boolean]
        case (.int, _): (forms, guess) = ([.int], .number)
        case (.long, _): (forms, guess) = ([.long], .number)
        case (.float, _), (.double, _): forms = [.double]
        case (.string, nil): (forms, guess) = ([.string, .json], .text)
        case (.string, _), (.bytes, _), (.fixed, _): forms = [.string, .json]
        case (.enumeration(let symbols), _):
            (forms, remark) = ([.string], SchemaPlace.remark(symbols: symbols.symbols))
        case (.record, _), (.array, _), (.map, _), (.union, _): forms = [.json]
        }
    }
}

// MARK: - Protobuf

extension SchemaShape {
    init(_ schema: ProtobufSchema, message: Int) {
        self.init()
        add(schema, message, [], inside: [])
    }

    private mutating func add(_ schema: ProtobufSchema, _ message: Int, _ steps: [String], inside: Set<Int>) {
        for field in schema[message].fields where field.kind != .group {
            let place = ProtobufPlace(field, schema)
            let steps = steps + [field.name]
            switch place {
            case .map: add(SchemaPlace(steps: steps, forms: [.json]))
            case .list(let type):
                var element = SchemaShape()
                if let inner = schema.opened(type) { element.add(schema, inner, [], inside: inside) }
                addArray(steps, of: element)
            case .value(let type):
                if let inner = schema.opened(type), steps.count < SchemaPlace.depthMax, !inside.contains(inner) {
                    add(schema, inner, steps, inside: inside.union([message, inner]))
                } else {
                    add(SchemaPlace(schema, place, steps))
                }
            }
        }
    }
}

extension ProtobufSchema {
    /// The message whose fields columns are made of; nil for a value that is one by itself.
    fileprivate func opened(_ type: ProtobufType) -> Int? {
        guard type.kind == .message, self[type.index].wellKnown == nil, !self[type.index].fields.isEmpty else {
            return nil
        }
        return type.index
    }
}

extension SchemaPlace {
    fileprivate init(_ schema: ProtobufSchema, _ place: ProtobufPlace, _ steps: [String]) {
        self.steps = steps
        forms = [.json]
        guard case .value(let type) = schema.unwrapped(place) else { return }
        switch type.kind {
        case .double, .float: forms = [.double]
        case .bool: forms = [.boolean]
        case .int32, .sint32, .sfixed32: (forms, guess) = ([.int], .number)
        case .int64, .sint64, .sfixed64, .uint32, .fixed32: (forms, guess) = ([.long], .number)
        case .uint64, .fixed64: (forms, guess) = ([.long, .decimal(precision: 20, scale: 0)], .number)
        case .string: (forms, guess) = ([.string, .json], .text)
        case .bytes: forms = [.string, .json]
        case .enumeration:
            let names = schema.enumerations[type.index].values.map(\.name)
            (forms, remark) = ([.string], SchemaPlace.remark(symbols: names))
        case .message:
            switch schema[type.index].wellKnown {
            case .timestamp: forms = [.timestamp, .json]
            case .duration: (forms, remark) = ([.double], "seconds")
            default: break
            }
        case .group: break
        }
    }
}

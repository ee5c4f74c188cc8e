// Schemas from their JSON. A mistake is said with its place. Nothing a text can say makes this go deep or long: JSON's
// nesting is limited, and a name refers to a type that is in the table already.

extension AvroSchema {
    /// The largest text of a schema.
    package static let byteCountMax = 1 << 20

    /// Reads a schema. `references` are the texts of schemas whose named types it may use, those that others of them
    /// use first. O(bytes).
    package init(text: [UInt8], references: [[UInt8]] = []) throws(AvroSchemaProblem) {
        var reader = AvroSchemaReader()
        for reference in references { _ = try reader.read(reference) }
        let root = try reader.read(text)
        self.init(types: reader.types, root: root)
    }
}

private struct AvroSchemaReader {
    private(set) var types: [AvroType] = []
    private var named: [String: Int] = [:]
    private var primitives: [String: Int] = [:]

    private static let primitiveShapes: [String: AvroType.Shape] = [
        "null": .null, "boolean": .boolean, "int": .int, "long": .long, "float": .float, "double": .double,
        "bytes": .bytes, "string": .string,
    ]

    mutating func read(_ text: [UInt8]) throws(AvroSchemaProblem) -> Int {
        guard text.count <= AvroSchema.byteCountMax else {
            throw problem("", "the schema has more than \(AvroSchema.byteCountMax >> 20) MiB")
        }
        let value: JSONValue
        do throws(JSONError) { value = try JSONValue(report: text[...]) } catch {
            throw AvroSchemaProblem(
                place: "", message: "the schema is not JSON: \(error)",
                fix: "a schema is JSON, as an `.avsc` file has it")
        }
        return try type(value, "", namespace: "")
    }

    private func problem(_ place: String, _ message: String, fix: String? = nil) -> AvroSchemaProblem {
        AvroSchemaProblem(place: place, message: message, fix: fix)
    }

    private mutating func add(_ type: AvroType) -> Int {
        types.append(type)
        return types.count - 1
    }

    // MARK: - Types

    private mutating func type(_ value: JSONValue, _ place: String, namespace: String) throws(AvroSchemaProblem) -> Int
    {
        switch value {
        case .string(let name): return try reference(name, place, namespace)
        case .array(let branches): return try union(branches, place, namespace)
        case .object:
            guard let kind = value["type"] else { throw problem(place, "a type has no `type`") }
            guard case .string(let word) = kind else {
                return try type(kind, inside(place, "type"), namespace: namespace)
            }
            return try type(value, word, place, namespace)
        default:
            throw problem(
                place, "a type is a name, an object or a list, and this is \(noun(value))",
                fix: "write a name such as `\"string\"`")
        }
    }

    private mutating func type(
        _ value: JSONValue, _ word: String, _ place: String, _ namespace: String
    ) throws(AvroSchemaProblem) -> Int {
        switch word {
        case "record", "error": return try record(value, place, namespace)
        case "enum": return try enumeration(value, place, namespace)
        case "fixed": return try fixed(value, place, namespace)
        case "array":
            let items = try type(try member(value, "items", place), inside(place, "items"), namespace: namespace)
            return add(AvroType(.array(items: items)))
        case "map":
            let values = try type(try member(value, "values", place), inside(place, "values"), namespace: namespace)
            return add(AvroType(.map(values: values)))
        default:
            guard let shape = Self.primitiveShapes[word] else {
                return try reference(word, inside(place, "type"), namespace)
            }
            guard let logical = logicalType(of: shape, value) else { return try reference(word, place, namespace) }
            return add(AvroType(shape, logical: logical))
        }
    }

    private mutating func reference(
        _ name: String, _ place: String, _ namespace: String
    ) throws(AvroSchemaProblem) -> Int {
        if let shape = Self.primitiveShapes[name] {
            if let known = primitives[name] { return known }
            primitives[name] = add(AvroType(shape))
            return types.count - 1
        }
        if let known = named[qualified(name, namespace)] ?? named[name] { return known }
        let known = named.keys.sorted() + Self.primitiveShapes.keys.sorted()
        throw problem(
            place, "there is no type `\(name)` before here",
            fix: suggestion(for: qualified(name, namespace), in: known)
                ?? "name a primitive type, or define it where it is used first")
    }

    private mutating func union(
        _ values: [JSONValue], _ place: String, _ namespace: String
    ) throws(AvroSchemaProblem) -> Int {
        var branches: [Int] = []
        var seen: Set<String> = []
        for (index, value) in values.enumerated() {
            let place = "\(place)[\(index)]"
            let branch = try type(value, place, namespace: namespace)
            if case .union = types[branch].shape {
                throw problem(place, "a union stands in a union", fix: "put its branches into the outer one")
            }
            guard seen.insert(types[branch].unionWord).inserted else {
                throw problem(
                    place, "the union has \(types[branch].noun) twice",
                    fix: "leave one out: which of them a value is of could not be told")
            }
            branches.append(branch)
        }
        return add(AvroType(.union(branches: branches)))
    }

    // MARK: - Types with names

    /// Enters a type under its name, before what is in it, which may refer to it.
    private mutating func define(
        _ value: JSONValue, _ shape: AvroType.Shape, _ place: String, _ namespace: String
    ) throws(AvroSchemaProblem) -> (type: Int, namespace: String) {
        let name = try text(value, "name", place)
        var own = namespace
        if let inner = value["namespace"], case .string(let text) = inner { own = text }
        if let dot = name.lastIndex(of: ".") { own = String(name[..<dot]) }
        let fullName = name.contains(".") ? name : qualified(name, own)
        guard !unqualified(name).isEmpty else { throw problem(inside(place, "name"), "a name is empty") }
        guard Self.primitiveShapes[fullName] == nil else {
            throw problem(inside(place, "name"), "`\(fullName)` is a primitive type's name", fix: "give it another")
        }
        guard named[fullName] == nil else {
            throw problem(
                inside(place, "name"), "`\(fullName)` is defined twice",
                fix: "where it is used again its name alone is enough")
        }
        var type = AvroType(shape)
        type.fullName = fullName
        type.aliases = try texts(value, "aliases", place).map { $0.contains(".") ? $0 : qualified($0, own) }
        let index = add(type)
        named[fullName] = index
        return (index, own)
    }

    private mutating func record(
        _ value: JSONValue, _ place: String, _ namespace: String
    ) throws(AvroSchemaProblem) -> Int {
        let (index, namespace) = try define(value, .record(fields: []), place, namespace)
        guard case .array(let values) = try member(value, "fields", place) else {
            throw problem(inside(place, "fields"), "`fields` is no list")
        }
        var fields: [AvroField] = []
        var seen: Set<String> = []
        for (number, value) in values.enumerated() {
            let place = inside(place, "fields[\(number)]")
            guard case .object = value else { throw problem(place, "a field is an object, and this is \(noun(value))") }
            let name = try text(value, "name", place)
            guard !name.isEmpty else { throw problem(inside(place, "name"), "a field's name is empty") }
            guard seen.insert(name).inserted else {
                throw problem(inside(place, "name"), "the record has the field `\(name)` twice")
            }
            let type = try type(try member(value, "type", place), inside(place, "type"), namespace: namespace)
            fields.append(
                AvroField(
                    name: name, aliases: try texts(value, "aliases", place), type: type, fallback: value["default"]))
        }
        types[index].shape = .record(fields: fields)
        return index
    }

    private mutating func enumeration(
        _ value: JSONValue, _ place: String, _ namespace: String
    ) throws(AvroSchemaProblem) -> Int {
        let symbols = try texts(value, "symbols", place)
        guard value["symbols"] != nil else { throw problem(place, "an enum has no `symbols`") }
        guard Set(symbols).count == symbols.count else {
            throw problem(inside(place, "symbols"), "a symbol stands there twice")
        }
        var fallback: String?
        if let value = value["default"] {
            guard case .string(let text) = value, symbols.contains(text) else {
                throw problem(inside(place, "default"), "the default is none of the enum's symbols")
            }
            fallback = text
        }
        let shape = AvroType.Shape.enumeration(AvroEnumeration(symbols: symbols, fallback: fallback))
        return try define(value, shape, place, namespace).type
    }

    private mutating func fixed(
        _ value: JSONValue, _ place: String, _ namespace: String
    ) throws(AvroSchemaProblem) -> Int {
        guard case .integer(let size) = try member(value, "size", place), size >= 0, size <= Int32.max else {
            throw problem(inside(place, "size"), "`size` is no number of bytes")
        }
        let (index, _) = try define(value, .fixed(byteCount: Int(size)), place, namespace)
        types[index].logical = logicalType(of: types[index].shape, value)
        return index
    }

    // MARK: - Logical types

    /// nil for none, for one that is not known, and for one that does not go with the type.
    private func logicalType(of shape: AvroType.Shape, _ value: JSONValue) -> AvroLogicalType? {
        guard case .string(let word)? = value["logicalType"] else { return nil }
        switch (word, shape) {
        case ("decimal", .bytes): return decimal(value, precisionMax: .max)
        case ("decimal", .fixed(let byteCount)):
            // So many digits always fit: 0.301 is a little less than the logarithm of 2.
            let digits = byteCount > 1 << 20 ? Int.max : Int(Double(byteCount * 8 - 1) * 0.30102999566398119)
            return decimal(value, precisionMax: digits)
        case ("uuid", .string), ("uuid", .fixed(byteCount: 16)): return .uuid
        case ("date", .int): return .date
        case ("time-millis", .int): return .timeMillis
        case ("time-micros", .long): return .timeMicros
        case ("timestamp-millis", .long): return .timestamp(.milliseconds)
        case ("timestamp-micros", .long): return .timestamp(.microseconds)
        case ("timestamp-nanos", .long): return .timestamp(.nanoseconds)
        case ("local-timestamp-millis", .long): return .localTimestamp(.milliseconds)
        case ("local-timestamp-micros", .long): return .localTimestamp(.microseconds)
        case ("local-timestamp-nanos", .long): return .localTimestamp(.nanoseconds)
        default: return nil
        }
    }

    private func decimal(_ value: JSONValue, precisionMax: Int) -> AvroLogicalType? {
        guard case .integer(let precision)? = value["precision"], precision > 0, precision <= precisionMax,
            precision <= Int32.max
        else { return nil }
        guard let member = value["scale"] else { return .decimal(precision: Int(precision), scale: 0) }
        guard case .integer(let scale) = member, scale >= 0, scale <= precision else { return nil }
        return .decimal(precision: Int(precision), scale: Int(scale))
    }

    // MARK: - Members

    private func member(_ value: JSONValue, _ name: String, _ place: String) throws(AvroSchemaProblem) -> JSONValue {
        guard let member = value[name] else { throw problem(place, "`\(name)` is missing") }
        return member
    }

    private func text(_ value: JSONValue, _ name: String, _ place: String) throws(AvroSchemaProblem) -> String {
        guard case .string(let text) = try member(value, name, place) else {
            throw problem(inside(place, name), "`\(name)` is not text")
        }
        return text
    }

    /// Empty where it is missing.
    private func texts(_ value: JSONValue, _ name: String, _ place: String) throws(AvroSchemaProblem) -> [String] {
        guard let member = value[name] else { return [] }
        guard case .array(let values) = member else { throw problem(inside(place, name), "`\(name)` is no list") }
        var texts: [String] = []
        for value in values {
            guard case .string(let text) = value else {
                throw problem(inside(place, name), "`\(name)` holds other than texts")
            }
            texts.append(text)
        }
        return texts
    }
}

private func qualified(_ name: String, _ namespace: String) -> String {
    namespace.isEmpty || name.contains(".") ? name : "\(namespace).\(name)"
}

private func inside(_ place: String, _ name: String) -> String { place.isEmpty ? name : "\(place).\(name)" }

private func noun(_ value: JSONValue) -> String {
    switch value {
    case .null: "null"
    case .bool: "a boolean"
    case .integer, .double: "a number"
    case .string: "a text"
    case .array: "a list"
    case .object: "an object"
    }
}

extension AvroType {
    /// What may stand in a union only once.
    fileprivate var unionWord: String {
        if let fullName { return fullName }
        return switch shape {
        case .null: "null"
        case .boolean: "boolean"
        case .int: "int"
        case .long: "long"
        case .float: "float"
        case .double: "double"
        case .bytes: "bytes"
        case .string: "string"
        case .array: "array"
        case .map: "map"
        case .fixed, .enumeration, .record, .union: ""
        }
    }
}

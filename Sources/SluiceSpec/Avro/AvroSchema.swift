// An Avro schema as a flat table: a type names others by their places in it, so that recursive types are finite values,
// and nobody has to walk a graph of objects to compare or copy one. Source: Apache Avro 1.12.0 Specification.

package struct AvroSchema: Hashable, Sendable {
    /// Every type the schema has; references by name share an entry.
    package let types: [AvroType]
    /// The place of the schema itself.
    package let root: Int

    init(types: [AvroType], root: Int) {
        self.types = types
        self.root = root
    }

    package subscript(_ type: Int) -> AvroType { types[type] }
}

package struct AvroType: Hashable, Sendable {
    package enum Shape: Hashable, Sendable {
        case null, boolean, int, long, float, double, bytes, string
        case fixed(byteCount: Int)
        case enumeration(AvroEnumeration)
        case record(fields: [AvroField])
        case array(items: Int)
        case map(values: Int)
        /// At most one of each type that has no name of its own, and no unions.
        case union(branches: [Int])
    }

    package var shape: Shape
    /// Of a type that has one: with its namespace, such as `org.example.Visit`.
    package var fullName: String?
    /// Other names, with their namespaces.
    package var aliases: [String] = []
    package var logical: AvroLogicalType?

    init(_ shape: Shape, logical: AvroLogicalType? = nil) {
        self.shape = shape
        self.logical = logical
    }
}

package struct AvroEnumeration: Hashable, Sendable {
    package var symbols: [String]
    /// What a reader takes for symbols that it does not know.
    package var fallback: String?
}

package struct AvroField: Hashable, Sendable {
    package var name: String
    package var aliases: [String]
    package var type: Int
    /// What a reader takes where a writer lacks the field.
    package var fallback: JSONValue?
}

/// What a value of a type stands for. What is none by the specification's rules (a scale beyond the precision) is left
/// out, as it demands.
package enum AvroLogicalType: Hashable, Sendable {
    case decimal(precision: Int, scale: Int)
    case uuid
    case date
    case timeMillis, timeMicros
    /// An instant, in units since 1970.
    case timestamp(EpochUnit)
    /// A date and a time of day of whatever zone, in units since 1970.
    case localTimestamp(EpochUnit)
}

/// Why a text is no schema.
package struct AvroSchemaProblem: Error, Hashable, Sendable {
    /// Where in the schema, such as `fields[2].type`; empty for the whole of it.
    package var place: String
    package var message: String
    package var fix: String?

    /// One clause, with the place.
    package var sentence: String { place.isEmpty ? message : "\(message), at `\(place)`" }
}

extension AvroType {
    /// The name without its namespace.
    package var name: String? { fullName.map(unqualified) }

    /// The type in words, such as "a long (timestamp-millis)" or "the record `Visit`".
    package var noun: String {
        let plain: String =
            switch shape {
            case .null: "null"
            case .boolean: "a boolean"
            case .int: "an int"
            case .long: "a long"
            case .float: "a float"
            case .double: "a double"
            case .bytes: "bytes"
            case .string: "a string"
            case .fixed: "the fixed `\(name ?? "")`"
            case .enumeration: "the enum `\(name ?? "")`"
            case .record: "the record `\(name ?? "")`"
            case .array: "an array"
            case .map: "a map"
            case .union: "a union"
            }
        return logical.map { "\(plain) (\($0.word))" } ?? plain
    }
}

extension AvroLogicalType {
    /// As a schema names it.
    package var word: String {
        switch self {
        case .decimal(let precision, let scale): "decimal(\(precision),\(scale))"
        case .uuid: "uuid"
        case .date: "date"
        case .timeMillis: "time-millis"
        case .timeMicros: "time-micros"
        case .timestamp(let unit): "timestamp-\(unit.avroWord)"
        case .localTimestamp(let unit): "local-timestamp-\(unit.avroWord)"
        }
    }
}

extension EpochUnit {
    fileprivate var avroWord: String {
        switch self {
        case .seconds: "seconds"
        case .milliseconds: "millis"
        case .microseconds: "micros"
        case .nanoseconds: "nanos"
        }
    }
}

/// The part of a full name behind its last dot.
func unqualified(_ name: String) -> String {
    name.lastIndex(of: ".").map { String(name[name.index(after: $0)...]) } ?? name
}

/// A schema as it is written, with those that it refers to.
package struct SchemaText: Hashable, Sendable {
    package var text: [UInt8]
    /// Each after those that it refers to itself.
    package var references: [[UInt8]]
    /// What each of those is referred to by, where that counts: the name that it is imported by.
    package var referenceNames: [String]

    package init(_ text: [UInt8], references: [[UInt8]] = [], referenceNames: [String] = []) {
        self.text = text
        self.references = references
        self.referenceNames = referenceNames
    }
}

extension AvroSchema {
    /// As `init(text:references:)`.
    package init(_ written: SchemaText) throws(AvroSchemaProblem) {
        try self.init(text: written.text, references: written.references)
    }
}

/// How the blocks of a container file are packed, as its header names it.
package enum AvroCodec: String, Hashable, Sendable {
    case null, deflate, snappy, zstandard
}

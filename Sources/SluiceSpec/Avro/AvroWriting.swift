// How the columns of an output become a datum: the fields of a schema in their order, each with the bytes that stand
// before its value (the branch of a union, and the defaults of fields that no column gives) and with what is made of
// the column's value. Source: Apache Avro 1.12.0 Specification, "Binary encoding".

/// What is written for one output row, in order.
package struct AvroWriting: Hashable, Sendable {
    /// What a value becomes.
    package enum Value: Hashable, Sendable {
        case boolean
        /// An int or a long: also dates, and times in microseconds.
        case integer
        /// Microseconds as milliseconds, rounded down.
        case milliseconds
        case double
        /// A string or bytes.
        case text
        /// The digits of a decimal, the highest first, in as few bytes as hold them.
        case decimalBytes
        /// The same in so many bytes.
        case decimalFixed(byteCount: Int)
    }

    package struct Field: Hashable, Sendable {
        /// Number of the column.
        package var column: Int
        /// What stands before the value. Its last byte is the branch of a union, where `nullBranch` is not nil.
        package var before: [UInt8]
        /// What stands in place of that byte where the value is null; nil where it never is.
        package var nullBranch: UInt8?
        package var value: Value
    }

    package var fields: [Field] = []
    /// What stands behind the last field.
    package var end: [UInt8] = []
}

/// A column of an output, as a schema sees it.
package struct WrittenColumn: Hashable, Sendable {
    package var name: String
    /// The names of the objects it stands in, outermost first. Columns of one object follow one another.
    package var objects: [String]
    package var type: DataType
    package var isNullable: Bool

    package init(name: String, objects: [String], type: DataType, isNullable: Bool) {
        self.name = name
        self.objects = objects
        self.type = type
        self.isNullable = isNullable
    }
}

/// Why columns cannot be written by a schema.
package struct AvroWritingProblem: Error, Hashable, Sendable {
    /// Number of the column; nil where no column is at fault.
    package var column: Int?
    /// One clause.
    package var message: String
    package var fix: String?
}

extension AvroSchema {
    /// The schema of a plan, which has been read before.
    package init(planned schema: SchemaText) {
        do throws(AvroSchemaProblem) { try self.init(schema) } catch {
            preconditionFailure("the schema of a plan is one: \(error.sentence)")
        }
    }

    /// How rows of some columns are written: columns find their fields by name, in objects the fields of records.
    /// O(fields).
    package func writing(_ columns: [WrittenColumn]) throws(AvroWritingProblem) -> AvroWriting {
        var compiler = AvroWritingCompiler(schema: self, columns: columns)
        guard case .record(let fields) = self[root].shape else {
            throw AvroWritingProblem(
                message: "its schema is \(self[root].noun), and a row is a record", fix: "write a record's schema")
        }
        try compiler.add(fields, Array(columns.indices), depth: 0)
        return compiler.writing
    }
}

private struct AvroWritingCompiler {
    let schema: AvroSchema
    let columns: [WrittenColumn]
    private(set) var writing = AvroWriting()

    init(schema: AvroSchema, columns: [WrittenColumn]) {
        self.schema = schema
        self.columns = columns
    }

    /// The name that a column has in a record: its own, or that of the object it stands in there.
    private func name(_ column: Int, _ depth: Int) -> String {
        let column = columns[column]
        return depth < column.objects.count ? column.objects[depth] : column.name
    }

    /// Adds a record of the columns that stand in it, `depth` objects down.
    mutating func add(_ fields: [AvroField], _ inside: [Int], depth: Int) throws(AvroWritingProblem) {
        let names = Set(fields.map(\.name))
        if let stranger = inside.first(where: { !names.contains(name($0, depth)) }) {
            let name = name(stranger, depth)
            throw AvroWritingProblem(
                column: stranger, message: "the schema has no field `\(name)`",
                fix: suggestion(for: name, in: fields.map(\.name), listing: "its fields are"))
        }
        for field in fields {
            let given = inside.filter { name($0, depth) == field.name }
            guard let first = given.first else {
                try addDefault(field)
                continue
            }
            if depth < columns[first].objects.count {
                try addRecord(field, given, depth: depth)
            } else {
                try addValue(field, first)
            }
        }
    }

    private mutating func addDefault(_ field: AvroField) throws(AvroWritingProblem) {
        var encoder = AvroDefaultEncoder(schema: schema)
        guard let fallback = field.fallback, encoder.encode(fallback, field.type) else {
            throw AvroWritingProblem(
                message: "the schema's field `\(field.name)` has no default, and no column gives it",
                fix: "add `\(field.name): …` to `select`, or a `default` to the field")
        }
        writing.end += encoder.bytes
    }

    /// The branches of a union, or the type as the only one, with the byte that names each; none where there is no
    /// choice. Of a union with more than 64 branches only those are known.
    private func branches(_ type: Int) -> [(type: Int, byte: UInt8?)] {
        guard case .union(let branches) = schema[type].shape else { return [(type, nil)] }
        return branches.prefix(64).enumerated().map { ($1, UInt8($0 << 1)) }
    }

    private mutating func addRecord(_ field: AvroField, _ given: [Int], depth: Int) throws(AvroWritingProblem) {
        for (type, byte) in branches(field.type) {
            guard case .record(let fields) = schema[type].shape else { continue }
            if let byte { writing.end.append(byte) }
            return try add(fields, given, depth: depth + 1)
        }
        throw AvroWritingProblem(
            column: given[0], message: "`\(field.name)` is an object, and its field is \(schema[field.type].noun)",
            fix: "select a value, or make the field a record")
    }

    private mutating func addValue(_ field: AvroField, _ number: Int) throws(AvroWritingProblem) {
        let column = columns[number]
        let branches = branches(field.type)
        let null = branches.first { schema[$0.type].shape == .null }
        for (type, byte) in branches {
            guard let value = value(of: column.type, as: schema[type]) else { continue }
            guard null != nil || !column.isNullable else {
                throw AvroWritingProblem(
                    column: number, message: "`\(column.name)` may be null, and its field is never",
                    fix: "write `coalesce(…, …)`, or make the field's type `[\"null\", …]`")
            }
            writing.fields.append(
                AvroWriting.Field(
                    column: number, before: writing.end + (byte.map { [$0] } ?? []), nullBranch: null?.byte,
                    value: value))
            writing.end = []
            return
        }
        throw AvroWritingProblem(
            column: number,
            message: "`\(column.name)` is \(column.type), and its field is \(shown(field.type))",
            fix: "write \(Self.fits(column.type)) in the schema, or a cast in `select`")
    }

    private func shown(_ type: Int) -> String {
        guard case .union(let branches) = schema[type].shape else { return schema[type].noun }
        return branches.map { schema[$0].noun }.joined(separator: " or ")
    }

    /// nil where a value of the column's type is none of the schema's.
    private func value(of type: DataType, as target: AvroType) -> AvroWriting.Value? {
        switch (type, target.shape, target.logical) {
        case (.boolean, .boolean, _): .boolean
        case (.null, .string, _): .text
        case (.int, .int, nil), (.int, .long, nil), (.long, .long, nil): .integer
        case (.date, .int, .date): .integer
        case (.timestamp, .long, .timestamp(.microseconds)): .integer
        case (.timestamp, .long, .timestamp(.milliseconds)): .milliseconds
        case (.duration, .long, nil): .integer
        case (.double, .double, nil): .double
        case (.string, .string, _), (.string, .bytes, nil), (.json, .string, nil), (.json, .bytes, nil): .text
        case (.decimal(let precision, let scale), .bytes, .decimal(let wider, let point))
        where wider >= precision && point == scale: .decimalBytes
        case (.decimal(let precision, let scale), .fixed(let byteCount), .decimal(let wider, let point))
        where wider >= precision && point == scale: .decimalFixed(byteCount: byteCount)
        default: nil
        }
    }

    /// What a column's type is written as, in words.
    private static func fits(_ type: DataType) -> String {
        switch type {
        case .int: "int or long"
        case .timestamp: "timestamp-micros"
        case .date: "date"
        case .decimal(let precision, let scale): "decimal(\(precision),\(scale)) of bytes"
        case .json, .null: "string"
        case .duration: "long"
        default: "\(type)"
        }
    }
}

// MARK: - Derived schemas

extension AvroSchema {
    /// Whether a name may stand in a schema.
    package static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(48...57).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            (byte | 0x20 >= 97 && byte | 0x20 <= 122) || (48...57).contains(byte) || byte == UInt8(ascii: "_")
        }
    }

    /// A name that may stand in a schema, as much like another as can be.
    package static func name(like text: String) -> String {
        let plain = String(text.map { isName("_\($0)") ? $0 : "_" })
        return isName(plain) ? plain : "_" + plain
    }

    /// The schema of an output's rows, as JSON. Every field may be null, and is by default, so that columns that come
    /// or go later leave the schemas compatible. An object is a record whose name is its place.
    ///
    /// - Parameter name: of the record.
    package static func derived(_ columns: [WrittenColumn], name: String) -> JSONValue {
        record(columns[...], name: name, namespace: nil, depth: 0)
    }

    private static func record(
        _ columns: ArraySlice<WrittenColumn>, name: String, namespace: String?, depth: Int
    ) -> JSONValue {
        var fields: [JSONValue] = []
        var rest = columns
        let inner = [namespace, name].compactMap(\.self).joined(separator: ".")
        while let column = rest.first {
            var fieldName = column.name
            let type: JSONValue
            if depth < column.objects.count {
                fieldName = column.objects[depth]
                let inside = rest.prefix { $0.objects.count > depth && $0.objects[depth] == fieldName }
                rest = rest[inside.endIndex...]
                type = record(inside, name: fieldName, namespace: inner, depth: depth + 1)
            } else {
                rest.removeFirst()
                type = self.type(column.type)
            }
            fields.append(
                .object([
                    "name": .string(fieldName), "type": .array([.string("null"), type]), "default": .null,
                ]))
        }
        return .object(
            [JSONMember("type", .string("record")), JSONMember("name", .string(name))]
                + (namespace.map { [JSONMember("namespace", .string($0))] } ?? [])
                + [JSONMember("fields", .array(fields))])
    }

    private static func type(_ type: DataType) -> JSONValue {
        func logical(_ type: String, _ name: String, _ more: [JSONMember] = []) -> JSONValue {
            .object([JSONMember("type", .string(type)), JSONMember("logicalType", .string(name))] + more)
        }
        switch type {
        case .string, .json, .null: return .string("string")
        case .int: return .string("int")
        case .long, .duration: return .string("long")
        case .double: return .string("double")
        case .boolean: return .string("boolean")
        case .timestamp: return logical("long", "timestamp-micros")
        case .date: return logical("int", "date")
        case .decimal(let precision, let scale):
            return logical(
                "bytes", "decimal",
                [
                    JSONMember("precision", .integer(Int64(precision))), JSONMember("scale", .integer(Int64(scale))),
                ])
        }
    }
}

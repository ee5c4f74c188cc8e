// The JSON of checkpoint files, reports and requests: objects, arrays, text, booleans and 64-bit integers. Anything
// else (duplicate names, deep nesting, bytes behind the end) is refused, so that what was read is what was written.
// Numbers with fractions are written in reports, and read from nothing but a report (`init(report:)`).

/// One value of a checkpoint file, a report or a request.
enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// In reports only: checkpoint files and requests hold none, and their reader refuses it.
    case double(Double)
    case string(String)
    case array([JSONValue])
    /// Members in the order of the text; names are unique.
    case object([JSONMember])
}

struct JSONMember: Hashable, Sendable {
    var name: String
    var value: JSONValue

    init(_ name: String, _ value: JSONValue) {
        self.name = name
        self.value = value
    }
}

/// What is wrong with a text, or with a value that should have had another shape.
struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}

// MARK: - Taking values apart

extension JSONValue {
    /// nil when this is no object or has no such member. O(members).
    subscript(_ name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    func member(_ name: String) throws(JSONError) -> JSONValue {
        guard let value = self[name] else { throw JSONError("`\(name)` is missing") }
        return value
    }

    func integer(_ name: String) throws(JSONError) -> Int64 {
        guard case .integer(let value) = try member(name) else { throw JSONError("`\(name)` is not a whole number") }
        return value
    }

    /// nil when the member is absent or null.
    func optionalInteger(_ name: String) throws(JSONError) -> Int64? {
        guard let value = self[name], value != .null else { return nil }
        return try integer(name)
    }

    func string(_ name: String) throws(JSONError) -> String {
        guard case .string(let value) = try member(name) else { throw JSONError("`\(name)` is not text") }
        return value
    }

    func bool(_ name: String) throws(JSONError) -> Bool {
        guard case .bool(let value) = try member(name) else { throw JSONError("`\(name)` is not a boolean") }
        return value
    }

    func array(_ name: String) throws(JSONError) -> [JSONValue] {
        guard case .array(let values) = try member(name) else { throw JSONError("`\(name)` is not a list") }
        return values
    }

    func members(_ name: String) throws(JSONError) -> [JSONMember] {
        guard case .object(let members) = try member(name) else { throw JSONError("`\(name)` is not an object") }
        return members
    }

    func integers(_ name: String) throws(JSONError) -> [Int64] {
        var result: [Int64] = []
        for value in try array(name) {
            guard case .integer(let number) = value else { throw JSONError("`\(name)` holds other than whole numbers") }
            result.append(number)
        }
        return result
    }

    /// As `integers`, where null stands for a value that is not known.
    func optionalIntegers(_ name: String) throws(JSONError) -> [Int64?] {
        var result: [Int64?] = []
        for value in try array(name) {
            switch value {
            case .integer(let number): result.append(number)
            case .null: result.append(nil)
            default: throw JSONError("`\(name)` holds other than whole numbers")
            }
        }
        return result
    }

    /// A map from names to texts; empty where it is missing.
    func textMap(_ name: String) throws(JSONError) -> [String: String] {
        guard self[name] != nil else { return [:] }
        var result: [String: String] = [:]
        for member in try members(name) {
            guard case .string(let text) = member.value else {
                throw JSONError("`\(name).\(member.name)` is not text")
            }
            result[member.name] = text
        }
        return result
    }

    /// A map from names to whole numbers.
    func integerMap(_ name: String) throws(JSONError) -> [String: Int64] {
        var result: [String: Int64] = [:]
        for member in try members(name) {
            guard case .integer(let number) = member.value else {
                throw JSONError("`\(name).\(member.name)` is not a whole number")
            }
            result[member.name] = number
        }
        return result
    }
}

// MARK: - Putting values together

extension JSONValue {
    static func optional(_ value: Int64?) -> JSONValue { value.map { .integer($0) } ?? .null }

    static func integers(_ values: [Int64]) -> JSONValue { .array(values.map { .integer($0) }) }

    static func optionalIntegers(_ values: [Int64?]) -> JSONValue { .array(values.map { optional($0) }) }

    /// Members sorted by name, so that equal maps have equal bytes.
    static func integerMap(_ map: [String: Int64]) -> JSONValue {
        .object(map.sorted { $0.key < $1.key }.map { JSONMember($0.key, .integer($0.value)) })
    }
}

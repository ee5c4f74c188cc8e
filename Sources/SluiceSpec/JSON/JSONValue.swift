// The JSON of everything but rows: checkpoint files, reports, requests, plans, findings. Objects, arrays, text,
// booleans and 64-bit integers; anything else (duplicate names, deep nesting, bytes behind the end) is refused, so that
// what was read is what was written. Numbers with fractions are written in reports, and read from nothing but a report
// (`init(report:)`).

/// One value, such as the content of a checkpoint file or a request.
package enum JSONValue: Hashable, Sendable {
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

package struct JSONMember: Hashable, Sendable {
    package var name: String
    package var value: JSONValue

    package init(_ name: String, _ value: JSONValue) {
        self.name = name
        self.value = value
    }
}

/// What is wrong with a text, or with a value that should have had another shape.
package struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

// MARK: - Taking values apart

extension JSONValue {
    /// nil when this is no object or has no such member. O(members).
    package subscript(_ name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    package func member(_ name: String) throws(JSONError) -> JSONValue {
        guard let value = self[name] else { throw JSONError("`\(name)` is missing") }
        return value
    }

    package func integer(_ name: String) throws(JSONError) -> Int64 {
        guard case .integer(let value) = try member(name) else { throw JSONError("`\(name)` is not a whole number") }
        return value
    }

    /// nil when the member is absent or null.
    package func optionalInteger(_ name: String) throws(JSONError) -> Int64? {
        guard let value = self[name], value != .null else { return nil }
        return try integer(name)
    }

    package func string(_ name: String) throws(JSONError) -> String {
        guard case .string(let value) = try member(name) else { throw JSONError("`\(name)` is not text") }
        return value
    }

    package func bool(_ name: String) throws(JSONError) -> Bool {
        guard case .bool(let value) = try member(name) else { throw JSONError("`\(name)` is not a boolean") }
        return value
    }

    package func array(_ name: String) throws(JSONError) -> [JSONValue] {
        guard case .array(let values) = try member(name) else { throw JSONError("`\(name)` is not a list") }
        return values
    }

    package func members(_ name: String) throws(JSONError) -> [JSONMember] {
        guard case .object(let members) = try member(name) else { throw JSONError("`\(name)` is not an object") }
        return members
    }

    package func integers(_ name: String) throws(JSONError) -> [Int64] {
        var result: [Int64] = []
        for value in try array(name) {
            guard case .integer(let number) = value else { throw JSONError("`\(name)` holds other than whole numbers") }
            result.append(number)
        }
        return result
    }

    /// As `integers`, where null stands for a value that is not known.
    package func optionalIntegers(_ name: String) throws(JSONError) -> [Int64?] {
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
    package func textMap(_ name: String) throws(JSONError) -> [String: String] {
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
    package func integerMap(_ name: String) throws(JSONError) -> [String: Int64] {
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
    package static func optional(_ value: Int64?) -> JSONValue { value.map { .integer($0) } ?? .null }

    package static func optional(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }

    /// Members in the order given.
    package static func object(_ members: KeyValuePairs<String, JSONValue>) -> JSONValue {
        .object(members.map { JSONMember($0.key, $0.value) })
    }

    package static func integers(_ values: [Int64]) -> JSONValue { .array(values.map { .integer($0) }) }

    package static func optionalIntegers(_ values: [Int64?]) -> JSONValue { .array(values.map { optional($0) }) }

    /// Members sorted by name, so that equal maps have equal bytes.
    package static func integerMap(_ map: [String: Int64]) -> JSONValue {
        .object(map.sorted { $0.key < $1.key }.map { JSONMember($0.key, .integer($0.value)) })
    }
}

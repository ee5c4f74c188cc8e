// The messages of a schema of protobuf as flat tables: a field names a message or an enum by its place in them, so that
// types that hold themselves are finite values. Source: Protocol Buffers Documentation, language guides proto2 and
// proto3.

package struct ProtobufSchema: Hashable, Sendable {
    /// Those of the file itself first, each before those that lie in it; then those that fields refer to.
    package let messages: [ProtobufMessage]
    package let enumerations: [ProtobufEnumeration]

    package subscript(_ message: Int) -> ProtobufMessage { messages[message] }

    /// The most bytes that a file has.
    package static let byteCountMax = AvroSchema.byteCountMax
}

package struct ProtobufMessage: Hashable, Sendable {
    /// With its package and the messages it lies in, such as `shop.Order.Item`.
    package var fullName: String
    /// By number.
    package var fields: [ProtobufField]
    /// The message it lies in.
    package var parent: Int?
    /// Its place among those of its file, or of its parent.
    package var place: Int
    /// False for one of a file that was imported.
    package var isOwn: Bool
    /// True for what the pairs of a map are: a key with the number 1, a value with 2.
    package var isMapEntry: Bool
    package var wellKnown: ProtobufWellKnown?

    /// The name without its package.
    package var name: String { unqualified(fullName) }
}

package struct ProtobufField: Hashable, Sendable {
    /// As descriptors number them.
    package enum Kind: UInt8, Hashable, Sendable {
        case double = 1
        case float, int64, uint64, int32, fixed64, fixed32, bool, string, group, message, bytes, uint32, enumeration
        case sfixed32, sfixed64, sint32, sint64
    }

    package enum Default: Hashable, Sendable {
        /// Of a number, a boolean or an enum; of `double` and `float` the bits of a double.
        case bits(UInt64)
        case bytes([UInt8])
    }

    package var name: String
    package var number: Int
    package var kind: Kind
    /// The message or the enum; -1 where it is neither.
    package var type: Int
    package var isRepeated: Bool
    /// True where a record shows whether it has the field.
    package var hasPresence: Bool
    /// Among the oneofs of its message.
    package var oneof: Int?
    /// What the field is where a record lacks it; nil: nothing.
    package var fallback: Default?

    package var valueType: ProtobufType { ProtobufType(kind: kind, index: type) }
}

/// What one value is.
package struct ProtobufType: Hashable, Sendable {
    package var kind: ProtobufField.Kind
    /// The message or the enum; -1 where it is neither.
    package var index: Int

    package init(kind: ProtobufField.Kind, index: Int = -1) {
        self.kind = kind
        self.index = index
    }
}

package struct ProtobufEnumeration: Hashable, Sendable {
    package struct Value: Hashable, Sendable {
        package var name: String
        package var number: Int32
    }

    package var fullName: String
    package var values: [Value]
    /// True where other numbers are none of its values, and a field with one is as if it were not there (proto2).
    package var isClosed: Bool

    /// The first name of a number. O(values).
    package func name(of number: Int32) -> String? { values.first { $0.number == number }?.name }
}

/// Messages of google.protobuf that have a form of their own in JSON.
package enum ProtobufWellKnown: String, Hashable, Sendable {
    case timestamp = "Timestamp"
    case duration = "Duration"
    case fieldMask = "FieldMask"
    case object = "Struct"
    case value = "Value"
    case list = "ListValue"
    case wrapper

    init?(fullName: String) {
        let package = "google.protobuf."
        guard fullName.hasPrefix(package) else { return nil }
        let name = String(fullName.dropFirst(package.count))
        let wrappers: Set<String> = [
            "DoubleValue", "FloatValue", "Int64Value", "UInt64Value", "Int32Value", "UInt32Value", "BoolValue",
            "StringValue", "BytesValue",
        ]
        if wrappers.contains(name) { self = .wrapper } else { self.init(rawValue: name) }
    }
}

/// Why a text is no schema, or why a field cannot be read into a column.
package struct ProtobufProblem: Error, Hashable, Sendable {
    /// One clause, with its place where it has one (`visit.proto:3:5`).
    package var message: String
    package var fix: String?

    package init(message: String, fix: String? = nil) {
        self.message = message
        self.fix = fix
    }
}

// MARK: - Names

extension ProtobufSchema {
    /// The messages that lie in no other, in the order of their file.
    package var topMessages: [Int] { messages.indices.filter { messages[$0].isOwn && messages[$0].parent == nil } }

    /// The message that a path of places leads to, as Confluent's framing has it: among those of the file, then among
    /// those that lie in it, and so on.
    package func message(at places: [Int]) -> Int? {
        var found: Int?
        for place in places {
            let next = messages.firstIndex { $0.isOwn && $0.parent == found && $0.place == place }
            guard let next else { return nil }
            found = next
        }
        return found
    }

    /// The message of a name, with its package or without.
    /// - Throws: where there is none, or more than one. O(messages).
    package func message(named name: String) throws(ProtobufProblem) -> Int {
        let real = messages.indices.filter { !messages[$0].isMapEntry }
        if let exact = real.first(where: { messages[$0].fullName == name }) { return exact }
        let found = real.filter { messages[$0].fullName.hasSuffix("." + name) }
        if found.count == 1 { return found[0] }
        let names = (found.isEmpty ? real.filter { messages[$0].isOwn } : found).map { messages[$0].fullName }
        throw ProtobufProblem(
            message: found.isEmpty
                ? "the schema has no message `\(name)`" : "the schema has more than one message `\(name)`",
            fix: found.isEmpty
                ? suggestion(for: name, in: names, listing: "its messages are")
                : "write its whole name, one of \(listed(names))")
    }

    /// The only message, where no name says which.
    /// - Throws: where there are others, or none.
    package func onlyMessage() throws(ProtobufProblem) -> Int {
        let top = topMessages
        if top.count == 1 { return top[0] }
        throw ProtobufProblem(
            message: top.isEmpty ? "the schema has no message" : "the schema has \(top.count) messages",
            fix: top.isEmpty
                ? "name a file with messages"
                : "say which one records are, with `message`: \(listed(top.map { messages[$0].fullName }))")
    }

    private func listed(_ names: [String]) -> String {
        let shown = names.prefix(20).map { "`\($0)`" }.joined(separator: ", ")
        return names.count > 20 ? "\(shown) and \(names.count - 20) more" : shown
    }

    /// A type in words, such as "an int64", "a list of strings" or "the message `shop.Page`".
    package func noun(_ place: ProtobufPlace) -> String {
        switch place {
        case .list(let type): "a list (repeated \(word(type)))"
        case .map: "a map"
        case .value(let type):
            switch type.kind {
            case .message: "the message `\(messages[type.index].fullName)`"
            case .enumeration: "the enum `\(enumerations[type.index].fullName)`"
            case .int64, .int32: "an \(type.kind.word)"
            case .bytes: "bytes"
            default: "a \(type.kind.word)"
            }
        }
    }

    private func word(_ type: ProtobufType) -> String {
        switch type.kind {
        case .message: messages[type.index].fullName
        case .enumeration: enumerations[type.index].fullName
        default: type.kind.word
        }
    }
}

extension ProtobufField.Kind {
    /// As a schema names it.
    package var word: String { self == .enumeration ? "enum" : "\(self)" }

    /// True for whole numbers.
    package var isInteger: Bool {
        switch self {
        case .int64, .uint64, .int32, .fixed64, .fixed32, .uint32, .sfixed32, .sfixed64, .sint32, .sint64: true
        case .double, .float, .bool, .string, .group, .message, .bytes, .enumeration: false
        }
    }

    /// What the lowest three bits of a value's tag are.
    package var wireType: UInt8 {
        switch self {
        case .int64, .uint64, .int32, .bool, .uint32, .enumeration, .sint32, .sint64: 0
        case .double, .fixed64, .sfixed64: 1
        case .string, .message, .bytes: 2
        case .group: 3
        case .float, .fixed32, .sfixed32: 5
        }
    }

    /// Whether values of a list may stand in one piece.
    package var isPackable: Bool { wireType != 2 && wireType != 3 }
}

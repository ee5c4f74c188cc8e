// A record of JSON as a whole, for whoever has to find out what is in records before there are columns. It is read by
// the complete reader that decoders fall back to, so that both take the same text for a record.

/// A value of JSON.
package indirect enum JSONTree: Sendable {
    case null
    case bool(Bool)
    /// As it is written; also the words that stand for numbers, such as `NaN`.
    case number(String)
    case string(String)
    case array([JSONTree])
    /// In the order of the text; a name may come again.
    case object([(name: String, value: JSONTree)])
}

extension JSONTree {
    /// What lies deeper is given as an empty array.
    private static let depthMax = 64

    /// The object that a record is; nil for text that is none, or is not UTF-8. Text behind the object is passed over.
    /// O(bytes).
    package init?(record: [UInt8]) {
        var reader = JSONTokenReader()
        let tree = unsafe record.withUnsafeBytes { bytes -> JSONTree? in
            unsafe reader.start(bytes)
            guard !reader.isRepaired, (try? reader.next()) == .startObject else { return nil }
            return try? JSONTree.value(&reader, depth: 0)
        }
        guard let tree else { return nil }
        self = tree
    }

    private static func value(_ reader: inout JSONTokenReader, depth: Int) throws -> JSONTree {
        switch reader.current {
        case .startObject where depth < depthMax:
            var members: [(name: String, value: JSONTree)] = []
            while let token = try reader.next(), token != .endObject {
                guard let name = unsafe reader.currentName else { throw JSONTokenReader.Malformed() }
                let text = unsafe String(decoding: name, as: UTF8.self)
                _ = try reader.next()
                members.append((text, try value(&reader, depth: depth + 1)))
            }
            return .object(members)
        case .startArray where depth < depthMax:
            var elements: [JSONTree] = []
            while let token = try reader.next(), token != .endArray {
                elements.append(try value(&reader, depth: depth + 1))
            }
            return .array(elements)
        case .startObject, .startArray:
            try reader.skipChildren()
            return .array([])
        case .string:
            var text = ByteBuffer()
            unsafe appendReplacingSurrogates(try reader.string(), to: &text)
            return unsafe .string(String(decoding: text.bytes, as: UTF8.self))
        case .integer, .float: return unsafe .number(String(decoding: reader.numberText, as: UTF8.self))
        case .isTrue: return .bool(true)
        case .isFalse: return .bool(false)
        case nil, .null, .fieldName, .endObject, .endArray: return .null
        }
    }
}

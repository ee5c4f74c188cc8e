// JSON text to values and back. Only what RFC 8259 allows, of which only what `JSONValue` can hold.

/// Deeper nesting than this is refused; the checkpoint's own files need five levels.
private let maxDepth = 16
/// Of a report, which may hold a plan.
private let reportDepthMax = 256

extension JSONValue {
    /// The compact text on one line: control characters are escaped, so it holds no newline.
    package func text() -> [UInt8] {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return bytes
    }

    private func write(to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): bytes.append(contentsOf: String(value).utf8)
        case .double(let value): bytes.append(contentsOf: (value.isFinite ? value.description : "null").utf8)
        case .string(let value): Self.write(value, to: &bytes)
        case .array(let values):
            bytes.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                value.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                Self.write(member.name, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                member.value.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    /// The text for people: a member or an element a line, two blanks deeper per level.
    package func indentedText(_ indent: String = "") -> String {
        let inner = indent + "  "
        switch self {
        case .array(let values) where !values.isEmpty:
            return "[\n" + values.map { inner + $0.indentedText(inner) }.joined(separator: ",\n") + "\n\(indent)]"
        case .object(let members) where !members.isEmpty:
            let lines = members.map { "\(inner)\(quotedJSON($0.name)): \($0.value.indentedText(inner))" }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
        default: return String(decoding: text(), as: UTF8.self)
        }
    }

    private static func write(_ string: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        defer { bytes.append(UInt8(ascii: "\"")) }
        // Nearly every text: it is copied as it is.
        guard string.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == 0x22 || $0 == 0x5C }) else {
            bytes.append(contentsOf: string.utf8)
            return
        }
        let digits = Array("0123456789abcdef".utf8)
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\r"): bytes.append(contentsOf: "\\r".utf8)
            case UInt8(ascii: "\t"): bytes.append(contentsOf: "\\t".utf8)
            case 0..<0x20, 0x7F:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
    }

    /// Reads exactly one value that fills `text`. O(bytes), but for objects, whose names are compared pairwise up to
    /// 16 members and by set beyond.
    package init(text: ArraySlice<UInt8>) throws(JSONError) {
        var reader = JSONReader(text: text, takesFractions: false)
        self = try reader.document()
    }

    /// As above, for a report, whose numbers may have fractions.
    package init(report text: ArraySlice<UInt8>) throws(JSONError) {
        var reader = JSONReader(text: text, takesFractions: true)
        self = try reader.document()
    }
}

/// A text as a JSON string, in its quotes.
package func quotedJSON(_ text: String) -> String { String(decoding: JSONValue.string(text).text(), as: UTF8.self) }

private struct JSONReader {
    let text: ArraySlice<UInt8>
    var position: Int
    private let takesFractions: Bool

    package init(text: ArraySlice<UInt8>, takesFractions: Bool) {
        self.text = text
        self.takesFractions = takesFractions
        position = text.startIndex
    }

    private func error(_ what: String) -> JSONError { JSONError("\(what) at byte \(position - text.startIndex)") }

    private func peek() -> UInt8? { position < text.endIndex ? text[position] : nil }

    private mutating func skipSpace() {
        while let byte = peek(), byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
    }

    mutating func document() throws(JSONError) -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        if position < text.endIndex { throw error("text behind the value") }
        return value
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        if depth > (takesFractions ? reportDepthMax : maxDepth) { throw error("nested too deeply") }
        skipSpace()
        switch peek() {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw error("the text ends too early")
        default:
            if let fraction = fraction() { return fraction }
            return .integer(try integer())
        }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
        guard text[position...].starts(with: word.utf8) else { throw error("unknown word") }
        position += word.utf8.count
        return value
    }

    /// nil, and nothing read, for a whole number and for what is no number.
    private mutating func fraction() -> JSONValue? {
        guard takesFractions else { return nil }
        let rest = text[position...].prefix { byte in "0123456789+-.eE".utf8.contains(byte) }
        let isWhole = !rest.contains { ".eE".utf8.contains($0) }
        guard !isWhole, let value = Double(String(decoding: rest, as: UTF8.self)) else { return nil }
        position = rest.endIndex
        return .double(value)
    }

    private mutating func integer() throws(JSONError) -> Int64 {
        let start = position
        if peek() == UInt8(ascii: "-") { position += 1 }
        let firstDigit = position
        while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        let isPadded = position - firstDigit > 1 && text[firstDigit] == UInt8(ascii: "0")
        guard !isPadded, let value = Int64(String(decoding: text[start..<position], as: UTF8.self)) else {
            throw error("not a 64-bit whole number")
        }
        if let byte = peek(), byte == UInt8(ascii: ".") || byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            throw error("not a whole number")
        }
        return value
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        var values: [JSONValue] = []
        position += 1
        skipSpace()
        if peek() == UInt8(ascii: "]") {
            position += 1
            return .array(values)
        }
        while true {
            values.append(try value(depth: depth + 1))
            if try isLast(closing: UInt8(ascii: "]")) { return .array(values) }
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        var members: [JSONMember] = []
        position += 1
        skipSpace()
        if peek() == UInt8(ascii: "}") {
            position += 1
            return .object(members)
        }
        while true {
            skipSpace()
            guard peek() == UInt8(ascii: "\"") else { throw error("a name must stand here") }
            let name = try string()
            skipSpace()
            guard peek() == UInt8(ascii: ":") else { throw error("`:` must stand here") }
            position += 1
            members.append(JSONMember(name, try value(depth: depth + 1)))
            if try isLast(closing: UInt8(ascii: "}")) { break }
        }
        try checkNames(of: members)
        return .object(members)
    }

    private func checkNames(of members: [JSONMember]) throws(JSONError) {
        if members.count <= 16 {
            for (index, member) in members.enumerated()
            where members[..<index].contains(where: { $0.name == member.name }) {
                throw error("`\(member.name)` stands twice in an object that ends")
            }
        } else if Set(members.map(\.name)).count < members.count {
            throw error("a name stands twice in an object that ends")
        }
    }

    /// Steps over `,` (false) or the closing bracket (true).
    private mutating func isLast(closing: UInt8) throws(JSONError) -> Bool {
        skipSpace()
        guard let byte = peek(), byte == closing || byte == UInt8(ascii: ",") else {
            throw error("`,` must stand here")
        }
        position += 1
        return byte == closing
    }

    private mutating func string() throws(JSONError) -> String {
        var bytes: [UInt8] = []
        position += 1
        while true {
            guard let byte = peek() else { throw error("text without its closing quote") }
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: bytes, as: UTF8.self) else { throw error("text is not UTF-8") }
                return string
            case UInt8(ascii: "\\"): try escape(into: &bytes)
            case 0..<0x20: throw error("control character in text")
            default: bytes.append(byte)
            }
        }
    }

    private mutating func escape(into bytes: inout [UInt8]) throws(JSONError) {
        guard let byte = peek() else { throw error("the text ends too early") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(byte)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"): bytes.append(contentsOf: String(Character(try unicodeScalar())).utf8)
        default: throw error("unknown escape")
        }
    }

    private mutating func unicodeScalar() throws(JSONError) -> Unicode.Scalar {
        let high = try hexQuad()
        if let scalar = Unicode.Scalar(high) { return scalar }
        guard high < 0xDC00, text[position...].starts(with: "\\u".utf8) else { throw error("half of a surrogate pair") }
        position += 2
        let low = try hexQuad()
        guard (0xDC00...0xDFFF).contains(low),
            let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
        else { throw error("half of a surrogate pair") }
        return scalar
    }

    private mutating func hexQuad() throws(JSONError) -> UInt32 {
        guard text.endIndex - position >= 4 else { throw error("the text ends too early") }
        var value: UInt32 = 0
        for byte in text[position..<position + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw error("not four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
        }
        position += 4
        return value
    }
}

// JSON text as a stream of tokens, exactly as Jackson's ReaderBasedJsonParser delivers it with Spark's settings: single
// quotes and the bare numbers NaN, Infinity, -Infinity, +Infinity, -INF and +INF are allowed, nothing else beyond the
// standard is. This is the slow, complete reader for lines that the fast walk (JSONWalk) does not accept.
//
// Two of Jackson's habits decide what Spark answers for broken text, so they are kept:
//   - A field's name and the first step of its value are read together: a broken literal or number fails the record
//     before its field is looked at, whereas the inside of a string is read only when someone asks for it.
//   - After an error the reader may be asked to go on, from the byte it had reached.
// Source: com.fasterxml.jackson.core.json.ReaderBasedJsonParser 2.20 (by behaviour).

@safe struct JSONTokenReader: ~Copyable {
    enum Token: UInt8 {
        case fieldName, startObject, endObject, startArray, endArray
        case string, integer, float, isTrue, isFalse, null
    }

    /// What Jackson reports as a JsonProcessingException.
    struct Malformed: Error {}

    /// Where a reader stands, to come back to.
    struct Mark {
        fileprivate var position: Int
        fileprivate var current: Token?
        fileprivate var pendingValue: Token?
        fileprivate var isStringPending: Bool
        fileprivate var scalar: Range<Int>
        fileprivate var levelCount: Int
    }

    private struct Level {
        var isObject: Bool
        var entryCount: Int
        /// The level's current field name in `names`.
        var name: Range<Int>
    }

    private enum Limit {
        static let nesting = 1000
        static let numberBytes = 1000
        static let nameBytes = 50_000
        static let errorTokenBytes = 256
    }

    /// nil before the first token, at the end, and where Jackson loses its token after an error.
    private(set) var current: Token?
    /// The bytes of a number token in the text, or of a string token's content while `textIsDecoded` is false.
    private(set) var scalar = 0..<0
    /// The value of a number token that is a word.
    private(set) var wordNumber: Double?
    /// Whether `NaN`, `Infinity` and their like are numbers.
    var readsNumberWords = true

    private var text: UnsafeRawBufferPointer
    private var position = 0
    /// The value whose first step was read with the field name.
    private var pendingValue: Token?
    private var isStringPending = false
    private var levels: [Level] = []
    private var names = ByteBuffer()
    /// A string's content when it had escapes; lone surrogates stand in it as three bytes each.
    private var decoded = ByteBuffer()
    private var textIsDecoded = false
    private var repaired = ByteBuffer()
    /// True when the record was not UTF-8.
    private(set) var isRepaired = false

    init() {
        unsafe text = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    }

    /// Starts on a record. It must stay where it is until the next `start`. Bytes that are not UTF-8 become U+FFFD.
    mutating func start(_ record: UnsafeRawBufferPointer) {
        unsafe text = record
        repaired.removeAll()
        isRepaired = unsafe repairUTF8(record, into: &repaired)
        if isRepaired { unsafe text = repaired.bytes }
        position = 0
        current = nil
        pendingValue = nil
        isStringPending = false
        levels.removeAll(keepingCapacity: true)
        names.removeAll()
    }

    var mark: Mark {
        Mark(
            position: position, current: current, pendingValue: pendingValue, isStringPending: isStringPending,
            scalar: scalar, levelCount: levels.count)
    }

    /// Goes back to a mark taken at the same value: what was opened since is closed, and what the value itself had
    /// opened is open again.
    mutating func reset(to mark: Mark) {
        while levels.count > mark.levelCount {
            names.truncate(to: levels[levels.count - 1].name.lowerBound)
            levels.removeLast()
        }
        if levels.count < mark.levelCount {
            levels.append(Level(isObject: mark.current == .startObject, entryCount: 0, name: names.count..<names.count))
        }
        position = mark.position
        current = mark.current
        pendingValue = mark.pendingValue
        isStringPending = mark.isStringPending
        scalar = mark.scalar
        textIsDecoded = false
    }

    /// The name that belongs to the current token, nil outside of objects. Valid until the next token.
    var currentName: UnsafeRawBufferPointer? {
        let isStart = current == .startObject || current == .startArray
        let depth = levels.count - (isStart ? 2 : 1)
        guard depth >= 0, levels[depth].isObject else { return nil }
        return unsafe UnsafeRawBufferPointer(rebasing: names.bytes[levels[depth].name])
    }

    /// The bytes of the current number token.
    var numberText: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: text[scalar])
    }

    /// Reads past the current value and returns its text as it stands; nil, and nothing read, of a string, and of a
    /// number that is a word.
    mutating func valueText() throws(Malformed) -> UnsafeRawBufferPointer? {
        var range: Range<Int>
        switch current {
        case .startObject, .startArray:
            let start = position - 1
            try skipChildren()
            range = start..<position
        case .integer: range = scalar
        case .float where wordNumber == nil: range = scalar
        case .isTrue: range = position - 4..<position
        case .isFalse: range = position - 5..<position
        default: return nil
        }
        return unsafe UnsafeRawBufferPointer(rebasing: text[range])
    }

    /// True when there is more than blanks behind what was read.
    var hasMoreText: Bool {
        unsafe !UnsafeRawBufferPointer(rebasing: text[position...]).allSatisfy(isJSONBlank)
    }

    // MARK: Tokens

    /// Reads the next token; nil at the end of the text outside of all objects and arrays.
    mutating func next() throws(Malformed) -> Token? {
        if current == .fieldName { return try enterValue() }
        if isStringPending { try skipString() }
        guard let byte = try skipBlanks() else {
            current = nil
            return nil
        }
        if byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}") {
            current = try closeLevel(isObject: byte == UInt8(ascii: "}"))
            return current
        }
        return try readEntry(from: byte)
    }

    private mutating func enterValue() throws(Malformed) -> Token? {
        let token = pendingValue
        pendingValue = nil
        try open(token)
        current = token
        return token
    }

    private mutating func readEntry(from first: UInt8) throws(Malformed) -> Token? {
        var byte = first
        let isInObject = levels.last?.isObject ?? false
        if let level = levels.indices.last {
            levels[level].entryCount += 1
            if levels[level].entryCount > 1 {
                guard byte == UInt8(ascii: ",") else { throw Malformed() }
                byte = try skipBlanksInside()
            }
        }
        if isInObject {
            try readName(quote: byte)
            current = .fieldName
            byte = try skipBlanksInside()
            guard byte == UInt8(ascii: ":") else { throw Malformed() }
            byte = try skipBlanksInside()
        }
        let token = try readValue(from: byte)
        if isInObject {
            pendingValue = token
            return current
        }
        try open(token)
        current = token
        return token
    }

    private mutating func readValue(from byte: UInt8) throws(Malformed) -> Token {
        switch byte {
        case UInt8(ascii: "\""):
            isStringPending = true
            textIsDecoded = false
            return .string
        case UInt8(ascii: "["): return .startArray
        case UInt8(ascii: "{"): return .startObject
        case UInt8(ascii: "t"):
            try matchWord("true")
            return .isTrue
        case UInt8(ascii: "f"):
            try matchWord("false")
            return .isFalse
        case UInt8(ascii: "n"):
            try matchWord("null")
            return .null
        case UInt8(ascii: "-"): return try readNumber(signByteCount: 1)
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            position -= 1
            return try readNumber(signByteCount: 0)
        default: return try readOddValue(from: byte)
        }
    }

    private mutating func readOddValue(from byte: UInt8) throws(Malformed) -> Token {
        switch byte {
        case UInt8(ascii: "'"):
            try decodeString(from: position, quote: UInt8(ascii: "'"))
            return .string
        case UInt8(ascii: "N") where readsNumberWords:
            try matchWord("NaN")
            wordNumber = .nan
            return .float
        case UInt8(ascii: "I") where readsNumberWords:
            try matchWord("Infinity")
            wordNumber = .infinity
            return .float
        case UInt8(ascii: "+") where readsNumberWords:
            guard unsafe position < text.count else { throw Malformed() }
            return try readSignedWord(sign: 1)
        default:
            if startsIdentifier(byte) { skipIdentifier(matched: 1) }
            throw Malformed()
        }
    }

    /// What may follow a sign besides a digit: `INF` or `Infinity`.
    private mutating func readSignedWord(sign: Double) throws(Malformed) -> Token {
        let byte = unsafe text[position]
        position += 1
        guard byte == UInt8(ascii: "I"), unsafe position < text.count else { throw Malformed() }
        let second = unsafe text[position]
        position += 1
        if second == UInt8(ascii: "N") {
            try matchWord("INF", from: 2)
        } else if second == UInt8(ascii: "n") {
            try matchWord("Infinity", from: 2)
        } else {
            throw Malformed()
        }
        wordNumber = sign * .infinity
        return .float
    }

    // MARK: Levels

    /// Enters the level that a token opens, if it opens one.
    private mutating func open(_ token: Token?) throws(Malformed) {
        guard token == .startArray || token == .startObject else { return }
        levels.append(Level(isObject: token == .startObject, entryCount: 0, name: names.count..<names.count))
        guard levels.count <= Limit.nesting else { throw Malformed() }
    }

    private mutating func closeLevel(isObject: Bool) throws(Malformed) -> Token {
        guard let level = levels.last, level.isObject == isObject else { throw Malformed() }
        names.truncate(to: level.name.lowerBound)
        levels.removeLast()
        return isObject ? .endObject : .endArray
    }

    /// Skips what the current token opens, if it opens anything.
    mutating func skipChildren() throws(Malformed) {
        guard current == .startObject || current == .startArray else { return }
        var depth = 1
        while depth > 0, let token = try next() {
            switch token {
            case .startObject, .startArray: depth += 1
            case .endObject, .endArray: depth -= 1
            default: break
            }
        }
    }

    // MARK: Blanks and words

    /// The next byte that is not blank; nil at the end, which is an error inside an object or array.
    private mutating func skipBlanks() throws(Malformed) -> UInt8? {
        while unsafe position < text.count {
            let byte = unsafe text[position]
            position += 1
            if byte > 0x20 {
                guard byte != UInt8(ascii: "/") else { throw Malformed() }
                // A character beyond ASCII is read as a whole; its first byte says enough.
                if byte >= 0xC0 { skipContinuation() }
                return byte
            }
            guard byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D else { throw Malformed() }
        }
        guard levels.isEmpty else { throw Malformed() }
        return nil
    }

    private mutating func skipBlanksInside() throws(Malformed) -> UInt8 {
        guard let byte = try skipBlanks() else { throw Malformed() }
        return byte
    }

    /// Reads the rest of a word whose first bytes have been read.
    private mutating func matchWord(_ word: StaticString, from first: Int = 1) throws(Malformed) {
        var index = first
        while index < word.utf8CodeUnitCount {
            guard unsafe position < text.count, unsafe text[position] == word.utf8Start[index] else {
                skipIdentifier(matched: index)
                throw Malformed()
            }
            position += 1
            index += 1
        }
        guard unsafe position < text.count, isIdentifierPart(at: position) else { return }
        skipIdentifier(matched: index)
        throw Malformed()
    }

    /// Jackson reads on to the end of the word it complains about.
    private mutating func skipIdentifier(matched: Int) {
        var count = matched
        while unsafe position < text.count, isIdentifierPart(at: position), count < Limit.errorTokenBytes {
            position += 1
            skipContinuation()
            count += 1
        }
    }

    private mutating func skipContinuation() {
        while unsafe position < text.count, unsafe text[position] & 0xC0 == 0x80 { position += 1 }
    }

    /// Java's identifier characters. Every character beyond ASCII is taken for one, but for the replacement of what is
    /// not UTF-8.
    private func isIdentifierPart(at index: Int) -> Bool {
        let byte = unsafe text[index]
        switch byte {
        case UInt8(ascii: "_"), UInt8(ascii: "$"), 0x00...0x08, 0x0E...0x1B, 0x7F: return true
        case 0x80...0xFF: return !isReplacementCharacter(at: index)
        default: return byte.isDigit || byte.isLetter
        }
    }

    /// True when the character that has just been read and begins with `first` may begin a word.
    private func startsIdentifier(_ first: UInt8) -> Bool {
        if first >= 0x80 { return position < 3 || !isReplacementCharacter(at: position - 3) }
        return first.isLetter || first == UInt8(ascii: "_") || first == UInt8(ascii: "$")
    }

    private func isReplacementCharacter(at index: Int) -> Bool {
        unsafe index + 2 < text.count && text[index] == 0xEF && text[index + 1] == 0xBF && text[index + 2] == 0xBD
    }

    // MARK: Numbers

    /// Reads a number whose sign has been read; `position` is at its first digit.
    private mutating func readNumber(signByteCount: Int) throws(Malformed) -> Token {
        let start = position - signByteCount
        wordNumber = nil
        guard unsafe position < text.count else { throw Malformed() }
        guard unsafe text[position].isDigit else {
            guard readsNumberWords else { throw Malformed() }
            return try readSignedWord(sign: -1)
        }
        let leadsWithZero = unsafe text[position] == UInt8(ascii: "0")
        let wholeCount = skipDigits()
        if leadsWithZero, wholeCount > 1 {
            position = start + signByteCount + 1
            throw Malformed()
        }
        let wholeEnd = position
        var digitCount = wholeCount
        var isInteger = true
        if unsafe position < text.count, unsafe text[position] == UInt8(ascii: ".") {
            position += 1
            isInteger = false
            let count = skipDigits()
            digitCount += count
            guard count > 0 else { throw giveUpNumber(leadsWithZero: leadsWithZero, wholeEnd: wholeEnd) }
        }
        if unsafe position < text.count, unsafe text[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            isInteger = false
            if unsafe position < text.count,
                unsafe text[position] == UInt8(ascii: "-") || text[position] == UInt8(ascii: "+")
            {
                position += 1
            }
            let count = skipDigits()
            digitCount += count
            guard count > 0 else { throw giveUpNumber(leadsWithZero: leadsWithZero, wholeEnd: wholeEnd) }
        }
        guard digitCount <= Limit.numberBytes else { throw Malformed() }
        scalar = start..<position
        return isInteger ? .integer : .float
    }

    private mutating func skipDigits() -> Int {
        let start = position
        while unsafe position < text.count, unsafe text[position].isDigit { position += 1 }
        return position - start
    }

    /// Where Jackson stands after a point or an exponent without digits depends on which of its two loops reads the
    /// number: the one for numbers that begin with 0 has taken the byte that disappointed it, the other stands behind
    /// the point or the `e` that followed the whole digits.
    private mutating func giveUpNumber(leadsWithZero: Bool, wholeEnd: Int) -> Malformed {
        if !leadsWithZero {
            position = wholeEnd + 1
        } else if unsafe position < text.count {
            position += 1
        }
        return Malformed()
    }

    // MARK: Strings

    private mutating func readName(quote: UInt8) throws(Malformed) {
        guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else { throw Malformed() }
        let level = levels.count - 1
        try decodeString(from: position, quote: quote)
        guard decoded.count <= Limit.nameBytes else { throw Malformed() }
        names.truncate(to: levels[level].name.lowerBound)
        unsafe names.append(decoded.bytes)
        levels[level].name = levels[level].name.lowerBound..<names.count
        textIsDecoded = false
    }

    private mutating func skipString() throws(Malformed) {
        isStringPending = false
        try decodeString(from: position, quote: UInt8(ascii: "\""))
    }

    /// The content of the current string token; lone surrogates stand in it as three bytes each. Valid until the next
    /// call of any method. Throws, once, when the string is not closed or not well formed.
    mutating func string() throws(Malformed) -> UnsafeRawBufferPointer {
        if isStringPending {
            isStringPending = false
            let start = position
            var end = start
            while unsafe end < text.count, unsafe text[end] != UInt8(ascii: "\""),
                unsafe text[end] != UInt8(ascii: "\\"), unsafe text[end] >= 0x20
            {
                end += 1
            }
            if unsafe end < text.count, unsafe text[end] == UInt8(ascii: "\"") {
                scalar = start..<end
                position = end + 1
                textIsDecoded = false
            } else {
                try decodeString(from: start, quote: UInt8(ascii: "\""))
            }
        }
        return unsafe textIsDecoded ? decoded.bytes : UnsafeRawBufferPointer(rebasing: text[scalar])
    }

    /// Decodes into `decoded` up to the closing quote.
    private mutating func decodeString(from start: Int, quote: UInt8) throws(Malformed) {
        position = start
        decoded.removeAll()
        textIsDecoded = true
        while unsafe position < text.count {
            let byte = unsafe text[position]
            position += 1
            if byte == quote { return }
            guard byte >= 0x20 else { throw Malformed() }
            if byte == UInt8(ascii: "\\") {
                let length = unsafe decodeJSONEscape(text, at: position, into: &decoded)
                position += abs(length)
                guard length > 0 else { throw Malformed() }
            } else {
                decoded.append(byte)
            }
        }
        throw Malformed()
    }
}

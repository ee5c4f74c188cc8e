// What `escape` means: a field in quotes as Spark's CSV reader takes it (univocity-parsers with Spark's settings). With
// its default, the backslash, `"a\"b"` is `a"b`, whereas a doubled quote makes the field be taken as it stands, quotes
// included.

/// A field that begins with a quote, by univocity's state machine: what stands behind a closing quote decides what the
/// quote was. Its oddities are kept, since they decide Spark's answers for sloppy text.
/// Source: com.univocity.parsers.csv.CsvParser 2.9.1 (by behaviour), unescaped quotes handled as STOP_AT_DELIMITER.
@safe struct SparkQuotedValue: ~Copyable {
    private struct EndOfLine: Error {}

    private let separator: UInt8
    private let quote: UInt8
    private let escape: UInt8
    private var content = ByteBuffer()
    private var line = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    private var position = 0
    /// The byte in hand and the one that was in hand before it; 0 is none.
    private var byte: UInt8 = 0
    private var previous: UInt8 = 0
    /// True once a quote has turned out not to close the value.
    private var isUnescaped = false

    init(separator: UInt8, quote: UInt8, escape: UInt8) {
        self.separator = separator
        self.quote = quote
        self.escape = escape
    }

    /// The value that was read last.
    var value: UnsafeRawBufferPointer { unsafe content.bytes }

    /// Reads the value whose opening quote stands at `start`; returns where its separator is, or the line's end.
    mutating func read(_ line: UnsafeRawBufferPointer, from start: Int) -> Int {
        unsafe self.line = unsafe line
        content.removeAll()
        position = start + 1
        byte = quote
        previous = 0
        isUnescaped = false
        do throws(EndOfLine) {
            try readQuoted()
            return position - 1
        } catch {
            if byte == quote, previous != quote, !isUnescaped { content.append(quote) }
            return line.count
        }
    }

    private mutating func advance() throws(EndOfLine) {
        guard unsafe position < line.count else { throw EndOfLine() }
        byte = unsafe line[position]
        position += 1
    }

    /// Appends up to a byte for which `isStop` holds, which is then in hand. At the line's end the byte in hand is
    /// still the first one: univocity's reader keeps it, and what becomes of a last quote depends on it.
    private mutating func append(until isStop: (UInt8) -> Bool) throws(EndOfLine) {
        let first = byte
        while !isStop(byte) {
            content.append(byte)
            do throws(EndOfLine) {
                try advance()
            } catch {
                byte = first
                throw error
            }
        }
    }

    private mutating func readQuoted() throws(EndOfLine) {
        try advance()
        while !(previous == quote && (byte <= 0x20 || byte == separator)) {
            if byte == quote || byte == escape {
                try readQuoteOrEscape()
                previous = byte
                try advance()
                if isUnescaped, byte == separator { return }
                continue
            }
            if previous == quote {
                isUnescaped = true
                content.append(quote)
                content.append(byte)
                return try readVerbatim()
            }
            if previous == escape { content.append(escape) }
            let (quote, escape) = (quote, escape)
            try append { $0 == quote || $0 == escape }
            previous = byte
            try advance()
        }
        guard byte != separator else { return }
        let blanksStart = position - 1
        repeat { try advance() } while byte <= 0x20 && byte != separator
        guard byte != separator else { return }
        content.append(quote)
        unsafe content.append(UnsafeRawBufferPointer(rebasing: line[blanksStart..<position]))
        try readVerbatim()
    }

    /// The closing quote was none: the opening one is content too, and so is everything up to the separator.
    private mutating func readVerbatim() throws(EndOfLine) {
        previous = byte
        // The byte in hand may be the first of a character, which univocity holds as a whole.
        while byte < 0xF0, unsafe position < line.count, unsafe line[position] & 0xC0 == 0x80 {
            unsafe content.append(line[position])
            position += 1
        }
        content.insertAtFront(quote)
        try advance()
        let separator = separator
        try append { $0 == separator }
    }

    private mutating func readQuoteOrEscape() throws(EndOfLine) {
        if byte == escape, previous == escape {
            content.append(escape)
            byte = 0
        } else if previous == escape {
            content.append(quote)
            byte = 0
        } else if previous == quote {
            content.append(quote)
            guard byte == escape else { return }
            previous = byte
            try readPastStrayEscape()
        }
    }

    /// A quote followed by an escape: univocity goes on as in a value without quotes, to the separator. Each further
    /// such pair on the way is a level that takes one more byte, separator or not, when it ends.
    private mutating func readPastStrayEscape() throws(EndOfLine) {
        var levels = 0
        while true {
            while byte != separator {
                if byte == quote || byte == escape {
                    if byte == escape, previous == escape {
                        content.append(escape)
                        byte = 0
                    } else if previous == escape {
                        content.append(quote)
                        byte = 0
                    } else if previous == quote {
                        content.append(quote)
                        if byte == escape {
                            previous = byte
                            levels += 1
                            continue
                        }
                    }
                } else {
                    if previous == quote {
                        content.append(quote)
                        previous = byte
                        continue
                    }
                    content.append(byte)
                }
                previous = byte
                try advance()
            }
            guard levels > 0 else { return }
            levels -= 1
            previous = byte
            try advance()
        }
    }
}

extension ByteBuffer {
    fileprivate mutating func insertAtFront(_ byte: UInt8) {
        append(byte)
        unsafe (base + 1).copyMemory(from: base, byteCount: count - 1)
        unsafe base.storeBytes(of: byte, as: UInt8.self)
    }
}

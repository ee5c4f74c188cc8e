// Where records of CSV end when line ends may stand in quotes. Only what comes before a line end says whether it is one
// of a record, so a file is looked through from its start; the state is carried from block to block.

internal import Glibc
package import SluiceSpec

/// Finds the line ends that are not in quotes, from the start of a record on.
package struct CSVLineEnds: Sendable {
    private enum State {
        case fieldStart
        /// In a field without quotes, or behind what is in quotes.
        case unquoted
        case quoted
        /// Behind a quote in quotes, which may be the closing one.
        case quoteSeen
        /// Behind an escape in quotes.
        case escaped
    }

    private let separator: UInt8
    private let quote: UInt8
    /// Nil when quotes are doubled.
    private let escape: UInt8?
    private var state = State.fieldStart

    package init(_ options: CSVOptions) {
        separator = options.separator
        precondition(options.quote != nil, "line ends can only be in quotes")
        quote = options.quote ?? 0
        escape = options.escape
    }

    /// True when what was looked through ends in quotes that are not closed.
    package var isInQuotes: Bool { state == .quoted || state == .escaped }

    /// Forgets what was looked through: a record starts.
    package mutating func restart() { state = .fieldStart }

    /// Behind the next line end that is not in quotes, where a record starts; nil when there is none in the bytes, and
    /// then the next ones go on from there. O(bytes up to it).
    package mutating func next(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var index = start
        if state == .fieldStart, let end = unsafe endOfPlainLine(bytes, from: start) { return end }
        while index < bytes.count {
            switch state {
            case .fieldStart:
                if unsafe bytes[index] == quote {
                    state = .quoted
                    index &+= 1
                } else {
                    state = .unquoted
                }
            case .unquoted:
                while index < bytes.count {
                    let byte = unsafe bytes[index]
                    index &+= 1
                    if byte == UInt8(ascii: "\n") {
                        state = .fieldStart
                        return index
                    }
                    if byte == separator {
                        state = .fieldStart
                        break
                    }
                }
            case .quoted: index = unsafe passQuoted(bytes, from: index)
            case .quoteSeen:
                // A doubled quote is text; where there is an escape, a run of quotes closes by its last one.
                if unsafe bytes[index] == quote {
                    state = escape == nil ? .quoted : .quoteSeen
                    index &+= 1
                } else {
                    state = .unquoted
                }
            case .escaped:
                state = .quoted
                index &+= 1
            }
        }
        return nil
    }

    /// Behind the first line end where no quote stands before it, which is most lines of most files.
    private func endOfPlainLine(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard let base = bytes.baseAddress, start < bytes.count else { return nil }
        let end = unsafe findByte(UInt8(ascii: "\n"), in: base, from: start, to: bytes.count)
        guard end < bytes.count, unsafe findByte(quote, in: base, from: start, to: end) == end else { return nil }
        return end &+ 1
    }

    private mutating func passQuoted(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start
        if escape == nil {
            index = unsafe findMark(quote, in: bytes, from: start)
            if index < bytes.count { state = .quoteSeen }
            return min(index &+ 1, bytes.count)
        }
        while index < bytes.count {
            let byte = unsafe bytes[index]
            index &+= 1
            if byte == quote {
                state = .quoteSeen
                return index
            }
            if byte == escape {
                state = .escaped
                return index
            }
        }
        return index
    }
}

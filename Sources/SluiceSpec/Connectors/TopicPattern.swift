// The pattern of `topic_pattern`: a POSIX extended regular expression that has to match the whole name. The C library
// has them, and what it finds is the longest match from the leftmost place: so the whole name matches just when the
// match is the whole name.

internal import Glibc

/// A pattern of topic names. Equal when its text is.
package struct TopicPattern: Sendable {
    package let text: String
    private let compiled: Compiled

    /// - Throws: what is wrong with the text, to follow "`text` is not an extended regular expression: ".
    package init(_ text: String) throws(TopicPatternError) {
        if let foreign = Self.foreign(in: text) { throw foreign }
        self.text = text
        compiled = try Compiled(text)
    }

    /// Whether the whole of a name matches.
    package func matches(_ topic: String) -> Bool { compiled.matches(topic) }

    /// What Java's and Perl's expressions have and these do not: the C library takes some of it and means other things.
    private static func foreign(in text: String) -> TopicPatternError? {
        if text.contains("\0") { return TopicPatternError("it holds a NUL") }
        if text.contains("(?") {
            return TopicPatternError("there is no `(?`", fix: "write a plain group `( )`")
        }
        let instead = ["d": "[0-9]", "D": "[^0-9]", "w": "[A-Za-z0-9_]", "W": "[^A-Za-z0-9_]"]
        var isEscaped = false
        for character in text {
            if isEscaped, character.isLetter || character.isNumber {
                return TopicPatternError(
                    "there is no `\\\(character)`",
                    fix: instead["\(character)"].map { "write `\($0)`" } ?? "write what is meant without `\\`")
            }
            isEscaped = character == "\\" && !isEscaped
        }
        return nil
    }
}

extension TopicPattern: Hashable {
    package static func == (left: TopicPattern, right: TopicPattern) -> Bool { left.text == right.text }
    package func hash(into hasher: inout Hasher) { hasher.combine(text) }
}

/// Why a text is not a pattern.
package struct TopicPatternError: Error, Hashable, Sendable {
    package var reason: String
    package var fix: String?

    init(_ reason: String, fix: String? = nil) {
        self.reason = reason
        self.fix = fix
    }
}

/// The C library's form of a pattern.
@safe private final class Compiled: @unchecked Sendable {
    // @unchecked: compiled once; `regexec` may be called from several threads.
    private let pointer: UnsafeMutablePointer<regex_t>

    init(_ text: String) throws(TopicPatternError) {
        let pointer = UnsafeMutablePointer<regex_t>.allocate(capacity: 1)
        unsafe pointer.initialize(to: regex_t())
        let code = unsafe regcomp(pointer, text, REG_EXTENDED)
        if code != 0 {
            let reason = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
                guard let base = buffer.baseAddress else { return "" }
                unsafe regerror(code, pointer, base, buffer.count)
                return unsafe String(cString: base)
            }
            unsafe pointer.deallocate()
            throw TopicPatternError(reason)
        }
        unsafe self.pointer = unsafe pointer
    }

    deinit {
        unsafe regfree(pointer)
        unsafe pointer.deallocate()
    }

    func matches(_ text: String) -> Bool {
        var match = regmatch_t()
        return unsafe regexec(pointer, text, 1, &match, 0) == 0 && match.rm_so == 0
            && Int(match.rm_eo) == text.utf8.count
    }
}

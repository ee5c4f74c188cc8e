// What a person did wrong in a spec, as a value: parser, type checker and planner all report with this one type, so
// that every mistake of a file shows in one run, sorted by place. Text and JSON are two printers of it.

/// A place in a spec file.
package struct SourcePosition: Hashable, Sendable, Comparable {
    /// The file's name as the user gave it.
    package var file: String
    /// Line, from 1.
    package var line: Int
    /// Column in characters, from 1.
    package var column: Int

    package init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    package static func < (a: SourcePosition, b: SourcePosition) -> Bool {
        (a.file, a.line, a.column) < (b.file, b.line, b.column)
    }
}

/// One finding about a spec.
package struct Diagnostic: Hashable, Sendable, Error {
    package enum Severity: String, Hashable, Sendable {
        case error
        case warning
        /// Right as it is, and perhaps not what was meant.
        case hint
    }

    package var severity: Severity
    /// A stable name such as `unknown-key`; the diagnostics index lists them all.
    package var code: String
    package var position: SourcePosition
    /// How many characters from `position` on the finding is about (the carets' width); at least 1.
    package var length: Int
    /// What is wrong: one sentence, no full stop, names in backticks.
    package var message: String
    /// What to do, such as "did you mean `watermark`?".
    package var fix: String?

    package init(
        _ severity: Severity, code: String, at position: SourcePosition, length: Int = 1, _ message: String,
        fix: String? = nil
    ) {
        self.severity = severity
        self.code = code
        self.position = position
        self.length = length
        self.message = message
        self.fix = fix
    }
}

/// A value together with the place it was written at.
package struct Located<Value> {
    package var value: Value
    package var position: SourcePosition
    /// The width of its text in characters, at least 1.
    package var length: Int

    package init(_ value: Value, at position: SourcePosition, length: Int = 1) {
        self.value = value
        self.position = position
        self.length = length
    }
}

extension Located: Sendable where Value: Sendable {}
extension Located: Equatable where Value: Equatable {}
extension Located: Hashable where Value: Hashable {}

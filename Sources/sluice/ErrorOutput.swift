// What a command itself says on standard error, beside the log: mistakes in specs, errors, where it listens. A person
// gets it in plain words. Where the log is JSON a program reads standard error, and each line of it is an object; what
// the Swift runtime writes when the process is about to trap is beyond our reach.

internal import SluiceSpec
internal import SluiceSystem

struct ErrorOutput: Sendable {
    /// nil where people read.
    private let log: Log?

    private let write: @Sendable ([UInt8]) -> Void

    /// For a command line that may be wrong: the log's format counts from the first word on.
    /// - Parameter waits: false where a line is lost rather than waited for until somebody reads it.
    init(arguments: [String], clock: any Clock, waits: Bool = true) {
        var isJSON = false
        for (index, word) in arguments.enumerated() {
            if word == "--log-format", index + 1 < arguments.count { isJSON = arguments[index + 1] == "json" }
            if word.hasPrefix("--log-format=") { isJSON = word == "--log-format=json" }
        }
        write = waits ? writeToStandardError : tryToWriteToStandardError
        // Nothing of this is too small to be said: whoever reads plain words gets it all, too.
        log =
            isJSON && arguments.first == "run"
            ? Log(level: .debug, format: .json, clock: clock, write: write) : nil
    }

    func say(_ text: String, _ level: LogLevel = .info, _ metadata: KeyValuePairs<LogKey, LogValue> = [:]) {
        if let log { log.say(level, text, metadata) } else { write(Array((text + "\n").utf8)) }
    }

    func error(_ text: String) { say(log == nil ? "error: \(text)" : text, .error) }

    /// The findings of `lines`' files; hints are for those who ask what could be better.
    func say(_ diagnostics: [Diagnostic], _ lines: SourceLines, hide: (String) -> String = { $0 }) {
        for diagnostic in diagnostics where diagnostic.severity != .hint {
            guard log != nil else {
                say(hide(diagnostic.rendered(lines: lines)))
                continue
            }
            say(
                hide(diagnostic.message), diagnostic.severity == .error ? .error : .warning,
                [
                    .errorCode: .string(diagnostic.code), .file: .string(diagnostic.position.file),
                    .line: .integer(Int64(diagnostic.position.line)),
                    .column: .integer(Int64(diagnostic.position.column)), .fix: .string(hide(diagnostic.fix ?? "")),
                ])
        }
    }
}

extension LogKey {
    fileprivate static let file = LogKey("sluice.file")
    fileprivate static let line = LogKey("sluice.line")
    fileprivate static let column = LogKey("sluice.column")
    fileprivate static let fix = LogKey("sluice.fix")
    static let address = LogKey("sluice.address")
}

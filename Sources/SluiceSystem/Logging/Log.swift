// Structured logging: a constant sentence plus metadata under constant keys, one line per event, written with one
// call so that lines of several threads and processes do not mix. Values never go into the sentence, so that every
// event can be counted and searched for.

internal import Glibc
internal import Synchronization

package enum LogLevel: String, Hashable, Sendable, CaseIterable, Comparable {
    /// Success as usual, for whoever looks for a fault.
    case debug
    /// Start, stop, recovery.
    case info
    /// A person should look.
    case warning
    /// A query stops.
    case error

    package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rank < b.rank }

    private var rank: Int {
        switch self {
        case .debug: 0
        case .info: 1
        case .warning: 2
        case .error: 3
        }
    }
}

/// The name of a piece of metadata. Modules add their own as static constants in an extension.
package struct LogKey: Sendable {
    package let name: StaticString

    package init(_ name: StaticString) { self.name = name }

    package static let query = LogKey("sluice.query")
    package static let batch = LogKey("sluice.batch")
    package static let source = LogKey("sluice.source")
    package static let sink = LogKey("sluice.sink")
    package static let path = LogKey("sluice.path")
    /// A stable name of an error, such as `file-truncated`.
    package static let errorCode = LogKey("sluice.error_code")
    package static let error = LogKey("sluice.error")
}

package enum LogValue: Hashable, Sendable {
    case string(String)
    case integer(Int64)
    case double(Double)
    case boolean(Bool)
}

extension LogValue: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(booleanLiteral value: Bool) { self = .boolean(value) }
}

package enum LogFormat: String, Hashable, Sendable, CaseIterable {
    case logfmt
    case json
}

/// Where events go, from which level on, and what they all carry. A value: hand it down, add to it with `with`.
package struct Log: Sendable {
    private let level: LogLevel
    private let format: LogFormat
    private let clock: any Clock
    private let write: @Sendable ([UInt8]) -> Void
    private let hide: @Sendable (String) -> String
    private var context: [(key: LogKey, value: LogValue)] = []

    /// `write` gets one line at a time, newline included, from any thread. `hide` sees every text before it is written,
    /// and gives what may be shown of it.
    package init(
        level: LogLevel, format: LogFormat, clock: any Clock = SystemClock(),
        write: @escaping @Sendable ([UInt8]) -> Void = writeToStandardError,
        hide: @escaping @Sendable (String) -> String = { $0 }
    ) {
        self.level = level
        self.format = format
        self.clock = clock
        self.hide = hide
        self.write = write
    }

    /// A log nobody reads.
    package static let none = Log(level: .error, format: .logfmt, write: { _ in })

    /// The same log, whose events all carry `metadata` as well.
    package func with(_ metadata: KeyValuePairs<LogKey, LogValue>) -> Log {
        with(metadata.map { ($0.key, $0.value) })
    }

    private func with(_ metadata: [(LogKey, LogValue)]) -> Log {
        var log = self
        log.context += metadata
        return log
    }

    package func debug(_ sentence: StaticString, _ metadata: @autoclosure () -> KeyValuePairs<LogKey, LogValue> = [:]) {
        put(.debug, sentence, metadata)
    }

    package func info(_ sentence: StaticString, _ metadata: @autoclosure () -> KeyValuePairs<LogKey, LogValue> = [:]) {
        put(.info, sentence, metadata)
    }

    package func warning(
        _ sentence: StaticString, _ metadata: @autoclosure () -> KeyValuePairs<LogKey, LogValue> = [:]
    ) {
        put(.warning, sentence, metadata)
    }

    /// As the other one, for metadata of which parts may be missing.
    package func warning(_ sentence: StaticString, _ metadata: [(LogKey, LogValue)]) {
        with(metadata).put(.warning, sentence) { [:] }
    }

    package func error(_ sentence: StaticString, _ metadata: @autoclosure () -> KeyValuePairs<LogKey, LogValue> = [:]) {
        put(.error, sentence, metadata)
    }

    /// What a command says to a person, who is given no keys: the words are the message. Events have a constant
    /// sentence.
    package func say(_ level: LogLevel, _ words: String, _ metadata: KeyValuePairs<LogKey, LogValue> = [:]) {
        put(level, hide(words)) { metadata }
    }

    private func put(_ level: LogLevel, _ sentence: StaticString, _ metadata: () -> KeyValuePairs<LogKey, LogValue>) {
        guard level >= self.level else { return }
        put(level, sentence.description, metadata)
    }

    private func put(_ level: LogLevel, _ message: String, _ metadata: () -> KeyValuePairs<LogKey, LogValue>) {
        guard level >= self.level else { return }
        var line = LogLine(format: format)
        line.append("time", .string(utcText(millis: clock.wallMillis)))
        line.append("level", .string(level.rawValue))
        line.append("message", .string(message))
        for (key, value) in context { line.append(key.name.description, shown(value)) }
        for (key, value) in metadata() { line.append(key.name.description, shown(value)) }
        write(line.finished())
    }

    private func shown(_ value: LogValue) -> LogValue {
        if case .string(let text) = value { .string(hide(text)) } else { value }
    }
}

/// Lines of one process leave whole even when the kernel takes a long one in pieces.
private let standardErrorLock = Mutex(())

/// Writes a line to standard error if that needs no wait, neither for a reader nor for another line: for the last words
/// of a process that has been told twice to end.
package let tryToWriteToStandardError: @Sendable ([UInt8]) -> Void = { line in
    var request = pollfd(fd: 2, events: Int16(POLLOUT), revents: 0)
    guard unsafe poll(&request, 1, 0) == 1, request.revents & Int16(POLLOUT) != 0 else { return }
    _ = unsafe line.withUnsafeBytes { unsafe write(2, $0.baseAddress, $0.count) }
}

/// Writes a line to standard error. When that fails there is nobody left to tell.
package let writeToStandardError: @Sendable ([UInt8]) -> Void = { line in
    standardErrorLock.withLock { _ in
        _ = unsafe line.withUnsafeBytes { unsafe writeFully(to: 2, [$0]) }
    }
}

// Server-sent events. One log for all readers, with a limit: a reader is a position in it. Whoever reads too slowly
// finds his position gone, and his connection ends; a browser comes back by itself and starts with the present. So
// memory does not depend on how many read or how fast, and a query's thread only ever appends to the log.

internal import SluiceSystem

/// One connection's place in the log. Its fields belong to the log's lock.
final class EventReader: @unchecked Sendable {
    // @unchecked: guarded by the log's monitor.
    fileprivate var position: Int
    /// What is left of the event that is being sent.
    fileprivate var rest: ArraySlice<UInt8>
    /// Continues a connection that waits for events; nil while it does not wait.
    fileprivate var wake: (@Sendable () -> Void)?
    fileprivate var owesSignOfLife = false

    fileprivate init(position: Int, first: [UInt8]) {
        self.position = position
        rest = first[...]
    }
}

final class EventLog: @unchecked Sendable {
    // @unchecked: everything mutable is guarded by the monitor.

    enum Read: Equatable {
        case bytes(Int)
        /// Nothing to read: `wake` will be called.
        case waits
        case end
    }

    static let readersMax = 32
    private static let eventsMax = 2048
    private static let bytesMax = 4 << 20

    private let monitor = Monitor()
    private var events: [[UInt8]] = []
    /// The position of `events.first`.
    private var firstPosition = 0
    private var byteCount = 0
    private var readers: [ObjectIdentifier: EventReader] = [:]
    /// Queries whose status may have changed.
    private var changed: Set<String> = []
    private var hasNews = false
    private var isClosed = false

    var readerCount: Int { monitor.withLock { readers.count } }

    // MARK: Writing

    /// Adds an event; without readers nothing happens. Quick, from any thread.
    func append(_ name: StaticString, json: [UInt8]) {
        monitor.withLock {
            if readers.isEmpty { return }
            var event = Array("event: \(name)\ndata: ".utf8)
            event += json
            event += "\n\n".utf8
            events.append(event)
            byteCount += event.count
            trim()
            hasNews = true
            monitor.notifyAll()
        }
    }

    private func trim() {
        var dropped = 0
        while events.count - dropped > Self.eventsMax || (byteCount > Self.bytesMax && dropped < events.count) {
            byteCount -= events[dropped].count
            dropped += 1
        }
        // In pieces, so that an event costs the same however long the log is.
        if dropped > 0 {
            let more = min(events.count - dropped, dropped == events.count ? 0 : Self.eventsMax / 8)
            for event in events[dropped..<dropped + more] { byteCount -= event.count }
            events.removeFirst(dropped + more)
            firstPosition += dropped + more
        }
    }

    /// Notes that a query's status may have changed. Quick, from any thread.
    func noteChange(_ query: String) {
        monitor.withLock {
            if readers.isEmpty { return }
            changed.insert(query)
            hasNews = true
            monitor.notifyAll()
        }
    }

    // MARK: Reading

    /// A reader that begins with `first` and goes on with what comes from now on; nil when there are too many.
    func makeReader(first: [UInt8]) -> EventReader? {
        monitor.withLock {
            guard readers.count < Self.readersMax, !isClosed else {
                // Some may be dead: writing to them shows it.
                for reader in readers.values { reader.owesSignOfLife = true }
                hasNews = true
                monitor.notifyAll()
                return nil
            }
            let reader = EventReader(position: firstPosition + events.count, first: first)
            readers[ObjectIdentifier(reader)] = reader
            monitor.notifyAll()
            return reader
        }
    }

    func remove(_ reader: EventReader) {
        monitor.withLock {
            readers[ObjectIdentifier(reader)] = nil
            reader.wake = nil
            if readers.isEmpty {
                firstPosition += events.count
                events = []
                byteCount = 0
                changed = []
            }
        }
    }

    /// Copies what comes next. When there is nothing, `park` is called before anything can be appended.
    func read(
        _ reader: EventReader, into buffer: UnsafeMutableRawBufferPointer, park: () -> @Sendable () -> Void
    ) -> Read {
        monitor.withLock {
            if reader.rest.isEmpty {
                if isClosed || reader.position < firstPosition { return .end }
                if reader.position < firstPosition + events.count {
                    reader.rest = events[reader.position - firstPosition][...]
                    reader.position += 1
                } else if reader.owesSignOfLife {
                    reader.rest = Array(":\n\n".utf8)[...]
                }
                reader.owesSignOfLife = false
            }
            if reader.rest.isEmpty {
                reader.wake = park()
                return .waits
            }
            let part = reader.rest.prefix(buffer.count)
            unsafe buffer.copyBytes(from: part)
            reader.rest = reader.rest.dropFirst(part.count)
            return .bytes(part.count)
        }
    }

    // MARK: The pump, one thread

    /// Waits until there is something for `pump`, at the latest until the time. Without readers there is no time.
    /// False when the log is closed.
    func waitForNews(untilNanos nanos: UInt64, _ clock: any Clock) -> Bool {
        monitor.lock()
        defer { monitor.unlock() }
        while !isClosed, !hasNews {
            if readers.isEmpty {
                monitor.wait()
            } else if clock.monotonicNanos < nanos {
                monitor.wait(untilNanos: nanos)
            } else {
                break
            }
        }
        return !isClosed
    }

    /// Queries to look at; each is named once.
    func takeChanged() -> Set<String> {
        monitor.withLock {
            hasNews = false
            defer { changed = [] }
            return changed
        }
    }

    /// Lets connections that wait go on when there is something for them.
    /// - Parameter signOfLife: also those for whom there is nothing else: writing shows which are dead.
    func wakeReaders(signOfLife: Bool) {
        let wakes = monitor.withLock {
            readers.values.compactMap { reader -> (@Sendable () -> Void)? in
                if signOfLife { reader.owesSignOfLife = true }
                let hasSomething =
                    isClosed || reader.owesSignOfLife || reader.position < firstPosition + events.count
                guard hasSomething, let wake = reader.wake else { return nil }
                reader.wake = nil
                return wake
            }
        }
        // Without the lock: the server has locks of its own.
        for wake in wakes { wake() }
    }

    /// Ends all readers.
    func close() {
        monitor.withLock {
            isClosed = true
            monitor.notifyAll()
        }
        wakeReaders(signOfLife: false)
    }
}

// The thin shell around StatusService: libmicrohttpd's one thread takes requests in and gives responses out, a second
// thread feeds the readers of events, and a reload, which may wait for a batch, gets a thread of its own while it
// lasts. Queries never wait for any of them.
//
// Ownership: MHD calls back with a pointer to `Shell`, which outlives the daemon (`stop` ends the daemon first). Each
// request has an `Exchange`, retained in MHD's pointer for it from its first call to `completed`; each stream of events
// a retained `Stream` until `release`.

internal import CMicroHTTPD
internal import Glibc
package import SluiceSystem
internal import Synchronization

/// Serves a `StatusService` on a socket.
@safe package final class StatusServer {
    /// Connections at once, readers of events included.
    private static let connectionsMax: UInt32 = 96
    /// What MHD keeps of one connection: far above the limits that have an answer of ours, since its own is no JSON.
    /// Memory is taken as it is used.
    private static let connectionBytesMax = 256 << 10
    /// A connection on which nothing moves for so long ends.
    private static let idleSecondsMax: UInt32 = 10

    private let shell: Shell
    private let socket: ListeningSocket
    private let daemon: OpaquePointer
    private let pump: SystemThread?

    /// Starts serving; the server owns the socket from now on. nil when the system is short of threads or descriptors.
    package init?(_ service: StatusService, on socket: ListeningSocket, clock: any Clock) {
        self.socket = socket
        let shell = Shell(service)
        self.shell = shell
        let callbacks = unsafe sluice_http_callbacks(
            request: handleRequest, completed: completeRequest, connection: noteConnection)
        guard
            let daemon = unsafe sluice_http_start(
                socket.descriptor, callbacks, Unmanaged.passUnretained(shell).toOpaque(), Self.connectionsMax,
                Self.connectionBytesMax, Self.idleSecondsMax)
        else { return nil }
        unsafe self.daemon = daemon
        pump = SystemThread(name: "events") { runPump(shell.service, clock) }
    }

    /// Ends all connections and takes the socket away. Once.
    package func stop() {
        socket.removePath()
        shell.service.board.events.close()
        shell.waitForSlowAnswers()
        pump?.join()
        unsafe MHD_stop_daemon(daemon)
    }
}

/// What the callbacks share.
private final class Shell: @unchecked Sendable {
    // @unchecked: everything mutable is guarded by the monitor.
    let service: StatusService
    let connections = ConnectionTable()
    private let monitor = Monitor()
    private var slowAnswers = 0

    init(_ service: StatusService) { self.service = service }

    func beginSlowAnswer() { monitor.withLock { slowAnswers += 1 } }

    func endSlowAnswer() {
        monitor.withLock {
            slowAnswers -= 1
            monitor.notifyAll()
        }
    }

    func waitForSlowAnswers() {
        monitor.lock()
        while slowAnswers > 0 { monitor.wait() }
        monitor.unlock()
    }
}

/// One request on its way. Used by MHD's thread; a slow answer is put in by another while the connection is suspended.
private final class Exchange: @unchecked Sendable {
    var request: HTTPRequest
    var response: HTTPResponse?
    /// Received, whether kept or not.
    var bodyBytes = 0

    init(_ request: HTTPRequest) { self.request = request }
}

// MARK: - Requests

private let handleRequest: MHD_AccessHandlerCallback = { context, connection, url, method, _, data, size, slot in
    guard let context = unsafe context, let connection = unsafe connection, let slot = unsafe slot,
        let size = unsafe size
    else { return sluice_http_no }
    let shell = unsafe Unmanaged<Shell>.fromOpaque(context).takeUnretainedValue()
    guard let held = unsafe slot.pointee else {
        let request = unsafe readHead(connection, url, method)
        unsafe slot.pointee = Unmanaged.passRetained(Exchange(request)).toOpaque()
        // Before its body is sent, which may be too large, or end nobody knows where.
        if let refusal = shell.service.refusal(ofHead: request) { return unsafe queue(refusal, shell, connection) }
        return sluice_http_yes
    }
    let exchange = unsafe Unmanaged<Exchange>.fromOpaque(held).takeUnretainedValue()
    if unsafe size.pointee > 0 {
        let isBearable = unsafe takeBody(exchange, UnsafeRawBufferPointer(start: data, count: size.pointee))
        unsafe size.pointee = 0
        return isBearable ? sluice_http_yes : sluice_http_no
    }
    shell.connections.isDone(unsafe sluice_http_socket(connection))
    if let response = exchange.response { return unsafe queue(response, shell, connection) }
    if shell.service.isSlow(exchange.request) { return unsafe answerLater(exchange, shell, connection) }
    return unsafe queue(shell.service.respond(to: exchange.request, nonce: makeNonce()), shell, connection)
}

private let completeRequest: MHD_RequestCompletedCallback = { context, connection, slot, _ in
    guard let context = unsafe context, let connection = unsafe connection, let slot = unsafe slot,
        let held = unsafe slot.pointee
    else { return }
    unsafe Unmanaged<Exchange>.fromOpaque(held).release()
    unsafe slot.pointee = nil
    let shell = unsafe Unmanaged<Shell>.fromOpaque(context).takeUnretainedValue()
    shell.connections.awaits(unsafe sluice_http_socket(connection))
}

private func readHead(
    _ connection: OpaquePointer, _ url: UnsafePointer<CChar>?, _ method: UnsafePointer<CChar>?
) -> HTTPRequest {
    func text(_ pointer: UnsafePointer<CChar>?) -> String { unsafe pointer.map { unsafe String(cString: $0) } ?? "" }
    let request = HTTPRequest(
        unsafe text(method), unsafe text(url), query: unsafe fields(connection, sluice_http_arguments),
        headers: unsafe fields(connection, sluice_http_headers))
    return request
}

private func fields(_ connection: OpaquePointer, _ kind: MHD_ValueKind) -> [HTTPRequest.Field] {
    var fields: [HTTPRequest.Field] = []
    unsafe withUnsafeMutablePointer(to: &fields) { pointer in
        _ = unsafe MHD_get_connection_values_n(
            connection, kind,
            { context, _, name, nameSize, value, valueSize in
                func text(_ start: UnsafePointer<CChar>?, _ size: Int) -> String {
                    unsafe String(decoding: UnsafeRawBufferPointer(start: start, count: size), as: UTF8.self)
                }
                unsafe context?.assumingMemoryBound(to: [HTTPRequest.Field].self).pointee.append(
                    HTTPRequest.Field(unsafe text(name, nameSize), unsafe text(value, valueSize)))
                return sluice_http_yes
            }, pointer)
    }
    return fields
}

/// Keeps what a body may have of `bytes`. A little more is read over, so that the client hears that it was too much;
/// one that goes on after that is cut off (false).
private func takeBody(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer) -> Bool {
    let room = HTTPLimits.bodyBytesMax - exchange.request.body.count
    unsafe exchange.request.body.append(contentsOf: bytes.prefix(max(0, room)))
    exchange.bodyBytes += bytes.count
    if bytes.count > room { exchange.request.isBodyCut = true }
    return exchange.bodyBytes <= HTTPLimits.bodyBytesReadMax
}

/// Suspends the connection and answers from a thread of its own.
private func answerLater(_ exchange: Exchange, _ shell: Shell, _ connection: OpaquePointer) -> MHD_Result {
    unsafe MHD_suspend_connection(connection)
    shell.beginSlowAnswer()
    nonisolated(unsafe) let connection = unsafe connection
    let answer: @Sendable () -> Void = {
        exchange.response = shell.service.respond(to: exchange.request)
        unsafe MHD_resume_connection(connection)
        shell.endSlowAnswer()
    }
    if let thread = SystemThread(name: "reload", body: answer) { thread.detach() } else { answer() }
    return sluice_http_yes
}

private func queue(_ response: HTTPResponse, _ shell: Shell, _ connection: OpaquePointer) -> MHD_Result {
    var response = response
    let handle: OpaquePointer?
    switch response.body {
    case .bytes(let bytes): unsafe handle = makeResponse(bytes)
    case .events:
        if let stream = unsafe Stream(shell.service, connection) {
            unsafe handle = sluice_http_stream(readEvents, Unmanaged.passRetained(stream).toOpaque(), releaseStream)
        } else {
            let headers = response.headers.dropFirst()
            response = HTTPError(409, "too-many-readers", "there are \(EventLog.readersMax) readers already").response
            response.headers += headers
            unsafe handle = makeResponse(response.bytes)
        }
    }
    guard let handle = unsafe handle else { return sluice_http_no }
    defer { unsafe MHD_destroy_response(handle) }
    for field in response.headers { unsafe MHD_add_response_header(handle, field.name, field.value) }
    return unsafe MHD_queue_response(connection, UInt32(response.status), handle)
}

private func makeResponse(_ bytes: [UInt8]) -> OpaquePointer? {
    unsafe bytes.withUnsafeBytes { unsafe sluice_http_response($0.baseAddress, $0.count) }
}

private func makeNonce() -> String {
    let (high, low) = (randomSeed(), randomSeed())
    return String(high, radix: 16) + String(low, radix: 16)
}

// MARK: - Events

/// A connection that reads events.
@safe private final class Stream: @unchecked Sendable {
    // @unchecked: the reader is the log's, the connection MHD's; both are used as they allow.
    let log: EventLog
    let reader: EventReader
    private let connection: OpaquePointer

    /// nil when there are too many.
    init?(_ service: StatusService, _ connection: OpaquePointer) {
        log = service.board.events
        guard let reader = log.makeReader(first: service.firstEvents()) else { return nil }
        self.reader = reader
        unsafe self.connection = connection
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let read = unsafe log.read(reader, into: buffer) {
            unsafe MHD_suspend_connection(connection)
            return { [self] in unsafe MHD_resume_connection(connection) }
        }
        switch read {
        case .bytes(let count): return count
        case .waits: return 0
        case .end: return sluice_http_end_of_stream
        }
    }
}

private let readEvents: MHD_ContentReaderCallback = { context, _, buffer, size in
    guard let context = unsafe context else { return sluice_http_end_of_stream }
    let stream = unsafe Unmanaged<Stream>.fromOpaque(context).takeUnretainedValue()
    return unsafe stream.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: size))
}

private let releaseStream: MHD_ContentReaderFreeCallback = { context in
    guard let context = unsafe context else { return }
    let stream = unsafe Unmanaged<Stream>.fromOpaque(context).takeRetainedValue()
    stream.log.remove(stream.reader)
}

/// Feeds the readers until the log is closed: at most twenty times a second, so that a query in a hurry costs them no
/// more than one that takes its time, and every few seconds with a sign of life.
private func runPump(_ service: StatusService, _ clock: any Clock) {
    let log = service.board.events
    var told: [String: String] = [:]
    var signOfLifeNanos = clock.monotonicNanos
    let rest = Wakeup()
    while log.waitForNews(untilNanos: signOfLifeNanos, clock) {
        let names = log.takeChanged()
        // Nobody has been told anything that nobody was there to hear.
        if log.readerCount == 0 { told = [:] }
        for name in names.sorted() {
            let event = service.event(about: name)
            if told.updateValue(event.summary, forKey: name) == event.summary { continue }
            log.append(event.name, json: event.json)
        }
        let isTime = clock.monotonicNanos >= signOfLifeNanos
        log.wakeReaders(signOfLife: isTime)
        if isTime { signOfLifeNanos = clock.nanos(inMillis: 5000) }
        clock.wait(untilNanos: clock.nanos(inMillis: 50), wakeup: rest)
    }
}

// MARK: - Connections

/// Connections from which a request is awaited, or the rest of one. When there are many the one that is awaited longest
/// is shut, so that clients that say nothing, or a byte now and then, never take the last place: one that says what it
/// wants is done in milliseconds.
private final class ConnectionTable: Sendable {
    /// Together with the readers of events less than the server takes.
    private static let waitingMax = 56

    private let waiting = Mutex<[Int32: UInt64]>([:])
    private let clock = SystemClock()

    /// A connection begins, or an answer has been sent on it.
    func awaits(_ socket: Int32) {
        let now = clock.monotonicNanos
        waiting.withLock { waiting in
            waiting[socket] = now
            guard waiting.count > Self.waitingMax, let oldest = waiting.min(by: { $0.value < $1.value }) else { return }
            // Its end is told like any other, so until then the descriptor is this connection's.
            shutDownSocket(oldest.key)
            waiting[oldest.key] = nil
        }
    }

    /// A whole request is there, or the connection ends.
    func isDone(_ socket: Int32) { waiting.withLock { $0[socket] = nil } }
}

private let noteConnection: MHD_NotifyConnectionCallback = { context, connection, _, code in
    guard let context = unsafe context, let connection = unsafe connection else { return }
    let shell = unsafe Unmanaged<Shell>.fromOpaque(context).takeUnretainedValue()
    let socket = unsafe sluice_http_socket(connection)
    if code == sluice_http_started {
        shell.connections.awaits(socket)
    } else {
        shell.connections.isDone(socket)
    }
}

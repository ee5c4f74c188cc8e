// Sockets, listening and connected, TCP and Unix. Blocking calls with deadlines; no state but the descriptor.

internal import Glibc

/// Why a socket cannot be used.
package struct SocketError: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String

    init(_ what: String, _ code: Int32) { description = "cannot \(what): \(errorText(code))" }
    init(_ description: String) { self.description = description }
}

/// A socket that clients can connect to. Whoever takes the descriptor closes it.
package struct ListeningSocket: Sendable {
    package let descriptor: Int32
    package let address: ListeningAddress

    /// Binds and listens. Port 0 takes one that is free. A Unix socket is readable by its owner only, and takes the
    /// place of one that nobody listens on any more.
    package init(_ address: SocketAddress) throws(SocketError) {
        switch address {
        case .tcp(let host, let port): self = try Self.tcp(host, port)
        case .unix(let path): self = try Self.unix(path)
        }
    }

    private init(_ descriptor: Int32, _ address: ListeningAddress) {
        self.descriptor = descriptor
        self.address = address
    }

    /// Takes the path of a Unix socket away again.
    package func removePath() {
        if case .unix(let path) = address.kind { _ = unsafe unlink(path) }
    }

    private static func tcp(_ host: String, _ port: UInt16) throws(SocketError) -> ListeningSocket {
        let what = "listen on \(host):\(port)"
        let found = try ResolvedAddress.resolve(host, port, isPassive: true)
        let descriptor = socket(found.family, Int32(SOCK_STREAM.rawValue) | cloexec, 0)
        guard descriptor >= 0 else { throw SocketError(what, errno) }
        var one: Int32 = 1
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        // One socket for both families would let a loopback address of one stand for the other.
        if found.family == AF_INET6 {
            unsafe setsockopt(
                descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, socklen_t(MemoryLayout<Int32>.size))
        }
        let code = unsafe found.withPointer { pointer, length in unsafe bind(descriptor, pointer, length) }
        guard code == 0, listen(descriptor, backlog) == 0 else {
            let code = errno
            close(descriptor)
            throw SocketError(what, code)
        }
        let own = ResolvedAddress.own(descriptor)
        let kind = ListeningAddress.Kind.tcp(ip: own.ip, port: own.port, isLoopback: own.isLoopback)
        return ListeningSocket(descriptor, ListeningAddress(kind: kind, host: host, machineName: machineName()))
    }

    private static func unix(_ path: String) throws(SocketError) -> ListeningSocket {
        let what = "listen on unix:\(path)"
        if (try? StreamSocket(.unix(path: path), timeoutMillis: 1000)) != nil {
            throw SocketError("cannot listen on unix:\(path): another process does")
        }
        var status = stat()
        if unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK { _ = unsafe unlink(path) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | cloexec, 0)
        guard descriptor >= 0 else { throw SocketError(what, errno) }
        // Before it has a name: there is no moment at which others could connect.
        fchmod(descriptor, 0o600)
        let code = unsafe withUnixAddress(path) { pointer, length in unsafe bind(descriptor, pointer, length) }
        guard code == 0, listen(descriptor, backlog) == 0 else {
            let code = errno
            close(descriptor)
            throw SocketError(what, code)
        }
        return ListeningSocket(
            descriptor, ListeningAddress(kind: .unix(path: path), host: "localhost", machineName: machineName()))
    }
}

/// A connection, closed with its last reference.
package final class StreamSocket: Sendable {
    private let descriptor: Int32

    /// Connects. No call waits longer than the timeout.
    package init(_ address: SocketAddress, timeoutMillis: Int) throws(SocketError) {
        let family: Int32
        let found: ResolvedAddress?
        switch address {
        case .tcp(let host, let port):
            let resolved = try ResolvedAddress.resolve(host, port, isPassive: false)
            (family, found) = (resolved.family, resolved)
        case .unix: (family, found) = (AF_UNIX, nil)
        }
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | cloexec, 0)
        guard descriptor >= 0 else { throw SocketError("open a socket", errno) }
        self.descriptor = descriptor
        var timeout = timeval(tv_sec: timeoutMillis / 1000, tv_usec: timeoutMillis % 1000 * 1000)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            unsafe setsockopt(descriptor, SOL_SOCKET, option, &timeout, socklen_t(MemoryLayout<timeval>.size))
        }
        let code: Int32
        switch address {
        case .tcp:
            code = unsafe found?.withPointer { pointer, length in unsafe connect(descriptor, pointer, length) } ?? -1
        case .unix(let path):
            code = unsafe withUnixAddress(path) { pointer, length in unsafe connect(descriptor, pointer, length) }
        }
        if code != 0 { throw SocketError("connect to \(address.text)", errno) }
    }

    deinit { close(descriptor) }

    package func write(_ bytes: [UInt8]) throws(SocketError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = uninterrupted {
                unsafe rest.withUnsafeBytes { bytes in
                    unsafe send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
                }
            }
            if count <= 0 { throw SocketError("send the request", errno) }
            rest = rest.dropFirst(count)
        }
    }

    /// Some bytes, none at the end.
    package func read(upTo count: Int) throws(SocketError) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        let read = uninterrupted {
            unsafe buffer.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
        }
        if read < 0 { throw SocketError("read the answer", errno) }
        return Array(buffer.prefix(read))
    }
}

extension SocketAddress {
    /// As a command line writes it.
    package var text: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

/// Ends both directions of a connection that somebody else owns; its owner sees the end.
package func shutDownSocket(_ descriptor: Int32) { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }

private let backlog: Int32 = 64
private let cloexec = Int32(SOCK_CLOEXEC.rawValue)

private func machineName() -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    unsafe gethostname(&buffer, buffer.count - 1)
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

private func withUnixAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8.prefix(107)) }
    return unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
}

/// A numeric address with its port.
private struct ResolvedAddress {
    private var storage = sockaddr_storage()
    private var length: socklen_t = 0

    var family: Int32 { Int32(storage.ss_family) }

    /// The first address of a name.
    static func resolve(_ host: String, _ port: UInt16, isPassive: Bool) throws(SocketError) -> ResolvedAddress {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_NUMERICSERV | (isPassive ? AI_PASSIVE : 0)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(host, "\(port)", &hints, &list)
        defer { unsafe freeaddrinfo(list) }
        guard code == 0, let first = unsafe list else {
            throw SocketError("there is no address for `\(host)`: \(unsafe String(cString: gai_strerror(code)))")
        }
        var found = ResolvedAddress()
        found.length = unsafe first.pointee.ai_addrlen
        unsafe withUnsafeMutableBytes(of: &found.storage) {
            unsafe $0.copyMemory(
                from: UnsafeRawBufferPointer(start: first.pointee.ai_addr, count: Int(first.pointee.ai_addrlen)))
        }
        return found
    }

    /// Where a socket is bound.
    static func own(_ descriptor: Int32) -> (ip: String, port: UInt16, isLoopback: Bool) {
        var found = ResolvedAddress()
        found.length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        unsafe withUnsafeMutablePointer(to: &found.storage) { pointer in
            _ = unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &found.length)
            }
        }
        var (host, service) = ([CChar](repeating: 0, count: 128), [CChar](repeating: 0, count: 16))
        _ = unsafe found.withPointer { pointer, length in
            unsafe getnameinfo(
                pointer, length, &host, socklen_t(host.count), &service, socklen_t(service.count),
                NI_NUMERICHOST | NI_NUMERICSERV)
        }
        func text(_ characters: [CChar]) -> String {
            String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        let ip = text(host)
        return (ip, UInt16(text(service)) ?? 0, ip == "::1" || ip.hasPrefix("127."))
    }

    func withPointer(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        unsafe withUnsafePointer(to: storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, length) }
        }
    }
}

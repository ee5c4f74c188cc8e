// The built binary with `--listen`, and clients for it: one that speaks HTTP properly, and one that sends any bytes.

import Foundation
import Testing

/// A connection to a port of this machine or to a Unix socket. Every wait ends after half a minute at the latest.
final class RawConnection {
    private let descriptor: Int32

    /// nil when nobody listens.
    init?(port: UInt16) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        setTimeouts()
        if code != 0 { return nil }
    }

    deinit { close(descriptor) }

    private func setTimeouts() {
        var timeout = timeval(tv_sec: 30, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &timeout, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    /// False when the other end has gone.
    @discardableResult func send(_ bytes: some Collection<UInt8>) -> Bool {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    @discardableResult func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Some bytes; none at the end or when nothing came for half a minute.
    func read(_ count: Int = 65536) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        let read = recv(descriptor, &buffer, count, 0)
        return Array(buffer.prefix(max(0, read)))
    }

    func readAll() -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let part = read()
            if part.isEmpty { return bytes }
            bytes += part
        }
    }

    /// Reads until a text has come; false at the end.
    func read(until text: String) -> Bool {
        var seen = ""
        while !seen.contains(text) {
            let part = read()
            if part.isEmpty { return false }
            seen += String(decoding: part, as: UTF8.self)
        }
        return true
    }
}

/// A run that serves its status.
struct ServedProcess {
    let process: SluiceProcess
    let address: String
    let port: UInt16

    /// Starts `run --listen 127.0.0.1:0` and returns when it listens.
    init(_ arguments: [String], in folder: TemporaryFolder) throws {
        process = try SluiceProcess(["run"] + arguments + ["--listen", "127.0.0.1:0"], in: folder)
        let process = self.process
        try process.waitUntil("it does not listen") { process.standardError.contains("listening on http://") }
        let line = process.standardError.split(separator: "\n").first { $0.contains("listening on ") }
        address = String(try #require(line?.split(separator: " ").last))
        port = try #require(UInt16(address.split(separator: ":").last ?? ""))
    }

    struct Answer {
        var status: Int
        var headers: String
        var body: String

        var json: [String: Any] { jsonObject(body) ?? [:] }
    }

    /// Sends a request as a well-behaved client does; nil when nobody listens any more.
    func send(_ method: String, _ path: String, body: String = "", headers: [String] = []) -> Answer? {
        guard let connection = RawConnection(port: port) else { return nil }
        var lines = ["\(method) \(path) HTTP/1.1", "Host: 127.0.0.1:\(port)", "Connection: close"] + headers
        if method == "POST" { lines += ["Content-Type: application/json", "Content-Length: \(body.utf8.count)"] }
        guard connection.send(lines.joined(separator: "\r\n") + "\r\n\r\n" + body) else { return nil }
        return Self.parse(connection.readAll())
    }

    static func parse(_ bytes: [UInt8]) -> Answer? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
        let words = text.split(separator: " ", maxSplits: 2)
        guard words.count == 3, let status = Int(words[1]) else { return nil }
        return Answer(status: status, headers: String(text[..<end.lowerBound]), body: String(text[end.upperBound...]))
    }

    /// A query's object.
    func query(_ name: String) -> [String: Any] { send("GET", "/api/queries/\(name)")?.json ?? [:] }

    func waitUntil(_ what: Comment, _ condition: () -> Bool) throws { try process.waitUntil(what, condition) }

    /// A number of the process' own, from /proc.
    func memoryBytes() -> Int {
        let text = (try? String(contentsOfFile: "/proc/\(process.processID)/statm", encoding: .utf8)) ?? ""
        return (Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0) * 4096
    }
}

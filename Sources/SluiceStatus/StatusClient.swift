// The other end of the status server, for the commands that speak to a running process: one request, one connection.

internal import SluiceSpec
package import SluiceSystem

/// Why there is no answer.
package struct StatusClientError: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String
}

package struct StatusClient: Sendable {
    private let address: SocketAddress
    private let token: String?

    /// A reload waits for batches to end, which takes as long as they take.
    private static let timeoutMillis = 10 * 60 * 1000
    private static let answerBytesMax = 64 << 20

    package init(_ address: SocketAddress, token: String?) {
        self.address = address
        self.token = token
    }

    /// Sends a request and waits for its answer.
    /// - Parameter body: JSON; nil for a GET.
    package func send(_ path: String, body: [UInt8]?) throws(StatusClientError) -> (status: Int, body: [UInt8]) {
        let answer: [UInt8]
        do throws(SocketError) { answer = try exchange(request(path, body: body)) } catch {
            throw StatusClientError(description: "\(error)")
        }
        guard let parsed = Self.parse(answer) else {
            throw StatusClientError(description: "what answers at \(address.text) does not speak HTTP")
        }
        return parsed
    }

    private func request(_ path: String, body: [UInt8]?) -> [UInt8] {
        let host = if case .unix = address { "localhost" } else { address.text }
        var lines = ["\(body == nil ? "GET" : "POST") \(path) HTTP/1.1", "Host: \(host)", "Connection: close"]
        if let token { lines.append("Authorization: Bearer \(token)") }
        if let body { lines += ["Content-Type: application/json", "Content-Length: \(body.count)"] }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (body ?? [])
    }

    private func exchange(_ request: [UInt8]) throws(SocketError) -> [UInt8] {
        let socket = try StreamSocket(address, timeoutMillis: Self.timeoutMillis)
        try socket.write(request)
        var answer: [UInt8] = []
        while answer.count < Self.answerBytesMax {
            let part = try socket.read(upTo: 64 << 10)
            if part.isEmpty { break }
            answer += part
        }
        return answer
    }

    /// Status and body of a whole answer; nil when it is none.
    static func parse(_ answer: [UInt8]) -> (status: Int, body: [UInt8])? {
        let end = Array("\r\n\r\n".utf8)
        guard let head = answer.indices.first(where: { answer[$0...].starts(with: end) }) else { return nil }
        let lines = String(decoding: answer[..<head], as: UTF8.self).split(separator: "\r\n")
        let first = lines.first?.split(separator: " ") ?? []
        guard first.count >= 2, first[0].hasPrefix("HTTP/1."), let status = Int(first[1]) else { return nil }
        let body = Array(answer[(head + end.count)...])
        let length = lines.first { $0.lowercased().hasPrefix("content-length:") }?.split(separator: ":").last
        if let length, Int(String(length).filter { $0 != " " }) != body.count { return nil }
        return (status, body)
    }
}

/// The body that asks for a trigger.
package func triggerRequest(_ trigger: String) -> [UInt8] {
    JSONValue.object([JSONMember("trigger", .string(trigger))]).text()
}

// Ports for brokers. They lie below the range from which the kernel takes ports for outgoing connections: a client that
// tries again and again to reach a broker that is down would otherwise sooner or later be given the broker's own port.

import Foundation

/// A few neighbouring loopback ports that no other block has, in this process or in another.
final class PortBlock: Sendable {
    static let portCount = 6

    /// The first of `portCount` ports.
    let first: Int
    /// Bound to the port before the first for as long as the block is in use: that is what keeps others away.
    private let guardSocket: Int32

    private static let range = stride(from: 12_000, to: 32_000, by: 8)

    init() throws {
        for base in Self.range.shuffled() {
            guard let bound = Self.bind(base) else { continue }
            if (1...Self.portCount).allSatisfy({ Self.isFree(base + $0) }) {
                (first, guardSocket) = (base + 1, bound)
                return
            }
            close(bound)
        }
        throw KafkaTestError("there are no free ports between 12000 and 32000")
    }

    deinit { close(guardSocket) }

    private static func isFree(_ port: Int) -> Bool {
        guard let bound = bind(port) else { return false }
        close(bound)
        return true
    }

    private static func bind(_ port: Int) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Foundation.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if code == 0 { return descriptor }
        close(descriptor)
        return nil
    }
}

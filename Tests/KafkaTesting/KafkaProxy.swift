// The network between clients and a broker, as a test wants it: it can cut connections, make them slow, and change
// bytes. A broker tells its clients by which address to go on; that of its listener for the proxy is the proxy's.

import Foundation
import Synchronization

/// Passes bytes between clients and one broker. Connections end with it.
///
///     let proxy = try KafkaProxy(kafka.brokers[0])      // clients connect to proxy.address
///     proxy.damage(.toClient) { bytes in … }            // changes what passes; returns whether it has
///     proxy.delay(millis: 20)
///     proxy.cut()
package final class KafkaProxy: Sendable {
    /// Which way bytes go.
    package enum Direction: Hashable, Sendable {
        case toClient, toBroker
    }

    /// Changes some bytes on their way; false when it has left them alone.
    package typealias Damage = @Sendable (inout [UInt8]) -> Bool

    private struct State {
        var links: [ObjectIdentifier: Link] = [:]
        var damages: [Direction: Damage] = [:]
        var damageCount = 0
        var delayMillis: UInt32 = 0
    }

    /// For `brokers` of a spec.
    package let address: String
    private let listener: Int32
    private let brokerPort: Int
    private let state = Mutex(State())

    package init(_ broker: KafkaBroker) throws {
        address = broker.proxied
        brokerPort = broker.ports.first + 4
        listener = try listen(port: broker.ports.first + 5)
        let descriptor = listener
        Thread.detachNewThread { [weak self] in
            while case let client = accept(descriptor, nil, nil), client >= 0 { self?.serve(client) }
            close(descriptor)
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        cut()
    }

    // MARK: What a test does

    /// Closes every connection that there is; new ones are served.
    package func cut() {
        let links = state.withLock { state in
            defer { state.links = [:] }
            return state.links.values
        }
        for link in links { link.end() }
    }

    /// Every piece of bytes waits so long.
    package func delay(millis: UInt32) { state.withLock { $0.delayMillis = millis } }

    /// Calls `change` with all that goes in one direction from now on; nil for nothing.
    package func damage(_ direction: Direction, _ change: Damage?) {
        state.withLock { $0.damages[direction] = change }
    }

    /// How often bytes have been changed.
    package var damageCount: Int { state.withLock { $0.damageCount } }

    // MARK: Passing on

    private func serve(_ client: Int32) {
        guard let broker = connect(port: brokerPort) else {
            close(client)
            return
        }
        let link = Link(client: client, broker: broker)
        state.withLock { $0.links[ObjectIdentifier(link)] = link }
        for direction in [Direction.toClient, .toBroker] {
            Thread.detachNewThread { [weak self] in
                while let bytes = link.read(direction), let passed = self?.pass(bytes, direction) {
                    guard link.write(passed, direction) else { break }
                }
                link.end()
                self?.state.withLock { _ = $0.links.removeValue(forKey: ObjectIdentifier(link)) }
            }
        }
    }

    private func pass(_ bytes: [UInt8], _ direction: Direction) -> [UInt8] {
        let (damage, delayMillis) = state.withLock { ($0.damages[direction], $0.delayMillis) }
        if delayMillis > 0 { usleep(delayMillis * 1000) }
        var passed = bytes
        if let damage, damage(&passed) { state.withLock { $0.damageCount += 1 } }
        return passed
    }
}

/// A connection of a client's, and the one to the broker that belongs to it.
private final class Link: Sendable {
    private let client: Int32
    private let broker: Int32

    init(client: Int32, broker: Int32) { (self.client, self.broker) = (client, broker) }

    /// Nobody reads or writes any more.
    deinit {
        close(client)
        close(broker)
    }

    /// Ends what is waited for on either side.
    func end() { for descriptor in [client, broker] { shutdown(descriptor, Int32(SHUT_RDWR)) } }

    /// nil at the end.
    func read(_ direction: KafkaProxy.Direction) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        let count = recv(direction == .toClient ? broker : client, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer.prefix(count)) : nil
    }

    func write(_ bytes: [UInt8], _ direction: KafkaProxy.Direction) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(direction == .toClient ? client : broker, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}

// MARK: - Damage

extension KafkaProxy {
    /// Changes a byte of the next `count` pieces that have `marker` in them, in the marker itself.
    package static func damage(_ marker: String, count: Int = .max) -> Damage {
        let left = Shared(count)
        return { bytes in
            guard let place = bytes.place(of: marker) else { return false }
            return left.value.withLock { left in
                guard left > 0 else { return false }
                left -= 1
                bytes[place + 1] ^= 0x20
                return true
            }
        }
    }

    /// Changes the offset that a batch of records has, by 65,536: no check sum covers it. `marker` begins its first
    /// record's value.
    package static func damageOffset(_ marker: String, count: Int = .max) -> Damage {
        let left = Shared(count)
        return { bytes in
            guard let place = bytes.place(of: marker), place >= 64 else { return false }
            // A batch's header has 61 bytes, the format's number (2) as the 17th; its first record's some more.
            guard let start = (max(0, place - 72)...place - 64).last(where: { bytes[$0 + 16] == 2 && bytes[$0] == 0 })
            else {
                return false
            }
            return left.value.withLock { left in
                guard left > 0 else { return false }
                left -= 1
                bytes[start + 5] ^= 1
                return true
            }
        }
    }

    /// Changes any byte of a piece that has `marker` in it, from a batch's header on, one time in `rarity`.
    package static func damageAnywhere(behind marker: String, rarity: Int, seed: UInt64) -> Damage {
        let random = Shared(SmallRandom(state: seed))
        return { bytes in
            guard let place = bytes.place(of: marker) else { return false }
            return random.value.withLock { random in
                guard random.next() % UInt64(rarity) == 0 else { return false }
                let start = max(0, place - 60)
                bytes[start + Int(random.next() % UInt64(bytes.count - start))] ^= UInt8(1 << (random.next() % 8))
                return true
            }
        }
    }
}

/// Lets a closure keep something.
private final class Shared<Value: Sendable>: Sendable {
    let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
}

/// Numbers that a seed repeats.
private struct SmallRandom {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }
}

extension [UInt8] {
    fileprivate func place(of marker: String) -> Int? { firstRange(of: Array(marker.utf8))?.lowerBound }
}

// MARK: - Sockets

private func loopback(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    return address
}

private func withAddress(
    _ port: Int, _ call: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
) -> (descriptor: Int32, code: Int32) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = loopback(port)
    let code = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            call(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    return (descriptor, code)
}

private func listen(port: Int) throws -> Int32 {
    let (descriptor, code) = withAddress(port) { descriptor, address, size in
        var isOn: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<Int32>.size))
        return bind(descriptor, address, size)
    }
    guard code == 0, Foundation.listen(descriptor, 64) == 0 else {
        close(descriptor)
        throw KafkaTestError("the proxy cannot listen at \(port): errno \(errno)")
    }
    return descriptor
}

private func connect(port: Int) -> Int32? {
    let (descriptor, code) = withAddress(port) { Foundation.connect($0, $1, $2) }
    if code == 0 { return descriptor }
    close(descriptor)
    return nil
}

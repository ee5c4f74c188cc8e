// Addresses as the command line writes them: HOST:PORT, [IPv6]:PORT, unix:PATH. Pure, but for what the machine calls
// itself.

/// Why a text is no address.
package struct AddressProblem: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String
}

/// Where to listen or to connect.
package enum SocketAddress: Hashable, Sendable {
    /// The host without brackets.
    case tcp(host: String, port: UInt16)
    case unix(path: String)

    /// Reads an address; `http://` in front and `/` behind are what a browser's address line has, and allowed.
    package init(_ text: String) throws(AddressProblem) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            // The kernel's own limit.
            guard (1...107).contains(path.utf8.count), !path.utf8.contains(0) else {
                throw AddressProblem(description: "the path of a socket has 1 to 107 bytes")
            }
            self = .unix(path: path)
            return
        }
        var rest = text[...]
        if rest.hasPrefix("http://") { rest = rest.dropFirst(7) }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard let colon = rest.lastIndex(of: ":"), let port = UInt16(rest[rest.index(after: colon)...]) else {
            throw AddressProblem(description: "`\(text)` is not an address: write HOST:PORT or unix:PATH")
        }
        var host = rest[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw AddressProblem(description: "an IPv6 address is written in brackets: [::1]:8080")
        }
        guard !host.isEmpty, !host.utf8.contains(0), !host.contains("/") else {
            throw AddressProblem(description: "`\(text)` is not an address: write HOST:PORT or unix:PATH")
        }
        self = .tcp(host: String(host), port: port)
    }
}

/// Where a process listens: what was asked for, and what came of it.
package struct ListeningAddress: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// A numeric address of this machine that other machines cannot reach, or can.
        case tcp(ip: String, port: UInt16, isLoopback: Bool)
        case unix(path: String)
    }

    package var kind: Kind
    /// The host as it was asked for.
    package var host: String
    /// What this machine calls itself.
    package var machineName: String

    package init(kind: Kind, host: String, machineName: String) {
        self.kind = kind
        self.host = host
        self.machineName = machineName
    }

    /// True when only this machine's own users can reach it.
    package var isLocal: Bool {
        switch kind {
        case .tcp(_, _, let isLoopback): isLoopback
        case .unix: true
        }
    }

    /// What a client is given: `http://127.0.0.1:41234`, or `unix:PATH`.
    package var text: String {
        switch kind {
        case .tcp(let ip, let port, _): "http://\(ip.contains(":") ? "[\(ip)]" : ip):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// Whether the `Host` of a request is one that belongs here.
    ///
    /// A listener on one address is that address, the name it was given by, and on loopback also `localhost`, all with
    /// its port. One on all addresses is any numeric address, whatever the port: it may stand behind a port that is
    /// mapped, and nobody can make a name of his own out of a number. Of a Unix socket only `localhost` makes sense.
    package func isOwn(host text: String) -> Bool {
        let text = text.lowercased()
        let (name, port) = splitHost(text)
        switch kind {
        case .unix: return name == "localhost"
        case .tcp(let ip, let ownPort, let isLoopback):
            let isWildcard = ip == "0.0.0.0" || ip == "::"
            if isWildcard {
                return name == "localhost" || Self.isNumeric(name) || name == machineName.lowercased()
            }
            // A client leaves out the port that is the scheme's own.
            guard port == "\(ownPort)" || (port == nil && ownPort == 80) else { return false }
            if name == ip || name == host.lowercased() { return true }
            return isLoopback && ["localhost", "127.0.0.1", "::1"].contains(name)
        }
    }

    private static func isNumeric(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        if parts.count == 4, parts.allSatisfy({ UInt8($0) != nil }) { return true }
        return name.contains(":") && name.allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." }
    }
}

// Further names of a listener. A proxy in front of it, or a service of a cluster, passes requests on under the name
// that clients know, which the listener itself cannot find out.

/// A name, or a name with a port, that requests may have in `Host`.
package struct AllowedHost: Hashable, Sendable {
    /// In lower case, without brackets.
    private let name: String
    /// nil for any.
    private let port: String?

    package init(_ text: String) throws(AddressProblem) {
        let (name, port) = splitHost(text.lowercased())
        let isName = !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"/\\@*?#,[]".utf8.contains($0) }
        guard isName, text.first == "[" || !name.contains(":"), port.map({ UInt16($0) != nil }) ?? true else {
            throw AddressProblem(
                description: "`\(text)` is not a host: write its name, such as `sluice.example.com`, or NAME:PORT")
        }
        self.name = name
        self.port = port
    }

    /// Whether what stands in `Host`, or behind the scheme in `Origin`, is this one.
    package func covers(_ host: String) -> Bool {
        let (name, port) = splitHost(host.lowercased())
        return name == self.name && (self.port == nil || port == self.port)
    }
}

/// Name and port; the name without brackets, and empty for what is neither.
func splitHost(_ text: String) -> (name: String, port: String?) {
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
        let name = String(text[text.index(after: text.startIndex)..<end])
        let rest = text[text.index(after: end)...]
        if rest.isEmpty { return (name, nil) }
        return rest.hasPrefix(":") ? (name, String(rest.dropFirst())) : ("", nil)
    }
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    return (parts.first.map(String.init) ?? "", parts.count > 1 ? String(parts[1]) : nil)
}

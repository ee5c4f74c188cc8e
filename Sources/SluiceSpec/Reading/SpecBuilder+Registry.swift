// A schema registry: where it is, and how to log in.

extension SpecBuilder {
    /// A registry, by its URL or as a map; nil after a report.
    func readRegistry(_ entry: YAMLEntry) -> RegistrySpec? {
        guard case .mapping = entry.value.kind else {
            return registryURL(entry.value, entry.what).map { RegistrySpec(url: $0) }
        }
        guard let map = MapReader<RegistryKeys>(entry.value, at: entry.keyPlace, self), let url = map[\.url] else {
            return nil
        }
        let (user, password) = (map[\.user], map[\.password])
        if password != nil, user == nil {
            diagnostics.error(
                .missingKey, at: map.keyPlace(\.password), "`password` needs a `user`", fix: "add `user: NAME`")
        }
        var registry = RegistrySpec(url: url)
        registry.subject = map[\.subject]
        registry.user = user?.value
        registry.password = password.map { Secret($0.value) }
        registry.ca = map[\.ca]
        registry.countsRecords = map[\.countsRecords]
        return checkedURL(url).map { url in
            registry.url = url
            return registry
        }
    }

    private func registryURL(_ node: YAMLNode, _ what: String) -> Located<String>? {
        text(node, what).flatMap { checkedURL($0) }
    }

    /// The URL without a slash at its end; nil after a report.
    private func checkedURL(_ url: Located<String>) -> Located<String>? {
        var url = url
        while url.value.hasSuffix("/") { url.value.removeLast() }
        let scheme = ["http://", "https://"].first { url.value.lowercased().hasPrefix($0) }
        let rest = url.value.dropFirst(scheme?.count ?? 0)
        let place = Place(position: url.position, length: url.length)
        guard scheme != nil, !rest.isEmpty, !rest.hasPrefix("/") else {
            diagnostics.error(
                .badURL, at: place, "this is not the address of a registry",
                fix: "write `http://HOST:8081` or `https://…`")
            return nil
        }
        guard !rest.contains("@"), !rest.contains("?"), !rest.contains("#"), !rest.contains(where: \.isWhitespace)
        else {
            diagnostics.error(
                .badURL, at: place, "a registry's address has no login, query or fragment",
                fix: "write `registry: { url, user, password }`")
            return nil
        }
        return url
    }
}

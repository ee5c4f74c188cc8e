// A schema registry as a spec names it.

/// Where schemas are had from.
package struct RegistrySpec: Hashable, Sendable {
    /// `http://` or `https://`, without a slash at its end, a login, a query or a fragment.
    package var url: Located<String>
    /// nil: `<topic>-value`.
    package var subject: Located<String>?
    package var user: String?
    package var password: Secret?
    /// The file of certificates that are trusted in place of the system's, resolved against the spec's folder.
    package var ca: Located<String>?

    /// Whether records are counted by the schemas that they name.
    package var countsRecords = false

    package init(
        url: Located<String>, subject: Located<String>? = nil, user: String? = nil, password: Secret? = nil,
        ca: Located<String>? = nil
    ) {
        self.url = url
        self.subject = subject
        self.user = user
        self.password = password
        self.ca = ca
    }

    /// The subject of a topic's values.
    package func subject(ofTopic topic: String) -> String { subject?.value ?? "\(topic)-value" }
}

extension RecordFormat {
    /// Whose schemas values name.
    package var registry: RegistrySpec? {
        switch self {
        case .json(let options): options.registry
        case .csv: nil
        case .avro(let options): options.registry
        case .protobuf(let options): options.registry
        }
    }
}

extension OutputFormat {
    /// Who gives schemas their numbers.
    package var registry: RegistrySpec? {
        if case .avro(let output) = self { output.registry } else { nil }
    }
}

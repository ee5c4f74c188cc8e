// What a registry says of some values of a topic, for whoever wants to see what is in it.

package import SluiceEngine
package import SluiceSpec
package import SluiceSystem

/// The schemas of some values.
package struct RegistrySample: Sendable {
    package var subject: String
    /// What the values are read as.
    package var newest: RegisteredSchema
    /// Those that the values name, by number; the ones that the registry has not, or that are of another language, are
    /// left out.
    package var schemas: [RecordSchema] = []

    /// - Throws: as a query that begins: no answer, a login that is denied, no such subject.
    package init(
        _ spec: RegistrySpec, topic: String, values: [[UInt8]], fileSystem: any FileSystem, clock: any Clock
    ) throws(ConnectorError) {
        let registry = SchemaRegistry(spec, environment: .ofSample(fileSystem, clock))
        subject = spec.subject(ofTopic: topic)
        guard let newest = try registry.latest(subject: subject) else {
            throw ConnectorError(
                code: "registry-no-subject",
                "the schema registry at \(spec.url.value) has no subject `\(subject)`: name the one that has the "
                    + "schema with --subject", isRetriable: false)
        }
        self.newest = newest
        let ids = Set(values.compactMap { unsafe $0.withUnsafeBytes { unsafe ConfluentFraming.schemaNumber($0) } })
        for id in ids.sorted() {
            guard let number = Int32(exactly: id), let schema = try registry.schema(id: number),
                schema.language == newest.language
            else { continue }
            schemas.append(RecordSchema(id: id, writer: schema.written, reader: newest.written))
        }
    }
}

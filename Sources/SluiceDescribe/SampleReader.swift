// A sample read as a query would read it: the text of the source is what is printed, the reader of specs, the planner
// and the decoders are the product's own. So what is said of the sample is what will happen.

internal import SluiceConnectors
package import SluiceEngine
internal import SluicePlan
package import SluiceSpec

/// Reads samples by the text of a source.
package struct SampleReader: Sendable {
    private let zones: TimeZones
    /// Since 1970; what `max_ahead` counts from.
    let nowMillis: Int64
    /// For the schemas and secrets that a source names.
    let readFile: @Sendable (String) -> Result<[UInt8], UnreadableFile>

    package init(
        zones: TimeZones, nowMillis: Int64,
        readFile: @escaping @Sendable (String) -> Result<[UInt8], UnreadableFile> = { _ in
            .failure(UnreadableFile(reason: "a description of this sample names no files"))
        }
    ) {
        self.zones = zones
        self.nowMillis = nowMillis
        self.readFile = readFile
    }

    /// What reads single records as the source would. The query around it has no join: all that has to be seen is how
    /// records become rows, and that `check` finds no mistake.
    func probe(_ source: SourceDraft) throws(DescribeError) -> RecordProbe {
        let (spec, diagnostics) = read(source)
        let planned = spec.flatMap { spec in spec.queries.first.map { Planner.plan(query: $0, in: spec) } }
        guard let plan = planned?.physical else {
            let found = diagnostics + (planned?.diagnostics ?? [])
            let error = found.first { $0.severity == .error }
            throw DescribeError(
                "what was found makes no source that passes `check`; please report this: "
                    + (error.map { "line \($0.position.line): \($0.message)" } ?? "it has no plan"))
        }
        return RecordProbe(plan, zones: zones, batchTimeMillis: nowMillis)
    }

    /// A spec with a source, and a query around it.
    private func read(_ source: SourceDraft) -> (spec: Spec?, diagnostics: [Diagnostic]) {
        let query = "queries:\n  describe: { from: \(yamlScalar(source.name)), to: out }\n"
        let text = "sluice: 1\n" + source.yaml + query + "sinks:\n  out: { stdout: {} }\n"
        return SpecReader.read(
            files: [("describe.yaml", Array(text.utf8))], environment: { _ in nil }, readFile: readFile)
    }

    /// What becomes of each record.
    func read(
        _ records: [RawRecord], by source: SourceDraft
    ) throws(DescribeError) -> [RecordProbe.Outcome] {
        let probe = try probe(source)
        return records.map {
            probe.read($0.bytes, header: $0.header, schemas: $0.schemas, isFramed: $0.isFramed)
        }
    }
}

extension SampleReader {
    /// A registry as the reader of specs takes its address.
    /// - Throws: what is wrong with it, as `check` says it.
    func registry(_ address: RegistryAddress) throws(ConnectorError) -> RegistrySpec {
        let source = SourceDraft(
            name: "topic", connector: SampleTarget.topic(brokers: "broker:9092", name: "topic").connector,
            format: .object(["json": .object(["registry": address.value])]),
            columns: [JSONMember("column", .string("string"))])
        let (spec, diagnostics) = read(source)
        if case .json(let options)? = spec?.sources.first?.format, let registry = options.registry { return registry }
        let error = diagnostics.first { $0.severity == .error }
        throw ConnectorError(
            code: "registry-address",
            error.map { $0.message + ($0.fix.map { ": \($0)" } ?? "") } ?? "the registry's address cannot be read",
            isRetriable: false)
    }
}

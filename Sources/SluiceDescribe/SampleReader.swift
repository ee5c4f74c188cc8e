// A sample read as a query would read it: the text of the source is what is printed, the reader of specs, the planner
// and the decoders are the product's own. So what is said of the sample is what will happen.

package import SluiceEngine
internal import SluicePlan
internal import SluiceSpec

/// Reads samples by the text of a source.
package struct SampleReader: Sendable {
    private let zones: TimeZones
    /// Since 1970; what `max_ahead` counts from.
    let nowMillis: Int64

    package init(zones: TimeZones, nowMillis: Int64) {
        self.zones = zones
        self.nowMillis = nowMillis
    }

    /// What reads single records as the source would. The query around it has no join: all that has to be seen is how
    /// records become rows, and that `check` finds no mistake.
    func probe(_ source: SourceDraft) throws(DescribeError) -> RecordProbe {
        let query = "queries:\n  describe: { from: \(yamlScalar(source.name)), to: out }\n"
        let text = "sluice: 1\n" + source.yaml + query + "sinks:\n  out: { stdout: {} }\n"
        let (spec, diagnostics) = SpecReader.read(
            files: [("describe.yaml", Array(text.utf8))], environment: { _ in nil },
            readFile: { _ in .failure(UnreadableFile(reason: "a description names no secrets")) })
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

    /// What becomes of each record.
    func read(
        _ records: [RawRecord], by source: SourceDraft, isFramed: Bool
    ) throws(DescribeError) -> [RecordProbe.Outcome] {
        let probe = try probe(source)
        return records.map { probe.read($0.bytes, header: $0.header, isFramed: isFramed) }
    }
}

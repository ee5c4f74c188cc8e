// What a query puts out, held against the formats of the sinks it writes to.

internal import SluiceSpec

enum OutputChecks {
    /// A finding for every sink whose format has no objects, where the query's output has some.
    static func diagnose(_ query: QuerySpec, _ sinks: [SinkSpec]) -> [Diagnostic] {
        guard let nested = query.select.first(where: { !$0.objects.isEmpty }) else { return [] }
        let path = nested.objects + [nested.name]
        return sinks.filter { !$0.format.hasObjects }.map { sink in
            Diagnostic(
                .error, .typeMismatch, at: nested.position, length: nested.name.count,
                "`\(outputName([], nested.objects[0]))` is an object, and the sink `\(sink.name.value)` writes "
                    + "\(sink.format.name.uppercased()), which has none",
                fix: "write a column of its own, such as "
                    + "`\(quotedName(path.joined(separator: "_"))): \(nested.expression)`, or write JSON")
        }
    }
}

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

    /// A finding for every sink whose schema has no place for the output's rows.
    static func diagnose(_ output: OutputPlan, of query: QuerySpec) -> [Diagnostic] {
        output.sinks.compactMap { sink in
            sink.schema.flatMap { diagnose(output, $0, sink: sink.name, query) }
        }
    }

    private static func diagnose(
        _ output: OutputPlan, _ schema: SchemaText, sink: String, _ query: QuerySpec
    ) -> Diagnostic? {
        let columns = output.written
        let names = columns.enumerated().map { ($0, $1.objects + [$1.name]) }
        if let (column, path) = names.first(where: { !$1.allSatisfy(AvroSchema.isName) }) {
            let name = path.first { !AvroSchema.isName($0) } ?? ""
            return finding(
                column, "the sink `\(sink)` writes Avro, where `\(name)` is no name of a field",
                fix: "give it a name of ASCII letters, digits and `_` in `select`", query)
        }
        do throws(AvroWritingProblem) {
            _ = try AvroSchema(planned: schema).writing(columns)
            return nil
        } catch {
            return finding(error.column, "the sink `\(sink)` cannot write: \(error.message)", fix: error.fix, query)
        }
    }

    /// At a column of the output; at the query's name where it is about none, or about one that the query takes over
    /// without naming it.
    private static func finding(_ column: Int?, _ message: String, fix: String?, _ query: QuerySpec) -> Diagnostic {
        let select = column.map { query.select[$0] }
        return Diagnostic(
            .error, .schemaColumn, at: select?.position ?? query.name.position,
            length: max(1, (select?.name ?? query.name.value).count), message, fix: fix)
    }
}

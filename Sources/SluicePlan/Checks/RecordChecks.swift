// What Kafka sinks say about output columns, held against those of a query that writes there. A sink knows no columns
// of its own: the same sink can be right for one query and wrong for another.

internal import SluiceSpec

/// What a sink's records have beside their value, over the names of a query's output columns.
struct OutputRecord: Hashable {
    var key: Expression<String>?
    var timestamp: String?
    var headers: [OutputHeader] = []
}

struct OutputHeader: Hashable {
    var name: String
    var value: Expression<String>
}

struct RecordChecks {
    let query: QuerySpec
    let sinks: [SinkSpec]

    /// The records of every Kafka sink, by the sink's name, and all findings; a part with a mistake is left out.
    func read() -> (records: [String: OutputRecord], diagnostics: [Diagnostic]) {
        var records: [String: OutputRecord] = [:]
        var diagnostics: [Diagnostic] = []
        for sink in sinks {
            guard let kafka = sink.connector as? KafkaSinkSpec else { continue }
            var record = OutputRecord()
            if let key = kafka.key {
                let typed = key.typed(for: query)
                record.key = typed.expression
                diagnostics += typed.diagnostics
            }
            for header in kafka.headers {
                let typed = header.value.typed(for: query)
                if let value = typed.expression { record.headers.append(OutputHeader(name: header.name, value: value)) }
                diagnostics += typed.diagnostics
            }
            if let timestamp = kafka.timestamp {
                if let mistake = mistake(in: timestamp) {
                    diagnostics.append(mistake)
                } else {
                    record.timestamp = timestamp.value
                }
            }
            records[sink.name.value] = record
        }
        return (records, diagnostics)
    }

    private func mistake(in timestamp: Located<String>) -> Diagnostic? {
        let name = timestamp.value
        let columns = query.select.filter(\.objects.isEmpty)
        guard let column = columns.first(where: { $0.name == name }) else {
            return Diagnostic(
                .error, .unknownColumn, at: timestamp.position, length: timestamp.length,
                "the query `\(query.name.value)` has no output column `\(name)`",
                fix: suggestion(for: name, in: columns.map(\.name), listing: "its output columns are"))
        }
        if column.expression.type == .timestamp { return nil }
        return Diagnostic(
            .error, .typeMismatch, at: timestamp.position, length: timestamp.length,
            "a record's time must be a timestamp, and `\(name)` of the query `\(query.name.value)` is "
                + article(column.expression.type),
            fix: "name a timestamp column, or leave `timestamp` out: records then have the time of writing")
    }
}

// What of an output its schema has to know.

package import SluiceSpec

extension OutputPlan {
    /// The columns as a schema sees them. What comes from a source's column may always be null.
    package var written: [WrittenColumn] {
        columns.map { column in
            WrittenColumn(
                name: column.name, objects: column.objects, type: column.expression.type,
                isNullable: column.expression.isNullable)
        }
    }
}

extension OutputSink {
    /// The schema that rows are written by; nil in another format.
    package var schema: SchemaText? {
        guard case .avro(let output) = format else { return nil }
        return output.schema
    }
}

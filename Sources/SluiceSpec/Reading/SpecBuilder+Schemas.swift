// What sources and sinks of all formats with a schema have in common: the file it is in, and what it lacks.

extension SpecBuilder {
    /// The bytes of a schema's file; nil after a report.
    ///
    /// - Parameters:
    ///   - path: resolved against the spec's folder.
    ///   - shown: the path as a sentence names it.
    func readSchemaFile(_ path: String, shown: String, at place: Place, fix: String) -> [UInt8]? {
        switch readFile(path) {
        case .success(let content): return content
        case .failure(let failure):
            diagnostics.error(
                .unreadableSchema, at: place, "the schema `\(shown)` cannot be read: \(failure.reason)", fix: fix)
            return nil
        }
    }

    /// Reports columns that cannot be read with a source's schema.
    func report(_ problems: [SchemaColumnProblem]) {
        for problem in problems {
            let column = problem.column
            diagnostics.error(
                .schemaColumn, at: Place(position: column.position, length: max(1, column.name.count)),
                "`\(column.name)` cannot be read with the schema: \(problem.message)", fix: problem.fix)
        }
    }
}

// `sluice check`: every mistake of the specs, with place, cause and fix.

internal import SluiceRuntime
internal import SluiceSpec
internal import SluiceSystem

struct CheckCommand {
    private let options: CheckOptions
    private let files: any FileSystem

    init(_ options: CheckOptions, files: any FileSystem) {
        self.options = options
        self.files = files
    }

    /// The exit code: 1 when there are errors.
    func run() throws -> Int32 {
        let loaded = try SpecLoader(fileSystem: files, environment: environmentVariable).load(
            options.specs, looksAtFiles: true)
        switch options.format {
        case .json: printLine(loaded.diagnostics.json)
        case .text:
            for diagnostic in loaded.diagnostics { printLine(diagnostic.rendered(lines: loaded.lines)) }
            printLine(loaded.summary)
        }
        return loaded.hasErrors ? 1 : 0
    }
}

extension LoadedSpec {
    /// One line for a person, such as `2 errors, 1 warning`.
    var summary: String {
        func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
        func counted(_ severity: Diagnostic.Severity) -> String? {
            let count = diagnostics.count { $0.severity == severity }
            return count == 0 ? nil : counted(count, severity.rawValue)
        }
        let found = [counted(.error), counted(.warning), counted(.hint)].compactMap(\.self)
        if diagnostics.contains(where: { $0.severity != .hint }) { return found.joined(separator: ", ") }
        let queries = plans.count == 1 ? "1 query" : "\(plans.count) queries"
        return (["no mistakes: \(queries)"] + found).joined(separator: ", ")
    }
}

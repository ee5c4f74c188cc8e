// Specs beside this file and what the planner makes of them: diagnostics first, then the explanation of each query that
// has a plan. They catch what no single assertion looks for. UPDATE_GOLDEN=1 rewrites them; the review is `git diff`.

import Foundation
import SluicePlan
import SluiceSpec
import Testing

enum Golden {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")

    static var names: [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()
    }

    /// Compares with the stored text, or replaces it when UPDATE_GOLDEN=1.
    static func expect(_ text: String, in file: String) throws {
        let url = folder.appending(path: file)
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try text.write(to: url, atomically: true, encoding: .utf8)
            return
        }
        let stored = try String(contentsOf: url, encoding: .utf8)
        #expect(text == stored, "\(file) differs; UPDATE_GOLDEN=1 rewrites it")
    }

    /// The spec of a golden file, its queries in the order of their lines, and what its reader had to say.
    static func read(_ name: String) throws -> (spec: Spec?, diagnostics: [Diagnostic], lines: SourceLines) {
        let text = try String(contentsOf: folder.appending(path: "\(name).yaml"), encoding: .utf8)
        return readSpec(text, name: "\(name).yaml")
    }
}

func readSpec(
    _ text: String, name: String = "test.yaml"
) -> (spec: Spec?, diagnostics: [Diagnostic], lines: SourceLines) {
    let files = [(name: name, text: Array(text.utf8))]
    let (spec, diagnostics) = SpecReader.read(
        files: files, environment: { _ in nil },
        readFile: { _ in .failure(UnreadableFile(reason: "No such file or directory")) })
    return (spec, diagnostics, SourceLines(files: files))
}

@Suite struct GoldenTests {
    @Test(arguments: Golden.names) func aSpecHasThePlanBesideIt(name: String) throws {
        let (spec, diagnostics, lines) = try Golden.read(name)
        var text = ""
        for diagnostic in diagnostics { text += diagnostic.rendered(lines: lines) + "\n\n" }
        for query in (spec?.queries ?? []).sorted(by: { $0.name.position < $1.name.position }) {
            let result = Planner.plan(query: query, in: try #require(spec))
            for diagnostic in result.diagnostics { text += diagnostic.rendered(lines: lines) + "\n\n" }
            if result.physical != nil { text += result.explainText() + "\n" }
        }
        try Golden.expect(text, in: "\(name).txt")
    }

    /// What somebody new is shown: three streams, one of them a union and one deduplicated; a stream and two tables.
    @Test(arguments: [("orders-payments-shipments", "chain"), ("readings-sites", "lookups")])
    func aSampleIsExplained(sample: String, name: String) throws {
        let root = Golden.folder.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let path = root.appending(path: "plans/\(sample).yaml")
        let (spec, diagnostics, _) = readSpec(try String(contentsOf: path, encoding: .utf8), name: "\(name).yaml")
        #expect(diagnostics.isEmpty)
        let results = try #require(spec.map { spec in spec.queries.map { Planner.plan(query: $0, in: spec) } })
        try Golden.expect(Explanation.text(results), in: "\(name).txt")
    }

    @Test func theSeedJobIsExplainedAsJSON() throws {
        let (spec, _, _) = try Golden.read("seed")
        let text = try #require(spec.map { Explanation.json($0.queries.map { Planner.plan(query: $0, in: spec!) }) })
        #expect((try? JSONSerialization.jsonObject(with: Data(text.utf8))) != nil)
        try Golden.expect(text, in: "seed.json")
    }

    @Test func theSeedJobIsExplainedAsDot() throws {
        let (spec, _, _) = try Golden.read("seed")
        let text = try #require(spec.map { Explanation.dot($0.queries.map { Planner.plan(query: $0, in: spec!) }) })
        try Golden.expect(text, in: "seed.dot")
    }

    @Test func theFolderHasGoldenFiles() {
        #expect(Golden.names.count >= 7)
    }
}

// What the tests of this module share: reading a spec from text, and the golden files beside this file.

import Foundation
import SluiceSpec
import Testing

typealias SpecFile = (name: String, text: [UInt8])

struct ReadSpec {
    var spec: Spec?
    var diagnostics: [Diagnostic]
    var lines: SourceLines

    var codes: [String] { diagnostics.map(\.code) }
    var errors: [Diagnostic] { diagnostics.filter { $0.severity == .error } }
    var rendered: String { diagnostics.map { $0.rendered(lines: lines) }.joined(separator: "\n") }
}

/// - Parameter others: files that a spec names, by their paths.
func readSpec(
    _ files: [(String, String)], environment: [String: String] = [:], secrets: [String: String] = [:],
    others: @escaping (String) -> String? = { _ in nil }
) -> ReadSpec {
    let files: [SpecFile] = files.map { ($0.0, Array($0.1.utf8)) }
    let (spec, diagnostics) = SpecReader.read(
        files: files, environment: { environment[$0] },
        readFile: { path in
            (secrets[path] ?? others(path)).map { .success(Array($0.utf8)) }
                ?? .failure(UnreadableFile(reason: "No such file or directory"))
        })
    return ReadSpec(spec: spec, diagnostics: diagnostics, lines: SourceLines(files: files))
}

func readSpec(
    _ text: String, environment: [String: String] = [:], secrets: [String: String] = [:]
) -> ReadSpec {
    readSpec([("job.yaml", text)], environment: environment, secrets: secrets)
}

enum Golden {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")

    static let diagnosticsIndex = folder.appending(path: "../../../Sources/SluiceSpec/SluiceSpec.docc/Diagnostics.md")

    static var names: [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()
    }

    static func text(_ file: String) throws -> String {
        try String(contentsOf: folder.appending(path: file), encoding: .utf8)
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
}

/// The seed job on files, which is also what fuzzing starts from.
let fileJob = """
    sluice: 1

    sources:
      visits:
        file: { path: in/visits, max_files_per_trigger: 1 }
        format: json
        columns: { visit_id: string, event_time: timestamp, page: string }
        watermark: { column: event_time, delay: 10 minutes }
      ads:
        file: { path: in/ads.jsonl, follow: true, max_bytes_per_trigger: 64MiB }
        format: json
        columns: { page: string, display_time: timestamp, campaign_name: string }
        watermark: { column: display_time, delay: 10 minutes }

    queries:
      visits_ads:
        from: visits
        join:
          - with: ads
            type: left outer
            keys: { visits.page: ads.page }
            within: ads.display_time between visits.event_time and visits.event_time + 2 minutes
        select:
          visit_id: visits.visit_id
          event_time: visits.event_time
          visit_page: visits.page
          page: ads.page
          display_time: ads.display_time
          campaign_name: ads.campaign_name
        trigger: 10 seconds
        checkpoint: checkpoints/visits_ads
        to: visits_enriched

    sinks:
      visits_enriched:
        file: { path: out }
        format: { json: { time_zone: Europe/Paris } }

    """

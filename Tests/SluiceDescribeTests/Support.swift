// What tests describe samples with: a clock that stands, zones that are UTC, and the product's own reader of what comes
// out.

import SluiceDescribe
import SluiceEngine
import SluicePlan
import SluiceSpec
import Testing

/// Noon of 1 June 2026.
let nowMillis: Int64 = 1_780_315_200_000
let utcOnly = SampleReader(zones: TimeZones { _ in nil }, nowMillis: nowMillis)

func sample(_ text: String, _ name: String = "sample.jsonl") -> Sample { sample(Array(text.utf8), name) }

func sample(_ bytes: [UInt8], _ name: String = "sample.jsonl") -> Sample {
    Sample(target: .files(name), parts: [.init(place: name, content: .text(bytes))], isAll: true)
}

func messages(_ partitions: [[String]], topic: String = "visits") -> Sample {
    let parts = partitions.enumerated().map { number, values in
        Sample.Part(place: "\(topic)/\(number)", content: .messages(values.map { Array($0.utf8) }))
    }
    return Sample(target: .topic(brokers: "localhost:9092", name: topic), parts: parts, isAll: false)
}

func described(_ text: String, _ name: String = "sample.jsonl") throws -> Description {
    try sample(text, name).described(utcOnly)
}

/// The columns of a description, each as the spec has it.
func columns(_ text: String, _ name: String = "sample.jsonl") throws -> [String: String] {
    let json = try described(text, name).json
    guard case .object(let sources)? = json["sources"], let source = sources.first?.value,
        case .object(let columns)? = source["columns"]
    else { return [:] }
    return Dictionary(uniqueKeysWithValues: columns.map { ($0.name, inWords($0.value)) })
}

/// `timestamp ms from meta.ts`.
private func inWords(_ column: JSONValue) -> String {
    if case .string(let type) = column { return type }
    var text = ""
    for (name, before) in [("type", ""), ("unit", " "), ("pattern", " "), ("from", " from ")] {
        if case .string(let value)? = column[name] { text += before + value }
    }
    return text
}

/// Reads the printed text as a user's spec would have it; the spec's mistakes and the bad rows of the sample are
/// counted by code that is not the describer's.
func outcome(
    of description: Description, _ records: [[UInt8]], header: [UInt8] = [], isFramed: Bool = false
) throws -> (mistakes: [String], bad: [String]) {
    let text =
        "sluice: 1\n" + description.yaml
        + "queries:\n  q: { from: \(description.name), to: o }\nsinks:\n  o: { stdout: {} }\n"
    let (spec, diagnostics) = SpecReader.read(
        files: [("t.yaml", Array(text.utf8))], environment: { _ in nil },
        readFile: { _ in .failure(UnreadableFile(reason: "none")) })
    var mistakes = diagnostics.map { "\($0.position.line): \($0.message)" }
    guard let spec, let query = spec.queries.first else { return (mistakes, []) }
    let result = Planner.plan(query: query, in: spec)
    mistakes += result.diagnostics.map { "\($0.position.line): \($0.message)" }
    guard let plan = result.physical else { return (mistakes, []) }
    let probe = RecordProbe(plan, zones: TimeZones { _ in nil }, batchTimeMillis: nowMillis)
    let bad = records.compactMap { probe.read($0, header: header, isFramed: isFramed).reason }
    return (mistakes, bad)
}

func lines(_ text: String) -> [[UInt8]] { text.utf8.split(separator: UInt8(ascii: "\n")).map { Array($0) } }

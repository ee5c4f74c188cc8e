// What a run under random control works on: queries over files and, where a broker is given, over topics; their specs
// in every version that a reload may bring; the input, and the rows that came out.

import Foundation
import KafkaTesting

/// A query of the world. Its rows do not depend on how batches are cut.
struct ControlQuery {
    enum Place { case file, topic }

    var name: String
    var joinType: String?
    var input = Place.file
    var output = Place.file
}

/// What the spec file says at a time. No version that is taken changes the rows.
struct SpecVersion {
    enum Mistake: CaseIterable {
        case unknownKey, brokenText, unknownColumn
        /// One that only the checkpoint shows: the join's state is of another type.
        case otherJoin
    }

    var names: Set<String>
    /// Milliseconds, by query.
    var triggers: [String: Int] = [:]
    /// How many batches a query keeps: a change that makes it start again.
    var retained: [String: Int] = [:]
    var mistake: Mistake?
}

final class ControlWorld {
    let folder: TemporaryFolder
    let queries: [ControlQuery]
    private let kafka: KafkaCluster?
    private var workload: JoinWorkload
    private var written = ["left": "", "right": ""]
    /// Topics by what they stand for: a side of the input, a query's output.
    private var topics: [String: String] = [:]
    private var namePrefix = ""

    /// A world of files, and with a broker one of topics too.
    init(seed: UInt64, kafka: KafkaCluster? = nil) throws {
        folder = try TemporaryFolder()
        workload = JoinWorkload(seed: seed)
        self.kafka = kafka
        guard let kafka else {
            queries =
                [ControlQuery(name: "copy_a"), ControlQuery(name: "copy_b")]
                + ["left outer", "full outer", "inner"].map {
                    ControlQuery(name: "join_" + $0.replacing(" ", with: "_"), joinType: $0)
                }
            return
        }
        // A consumer group and a transactional id have the query's name, and brokers are shared.
        namePrefix = kafka.uniqueName("control").replacing("-", with: "_") + "_"
        queries = [
            ControlQuery(name: namePrefix + "files", joinType: "left outer"),
            ControlQuery(name: namePrefix + "topics", joinType: "full outer", input: .topic, output: .topic),
            ControlQuery(name: namePrefix + "topics_inner", joinType: "inner", input: .topic, output: .topic),
            ControlQuery(name: namePrefix + "copy", input: .topic, output: .topic),
            ControlQuery(name: namePrefix + "in", joinType: "left outer", input: .topic),
            ControlQuery(name: namePrefix + "out", output: .topic),
        ]
        for side in ["left", "right"] { topics[side] = try kafka.makeTopic(side) }
        for query in queries where query.output == .topic {
            topics[query.name] = try kafka.makeTopic(query.name, partitions: 2)
        }
    }

    var names: [String] { queries.map(\.name) }

    // MARK: The spec

    func writeSpec(_ version: SpecVersion) throws { try folder.write("spec.yaml", spec(version)) }

    /// - Parameter intoFiles: the rows of all queries go into files.
    private func spec(_ version: SpecVersion, intoFiles: Bool = false) -> String {
        let named = queries.filter { version.names.contains($0.name) }
        var lines = ["sluice: 1", "sources:"]
        for (place, prefix) in [(ControlQuery.Place.file, ""), (.topic, "topic_")]
        where queries.contains(where: { $0.input == place }) {
            for side in ["left", "right"] { lines += source(prefix + side, place, side) }
        }
        lines.append("queries:")
        for query in named { lines += text(query, version) }
        lines.append("sinks:")
        for query in named {
            let isFile = intoFiles || query.output == .file
            let place = isFile ? "file: { path: out/\(query.name) }" : connector(topics[query.name] ?? "")
            lines.append("  \(query.name)_out: { \(place), format: json }")
        }
        switch version.mistake {
        case .unknownKey: lines.append("  broken: { fil: {} }")
        case .brokenText: lines.append("  broken: { file: [")
        case .unknownColumn, .otherJoin, nil: break
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func connector(_ topic: String, more: String = "") -> String {
        "kafka: { brokers: \"\(kafka?.plain ?? "")\", topic: \(topic)\(more) }"
    }

    private func source(_ name: String, _ place: ControlQuery.Place, _ side: String) -> [String] {
        [
            "  \(name):",
            place == .file
                ? "    file: { path: \(side).jsonl, follow: true }"
                : "    \(connector(topics[side] ?? "", more: ", start: earliest"))",
            "    format: json", "    columns: { id: string, k: string, t: timestamp }",
            "    watermark: { column: t, delay: \(JoinWorkload.delaySeconds)s }",
        ]
    }

    private func text(_ query: ControlQuery, _ version: SpecVersion) -> [String] {
        let prefix = query.input == .file ? "" : "topic_"
        let (left, right) = (prefix + "left", prefix + "right")
        var lines = ["  \(query.name):", "    from: \(left)", "    to: \(query.name)_out"]
        lines.append("    trigger: \(version.triggers[query.name] ?? 20)ms")
        lines.append("    state: { retain_batches: \(version.retained[query.name] ?? 100) }")
        let extra = version.mistake == .unknownColumn ? ", x: \(left).nothing" : ""
        guard let type = query.joinType else {
            return lines + ["    select: { l: \(left).id, lk: \(left).k, lt: \(left).t\(extra) }"]
        }
        return lines + [
            "    join:", "      - with: \(right)",
            "        type: \(version.mistake == .otherJoin ? "right outer" : type)", "        keys: k",
            "        within: \(right).t between \(left).t - 10s and \(left).t + 10s",
            "    select: { l: \(left).id, lk: \(left).k, lt: \(left).t,"
                + " r: \(right).id, rk: \(right).k, rt: \(right).t\(extra) }",
        ]
    }

    // MARK: Input

    /// Writes the next rows of both sides, to files and topics.
    func write(rows: Int) throws {
        if rows == 0 { return }
        for (side, text) in workload.next(rows).sorted(by: { $0.key < $1.key }) {
            written[side]? += text
            try folder.append("\(side).jsonl", text)
            if let kafka, let topic = topics[side] {
                try kafka.kcat.produce(text.split(separator: "\n").map(String.init), to: topic)
            }
        }
    }

    // MARK: Output

    /// Lets the queries read what is left.
    func finish() throws -> RunOutcome {
        try writeSpec(SpecVersion(names: Set(names)))
        return try SluiceProcess.run(["run", "spec.yaml", "--trigger", "available_now"], in: folder)
    }

    func rows(of query: ControlQuery) throws -> [String] {
        guard query.output == .topic, let kafka, let topic = topics[query.name] else {
            return folder.rows(in: "out/\(query.name)")
        }
        return try kafka.kcat.values(topic)
    }

    /// The rows of a process that was left alone with the same input, by query. Its checkpoints and its output are
    /// files.
    func undisturbed() throws -> (outcome: RunOutcome, rows: [String: [String]]) {
        let other = try TemporaryFolder()
        try other.write("spec.yaml", spec(SpecVersion(names: Set(names)), intoFiles: true))
        for (side, text) in written { try other.write("\(side).jsonl", text) }
        let outcome = try SluiceProcess.run(["run", "spec.yaml", "--trigger", "available_now"], in: other)
        return (outcome, Dictionary(uniqueKeysWithValues: names.map { ($0, other.rows(in: "out/\($0)")) }))
    }
}

// Memory over many batches: what is allocated and not freed after a thousand batches is what it is after ten thousand.
// SLUICE_MANY_BATCHES says how many are run; ten thousand in CI.

import Foundation
import KafkaTesting
import Testing

/// Batches to run.
private let batchCount = ProcessInfo.processInfo.environment["SLUICE_MANY_BATCHES"].flatMap { Int($0) } ?? 2_500
/// The status board keeps the reports of the last thousand batches: before that it grows.
private let warmUpCount = 1_100
/// In each half of the batches. A leak of 30 bytes a batch shows in both; a table or a buffer that is made larger, or
/// used for the first time, in one.
private let growthBytesMax = 128 * 1024

/// Waits for batches of a query, some at a time, and returns what is allocated then.
private func allocatedBytes(_ served: ServedProcess, query: String, afterBatches count: Int) throws -> Int {
    func batch() -> Int { served.query(query)["batchId"] as? Int ?? -1 }
    var reached = batch()
    while reached < count {
        let next = min(count, reached + 300)
        try served.waitUntil("batch \(next) does not come") { batch() >= next }
        reached = batch()
    }
    // The least of some looks: a batch in hand holds memory of its own.
    let metrics = "sluice_process_allocated_memory_bytes "
    let looks = (0..<20).compactMap { _ -> Int? in
        let lines = served.send("GET", "/metrics")?.body.split(separator: "\n") ?? []
        return lines.first { $0.hasPrefix(metrics) }.flatMap { Double($0.dropFirst(metrics.count)) }.map { Int($0) }
    }
    return try #require(looks.min())
}

/// Looks behind the warm-up, in the middle and at the end, at `last`.
private func expectNoGrowth(_ name: String, _ served: ServedProcess, query: String, last: Int) throws {
    let counts = [warmUpCount, (warmUpCount + last) / 2, last]
    let looks = try counts.map { try allocatedBytes(served, query: query, afterBatches: $0) }
    let shown = zip(counts, looks).map { "\($1) bytes after \($0) batches" }.joined(separator: ", ")
    print("ManyBatchesMemoryTests: \(name), \(shown)")
    #expect(min(looks[1] - looks[0], looks[2] - looks[1]) < growthBytesMax, "\(shown)")
}

@Suite struct ManyBatchesMemoryTests {
    @Test func `Files: what is allocated does not grow with the number of batches`() throws {
        let folder = try TemporaryFolder()
        func lines(_ side: String) -> String {
            (0..<batchCount).map { number in
                let (minutes, seconds) = (number / 60 % 60, number % 60)
                let time = String(format: "2024-01-01T%02d:%02d:%02dZ", number / 3600, minutes, seconds)
                return "{\"id\":\"\(side)\(number)\",\"k\":\"k\(number % 7)\",\"t\":\"\(time)\"}\n"
            }.joined()
        }
        for side in ["l", "r"] { try folder.write("\(side).jsonl", lines(side)) }
        func source(_ side: String) -> String {
            """
              \(side):
                file: { path: \(side).jsonl, follow: true, max_bytes_per_trigger: 1 }
                format: json
                columns: { id: string, k: string, t: timestamp }
                watermark: { column: t, delay: 5 seconds }
            """
        }
        try folder.write(
            "spec.yaml",
            """
            sluice: 1
            sources:
            \(source("l"))
            \(source("r"))
            queries:
              q:
                from: l
                join: [{ with: r, type: left outer, keys: k, within: r.t between l.t and l.t + 20 seconds }]
                select: { l: l.id, r: r.id }
                trigger: as_fast_as_possible
                to: out
            sinks:
              out: { file: { path: out }, format: json }
            """)
        let served = try ServedProcess(["spec.yaml"], in: folder)
        try expectNoGrowth("files", served, query: "q", last: batchCount)
        #expect(served.process.stop().exitCode == 0)
    }
}

extension KafkaEndToEndTests {
    @Suite struct ManyBatchesMemory {
        @Test func `Kafka: what is allocated does not grow with the number of batches`() throws {
            let query = try KafkaQuery(.shared())
            try query.writeSpec(KafkaQuery.Settings(source: ["max_offsets_per_trigger": "1"]))
            try query.write(0..<batchCount)
            let served = try ServedProcess(["spec.yaml"], in: query.folder)
            try expectNoGrowth("Kafka", served, query: query.name, last: batchCount - 1)
            #expect(served.process.stop().exitCode == 0)
            #expect(try query.numbers() == Array(0..<batchCount))
        }
    }
}

// Queries with nothing to do: what they keep open, and that they hear of what comes after a long silence.

import Foundation
import KafkaTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Idle {
        private static let rests = "Nothing new for a while, fetching rests"

        @Test func `After a silence in which fetching rests, every record is read`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka, inputPartitions: 2)
            try query.writeSpec(KafkaQuery.Settings(trigger: "500ms"))
            try query.write(0..<3, partition: 0)
            let sluice = try query.start(["--log-level", "debug"])
            try query.waitForRows(3, sluice)
            for silence in 1...2 {
                try sluice.waitUntil("it does not rest") { rests(sluice) == silence }
                // One partition has something, the other has not; then it is the other way round.
                try query.write(10 * silence..<10 * silence + 5, partition: silence % 2)
                try query.waitForRows(3 + 5 * silence, sluice)
            }
            try sluice.waitUntil("it does not rest") { rests(sluice) == 3 }
            try kafka.addPartitions(query.input, total: 3)
            try query.write(90..<93, partition: 2)
            try query.waitForRows(16, sluice)
            #expect(sluice.stop().exitCode == 0)
            #expect(try query.numbers() == Array(0..<3) + Array(10..<15) + Array(20..<25) + Array(90..<93))
        }

        private func rests(_ sluice: SluiceProcess) -> Int {
            sluice.standardError.components(separatedBy: Self.rests).count - 1
        }

        @Test func `Sources that connect alike ask through one client`() throws {
            let kafka = try KafkaCluster.shared()
            let folder = try TemporaryFolder()
            let topic = try kafka.makeTopic("input")
            func spec(_ count: Int) -> String {
                let names = (0..<count).map { kafka.uniqueName("idle\($0)").replacing("-", with: "_") }
                let source = "kafka: { brokers: \"\(kafka.plain)\", topic: \(topic), start: earliest }"
                return """
                    sluice: 1
                    sources:
                      numbers: { \(source), format: json, columns: { n: long } }
                    queries:
                    \(names.map { "  \($0): { from: numbers, trigger: 1s, to: \($0)_out }\n" }.joined())
                    sinks:
                    \(names.map { "  \($0)_out: { file: { path: out/\($0) }, format: json }\n" }.joined())
                    """
            }
            func threads(_ count: Int) throws -> Int {
                try folder.write("\(count).yaml", spec(count))
                let sluice = try SluiceProcess(["run", "\(count).yaml", "--progress", "\(count).jsonl"], in: folder)
                try sluice.waitUntil("not all have had a batch") {
                    progressRecords(folder, "\(count).jsonl").count >= count
                }
                let names = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(sluice.processID)/task")
                #expect(sluice.stop().exitCode == 0)
                return names.count
            }
            try kafka.kcat.produce([KafkaQuery.line(1)], to: topic)
            let (few, many) = (try threads(2), try threads(8))
            // A client for fetching, of four threads, and the query's own.
            #expect(many - few <= 6 * 6, "\(few) threads with 2 queries, \(many) with 8")
        }
    }
}

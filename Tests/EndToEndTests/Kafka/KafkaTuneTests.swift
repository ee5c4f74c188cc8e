// Advice and replay of a query between topics: read with offsets of the replay's own, nothing written, nothing
// committed, no transaction begun.

import Foundation
import KafkaTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Tune {
        private static func advice(_ query: KafkaQuery) throws -> [String: Any] {
            let outcome = try SluiceProcess.run(
                [
                    "tune", "spec.yaml", "--query", query.name, "--format", "json", "--replay", "--intervals", "100ms",
                ], in: query.folder)
            #expect(outcome.exitCode == 0 && outcome.standardError.isEmpty, "\(outcome.standardError)")
            return try #require(jsonObject(outcome.standardOutput), "\(outcome.standardOutput)")
        }

        @Test func `A replay from a topic measures, and leaves topic, group and checkpoint as they were`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(KafkaQuery.Settings(trigger: "30ms"))
            let sluice = try query.startAndWaitForInput(batches: 40)
            #expect(sluice.stop().exitCode == 0)
            let group = "sluice-\(query.name)"
            let ends = try kafka.endOffsets(query.output)
            let (offsets, transactions) = (try kafka.describeGroup(group), try kafka.transactionStates())
            let checkpoint = query.folder.contents(of: "checkpoints")

            let advice = try Self.advice(query)
            let candidates = try #require(advice["candidates"] as? [[String: Any]])
            #expect(candidates.compactMap { $0["trigger"] as? String } == ["30ms", "100ms"])
            let reasons = try #require(advice["reasons"] as? [String])
            #expect(reasons.contains { $0.contains("ran again at each of these intervals") }, "\(reasons)")

            #expect(try kafka.endOffsets(query.output) == ends)
            #expect(try kafka.describeGroup(group) == offsets)
            #expect(try kafka.transactionStates()[group] == transactions[group])
            #expect(query.folder.contents(of: "checkpoints") == checkpoint)
        }

        /// Processor time that a process has used, in seconds.
        private static func processorSeconds(_ process: SluiceProcess) throws -> Double {
            let text = try String(contentsOfFile: "/proc/\(process.processID)/stat", encoding: .utf8)
            let fields = try #require(text.split(separator: ")").last).split(separator: " ")
            let ticks = [11, 12].compactMap { Double(fields[$0]) }.reduce(0, +)
            return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
        }

        @Test func `The processor time that tune says is what the process uses, librdkafka's threads included`() throws
        {
            let query = try KafkaQuery(.shared())
            try query.writeSpec(KafkaQuery.Settings(trigger: "100ms"))
            let sluice = try query.startAndWaitForInput(batches: 5)
            let (before, began) = (try Self.processorSeconds(sluice), Date())
            var written = 1_000_000
            try sluice.waitUntil("fewer than 65 batches") {
                try? query.write(written..<written + 50)
                written += 50
                return query.batches("commits").last ?? 0 >= 65
            }
            let used = try Self.processorSeconds(sluice) - before
            let measured = used / Date().timeIntervalSince(began)
            #expect(sluice.stop().exitCode == 0)
            let outcome = try SluiceProcess.run(
                ["tune", "spec.yaml", "--query", query.name, "--format", "json"], in: query.folder)
            let advice = try #require(jsonObject(outcome.standardOutput), "\(outcome.standardOutput)")
            let said = try #require((advice["current"] as? [String: Any])?["cpuShare"] as? Double, "\(advice)")
            print("KafkaTuneTests: tune says \(said) of a processor, the process used \(measured)")
            #expect((0.6...1.4).contains(said / measured), "said \(said), measured \(measured)")
        }

        @Test func `Records that retention took are said, and the replay begins behind them`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(KafkaQuery.Settings(trigger: "30ms"))
            let sluice = try query.startAndWaitForInput(batches: 40)
            #expect(sluice.stop().exitCode == 0)
            // The end of what batch 9 read is the start of the first batch that is left.
            let batches = query.records
            let end = batches.first { $0["batchId"] as? Int == 9 }?["sources"] as? [[String: Any]]
            let offset = try #require((end?[0]["endOffset"] as? [String: [String: Int]])?[query.input]?["0"])
            try kafka.deleteRecords(query.input, before: [0: offset])
            let reasons = try #require(try Self.advice(query)["reasons"] as? [String])
            #expect(reasons.contains { $0.hasPrefix("What batches 10 to ") }, "\(reasons)")
            #expect(
                reasons.contains(
                    "The replay cannot begin earlier: the source numbers does not have any more what batch 9 read."))
        }
    }
}

extension KafkaQuery {
    /// Starts it, and writes until so many batches are committed.
    fileprivate func startAndWaitForInput(batches count: Int) throws -> SluiceProcess {
        let sluice = try startAndWait()
        var written = 0
        try sluice.waitUntil("fewer than \(count) batches") {
            try? self.write(written..<written + 50)
            written += 50
            return self.batches("commits").count >= count
        }
        return sluice
    }
}

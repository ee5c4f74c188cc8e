// A broker that is away can be seen: in the query's object, in `status`, in the metrics and in what the keepers of a
// process ask, within three seconds, whatever the query is doing; and no longer when the broker answers.

import Foundation
import KafkaTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Away {
        /// Waits so long at most for what is to be seen within three seconds, on a busy machine.
        private static let secondsMax = 6.0

        private func started(_ query: KafkaQuery) throws -> ServedProcess {
            try ServedProcess(["spec.yaml", "--progress", "progress.jsonl"], in: query.folder)
        }

        private func waitingFor(_ served: ServedProcess, _ query: KafkaQuery) -> String? {
            served.query(query.name)["waitingFor"] as? String
        }

        /// Until the query says that it waits for its broker, or does not any more.
        private func wait(_ isAway: Bool, _ served: ServedProcess, _ query: KafkaQuery) throws {
            let start = Date()
            try served.waitUntil("away: \(isAway)") { (waitingFor(served, query) != nil) == isAway }
            let seconds = Date().timeIntervalSince(start)
            #expect(seconds < Self.secondsMax, "it took \(seconds) s")
        }

        private func metric(_ served: ServedProcess, _ query: KafkaQuery) -> String? {
            let name = "sluice_query_waiting_for_broker{query=\"\(query.name)\"} "
            let lines = served.send("GET", "/metrics")?.body.split(separator: "\n") ?? []
            return lines.first { $0.hasPrefix(name) }.map { String($0.dropFirst(name.count)) }
        }

        private func expectVisible(_ served: ServedProcess, _ query: KafkaQuery, _ address: String) throws {
            #expect(waitingFor(served, query) == "Kafka at \(address)")
            #expect(metric(served, query) == "1")
            let ready = try #require(served.send("GET", "/readyz"))
            #expect(ready.status == 503 && ready.json["waiting"] as? [String] == [query.name], "\(ready.body)")
            #expect(served.send("GET", "/healthz")?.status == 200)
            #expect(served.send("GET", "/livez")?.status == 200)
            let status = try SluiceProcess.run(["status", "--to", "127.0.0.1:\(served.port)"], in: query.folder)
            #expect(status.standardOutput.contains("\(query.name): waits for Kafka at \(address)"), "\(status)")
        }

        @Test(arguments: ["as_fast_as_possible", "1h"], Outages.Absence.allCases)
        func `A query whose broker goes away says so at any trigger, and no longer when it is back`(
            trigger: String, absence: Outages.Absence
        ) throws {
            let kafka = try KafkaCluster()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(KafkaQuery.Settings(trigger: trigger))
            try query.write(0..<5)
            let served = try started(query)
            try served.waitUntil("no first batch") { !query.records.isEmpty }
            #expect(served.send("GET", "/readyz")?.status == 200)
            #expect(metric(served, query) == "0")
            absence.begin(kafka)
            try wait(true, served, query)
            try expectVisible(served, query, kafka.plain)
            try absence.end(kafka)
            try wait(false, served, query)
            try served.waitUntil("not ready") { served.send("GET", "/readyz")?.status == 200 }
            #expect(served.process.stop().exitCode == 0)
        }

        @Test func `A query that starts before its broker says what it waits for`() throws {
            let kafka = try KafkaCluster()
            let query = try KafkaQuery(kafka)
            try query.writeSpec()
            kafka.kill()
            let served = try started(query)
            try wait(true, served, query)
            try expectVisible(served, query, kafka.plain)
            try kafka.resume()
            try wait(false, served, query)
            #expect(served.process.stop().exitCode == 0)
        }

        @Test func `A sink's broker is watched as a source's is`() throws {
            let (kafka, other) = (try KafkaCluster.shared(), try KafkaCluster())
            let query = try KafkaQuery(kafka)
            try other.createTopic(query.output)
            // All test clusters have one id, and where the consumer group's offsets go is chosen by it.
            let sink = ["brokers": "\"\(other.plain)\"", "delivery": "at_least_once"]
            try query.writeSpec(KafkaQuery.Settings(sink: sink, trigger: "1h"))
            try query.write(0..<5)
            let served = try started(query)
            try served.waitUntil("no first batch") { !query.records.isEmpty }
            other.kill()
            try wait(true, served, query)
            #expect(waitingFor(served, query) == "Kafka at \(other.plain)")
            try other.resume()
            try wait(false, served, query)
            #expect(served.process.stop().exitCode == 0)
        }

        @Test func `Without the right to its group a query ends with the group's name, and waits for nothing`() throws {
            // Other tests give the same user rights on all groups of theirs.
            let kafka = try KafkaCluster()
            let query = try KafkaQuery(kafka)
            let login = SASLUser.guest.clientOptions.map { "\($0.key): \"\($0.value)\"" }.joined(separator: ", ")
            try kafka.allow(.guest, ["--operation", "All", "--topic", query.output])
            try kafka.allow(.guest, ["--operation", "All", "--transactional-id", "*"])
            try query.writeSpec(
                KafkaQuery.Settings(sink: ["brokers": "\"\(kafka.sasl)\"", "options": "{ \(login) }"]))
            try query.write(0..<3)
            let outcome = try query.start().wait()
            #expect(outcome.exitCode == 1, "\(outcome.standardError)")
            let errors = logLines(outcome.standardError, level: "error")
            #expect(errors.count == 1 && errors.first?.contains("kafka-not-authorized") == true, "\(errors)")
            #expect(errors.first?.contains("the group `sluice-\(query.name)") == true, "\(errors)")
            #expect(!outcome.standardError.contains("does not answer"), "\(outcome.standardError)")
        }
    }
}

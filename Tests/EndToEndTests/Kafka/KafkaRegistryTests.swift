// Avro of topics behind a schema registry: each value names the schema it was written by.

import Foundation
import KafkaTesting
import RegistryTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Registry {
        private static let first = #"{"type":"record","name":"Number","fields":[{"name":"n","type":"long"}]}"#
        private static let second = #"""
            {"type":"record","name":"Number","fields":[{"name":"text","type":"string","default":"none"},
            {"name":"n","type":"long"}]}
            """#

        private func query(
            _ kafka: KafkaCluster, registry: String, columns: String = "{ n: long, text: string }"
        ) throws -> KafkaQuery {
            let query = try KafkaQuery(kafka)
            try query.writeSpec(
                KafkaQuery.Settings(columns: columns, format: "{ avro: { registry: \(registry) } }"))
            return query
        }

        @Test func `Values are read by the schemas they name, as the newest one says`() throws {
            let kafka = try KafkaCluster.shared()
            let registry = try TestRegistry(login: "ada:secret")
            let access = "{ url: \"\(registry.url)/\", user: ada, password: secret }"
            let query = try query(kafka, registry: access)
            let login = TestRegistry.Login(user: "ada", password: "secret")
            let first = try registry.register(Self.first, subject: "\(query.input)-value", login: login)
            let second = try registry.register(Self.second, subject: "\(query.input)-value", login: login)
            try kafka.kcat.produce(
                bytes: [
                    registryHead(first) + [2], registryHead(second) + [4, 0x61, 0x62, 4], registryHead(77) + [6],
                    [1, 0, 0, 0, 1, 2],
                    registryHead(second) + [4, 0x61], registryHead(first) + [8],
                ], to: query.input)
            _ = try registry.takeLog()
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(
                try kafka.kcat.values(query.output) == [
                    #"{"n":1,"text":"none"}"#, #"{"n":2,"text":"ab"}"#, #"{"n":4,"text":"none"}"#,
                ])
            #expect(outcome.standardError.contains("6 read: 3 out"), "\(outcome.standardError)")
            #expect(outcome.standardError.contains("3 bad"))
            // Each schema once, and the subject once.
            let asked = try registry.takeLog()
            #expect(Set(asked).count == asked.count && asked.contains("GET /schemas/ids/\(first)"), "\(asked)")
        }

        @Test func `Records are counted by schema where somebody asks for it`() throws {
            let kafka = try KafkaCluster.shared()
            let registry = try TestRegistry()
            for (asks, expected) in [("", nil), (", records_per_schema: true", ["1": 3, "2": 1, "77": 1])]
                as [(String, [String: Int]?)]
            {
                let query = try query(kafka, registry: "{ url: \"\(registry.url)\"\(asks) }", columns: "{ n: long }")
                let first = try registry.register(Self.first, subject: "\(query.input)-value")
                let second = try registry.register(Self.second, subject: "\(query.input)-value")
                #expect(first == 1 && second == 2)
                let values: [(Int, [UInt8])] = [
                    (first, [2]), (second, [4, 0x61, 0x62, 4]), (first, [6]), (77, [6]), (first, [8]),
                ]
                try kafka.kcat.produce(bytes: values.map { registryHead($0.0) + $0.1 } + [[1]], to: query.input)
                let served = try ServedProcess(["spec.yaml", "--progress", "progress.jsonl"], in: query.folder)
                try served.process.waitUntil("no batch") { !query.records.isEmpty }
                let metrics = served.send("GET", "/metrics")?.body ?? ""
                #expect(served.process.stop().exitCode == 0)
                let samples = metrics.split(separator: "\n").filter { $0.hasPrefix("sluice_source_schema_records") }
                #expect(samples.count == expected?.count ?? 0, "\(samples)")
                #expect(expected == nil || samples[0].hasSuffix("source=\"numbers\",schema=\"1\"} 3"), "\(samples)")
                let source = (query.records.first?["sources"] as? [[String: Any]])?.first
                #expect(source?["numRecordsBySchema"] as? [String: Int] == expected, "\(query.records)")
            }
        }

        /// A number that the checkpoint has needs no registry; one that it has not is waited for.
        @Test func `A restart reads what it has met without its registry`() throws {
            let kafka = try KafkaCluster.shared()
            let registry = try TestRegistry()
            let query = try query(kafka, registry: registry.url)
            let first = try registry.register(Self.first, subject: "\(query.input)-value")
            let second = try registry.register(Self.second, subject: "\(query.input)-value")
            try kafka.kcat.produce(
                bytes: [registryHead(first) + [2], registryHead(second) + [4, 0x61, 0x62, 4]], to: query.input)
            #expect(try query.runAvailable().exitCode == 0)
            let explained = try SluiceProcess.run(["explain", "spec.yaml"], in: query.folder).standardOutput
            #expect(
                explained.contains("== Schemas met ==\nnumbers: AVRO of \(registry.url), \(first), \(second)\n"),
                "\(explained)")
            try registry.setMode("500")
            _ = try registry.takeLog()
            try kafka.kcat.produce(
                bytes: [registryHead(first) + [6], registryHead(second) + [2, 0x63, 8]], to: query.input)
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(outcome.standardError.contains("goes on with the schemas it has"), "\(outcome.standardError)")
            #expect(try registry.takeLog() == ["GET /subjects/\(query.input)-value/versions/latest"])
            #expect(
                try kafka.kcat.values(query.output) == [
                    #"{"n":1,"text":"none"}"#, #"{"n":2,"text":"ab"}"#, #"{"n":3,"text":"none"}"#,
                    #"{"n":4,"text":"c"}"#,
                ])
        }

        @Test(arguments: ["500", "hang"])
        func `A registry in trouble is waited for`(mode: String) throws {
            let kafka = try KafkaCluster.shared()
            let registry = try TestRegistry()
            let query = try query(kafka, registry: registry.url, columns: "{ n: long }")
            let id = try registry.register(Self.first, subject: "\(query.input)-value")
            try kafka.kcat.produce(bytes: [registryHead(id) + [2]], to: query.input)
            try registry.setMode(mode)
            Thread.detachNewThread {
                try? waitUntil("the question") { try registry.takeLog().contains { $0.contains("/subjects/") } }
                try? registry.setMode("ok")
            }
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(try kafka.kcat.values(query.output) == [#"{"n":1}"#])
        }

        @Test(arguments: [
            ("401", "denies the subject"), ("html", "is the URL that of a schema registry?"),
            ("ok", "`text` cannot be read with the newest schema of the subject"), ("empty", "has no subject"),
        ])
        func `What cannot be right ends the query at its start`(mode: String, words: String) throws {
            let kafka = try KafkaCluster.shared()
            let registry = try TestRegistry()
            let query = try query(kafka, registry: registry.url)
            if mode != "empty" { try registry.register(Self.first, subject: "\(query.input)-value") }
            if mode != "ok", mode != "empty" { try registry.setMode(mode) }
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 1)
            #expect(outcome.standardError.contains(words), "\(outcome.standardError)")
            #expect(outcome.standardError.contains("\(query.input)-value"), "\(outcome.standardError)")
        }

        /// Confluent's framing of JSON Schema; values without it are read as they are.
        @Test func `JSON behind the number of a schema is read, and the registry not asked`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(
                KafkaQuery.Settings(format: "{ json: { registry: \"http://127.0.0.1:1\" } }"))
            try kafka.kcat.produce(
                bytes: [
                    registryHead(7) + Array(#"{"n":1}"#.utf8), Array(#"{"n":2}"#.utf8), registryHead(7), [0, 0, 0],
                    registryHead(8) + Array(#"{"n":3"#.utf8), registryHead(9) + Array(#"{"n":4}"#.utf8),
                ], to: query.input)
            let outcome = try query.runAvailable()
            #expect(try query.numbers() == [1, 2, 4])
            #expect(outcome.standardError.contains("3 bad"), "\(outcome.standardError)")
        }

        // MARK: Out

        @Test(arguments: ["exactly_once", "at_least_once"])
        func `Rows go out by a schema that is registered once, and by what was registered when the registry is away`(
            delivery: String
        ) throws {
            let kafka = try KafkaCluster.shared()
            let registry = try TestRegistry()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(
                KafkaQuery.Settings(
                    sink: ["delivery": delivery, "key": "n"],
                    columns: "{ n: long, user: { type: string, from: user.id } }", format: "json",
                    sinkFormat: "{ avro: { registry: \"\(registry.url)\" } }",
                    select: "{ n: numbers.n, who: { user: numbers.user } }"))
            try kafka.kcat.produce([#"{"n":1,"user":{"id":"ada"}}"#, #"{"n":-70000}"#], to: query.input)
            _ = try registry.takeLog()
            let first = try query.runAvailable()
            #expect(first.exitCode == 0, "\(first.standardError)")
            #expect(try registry.takeLog() == ["POST /subjects/\(query.output)-value/versions"])
            let before = [#"{"n": 1, "who": {"user": "ada"}}"#, #"{"n": -70000, "who": {"user": null}}"#]
            #expect(try rowsByApache(query.output, kafka, registry) == before)
            try registry.setMode("500")
            try kafka.kcat.produce([#"{"n":3}"#], to: query.input)
            let second = try query.runAvailable()
            #expect(second.exitCode == 0, "\(second.standardError)")
            #expect(second.standardError.contains("goes on with the schema it has registered"))
            try registry.setMode("ok")
            #expect(try rowsByApache(query.output, kafka, registry) == before + [#"{"n": 3, "who": {"user": null}}"#])
        }

        @Test func `A schema that its subject does not take ends the query before it reads`() throws {
            let kafka = try KafkaCluster.shared()
            let registry = try TestRegistry()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(KafkaQuery.Settings(sinkFormat: "{ avro: { registry: \"\(registry.url)\" } }"))
            try query.write(0..<3)
            try registry.setMode("incompatible")
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 1)
            let words = "does not take the schema of the output"
            #expect(outcome.standardError.contains(words), "\(outcome.standardError)")
            #expect(outcome.standardError.contains("\(query.output)-value"))
            #expect(query.batches("offsets").isEmpty)
        }
    }
}

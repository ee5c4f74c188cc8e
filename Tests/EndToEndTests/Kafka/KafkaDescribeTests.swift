// `sluice describe` of a topic: the latest records of all its partitions, and one clear error where there are none.

import Foundation
import KafkaTesting
import RegistryTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Describe {
        private static func record(_ number: Int, _ value: String) -> String {
            #"{"payload":{"op":"c","after":{"id":\#(number),"v":\#(value)},"source":{"db":"x"},"ts_ms":"#
                + #"\#(1_700_000_000_000 + number * 1000)}}"#
        }

        private func describe(_ topic: String, _ folder: TemporaryFolder, _ more: [String] = []) throws -> RunOutcome {
            let kafka = try KafkaCluster.shared()
            return try SluiceProcess.run(["describe", "kafka://\(kafka.plain)/\(topic)"] + more, in: folder)
        }

        @Test func `The latest records of all partitions make a source that runs`() throws {
            let kafka = try KafkaCluster.shared()
            let topic = try kafka.makeTopic("described", partitions: 3)
            // What is further back than the sample is of another type, and one partition has next to nothing.
            try kafka.kcat.produce((0..<500).map { Self.record($0, "\"old\"") }, to: topic, partition: 0)
            for partition in 0..<2 {
                let values = (0..<600).map { Self.record(1000 + $0, "\($0).5") }
                try kafka.kcat.produce(values, to: topic, partition: partition)
            }
            try kafka.kcat.produce([Self.record(2000, "1")], to: topic, partition: 2)
            let folder = try TemporaryFolder()
            let described = try describe(topic, folder)
            let yaml = described.standardOutput
            #expect(described.exitCode == 0 && described.standardError == "", "\(described.standardError)")
            #expect(yaml.hasPrefix("# 1,000 records, the latest of the topic \(topic) (3 partitions): none"), "\(yaml)")
            #expect(yaml.contains("v:     { type: double, from: payload.after.v }"), "\(yaml)")
            #expect(yaml.contains("watermark: { column: ts_ms, delay: 10 seconds, max_ahead: 1 hour }"), "\(yaml)")
            let name = topic.map { $0.isLetter || $0.isNumber ? String($0) : "_" }.joined()
            try folder.write(
                "spec.yaml",
                "sluice: 1\n"
                    + yaml.replacing("start: earliest", with: "start: { 0: 500, 1: earliest }")
                    + "queries:\n  \(name): { from: \(name), to: o }\nsinks:\n  o: { stdout: {} }\n")
            let check = try SluiceProcess.run(["check", "spec.yaml"], in: folder)
            #expect(check.standardOutput == "no mistakes: 1 query\n", "\(check.standardOutput)")
            let run = try SluiceProcess.run(["run", "spec.yaml", "--trigger", "available_now"], in: folder)
            #expect(
                run.exitCode == 0 && run.standardOutput.split(separator: "\n").count == 1200, "\(run.standardError)")
            #expect(!run.standardError.contains("bad row"))
        }

        @Test func `Tombstones and what was aborted are passed over, CSV has no header`() throws {
            let kafka = try KafkaCluster.shared()
            let topic = try kafka.makeTopic("described")
            try kafka.kcat.produce((0..<5).map { "\($0);a\($0);31/12/2024" }, to: topic)
            try kafka.kcat.produce(keyed: [(key: "k", value: nil)], to: topic)
            let aborted = try kafka.kcat.beginTransaction(["{\"never\":1}"], to: topic, transactionalID: topic)
            try aborted.abort()
            let described = try describe(topic, try TemporaryFolder(), ["--format", "json"])
            let object = jsonObject(described.standardOutput)
            #expect((object?["sample"] as? [String: Any])?["records"] as? Int == 5, "\(described)")
            #expect(described.standardOutput.contains("1 record without a value (a tombstone) beside these"))
            #expect(described.standardOutput.contains("column_3") && described.standardOutput.contains("dd/MM/yyyy"))
        }

        // MARK: Behind a registry

        /// Pastes what was described, checks it and runs it; the rows that come out.
        private func rows(_ yaml: String, _ folder: TemporaryFolder) throws -> [Substring] {
            let name = try #require(yaml.split(separator: "\n").first { $0.hasPrefix("  ") && !$0.hasPrefix("   ") })
            try folder.write(
                "spec.yaml",
                "sluice: 1\n\(yaml)queries:\n  q: { from: \(name.dropFirst(2).dropLast()), to: o }\n"
                    + "sinks:\n  o: { stdout: {} }\n")
            let check = try SluiceProcess.run(["check", "spec.yaml"], in: folder)
            #expect(check.standardOutput == "no mistakes: 1 query\n", "\(check.standardOutput)\(yaml)")
            let run = try SluiceProcess.run(["run", "spec.yaml", "--trigger", "available_now"], in: folder)
            #expect(run.exitCode == 0 && !run.standardError.contains("bad row"), "\(run.standardError)")
            return run.standardOutput.split(separator: "\n")
        }

        /// A number as Avro writes it, of four bytes at least.
        private func avro(_ value: Int) -> [UInt8] {
            var rest = UInt64(value) << 1
            var bytes: [UInt8] = []
            while rest >= 0x80 {
                bytes.append(UInt8(rest & 0x7F) | 0x80)
                rest >>= 7
            }
            return bytes + [UInt8(rest)]
        }

        private static let first = #"""
            {"type":"record","name":"Order","fields":[{"name":"id","type":"long"},
            {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}]}
            """#
        private static let second = #"""
            {"type":"record","name":"Order","fields":[{"name":"id","type":"long"},
            {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
            {"name":"note","type":"string","default":"none"}]}
            """#

        @Test func `Avro behind a registry with a login makes a source that runs`() throws {
            let kafka = try KafkaCluster.shared()
            let registry = try TestRegistry(login: "ada:secret")
            let login = TestRegistry.Login(user: "ada", password: "secret")
            let topic = try kafka.makeTopic("described")
            let first = try registry.register(Self.first, subject: "\(topic)-value", login: login)
            let second = try registry.register(Self.second, subject: "\(topic)-value", login: login)
            func order(_ schema: Int, _ n: Int) -> [UInt8] {
                let millis = 1_780_000_000_000 + n * 1000 - (n == 30 ? 12_000 : 0)
                return registryHead(schema) + avro(n + 100) + avro(millis)
            }
            let early = (0..<20).map { order(first, $0) }
            let late = (20..<40).map { order(second, $0) + [2, 0x61] }
            try kafka.kcat.produce(bytes: early + late, to: topic)
            let folder = try TemporaryFolder()
            try folder.write("password.txt", "secret\n")
            let described = try describe(
                topic, folder,
                [
                    "--registry", registry.url, "--registry-user", "ada", "--registry-password-file", "password.txt",
                ])
            let yaml = described.standardOutput
            #expect(described.exitCode == 0 && described.standardError == "", "\(described.standardError)")
            #expect(
                yaml.contains(
                    "# columns are those of the newest schema of the subject \(topic)-value (id \(second)); the "
                        + "records name the ids \(first), \(second)\n"), "\(yaml)")
            #expect(yaml.contains("      id:   long\n      at:   timestamp\n      note: string\n"), "\(yaml)")
            #expect(
                yaml.contains("by up to 11 s; rounded up\n    watermark: { column: at, delay: 30 seconds"), "\(yaml)")
            #expect(yaml.contains("user: ada, password: \"${file:password.txt}\" } } }") && !yaml.contains("secret"))
            let rows = try rows(yaml, folder)
            #expect(rows.count == 40 && rows[3].contains(#""id":103"#) && rows[3].contains(#""note":"none""#))
        }

        @Test func `Protobuf behind a registry is described by the message that records are`() throws {
            let kafka = try KafkaCluster.shared()
            let registry = try TestRegistry()
            let topic = try kafka.makeTopic("described")
            let schema = """
                syntax = "proto3";
                package shop;
                message Buyer { int32 id = 1; }
                message Payment { int64 n = 1; Buyer buyer = 2; int64 paid_at = 3; }
                """
            let id = try registry.register(schema, as: "PROTOBUF", subject: "payments")
            func payment(_ n: UInt8) -> [UInt8] {
                let millis = 1_780_000_000_000 + Int(n) * 1000
                let time = (0..<6).map { UInt8(millis >> ($0 * 7) & 0x7F) | ($0 < 5 ? 0x80 : 0) }
                let buyer: [UInt8] = [0x12, 2, 8, 7]
                return registryHead(id) + [2, 2] + [8, n] + buyer + [0x18] + time
            }
            let values = (1..<30).map { payment($0) }
            try kafka.kcat.produce(bytes: values + [registryHead(id) + [2, 0] + [8, 1]], to: topic)
            let folder = try TemporaryFolder()
            let described = try describe(topic, folder, ["--registry", registry.url, "--subject", "payments"])
            let yaml = described.standardOutput
            #expect(described.exitCode == 0, "\(described.standardError)")
            #expect(yaml.contains("subject: payments }, message: shop.Payment } }"), "\(yaml)")
            #expect(yaml.contains("29 of shop.Payment, 1 of shop.Buyer"), "\(yaml)")
            #expect(yaml.contains("30 records") && yaml.contains("1 of them bad, 3.3 %"), "\(yaml)")
            #expect(
                yaml.contains("\"n\":     long\n") && yaml.contains("id:      { type: int, from: buyer.id }"), "\(yaml)"
            )
            #expect(yaml.contains("paid_at: { type: timestamp, unit: ms }"), "\(yaml)")
        }

        @Test func `Bare data of Avro are described by the schema of a file, JSON behind a number by itself`() throws {
            let kafka = try KafkaCluster.shared()
            let folder = try TemporaryFolder()
            try folder.write("order.avsc", Self.first)
            let bare = try kafka.makeTopic("described")
            try kafka.kcat.produce(
                bytes: (0..<9).map { avro($0) + avro(1_780_000_000_000 + $0 * 1000) }, to: bare)
            let described = try describe(bare, folder, ["--schema", "order.avsc"]).standardOutput
            #expect(described.contains("format: { avro: { schema: order.avsc } }"), "\(described)")
            #expect(try rows(described, folder).count == 9)

            let registry = try TestRegistry()
            let framed = try kafka.makeTopic("described")
            let id = try registry.register(#"{"type":"object"}"#, as: "JSON", subject: "\(framed)-value")
            try kafka.kcat.produce(bytes: (0..<9).map { registryHead(id) + Array(#"{"n":\#($0)}"#.utf8) }, to: framed)
            let json = try describe(framed, folder, ["--registry", registry.url]).standardOutput
            #expect(json.contains("format: { json: { registry: \"\(registry.url)\" } }"), "\(json)")
            #expect(json.contains("\"n\": int\n") && json.contains("none of them is bad"), "\(json)")
        }

        @Test func `What the schema does not say, and a subject of another kind, are one error`() throws {
            let kafka = try KafkaCluster.shared()
            let registry = try TestRegistry()
            let folder = try TemporaryFolder()
            try folder.write("order.avsc", Self.first)
            try folder.write("a.proto", "syntax = \"proto3\";\nmessage A { string s = 1; int32 n = 2; }\n")
            let topic = try kafka.makeTopic("described")
            let id = try registry.register(Self.first, subject: "\(topic)-value")
            let proto = "syntax = \"proto3\"; message A { int32 n = 1; } message B { int32 m = 1; }"
            try registry.register(proto, as: "PROTOBUF", subject: "others")
            try kafka.kcat.produce(
                bytes: (0..<9).map { registryHead(id) + avro($0) + avro(1_780_000_000_000 + $0) }, to: topic)
            for (more, expected) in [
                (["--schema", "order.avsc"], "name the registry with `--registry URL`"),
                (["--schema", "a.proto"], "name the registry with `--registry URL`"),
                (
                    ["--registry", registry.url, "--subject", "others"],
                    "the records name no message of the subject others"
                ),
            ] {
                let outcome = try describe(topic, folder, more)
                #expect(outcome.exitCode == 1 && outcome.standardOutput == "", "\(more) \(outcome.standardOutput)")
                #expect(outcome.standardError.contains(expected), "\(outcome.standardError)")
            }
        }

        @Test func `A registry that is of no use is one error`() throws {
            let kafka = try KafkaCluster.shared()
            let registry = try TestRegistry()
            let folder = try TemporaryFolder()
            let topic = try kafka.makeTopic("described")
            try kafka.kcat.produce(bytes: [registryHead(1) + [2, 2]], to: topic)
            for (more, code, expected) in [
                ([], 1, "name the registry with `--registry URL`"),
                (["--registry", registry.url], 1, "has no subject `\(topic)-value`: name the one that has the schema"),
                (["--registry", "http://127.0.0.1:1"], 1, "gave up after 10 s"),
                (
                    ["--registry", "registry:8081"], 1,
                    "this is not the address of a registry: write `http://HOST:8081`"
                ),
                (["--schema", "no.avsc"], 1, "the schema no.avsc cannot be read"),
                (["--subject", "x"], 2, "--subject is for --registry"),
                (["--registry", registry.url, "--schema", "x"], 2, "one of them has the schemas"),
            ] as [([String], Int32, String)] {
                let outcome = try describe(topic, folder, more)
                #expect(outcome.exitCode == code && outcome.standardOutput == "", "\(more)")
                #expect(
                    outcome.standardError.hasPrefix("error: ") && outcome.standardError.contains(expected),
                    "\(outcome.standardError)")
                #expect(outcome.standardError.split(separator: "\n").count == 1, "\(outcome.standardError)")
            }
        }

        @Test func `A topic or a broker that is not there, or has nothing, is one error`() throws {
            let kafka = try KafkaCluster.shared()
            let folder = try TemporaryFolder()
            let empty = try kafka.makeTopic("described", partitions: 2)
            for (outcome, expected) in [
                (try describe("no-such-topic", folder), "has no topic `no-such-topic`"),
                (try describe(empty, folder), "has no records: there is nothing to describe yet"),
                (try SluiceProcess.run(["describe", "kafka://127.0.0.1:1/t"], in: folder), "gave up after 10 s"),
            ] {
                #expect(outcome.exitCode == 1 && outcome.standardOutput == "")
                #expect(outcome.standardError.hasPrefix("error: ") && outcome.standardError.contains(expected))
                #expect(outcome.standardError.split(separator: "\n").count == 1, "\(outcome.standardError)")
            }
        }
    }
}

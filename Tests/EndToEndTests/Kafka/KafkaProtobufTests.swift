// Values of a topic that are messages of protobuf: bare ones by a schema that the spec names, and those behind a
// registry.

import Foundation
import KafkaTesting
import RegistryTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Protobuf {
        private static let schema = """
            syntax = "proto3";
            package shop;
            import "google/protobuf/timestamp.proto";
            import "common/page.proto";
            message Visit { int64 n = 1; Page page = 2; google.protobuf.Timestamp at = 3; }
            message Other { int32 m = 1; }
            """
        private static let page = #"syntax = "proto3"; package shop; message Page { string text = 1; }"#

        /// A visit, with a number below 128 and without it for 0.
        private static func visit(_ n: UInt8, _ text: String) -> [UInt8] {
            let page = [0x0A, UInt8(text.utf8.count)] + Array(text.utf8)
            return (n == 0 ? [] : [8, n]) + [0x12, UInt8(page.count)] + page + [0x1A, 2, 8, 5]
        }

        private static let columns = "{ n: long, text: { type: string, from: page.text }, at: timestamp }"

        private func row(_ n: Int, _ text: String) -> String {
            #"{"n":\#(n),"text":"\#(text)","at":"1970-01-01T00:00:05.000Z"}"#
        }

        @Test(arguments: ["proto: visit.proto", "descriptor: visit.desc"])
        func `Messages are rows, and values that are none are bad`(source: String) throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try FileManager.default.createDirectory(
                atPath: "\(query.folder.path)/common", withIntermediateDirectories: true)
            try query.folder.write("visit.proto", Self.schema)
            try query.folder.write("common/page.proto", Self.page)
            if source.hasPrefix("descriptor") {
                let protoc = Process()
                protoc.executableURL = URL(filePath: "/usr/bin/env")
                protoc.currentDirectoryURL = URL(filePath: query.folder.path)
                protoc.arguments = [
                    "protoc", "-I.", "--include_imports", "--descriptor_set_out=visit.desc", "visit.proto",
                ]
                try protoc.run()
                protoc.waitUntilExit()
                #expect(protoc.terminationStatus == 0)
            }
            try query.writeSpec(
                KafkaQuery.Settings(
                    columns: Self.columns, format: "{ protobuf: { \(source), message: Visit } }"))
            try kafka.kcat.produce(
                bytes: [Self.visit(1, "é"), [0x12, 0x7F, 0x61], Self.visit(0, "")], to: query.input)
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(try kafka.kcat.values(query.output) == [row(1, "é"), row(0, "")])
            let warnings = logLines(outcome.standardError, level: "warning")
            #expect(
                warnings.contains { $0.contains("\(query.input)/0@1") && $0.contains("ends before its last field") },
                "\(outcome.standardError)")
        }

        /// What stands before the first message of a schema, or before another.
        private func head(_ id: Int, _ places: [UInt8] = [0]) -> [UInt8] { registryHead(id) + places }

        @Test func `Values are read by the schemas and messages they name`() throws {
            let kafka = try KafkaCluster.shared()
            let registry = try TestRegistry()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(
                KafkaQuery.Settings(columns: Self.columns, format: "{ protobuf: { registry: \"\(registry.url)\" } }"))
            try registry.register(Self.page, as: "PROTOBUF", subject: "pages-\(query.input)")
            let references = [("common/page.proto", "pages-\(query.input)", 1)]
            let subject = "\(query.input)-value"
            let early = Self.schema.replacing("message Visit", with: "message Extra {} message Visit")
            let first = try registry.register(early, as: "PROTOBUF", subject: subject, references: references)
            let second = try registry.register(Self.schema, as: "PROTOBUF", subject: subject, references: references)
            try kafka.kcat.produce(
                bytes: [
                    head(second) + Self.visit(1, "a"), head(first, [2, 2]) + Self.visit(2, "b"),
                    head(second, [2, 2]) + [8, 1], head(77) + Self.visit(3, "c"), head(first) + Self.visit(4, "d"),
                    head(second) + Self.visit(5, "e"),
                ], to: query.input)
            _ = try registry.takeLog()
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(try kafka.kcat.values(query.output) == [row(1, "a"), row(2, "b"), row(5, "e")])
            #expect(outcome.standardError.contains("3 bad"), "\(outcome.standardError)")
            let asked = try registry.takeLog()
            #expect(asked.contains("GET /schemas/ids/\(first)"), "\(asked)")
        }

        @Test func `A column that the newest schema lacks ends the query at its start`() throws {
            let kafka = try KafkaCluster.shared()
            let registry = try TestRegistry()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(
                KafkaQuery.Settings(
                    columns: "{ n: long, txt: string }",
                    format: "{ protobuf: { registry: \"\(registry.url)\", message: Page } }"))
            try registry.register(Self.page, as: "PROTOBUF", subject: "\(query.input)-value")
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 1)
            #expect(
                outcome.standardError.contains("the message `shop.Page` has no field `n`; it has `text`"),
                "\(outcome.standardError)")
        }

        /// Where the spec does not say which message is meant, it is the one that lacks the fewest of the columns.
        @Test func `A mistake in one column is said of that column`() throws {
            let kafka = try KafkaCluster.shared()
            let registry = try TestRegistry()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(
                KafkaQuery.Settings(
                    columns: "{ n: long, text: { type: string, from: page.txt } }",
                    format: "{ protobuf: { registry: \"\(registry.url)\" } }"))
            let schema =
                "syntax = \"proto3\"; message Page { string text = 1; } message Visit { int64 n = 1; Page page = 2; }"
            try registry.register(schema, as: "PROTOBUF", subject: "\(query.input)-value")
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 1)
            #expect(
                outcome.standardError.contains("`text` cannot be read with")
                    && outcome.standardError.contains("the message `Page` has no field `txt`; it has `text`"),
                "\(outcome.standardError)")
        }

        /// Nobody sees what a query that cannot read would write.
        @Test func `A query that cannot begin registers nothing`() throws {
            let kafka = try KafkaCluster.shared()
            let registry = try TestRegistry()
            let sinkFormat = "{ avro: { registry: \"\(registry.url)\" } }"
            let lacking = try KafkaQuery(kafka)
            try lacking.writeSpec(
                KafkaQuery.Settings(
                    columns: "{ nn: long }", format: "{ protobuf: { registry: \"\(registry.url)\" } }",
                    sinkFormat: sinkFormat))
            try registry.register(Self.page, as: "PROTOBUF", subject: "\(lacking.input)-value")
            let noTopic = try KafkaQuery(kafka)
            try noTopic.writeSpec(KafkaQuery.Settings(sink: ["topic": "no-such-topic"], sinkFormat: sinkFormat))
            for query in [lacking, noTopic] {
                _ = try registry.takeLog()
                let outcome = try query.runAvailable()
                #expect(outcome.exitCode == 1)
                let asked = try registry.takeLog()
                #expect(!asked.contains { $0.hasPrefix("POST") }, "\(asked) \(outcome.standardError)")
            }
        }
    }
}

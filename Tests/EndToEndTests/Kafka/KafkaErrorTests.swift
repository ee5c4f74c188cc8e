// Mistakes that waiting does not mend: one clear error each, and the process ends.

import Foundation
import KafkaTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Errors {
        /// Runs until it ends by itself, with one error.
        private func error(_ query: KafkaQuery) throws -> String {
            let outcome = try query.start().wait()
            #expect(outcome.exitCode == 1, "\(outcome.standardError)")
            let errors = logLines(outcome.standardError, level: "error")
            #expect(errors.count == 1, "\(outcome.standardError)")
            return errors.first.map(String.init) ?? ""
        }

        /// A flow map of options.
        private func options(_ options: [String: String]) -> String {
            "{ " + options.map { "\($0.key): \"\($0.value)\"" }.joined(separator: ", ") + " }"
        }

        @Test func `A topic to read that does not exist is one error with its name`() throws {
            let query = try KafkaQuery(.shared())
            try query.writeSpec(KafkaQuery.Settings(source: ["topic": "no-such-input"]))
            #expect(try error(query).contains("no-such-input"))
        }

        @Test(arguments: ["exactly_once", "at_least_once"])
        func `A topic to write that does not exist is one error with its name`(delivery: String) throws {
            let query = try KafkaQuery(.shared())
            try query.writeSpec(KafkaQuery.Settings(sink: ["topic": "no-such-output", "delivery": delivery]))
            try query.write(0..<3)
            #expect(try error(query).contains("no-such-output"))
        }

        @Test func `Without the right to read a topic the error names it`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(
                KafkaQuery.Settings(
                    source: ["brokers": "\"\(kafka.sasl)\"", "options": options(SASLUser.guest.clientOptions)]))
            let error = try error(query)
            #expect(error.contains(query.input) && error.lowercased().contains("authoriz"), "\(error)")
            #expect(!error.contains(SASLUser.guest.password))
        }

        @Test func `Without the right to write a topic the error names it`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try kafka.allow(.guest, ["--operation", "All", "--transactional-id", "*", "--group", "*"])
            try query.writeSpec(
                KafkaQuery.Settings(
                    sink: ["brokers": "\"\(kafka.sasl)\"", "options": options(SASLUser.guest.clientOptions)]))
            try query.write(0..<3)
            let error = try error(query)
            #expect(error.contains(query.output) && error.lowercased().contains("authoriz"), "\(error)")
        }

        @Test(arguments: ["source", "sink"])
        func `A wrong password is one error that says so`(side: String) throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            var login = SASLUser.admin.clientOptions
            login["sasl.password"] = "not-the-password"
            let connector = ["brokers": "\"\(kafka.sasl)\"", "options": options(login)]
            try query.writeSpec(
                side == "source" ? KafkaQuery.Settings(source: connector) : KafkaQuery.Settings(sink: connector))
            try query.write(0..<3)
            let error = try error(query)
            #expect(error.lowercased().contains("authenticat"), "\(error)")
            #expect(error.contains("sasl."), "the option to look at: \(error)")
            #expect(!error.contains("not-the-password"))
        }

        @Test func `With the right password rows go through`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            let connector = ["brokers": "\"\(kafka.sasl)\"", "options": options(SASLUser.admin.clientOptions)]
            try query.writeSpec(KafkaQuery.Settings(source: connector, sink: connector))
            try query.write(0..<3)
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(try query.numbers() == [0, 1, 2])
        }

        @Test(arguments: ["source", "sink"])
        func `A certificate of an authority that is not trusted is one error with the option's name`(side: String)
            throws
        {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.write(0..<3)
            func settings(_ authority: String) -> KafkaQuery.Settings {
                let connector = [
                    "brokers": "\"\(kafka.tls)\"",
                    "options": options(["security.protocol": "ssl", "ssl.ca.location": authority]),
                ]
                return side == "source" ? KafkaQuery.Settings(source: connector) : KafkaQuery.Settings(sink: connector)
            }
            try query.writeSpec(settings(try kafka.foreignAuthorityPath()))
            let error = try error(query)
            #expect(error.contains("ssl.ca.location") && error.lowercased().contains("certificate"), "\(error)")
            try query.writeSpec(settings(kafka.authorityPath))
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(try query.numbers() == [0, 1, 2])
        }

        @Test(arguments: [
            ("fetch.min.bites: 1", "fetch.min.bites"), ("fetch.min.bytes: many", "fetch.min.bytes"),
            ("security.protocol: tls", "security.protocol"),
        ])
        func `check names an option that librdkafka does not know, or a value it does not take, with its place`(
            option: String, name: String
        ) throws {
            let folder = try TemporaryFolder()
            try folder.write(
                "spec.yaml",
                """
                sluice: 1
                sources:
                  numbers:
                    kafka:
                      brokers: localhost:9092
                      topic: numbers
                      options:
                        \(option)
                    columns: { n: long }
                queries:
                  copy: { from: numbers, to: out }
                sinks:
                  out: { file: { path: out } }
                """)
            for command in ["check", "run"] {
                let outcome = try SluiceProcess.run([command, "spec.yaml"], in: folder)
                let printed = command == "check" ? outcome.standardOutput : outcome.standardError
                #expect(outcome.exitCode == 1)
                let line = printed.split(separator: "\n").first { $0.hasPrefix("spec.yaml:8:") }
                #expect(line?.contains("error[") == true && line?.contains("`\(name)`") == true, "\(printed)")
            }
        }
    }
}

// A registry over HTTPS: a file of the spec's says whom to trust; another certificate, or none, is refused in one
// sentence, and so is a registry that refers to another server.

import Foundation
import KafkaTesting
import RegistryTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct RegistryTLS {
        private static let schema = #"{"type":"record","name":"Number","fields":[{"name":"n","type":"long"}]}"#

        /// Runs a query of two numbers whose registry has a certificate of its own, `specs/own.pem`; `specs/other.pem`
        /// is another one's. Source and sink ask the same registry; the spec does not lie in the working folder.
        /// - Parameter more: keys of the registry beside its URL.
        private func run(_ more: String, mode: String = "ok") throws -> (outcome: RunOutcome, query: KafkaQuery) {
            let query = try KafkaQuery(try KafkaCluster.shared())
            let (own, other) = (try TemporaryFolder(), try TemporaryFolder())
            let certificate = try TestRegistry.Certificate(in: own.path)
            let registry = try TestRegistry(certificate: certificate)
            let id = try registry.register(Self.schema, subject: "\(query.input)-value")
            try registry.setMode(mode)
            let format = "{ avro: { registry: { url: \"\(registry.url)\"\(more) } } }"
            try query.writeSpec(KafkaQuery.Settings(format: format, sinkFormat: format))
            try query.folder.write("specs/spec.yaml", query.folder.read("spec.yaml") ?? "")
            try query.folder.copy(certificate.certificate, to: "specs/own.pem")
            try query.folder.copy(try TestRegistry.Certificate(in: other.path).certificate, to: "specs/other.pem")
            try query.folder.write("specs/none.pem", "no certificate\n")
            try query.kafka.kcat.produce(bytes: [[2], [4]].map { registryHead(id) + $0 }, to: query.input)
            let outcome = try SluiceProcess.run(
                ["run", "specs/spec.yaml", "--trigger", "available_now"], in: query.folder)
            return (outcome, query)
        }

        @Test func `A registry whose certificate the spec trusts is asked by source and sink`() throws {
            let (outcome, query) = try run(", ca: own.pem")
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(try query.kafka.kcat.consume(query.output).count == 2)
        }

        @Test(arguments: [
            (", ca: other.pem", "certificate", "look at `ca`"), ("", "certificate", "`registry: { url, ca: FILE }`"),
            (", ca: none.pem", "specs/none.pem", "look at `ca`"),
        ])
        func `A certificate that nothing speaks for is one error`(more: String, words: String, fix: String) throws {
            let (outcome, query) = try run(more)
            #expect(outcome.exitCode == 1, "\(outcome.standardError)")
            let errors = logLines(outcome.standardError, level: "error")
            #expect(errors.count == 1 && errors[0].contains("the schema registry at https://127.0.0.1:"))
            #expect(errors[0].contains(words) && errors[0].contains(fix), "\(outcome.standardError)")
            #expect(try query.kafka.kcat.consume(query.output).isEmpty)
        }

        @Test func `A file of certificates that is not there is a mistake of the spec`() throws {
            let (outcome, _) = try run(", ca: nowhere.pem")
            #expect(outcome.exitCode == 1)
            // Of the source, and of the sink.
            for line in [5, 18] {
                let words = "specs/spec.yaml:\(line):71: error[bad-option]: `ca`: there is no file specs/nowhere.pem"
                #expect(outcome.standardError.contains(words), "\(outcome.standardError)")
            }
        }

        @Test func `A registry that refers to another server is refused`() throws {
            let (outcome, query) = try run(", ca: own.pem, user: ada, password: secret", mode: "elsewhere")
            #expect(outcome.exitCode == 1)
            #expect(
                outcome.standardError.contains("it refers to another server, http://127.0.0.1:1"),
                "\(outcome.standardError)")
            #expect(try query.kafka.kcat.consume(query.output).isEmpty)
        }
    }
}

// Certificates, logins and ports that do not fit: one sentence with the place, where it can be known in `check`, and
// the likely cause where only a broker shows it.

import Foundation
import KafkaTesting
import Testing

/// What `check` says of options, without a broker.
@Suite struct KafkaOptionFileTests {
    /// The lines that `check` prints about a source with these options, each on a line of its own from line 8 on.
    private func check(_ options: [String], in folder: TemporaryFolder) throws -> RunOutcome {
        try folder.write(
            "specs/spec.yaml",
            """
            sluice: 1
            sources:
              numbers:
                kafka:
                  brokers: localhost:9092
                  topic: numbers
                  options:
            \(options.map { "        \($0)" }.joined(separator: "\n"))
                columns: { n: long }
            queries:
              copy: { from: numbers, to: out }
            sinks:
              out: { file: { path: out } }
            """)
        return try SluiceProcess.run(["check", "specs/spec.yaml"], in: folder)
    }

    @Test(arguments: [
        "ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.keystore.location", "ssl.crl.location",
        "sasl.kerberos.keytab",
    ])
    func `A file that is not there is an error at its place, with the path it was looked for at`(option: String) throws
    {
        let folder = try TemporaryFolder()
        let outcome = try check(["\(option): certificates/none.pem"], in: folder)
        #expect(outcome.exitCode == 1)
        let text = outcome.standardOutput
        #expect(text.contains("spec.yaml:8:\(10 + option.utf8.count + 1): error[bad-option]"), "\(text)")
        #expect(text.contains("`\(option)`") && text.contains("specs/certificates/none.pem"), "\(text)")
    }

    @Test(arguments: ["ssl.ca.location", "ssl.crl.location", "ssl.certificate.location", "ssl.key.location"])
    func `A file that is none of its kind is an error at its place`(option: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("specs/wrong.pem", "this is no certificate\n")
        let outcome = try check(["security.protocol: ssl", "\(option): wrong.pem"], in: folder)
        #expect(outcome.exitCode == 1)
        let text = outcome.standardOutput
        #expect(text.contains("spec.yaml:9:") && text.contains("error[bad-option]"), "\(text)")
        #expect(text.contains("`\(option)`"), "\(text)")
    }

    @Test func `OAUTHBEARER without a method by which to come by a token is an error that names the method`() throws {
        let folder = try TemporaryFolder()
        let protocolLine = "security.protocol: sasl_plaintext"
        let outcome = try check([protocolLine, "sasl.mechanism: OAUTHBEARER"], in: folder)
        #expect(outcome.exitCode == 1)
        #expect(outcome.standardOutput.contains("spec.yaml:9:"), "\(outcome.standardOutput)")
        #expect(outcome.standardOutput.contains("sasl.oauthbearer.method: oidc"), "\(outcome.standardOutput)")
        let missing = try check([protocolLine, "sasl.mechanism: PLAIN"], in: folder)
        #expect(missing.exitCode == 1 && missing.standardOutput.contains("sasl.username"), "\(missing.standardOutput)")
        let good = try check(
            [protocolLine, "sasl.mechanism: PLAIN", "sasl.username: u", "sasl.password: p"], in: folder)
        #expect(good.exitCode == 0, "\(good.standardOutput)")
    }
}

extension KafkaEndToEndTests {
    @Suite struct Security {
        @Test func `A certificate's path is relative to the spec, wherever the command is given`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.write(0..<3)
            let authority = try String(contentsOfFile: kafka.authorityPath, encoding: .utf8)
            try query.folder.write("certificates/ca.pem", authority)
            let options = "{ security.protocol: ssl, ssl.ca.location: certificates/ca.pem }"
            let connector = ["brokers": "\"\(kafka.tls)\"", "options": options]
            try query.writeSpec(KafkaQuery.Settings(source: connector, sink: connector))
            try query.folder.write("elsewhere/empty", "")
            let outcome = try SluiceProcess.run(
                ["run", "../spec.yaml", "--trigger", "available_now"], in: query.folder, workingFolder: "elsewhere")
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(try query.numbers() == [0, 1, 2])
        }

        @Test(arguments: ["login", "TLS"])
        func `A plain client on a port for TLS or a login says what the cause may be`(port: String) throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            let brokers = port == "TLS" ? kafka.tls : kafka.sasl
            try query.writeSpec(KafkaQuery.Settings(source: ["brokers": "\"\(brokers)\""]))
            let sluice = try query.start()
            try sluice.waitUntil("it does not say what the cause may be") {
                logLines(sluice.standardError, level: "warning").contains { $0.contains("security.protocol") }
            }
            #expect(sluice.stop().exitCode == 0)
        }
    }
}

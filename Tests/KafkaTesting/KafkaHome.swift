// Where the Kafka is that tests run against, and what to do where there is none.

package import Foundation
package import Testing

/// Something went wrong with the broker, one of Kafka's tools or kcat; says which command and what it printed.
package struct KafkaTestError: Error, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

/// A Kafka distribution (or just its `libs` folder), with a Java that runs it and kcat to look at it from outside.
package struct KafkaHome: Sendable {
    /// The folder that holds `libs`.
    package let folder: URL
    /// Every jar, in an order that does not change, as archives of loaded classes demand it.
    let classPath: String
    let java: String
    let keytool: String
    let kcat: String

    /// What there is on this machine, or one line that says what is missing and how to get it.
    package static let found: Result<KafkaHome, KafkaTestError> = Result { () throws(KafkaTestError) in try search() }

    package static var isAvailable: Bool { (try? found.get()) != nil }

    /// The line for a test that is skipped.
    package static var whatIsMissing: String {
        guard case .failure(let error) = found else { return "" }
        return error.description
    }

    /// On a machine that checks changes nothing may be skipped: what is missing there fails the test.
    package static let isContinuousIntegration = ProcessInfo.processInfo.environment["CI"] == "true"

    private static func search() throws(KafkaTestError) -> KafkaHome {
        let environment = ProcessInfo.processInfo.environment
        // A folder beside the checkout serves all checkouts of a machine.
        let beside = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "shared").appending(path: "kafka")
        let folder = environment["KAFKA_HOME"].map { URL(filePath: $0) } ?? beside
        let libraries = folder.appending(path: "libs").path
        let jars = ((try? FileManager.default.contentsOfDirectory(atPath: libraries)) ?? [])
            .filter { $0.hasSuffix(".jar") }.sorted()
        var missing: [String] = []
        if !jars.contains(where: { $0.hasPrefix("kafka-server") || $0.hasPrefix("kafka_") }) {
            missing.append("Kafka (unpack a Kafka 4 distribution and set KAFKA_HOME to it; none in \(folder.path))")
        }
        func program(_ name: String, _ package: String) -> String {
            if let path = executable(name) { return path }
            missing.append("\(name) (Debian: \(package))")
            return ""
        }
        let (java, keytool) = (
            program("java", "openjdk-17-jre-headless"), program("keytool", "openjdk-17-jre-headless")
        )
        let kcat = program("kcat", "kcat")
        _ = program("setpriv", "util-linux")
        guard missing.isEmpty else {
            throw KafkaTestError("tests against a real Kafka need " + missing.joined(separator: ", "))
        }
        return KafkaHome(
            folder: folder, classPath: jars.map { "\(libraries)/\($0)" }.joined(separator: ":"), java: java,
            keytool: keytool, kcat: kcat)
    }

    private static func executable(_ name: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}

/// On a suite: where there is no Kafka, its tests are left out, and one line says so and how to get it; with `CI=true`
/// they run, and fail.
package struct KafkaRequirement: SuiteTrait, TestScoping {
    /// Once for the suite, not for each of its tests.
    package var isRecursive: Bool { false }

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing tests: @Sendable () async throws -> Void
    ) async throws {
        guard KafkaHome.isAvailable || KafkaHome.isContinuousIntegration else {
            try Test.cancel(Comment(rawValue: KafkaHome.whatIsMissing))
        }
        try await tests()
    }
}

extension Trait where Self == KafkaRequirement {
    package static var requiresKafka: Self { KafkaRequirement() }
}

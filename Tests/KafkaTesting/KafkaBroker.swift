// One broker as a process: its settings, and its life.

package import Foundation
import Synchronization

/// A broker of a cluster; also a controller. It keeps its ports and its data when it is stopped or killed.
package final class KafkaBroker: Sendable {
    /// Its number in the cluster, from 1.
    package let number: Int
    let ports: PortBlock
    /// Settings, data and logs.
    let folder: String
    private let home: KafkaHome
    private let life = Mutex(Life())

    private struct Life {
        var process: ChildProcess?
        var newArchive: NewArchive?
        var launchCount = 0
    }

    init(number: Int, folder: String, home: KafkaHome) throws {
        self.number = number
        self.folder = folder
        self.home = home
        ports = try PortBlock()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // The settings of a distribution differ from one to the next; what is waited for must be said.
        try Data(
            """
            status = error
            appender.console.type = Console
            appender.console.name = OUT
            appender.console.layout.type = PatternLayout
            appender.console.layout.pattern = [%d] %p %m (%c)%n
            rootLogger.level = WARN
            rootLogger.appenderRef.out.ref = OUT
            logger.server.name = kafka.server.KafkaRaftServer
            logger.server.level = INFO

            """.utf8
        ).write(to: URL(filePath: logSettings))
    }

    // MARK: Addresses

    /// For everybody, with all rights.
    package var plain: String { "localhost:\(ports.first)" }
    /// SASL PLAIN without TLS, see `SASLUser`.
    package var sasl: String { "localhost:\(ports.first + 1)" }
    /// TLS with a certificate of the cluster's own authority.
    package var tls: String { "localhost:\(ports.first + 2)" }
    var controllerPort: Int { ports.first + 3 }
    /// A `KafkaProxy`, which passes on to a plain listener.
    var proxied: String { "localhost:\(ports.first + 5)" }

    var settingsPath: String { "\(folder)/server.properties" }
    private var logSettings: String { "\(folder)/log4j2.properties" }

    // MARK: Life

    package var isRunning: Bool { life.withLock { $0.process?.isRunning ?? false } }

    /// Nil before the first start and after a stop.
    package var processID: pid_t? { life.withLock { $0.process.flatMap { $0.isRunning ? $0.processID : nil } } }

    /// The end of its newest log.
    package var log: String {
        let path = logPath(life.withLock { $0.launchCount })
        return String(
            String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self).suffix(4000))
    }

    private func logPath(_ launch: Int) -> String { "\(folder)/broker-\(launch).log" }

    /// Starts the process, on what data there is, and returns at once.
    func launch() throws {
        try life.withLock { life in
            if let process = life.process, process.isRunning { return }
            let java = Java(home: home, mainClass: "kafka.Kafka", heapMegabytes: 512)
            let (command, newArchive) = java.command([settingsPath], logSettings: logSettings)
            life.launchCount += 1
            let log = logPath(life.launchCount)
            life.process = try ChildProcess(command, output: log, error: log)
            life.newArchive = newArchive
        }
    }

    /// Until it says that it serves clients.
    func awaitStart() throws {
        try waitUntil("the start of broker \(number):\n\(log)", secondsMax: 60) {
            guard isRunning else { throw KafkaTestError("broker \(number) ended while it started:\n\(log)") }
            return log.contains("Kafka Server started")
        }
    }

    /// Starts it again after `stop` or `kill`, on its old data and ports; returns when it serves clients.
    package func resume() throws {
        try launch()
        try awaitStart()
    }

    /// Lets it hand over and close its files.
    package func stop() throws {
        let (process, newArchive) = life.withLock { ($0.process, $0.newArchive) }
        guard let process, process.isRunning else { return }
        process.send(SIGCONT)
        process.send(SIGTERM)
        _ = try process.wait(secondsMax: 30)
        newArchive?.keep()
    }

    /// SIGKILL: a broker that dies.
    package func kill() { life.withLock { $0.process }?.kill() }

    /// SIGSTOP: a broker that answers nobody and closes no connection.
    package func pause() { life.withLock { $0.process }?.send(SIGSTOP) }

    /// Ends `pause`.
    package func unpause() { life.withLock { $0.process }?.send(SIGCONT) }
}

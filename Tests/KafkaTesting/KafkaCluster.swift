// A Kafka for tests: brokers on loopback, three listeners each, data in a folder that goes with it.

import Foundation
import Synchronization

/// Who may log in at the SASL listener.
package enum SASLUser: String, Sendable {
    /// All rights.
    case admin
    /// None, until `KafkaCluster.allow` gives some.
    case guest

    package var password: String { "\(rawValue)-secret" }

    /// A client's settings, in librdkafka's words.
    package var clientOptions: [String: String] {
        [
            "security.protocol": "sasl_plaintext", "sasl.mechanisms": "PLAIN", "sasl.username": rawValue,
            "sasl.password": password,
        ]
    }
}

/// Real brokers, started together; ended, with all they wrote, when nobody refers to them any more.
///
///     let kafka = try KafkaCluster.shared()                        // one broker for all tests of the process
///     let own = try KafkaCluster()                                 // one for a test that kills it
///     let topic = try kafka.makeTopic("visits", partitions: 2)     // a name no other test has
///     try kafka.kcat.produce(["{}", "{}"], to: topic)
///     let records = try kafka.kcat.consume(topic)                  // read_committed, to the end
///     own.kill()
///     try own.resume()
package final class KafkaCluster: Sendable {
    package let brokers: [KafkaBroker]
    let home: KafkaHome
    let scratch: ScratchFolder
    private let topicCount = Mutex(0)

    private static let sharedCluster = Mutex<KafkaCluster?>(nil)

    /// The broker that all tests of the process use which do not stop it; topics keep them apart.
    package static func shared() throws -> KafkaCluster {
        try sharedCluster.withLock { cluster in
            if let cluster { return cluster }
            let new = try KafkaCluster()
            cluster = new
            return new
        }
    }

    /// Returns when every broker serves clients.
    package init(brokerCount: Int = 1) throws {
        let (home, scratch) = (try KafkaHome.found.get(), try ScratchFolder())
        (self.home, self.scratch) = (home, scratch)
        brokers = try (1...brokerCount).map {
            try KafkaBroker(number: $0, folder: "\(scratch.path)/broker-\($0)", home: home)
        }
        _ = try makeCertificate(Self.certificate)
        for broker in brokers { try configure(broker) }
        try resume()
    }

    // MARK: Addresses

    /// Listener for everybody, with all rights.
    package var plain: String { brokers.map(\.plain).joined(separator: ",") }
    /// SASL PLAIN without TLS, see `SASLUser`.
    package var sasl: String { brokers.map(\.sasl).joined(separator: ",") }
    /// TLS; clients need `authorityPath`.
    package var tls: String { brokers.map(\.tls).joined(separator: ",") }
    /// The authority that signed the brokers' certificate, for `ssl.ca.location`.
    package var authorityPath: String { "\(scratch.path)/\(Self.certificate).pem" }

    /// An authority that has signed nothing of this cluster's.
    package func foreignAuthorityPath() throws -> String { try makeCertificate(uniqueName("foreign")).authority }

    /// A client that is not ours.
    package var kcat: Kcat { Kcat(home: home, scratch: scratch, bootstrap: plain) }

    // MARK: Life

    /// Starts what was stopped or killed, on the old data and ports.
    package func resume() throws {
        for broker in brokers { try broker.launch() }
        for broker in brokers { try broker.awaitStart() }
    }

    package func stop() throws { for broker in brokers { try broker.stop() } }

    package func kill() { for broker in brokers { broker.kill() } }

    package func pause() { for broker in brokers { broker.pause() } }

    package func unpause() { for broker in brokers { broker.unpause() } }

    /// `base` with something that makes it a name of its own in the cluster.
    package func uniqueName(_ base: String) -> String {
        topicCount.withLock {
            $0 += 1
            return "\(base)-\($0)"
        }
    }

    // MARK: Set-up

    private static let certificate = "broker"
    private static let clusterID = "c2x1aWNlLXRlc3Qta2Fma2E"

    /// A certificate for localhost that signs itself: the keystore for the broker, the authority for clients.
    private func makeCertificate(_ name: String) throws -> (keystore: String, authority: String) {
        let (keystore, authority) = ("\(scratch.path)/\(name).p12", "\(scratch.path)/\(name).pem")
        let store = ["-alias", "broker", "-keystore", keystore, "-storepass", "keystore-secret"]
        let made = try ChildProcess.run(
            [
                home.keytool, "-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "3650", "-dname",
                "CN=localhost", "-ext", "SAN=dns:localhost,ip:127.0.0.1", "-ext", "bc=ca:true", "-storetype", "PKCS12",
            ] + store, scratch: scratch)
        guard made.exitCode == 0 else { throw KafkaTestError("keytool: \(made.output)\(made.error)") }
        let exported = try ChildProcess.run([home.keytool, "-exportcert", "-rfc"] + store, scratch: scratch)
        try Data(exported.output.utf8).write(to: URL(filePath: authority))
        return (keystore, authority)
    }

    private func configure(_ broker: KafkaBroker) throws {
        try Data(settings(broker).utf8).write(to: URL(filePath: broker.settingsPath))
        _ = try runTool(
            "kafka.tools.StorageTool", ["format", "--cluster-id", Self.clusterID, "--config", broker.settingsPath])
    }

    private func settings(_ broker: KafkaBroker) -> String {
        let port = broker.ports.first
        let replicas = min(brokers.count, 3)
        let replicasInSync = max(replicas - 1, 1)
        let voters = brokers.map { "\($0.number)@127.0.0.1:\($0.controllerPort)" }.joined(separator: ",")
        let names = ["PLAINTEXT", "SASL", "TLS"].enumerated()
        return """
            process.roles=broker,controller
            node.id=\(broker.number)
            controller.quorum.voters=\(voters)
            controller.listener.names=CONTROLLER
            listeners=\(names.map { "\($1)://127.0.0.1:\(port + $0)" }.joined(separator: ",")),PROXIED://127.0.0.1:\(port + 4),CONTROLLER://127.0.0.1:\(broker.controllerPort)
            advertised.listeners=\(names.map { "\($1)://localhost:\(port + $0)" }.joined(separator: ",")),PROXIED://\(broker.proxied)
            inter.broker.listener.name=PLAINTEXT
            listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT,\
            SASL:SASL_PLAINTEXT,TLS:SSL
            sasl.enabled.mechanisms=PLAIN
            listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
            user_admin="\(SASLUser.admin.password)" user_guest="\(SASLUser.guest.password)";
            ssl.keystore.location=\(scratch.path)/\(Self.certificate).p12
            ssl.keystore.password=keystore-secret
            authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
            super.users=User:ANONYMOUS;User:admin
            allow.everyone.if.no.acl.found=false
            log.dirs=\(broker.folder)/data
            auto.create.topics.enable=false
            default.replication.factor=\(replicas)
            min.insync.replicas=\(replicasInSync)
            offsets.topic.num.partitions=4
            offsets.topic.replication.factor=\(replicas)
            transaction.state.log.num.partitions=4
            transaction.state.log.replication.factor=\(replicas)
            transaction.state.log.min.isr=\(replicasInSync)
            transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
            share.coordinator.state.topic.replication.factor=\(replicas)
            share.coordinator.state.topic.min.isr=\(replicasInSync)
            group.initial.rebalance.delay.ms=0
            broker.session.timeout.ms=2000
            broker.heartbeat.interval.ms=500
            log.cleaner.backoff.ms=200
            log.cleaner.dedupe.buffer.size=4194304
            message.max.bytes=2097152

            """
    }
}

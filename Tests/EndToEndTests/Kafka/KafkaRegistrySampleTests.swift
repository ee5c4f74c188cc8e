// The sample with a schema registry (plans/kafka/orders-payments.yaml), as it is: its topics, the schemas that its
// comments have, values by the libraries of Apache and Google, and the results by Apache's own reader.

import Foundation
import KafkaTesting
import RegistryTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct RegistrySample {
        private let kafka: KafkaCluster
        private let registry: TestRegistry
        private let folder: TemporaryFolder
        private let text: String
        private let schemas: [String: String]
        private let ids: [String: Int]

        init() throws {
            kafka = try KafkaCluster.shared()
            registry = try TestRegistry()
            folder = try TemporaryFolder()
            let path = "\(repositoryRoot)/plans/kafka/orders-payments.yaml"
            text = try String(contentsOfFile: path, encoding: .utf8)
            try folder.copy(path, to: "orders-payments.yaml")
            schemas = Self.schemas(text)
            ids = [
                "orders": try registry.register(schemas["orders"] ?? "", subject: "orders-value"),
                "payments": try registry.register(
                    schemas["payments"] ?? "", as: "PROTOBUF", subject: "payments-value"),
            ]
        }

        /// The two schemas of the comments, each a paragraph that is set in.
        private static func schemas(_ text: String) -> [String: String] {
            let comments = text.split(separator: "\n").prefix { $0.hasPrefix("#") }.map { String($0.dropFirst()) }
            let paragraphs = comments.split { $0.isEmpty }.map { $0.joined(separator: "\n") }
            let orders = paragraphs.first { $0.contains(#""Order""#) }
            let payments = paragraphs.first { $0.contains("message Payment") }
            return ["orders": orders ?? "", "payments": payments ?? ""]
        }

        private var environment: [String: String] {
            ["KAFKA_BROKERS": kafka.plain, "SCHEMA_REGISTRY": registry.url]
        }

        private func start() throws -> SluiceProcess {
            try SluiceProcess(
                [
                    "run", "orders-payments.yaml", "--trigger", "as_fast_as_possible", "--progress", "progress.jsonl",
                ],
                in: folder, environment: environment)
        }

        // MARK: Its values

        /// - Parameter minute: of the day.
        private func writeOrder(_ id: Int, _ customer: String, _ total: String, minute: Int) throws {
            let row: [String: Any] = [
                "order_id": id, "customer": ["name": customer], "total": total,
                "placed_at": 1_717_200_000_000 + minute * 60_000,
            ]
            let line = try jsonText(["schema": "orders", "row": row])
            let values = try writtenByPython("Avro/write_values.py", ["{\"orders\": \(oneLine("orders"))}", line])
            try kafka.kcat.produce(bytes: values.map { registryHead(ids["orders"] ?? 0) + $0 }, to: "orders")
        }

        private func oneLine(_ name: String) -> String {
            (schemas[name] ?? "").replacing("\n", with: " ")
        }

        private func writePayment(
            _ id: String, of order: Int, _ amount: String, _ method: String, at time: String
        ) throws {
            let row: [String: Any] = [
                "payment_id": id, "order_id": order, "amount": amount, "method": method,
                "paid_at": "2024-06-\(time.replacing(" ", with: "T"))Z",
            ]
            let values = try writtenByPython(
                "Protobuf/write_values.py",
                [
                    jsonText(["payments": schemas["payments"] ?? ""]),
                    jsonText(["schema": "payments", "message": "Payment", "row": row]),
                ])
            // The message is the first of its schema.
            try kafka.kcat.produce(bytes: values.map { registryHead(ids["payments"] ?? 0) + [0] + $0 }, to: "payments")
        }

        private func waitForRows(_ count: Int, _ sluice: SluiceProcess) throws {
            try sluice.waitUntil("fewer than \(count) rows came out") {
                ((try? self.kafka.kcat.consume("orders-paid").count) ?? 0) >= count
            }
        }

        private static func row(
            _ id: Int, _ customer: String, open: String, _ payment: (id: String, method: String, at: String)?
        ) -> String {
            func text(_ value: String?) -> String { value.map { "\"\($0)\"" } ?? "null" }
            return """
                {"order_id": \(id), "customer": "\(customer)", "open": "\(open)", "payment": {"id": \(text(payment?.id)), \
                "method": \(text(payment?.method)), "at": \(text(payment.map { "2024-06-\($0.at)+00:00" }))}}
                """
        }

        @Test func `The sample with a registry joins Avro and Protobuf, and goes on without its registry`() throws {
            for topic in ["orders", "payments", "orders-paid"] { try kafka.createTopic(topic, partitions: 2) }
            let checked = try SluiceProcess.run(
                ["check", "orders-payments.yaml"], in: folder, environment: environment)
            #expect(checked.standardOutput == "no mistakes: 1 query\n", "\(checked.standardError)")
            let first = try start()
            // The first batch fixes the offsets from which the query reads.
            try first.waitUntil("no first batch") { !progressRecords(folder).isEmpty }
            // 00:00 is minute 0.
            try writeOrder(1001, "Ada", "49.90", minute: 600)
            try writeOrder(1002, "Grace", "15.00", minute: 605)
            try writePayment("p-1", of: 1001, "40.00", "CARD", at: "01 10:12:30")
            try writePayment("p-2", of: 1001, "9.90", "TRANSFER", at: "01 11:00:00")
            // A second too late, and of an order that there is not.
            try writePayment("p-3", of: 1002, "15.00", "CARD", at: "01 11:05:01")
            try writePayment("p-4", of: 9999, "1.00", "CARD", at: "01 11:00:00")
            try waitForRows(2, first)
            first.kill()

            try registry.kill()
            let second = try start()
            // A day later no payment can come any more.
            try writeOrder(1003, "Barbara", "8.75", minute: 600 + 24 * 60)
            try writePayment("p-5", of: 1003, "8.75", "UNKNOWN", at: "02 10:00:00")
            try waitForRows(4, second)
            let outcome = second.stop()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(outcome.standardError.contains("goes on with the schemas it has"), "\(outcome.standardError)")
            try registry.resume()
            #expect(
                try rowsByApache("orders-paid", kafka, registry).sorted() == [
                    Self.row(1001, "Ada", open: "40.00", ("p-2", "TRANSFER", "01 11:00:00")),
                    Self.row(1001, "Ada", open: "9.90", ("p-1", "CARD", "01 10:12:30")),
                    Self.row(1002, "Grace", open: "15.00", nil),
                    Self.row(1003, "Barbara", open: "0.00", ("p-5", "UNKNOWN", "02 10:00:00")),
                ])
        }
    }
}

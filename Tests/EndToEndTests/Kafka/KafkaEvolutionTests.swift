// Schemas that change while their topic is read, with a registry that is away, slow, closed and wrong, and kills all
// along: EvolutionRun.swift says how the rows that must come out are known.

import Foundation
import KafkaTesting
import RegistryTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Evolution {
        private let seed = killSetting("SLUICE_KILL_SEED") ?? UInt64.random(in: 0..<1_000_000)
        private let rounds = Int(killSetting("SLUICE_KILL_ROUNDS") ?? 12)

        @Test func `Avro whose schema changes, with kills and a registry in trouble: every row is there once`() throws {
            print("KafkaEvolutionTests: Avro, \(rounds) rounds, SLUICE_KILL_SEED=\(seed)")
            let run = try EvolutionRun(Self.avro, seed: seed)
            try run.registerNext()
            try run.registerNext()
            try startWithoutRegistry(run)
            for _ in 0..<rounds / 3 { try run.playAny() }
            try denyInTheMiddle(run)
            try removeAColumn(run)
            try run.joinSome()
            for _ in 0..<rounds / 3 { try run.playAny() }
            try restartWithoutRegistry(run)
            try run.joinSome()
            for _ in 0..<rounds - rounds / 3 * 2 { try run.playAny() }
            try run.finish()
            #expect(run.interruptedCount > 0, "no batch was cut short, seed \(seed)")
            print("KafkaEvolutionTests: Avro, \(run.summary)")
        }

        @Test func `Protobuf whose schema changes, with kills and a registry in trouble: every row is there once`()
            throws
        {
            print("KafkaEvolutionTests: Protobuf, \(rounds) rounds, SLUICE_KILL_SEED=\(seed)")
            let run = try EvolutionRun(Self.protobuf, seed: seed)
            try run.registerNext()
            try run.registerNext()
            try startWithoutRegistry(run)
            for _ in 0..<rounds / 3 { try run.playAny() }
            try meetASchemaInTheMiddle(run)
            try goOnWithoutRegistry(run)
            try run.joinSome()
            for _ in 0..<rounds / 3 { try run.playAny() }
            try run.finish()
            #expect(run.interruptedCount > 0, "no batch was cut short, seed \(seed)")
            print("KafkaEvolutionTests: Protobuf, \(run.summary)")
        }

        // MARK: Scenes

        /// The first start of all waits for the registry, and goes on by itself.
        private func startWithoutRegistry(_ run: EvolutionRun) throws {
            try run.registry.kill()
            try run.write(10)
            let sluice = try run.start()
            try sluice.waitUntil("the query does not say that it waits") {
                sluice.standardError.contains("The schema registry does not answer, the query waits")
            }
            try run.registry.resume()
            try run.waitUntilDone(sluice)
            sluice.kill()
            run.noteEnd(reader: run.ids.count)
        }

        /// A query that runs meets a schema it is not allowed to see: it ends, and nothing of its batch is lost. The
        /// batch that runs again reads as it did before, though by now there is a newer schema, and one that the query
        /// cannot start with.
        private func denyInTheMiddle(_ run: EvolutionRun) throws {
            let sluice = try run.start()
            try run.feedUntilPlan(sluice)
            let reader = run.ids.count
            let id = try run.registerNext()
            try run.registry.setMode("401")
            try run.write(10, version: run.ids.count)
            let outcome = sluice.wait()
            #expect(outcome.exitCode == 1)
            #expect(outcome.standardError.contains("denies schema \(id) (401)"), "\(outcome.standardError)")
            #expect(run.isInterrupted)
            run.noteEnd(reader: reader)
            // Until the registry lets the query in, it does not start.
            try run.expectRefusal("denies ")
            try run.registry.setMode("ok")
            // As a machine may that loses power: schemas are not waited for when they are kept.
            try run.loseSchemas()
        }

        /// The newest schema has lost a column: the query does not start until there is one again that has it.
        private func removeAColumn(_ run: EvolutionRun) throws {
            let id = run.ids[run.ids.count - 1]
            try run.expectRefusal(
                "`note` cannot be read with the newest schema of the subject `\(run.left)-value` (id \(id))")
            #expect(!run.isInterrupted)
            try run.registerNext()
            try run.registry.setMode("404")
            try run.expectRefusal("is the URL right?")
            try run.registry.setMode("ok")
        }

        /// What the checkpoint knows needs no registry; a schema that it does not know is waited for.
        private func restartWithoutRegistry(_ run: EvolutionRun) throws {
            let reader = run.lastReader
            #expect(reader == run.ids.count)
            // Every schema so far has been met.
            let before = try run.start()
            for version in 1...reader { try run.write(2, version: version) }
            try run.waitUntilDone(before)
            #expect(before.stop().exitCode == 0)
            run.noteEnd(reader: reader)
            let sluice = try startAgainWithoutRegistry(run)
            try run.registry.resume()
            try run.registerNext()
            try run.registry.kill()
            try run.write(10, version: run.ids.count)
            try sluice.waitUntil("the query does not say that it waits") {
                sluice.standardError.contains("The schema registry does not answer, the query waits")
            }
            try run.registry.resume()
            try run.waitUntilDone(sluice)
            #expect(sluice.stop().exitCode == 0)
            run.noteEnd(reader: reader)
        }

        /// A run that has joined rows by every schema, and had no registry.
        private func startAgainWithoutRegistry(_ run: EvolutionRun) throws -> SluiceProcess {
            try run.registry.kill()
            let sluice = try run.start()
            for version in 1...run.ids.count { try run.write(4, version: version) }
            try run.waitUntilDone(sluice)
            #expect(sluice.standardError.contains("goes on with the schemas it has"), "\(sluice.standardError)")
            #expect(sluice.standardError.contains("goes on with the schema it has registered"))
            #expect(!sluice.standardError.contains("the query waits"))
            return sluice
        }

        private func goOnWithoutRegistry(_ run: EvolutionRun) throws {
            let reader = run.lastReader
            let sluice = try startAgainWithoutRegistry(run)
            sluice.kill()
            run.noteEnd(reader: reader)
            try run.registry.resume()
        }

        /// What a newer schema has added is passed over by a run that began before it.
        private func meetASchemaInTheMiddle(_ run: EvolutionRun) throws {
            let sluice = try run.start()
            try run.feedUntilPlan(sluice)
            let reader = run.ids.count
            try run.registerNext()
            for version in 1...run.ids.count { try run.write(10, version: version) }
            try run.waitUntilDone(sluice)
            sluice.kill()
            run.noteEnd(reader: reader)
        }
    }
}

// MARK: - Avro

extension KafkaEndToEndTests.Evolution {
    /// Five schemas of an order. The second, which is the newest at the first start, adds `channel` with a default,
    /// gives `client` another name and removes `junk`; the third removes `note` and makes `amount` a long; the fourth
    /// has `note` again, which may be null; the fifth has the fields in another order and one that nobody reads. Each
    /// has another default of `channel`, so that rows of the first show what they were read by.
    private static func schema(_ version: Int) -> String {
        let client = version == 1 ? #""client""# : #""customer","aliases":["client"]"#
        var fields = [
            #"{"name":"id","type":"string"}"#, #"{"name":"key","type":["null","string"],"default":null}"#,
            #"{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}"#,
            #"{"name":\#(client),"type":"string"}"#,
            #"{"name":"amount","type":"\#(version < 3 ? "int" : "long")"}"#,
        ]
        switch version {
        case 1:
            fields += [
                #"{"name":"junk","type":{"type":"map","values":["null",{"type":"array","items":"double"}]}}"#,
                #"{"name":"note","type":"string"}"#,
            ]
        case 2: fields.append(#"{"name":"note","type":"string","default":"-"}"#)
        case 3: break
        default: fields.append(#"{"name":"note","type":["null","string"],"default":null}"#)
        }
        if version > 1 { fields.insert(#"{"name":"channel","type":"string","default":"web-\#(version)"}"#, at: 2) }
        if version > 4 { fields = [#"{"name":"weight","type":"double","default":0.5}"#] + fields.reversed() }
        return #"{"type":"record","name":"Order","namespace":"shop","fields":[\#(fields.joined(separator: ","))]}"#
    }

    private static let avroSchemas = (1...5).map(schema)

    private static func amount(_ row: EvolvingRow) -> Int { row.number * (row.version < 3 ? 1000 : 10_000_000_000) }

    private static func note(_ row: EvolvingRow) -> String? {
        row.version > 3 && row.number % 3 == 0 ? nil : "note \(row.number)"
    }

    /// A row with the fields of every schema.
    private static func written(_ row: EvolvingRow) throws -> String {
        try jsonText([
            "schema": "\(row.version)",
            "row": [
                "id": row.id, "key": orNull(row.key), "at": row.time, "client": "å\(row.number)",
                "customer": "å\(row.number)", "amount": amount(row), "note": orNull(note(row)),
                "junk": ["a": [0.5, 1], "b": NSNull()] as [String: Any], "channel": "shop-\(row.number % 5)",
                "weight": 2.5,
            ] as [String: Any],
        ])
    }

    private static func encoded(_ rows: [EvolvingRow]) throws -> [[UInt8]] {
        let schemas = avroSchemas.enumerated().map { "\"\($0.offset + 1)\":\($0.element)" }.joined(separator: ",")
        return try writtenByPython("Avro/write_values.py", ["{\(schemas)}"] + rows.map(written))
    }

    /// The specification's schema resolution, by hand.
    private static func read(_ row: EvolvingRow, as reader: Int) -> [String: Any] {
        // A long is no int, whatever its value.
        let amount = row.version >= 3 && reader < 3 ? nil : amount(row)
        let note = row.version == 3 ? (reader == 2 ? "-" : nil) : note(row)
        let channel = row.version == 1 ? "web-\(reader)" : "shop-\(row.number % 5)"
        return ["customer": "å\(row.number)", "amount": orNull(amount), "note": orNull(note), "channel": channel]
    }

    private static let avro = EvolvingSource(
        format: "avro", language: "AVRO", schemas: avroSchemas,
        columns: ["customer": "string", "amount": "long", "note": "string", "channel": "string"],
        encoded: encoded, read: read)
}

// MARK: - Protobuf

extension KafkaEndToEndTests.Evolution {
    /// Three schemas of a payment. The second, which is the newest at the first start, adds `channel`; the third adds a
    /// method of payment, fields that nobody reads, and a message before the payment, which moves its place.
    private static func proto(_ version: Int) -> String {
        """
        syntax = "proto3";
        package shop;
        import "google/protobuf/timestamp.proto";
        \(version > 2 ? "message Tip { int64 cents = 1; repeated string to = 2; }" : "")
        message Order {
          string id = 1;
          optional string key = 2;
          google.protobuf.Timestamp at = 3;
          message Payer { string name = 1; }
          Payer payer = 4;
          int64 amount = 5;
          enum Method { UNKNOWN = 0; CARD = 1; \(version > 2 ? "CASH = 2;" : "") }
          Method method = 6;
          \(version > 1 ? "optional string channel = 7;" : "")
          \(version > 2 ? "Tip tip = 200; map<string, double> weights = 9; repeated sint32 steps = 10;" : "")
        }
        """
    }

    private static let protos = (1...3).map(proto)

    private static func method(_ row: EvolvingRow) -> String {
        row.version > 2 && row.number % 2 == 0 ? "CASH" : row.number % 3 == 0 ? "UNKNOWN" : "CARD"
    }

    private static func message(_ row: EvolvingRow) throws -> String {
        let time = Date(timeIntervalSince1970: Double(row.time / 1000)).ISO8601Format().dropLast()
        var message: [String: Any] = [
            "id": row.id, "at": "\(time).\(String(row.time % 1000 + 1000).dropFirst())Z",
            "payer": ["name": "å\(row.number)"], "amount": row.number, "method": method(row),
        ]
        message["key"] = row.key
        if row.version > 1 { message["channel"] = "shop-\(row.number % 5)" }
        if row.version > 2 {
            message["tip"] = ["cents": -7, "to": ["a", "b"]] as [String: Any]
            message["weights"] = ["x": 0.5]
            message["steps"] = [1, -1, 300]
        }
        return try jsonText(["schema": "\(row.version)", "message": "shop.Order", "row": message])
    }

    /// Behind the number stands the message's place in its schema.
    private static func messages(_ rows: [EvolvingRow]) throws -> [[UInt8]] {
        let schemas = Dictionary(uniqueKeysWithValues: protos.enumerated().map { ("\($0.offset + 1)", $0.element) })
        let messages = try writtenByPython("Protobuf/write_values.py", [jsonText(schemas)] + rows.map(message))
        return zip(rows, messages).map { row, message in (row.version > 2 ? [2, 2] : [0]) + message }
    }

    private static func readMessage(_ row: EvolvingRow, as reader: Int) -> [String: Any] {
        // A number that the reader has no name for is its digits.
        let method = method(row) == "CASH" && reader < 3 ? "2" : method(row)
        let channel = row.version > 1 ? "shop-\(row.number % 5)" : nil
        return [
            "customer": "å\(row.number)", "amount": row.number, "method": method, "channel": orNull(channel),
        ]
    }

    private static let protobuf = EvolvingSource(
        format: "protobuf", language: "PROTOBUF", schemas: protos,
        columns: [
            "customer": "{ type: string, from: payer.name }", "amount": "long", "method": "string",
            "channel": "string",
        ], encoded: messages, read: readMessage)
}

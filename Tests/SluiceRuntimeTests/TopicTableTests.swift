// Tables that are topics: what counts of their records, what a replay joins whatever has become of the topic, what is
// kept of them on the disk, and random updates against a dictionary, over restarts, crashes and compaction.

import Foundation
import QueryTesting
import SluiceCheckpoint
import SluiceRuntime
import SluiceSimulation
import SluiceSystem
import Testing

@Suite struct TopicTableTests {
    static func spec(
        _ table: String = "", key: String = "k", join: String = "type: left outer, keys: { rows.k: devices.k }",
        columns: String = "{ k: string, site: string, size: int }", retain: Int = 100
    ) -> String {
        LookupSetup.spec(
            connector: "kafka: { brokers: \"nowhere:9092\", topic: devices }", columns: columns,
            "key: \(key)\n    \(table)", join: join, query: "state: { retain_batches: \(retain) }")
    }

    final class Setup: LookupSetup {
        let topic: MemoryTopic

        init(_ spec: String, partitions: Int = 1) throws {
            topic = MemoryTopic("devices", partitions: partitions)
            try super.init(spec, topic: topic)
        }

        func put(_ key: String?, _ site: String?, partition: Int = 0) {
            topic.put(key, site.map { "{\"site\":\"\($0)\",\"size\":1}" }, partition: partition)
        }

        /// The rows of the batches that it runs.
        func run() throws -> [String] {
            let before = harness.reports.all.count
            try harness.runPending()
            return try harness.reports.all.dropFirst(before).flatMap { try harness.rows(batch: $0.batchID) }
        }

        var versions: [String] { ((try? disk.list("/check/tables")) ?? []).sorted() }
    }

    /// Three batches, each with another row of `k1`.
    private static func afterThreeChanges() throws -> Setup {
        let setup = try Setup(spec())
        for round in 0..<3 {
            setup.put("k1", "site-\(round)")
            setup.feed("k1")
            _ = try setup.run()
        }
        return setup
    }

    @Test func `The newest record of a key counts, and one without a value takes its row away`() throws {
        let setup = try Setup(Self.spec())
        setup.put("k1", "north")
        setup.put("k2", "east")
        setup.put("k1", "south")
        setup.feed("k1", "k2", "k3")
        #expect(
            try setup.run() == [#"{"id":"r0","site":"south"}"#, #"{"id":"r0","site":"east"}"#, #"{"id":"r0"}"#])
        setup.put("k2", nil)
        setup.put("k3", "west")
        // A change alone starts no batch.
        #expect(try setup.run().isEmpty)
        setup.feed("k1", "k2", "k3")
        #expect(
            try setup.run() == [#"{"id":"r1","site":"south"}"#, #"{"id":"r1"}"#, #"{"id":"r1","site":"west"}"#])
        #expect(setup.versions == ["devices-0.gz", "devices-1.changes.gz"])
        // Nothing new, and what says what is known already, are no version.
        setup.put("k3", "west")
        setup.put("k9", nil)
        setup.feed("k3")
        #expect(try setup.run() == [#"{"id":"r2","site":"west"}"#])
        #expect(setup.versions.count == 2)
    }

    @Test func `A record that makes no row is the newest of its key all the same`() throws {
        let setup = try Setup(Self.spec("where: site <> 'closed'"))
        for key in ["k1", "k2", "k3"] { setup.put(key, "north") }
        setup.feed("k1")
        #expect(try setup.run() == [#"{"id":"r0","site":"north"}"#])
        setup.put("k1", "closed")
        setup.topic.put("k2", "no record")
        setup.put(nil, "nobody's")
        setup.feed("k1", "k2", "k3")
        #expect(try setup.run() == [#"{"id":"r1"}"#, #"{"id":"r1"}"#, #"{"id":"r1","site":"north"}"#])
    }

    @Test func `Keys are text, JSON text, or an object with the columns, and one of a sort stands for one row`() throws
    {
        let setup = try Setup(Self.spec())
        setup.put("k1", "plain")
        setup.put("\"k2\"", "quoted")
        setup.put(#"{"k":"k3"}"#, "object")
        setup.put(#"{"schema":{"type":"struct"},"payload":{"k":"k4"}}"#, "connect")
        setup.put(#"{"schema":{"type":"string"},"payload":"k5"}"#, "connect text")
        setup.feed("k1", "k2", "k3", "k4", "k5")
        #expect(
            try setup.run()
                == ["plain", "quoted", "object", "connect", "connect text"].map {
                    #"{"id":"r0","site":"\#($0)"}"#
                })
        let two = try Setup(
            Self.spec(
                key: "[k, n]", join: "type: left outer, keys: { rows.k: devices.k }, where: devices.n = 2",
                columns: "{ k: string, n: int, site: string }"))
        two.put(#"{"k":"k1","n":1}"#, "one")
        two.put(#"{"k":"k1","n":2}"#, "two")
        two.put("k1", "no object")
        two.feed("k1")
        #expect(try two.run() == [#"{"id":"r0","site":"two"}"#])
    }

    @Test func `A column of the key may be read from the value`() throws {
        let setup = try Setup(Self.spec(columns: "{ k: { type: string, from: id }, site: string }"))
        setup.topic.put("\u{0}binary", #"{"id":"k1","site":"north"}"#)
        setup.feed("k1")
        #expect(try setup.run() == [#"{"id":"r0","site":"north"}"#])
    }

    @Test func `Where two partitions have a key, the later record counts, however they are read`() throws {
        let setup = try Setup(Self.spec(), partitions: 2)
        setup.put("k1", "old", partition: 1)
        setup.put("k1", "new", partition: 0)
        setup.put("k2", "old", partition: 0)
        setup.put("k2", "new", partition: 1)
        setup.put("k3", "old", partition: 1)
        setup.put("k3", nil, partition: 0)
        setup.feed("k1", "k2", "k3")
        #expect(
            try setup.run() == [#"{"id":"r0","site":"new"}"#, #"{"id":"r0","site":"new"}"#, #"{"id":"r0"}"#])
    }

    @Test func `A table that is never loaded again stays as it was, over a restart too`() throws {
        let spec = Self.spec("reload: never")
        let setup = try Setup(spec)
        setup.put("k1", "north")
        setup.feed("k1")
        #expect(try setup.run() == [#"{"id":"r0","site":"north"}"#])
        setup.put("k1", "south")
        setup.topic.delete()
        setup.feed("k1")
        #expect(try setup.run() == [#"{"id":"r1","site":"north"}"#])
        try setup.restart(spec)
        setup.feed("k1")
        #expect(try setup.run() == [#"{"id":"r2","site":"north"}"#])
    }

    @Test func `A topic that is gone stops the query with its name; what ran is not touched`() throws {
        let setup = try Setup(Self.spec())
        setup.put("k1", "north")
        setup.feed("k1")
        _ = try setup.run()
        setup.topic.delete()
        setup.feed("k1")
        let error = #expect(throws: TableError.self) { try setup.run() }
        #expect(error?.code == "kafka-unknown-topic" && "\(error as Any)".contains("table `devices`"))
        #expect(try setup.harness.allRows().count == 1)
    }

    @Test func `A topic that was made again, or has lost what was not read, is read anew as a whole`() throws {
        let spec = Self.spec()
        let setup = try Setup(spec)
        setup.put("k1", "north")
        setup.put("k2", "north")
        setup.feed("k1", "k2")
        _ = try setup.run()
        setup.topic.makeAgain()
        setup.put("k2", "again")
        setup.feed("k1", "k2")
        // Its end is before where the table was.
        #expect(try setup.run() == [#"{"id":"r1"}"#, #"{"id":"r1","site":"again"}"#])
        try setup.restart(spec)
        setup.put("k3", "lost")
        setup.topic.truncate()
        setup.put("k4", "kept")
        setup.feed("k2", "k3", "k4")
        #expect(try setup.run() == [#"{"id":"r2"}"#, #"{"id":"r2"}"#, #"{"id":"r2","site":"kept"}"#])
    }

    @Test func `After half a day without a look the topic is read anew, for tombstones may be gone`() throws {
        let setup = try Setup(Self.spec())
        setup.put("k1", "north")
        setup.feed("k1")
        _ = try setup.run()
        setup.put("k1", nil)
        setup.put("k2", "south")
        setup.topic.compact(forgetsTombstones: true)
        setup.clock.advance(byMillis: 13 * 3600 * 1000)
        setup.feed("k1", "k2")
        #expect(try setup.run() == [#"{"id":"r1"}"#, #"{"id":"r1","site":"south"}"#])
    }

    @Test func `Another condition, column or key in the spec has the topic read anew`() throws {
        let setup = try Setup(Self.spec())
        setup.topic.put("k1", #"{"site":"closed","place":"north"}"#)
        setup.feed("k1")
        #expect(try setup.run() == [#"{"id":"r0","site":"closed"}"#])
        try setup.restart(Self.spec("where: site <> 'closed'"))
        setup.feed("k1")
        #expect(try setup.run() == [#"{"id":"r1"}"#])
        try setup.restart(Self.spec(columns: "{ k: string, site: { type: string, from: place } }"))
        setup.feed("k1")
        #expect(try setup.run() == [#"{"id":"r2","site":"north"}"#])
    }

    @Test func `Two rows of one key are an error that names their records, and rows that swap keys are none`() throws {
        let setup = try Setup(
            Self.spec("unique: true", key: "k", join: "type: left outer, keys: { rows.k: devices.site }"))
        setup.put("a", "k1")
        setup.put("b", "k2")
        setup.feed("k1")
        #expect(try setup.run() == [#"{"id":"r0","site":"k1"}"#])
        setup.put("a", "k2")
        setup.put("b", "k1")
        setup.feed("k1")
        #expect(try setup.run() == [#"{"id":"r1","site":"k1"}"#])
        setup.put("c", "k1")
        setup.feed("k1")
        let error = #expect(throws: TableError.self) { try setup.run() }
        #expect(
            "\(error as Any)".contains("its rows devices/0@3 and devices/0@4 both have site = 'k1'"),
            "\(error as Any)")
    }

    @Test func `Versions that no batch needs are removed, and what is needed is a content and its changes`() throws {
        let spec = Self.spec(retain: 2)
        let setup = try Setup(spec)
        setup.put("k0", "north")
        for round in 0..<120 {
            setup.put("k\(round % 7)", "site-\(round)")
            setup.feed("k\(round % 7)")
            #expect(try setup.run().last == "{\"id\":\"r\(round)\",\"site\":\"site-\(round)\"}")
        }
        let versions = setup.versions
        #expect(versions.count < 60 && versions.contains { !$0.contains("changes") }, "\(versions)")
        try setup.restart(spec, crash: true)
        setup.feed("k0", "k6")
        let rows = try setup.run()
        #expect(
            rows.suffix(2) == [#"{"id":"r120","site":"site-119"}"#, #"{"id":"r120","site":"site-118"}"#], "\(rows)")
    }

    @Test func `A copy of a checkpoint has a content and the changes behind it, and goes on from there`() throws {
        let setup = try Self.afterThreeChanges()
        setup.harness.stop()
        #expect(try CheckpointFork(folder: "/check", fileSystem: setup.disk).copy(from: 1, to: "/copy") == 1)
        #expect(try setup.disk.list("/copy/tables").sorted() == ["devices-0.gz", "devices-1.changes.gz"])
    }

    @Test func `A list of changes that changes something else is refused by its name`() throws {
        let setup = try Self.afterThreeChanges()
        // The last batch runs again, and its table is a broken one.
        setup.harness.stop()
        try setup.disk.remove("/check/commits/2")
        setup.disk.put(
            "/check/tables/devices-1.changes.gz", try setup.disk.readAll("/check/tables/devices-2.changes.gz"))
        let error = #expect(throws: CheckpointError.self) { try setup.run() }
        #expect("\(error as Any)".contains("devices-1.changes.gz"), "\(error as Any)")
    }

    @Test func `A batch that runs again joins what it had joined, though the topic was compacted or deleted`() throws {
        // A crash at each operation of a batch whose table has changed; then the topic says something else.
        var replayed = 0
        for step in 0..<80 {
            let spec = Self.spec()
            let setup = try Setup(spec)
            setup.put("k1", "north")
            setup.put("k2", "north")
            setup.feed("k1")
            _ = try setup.run()
            setup.put("k1", "south")
            setup.put("k2", nil)
            setup.feed("k1", "k2")
            setup.disk.plan = FaultPlan(seed: 1, crashAtOperation: setup.disk.operationCount + step)
            if (try? setup.harness.runPending()) != nil { break }
            try setup.restart(spec, crash: true)
            let wasLogged = try setup.disk.info("/check/offsets/1") != nil
            setup.put("k1", "west")
            setup.topic.compact()
            if step % 2 == 0 { setup.topic.delete() }
            do {
                try setup.harness.runPending()
            } catch let error as TableError where error.code == "kafka-unknown-topic" && !wasLogged {
                // A new batch needs the topic.
                continue
            }
            let rows = try setup.harness.allRows()
            let (old, new) = ([#"{"id":"r1","site":"south"}"#, #"{"id":"r1"}"#], #"{"id":"r1","site":"west"}"#)
            if rows.contains(old[0]) {
                #expect(rows.filter { $0.contains("r1") } == old.sorted(), "step \(step): \(rows)")
                replayed += 1
            } else {
                #expect(!wasLogged || rows.contains(new), "step \(step): \(rows)")
            }
        }
        #expect(replayed > 5)
    }

    @Test func `Random updates, restarts, crashes and compaction, against a dictionary`() throws {
        let seed = UInt64.random(in: 0..<1_000_000)
        var random = SplitMix(seed: seed)
        let spec = Self.spec("where: size < 90", retain: 3)
        let setup = try Setup(spec, partitions: 3)
        var truth: [String: String] = [:]
        for round in 0..<150 {
            for _ in 0..<Int(random.below(12)) {
                let key = "k\(random.below(25))"
                // As producers do: a key has one partition.
                let partition = Int(key.dropFirst())! % 3
                switch random.below(6) {
                case 0:
                    setup.topic.put(key, nil, partition: partition)
                    truth[key] = nil
                case 1:
                    setup.topic.put(key, "{\"site\":\"x\",\"size\":95}", partition: partition)
                    truth[key] = nil
                default:
                    let site = String(repeating: "s", count: Int(random.below(40))) + "\(round)"
                    setup.topic.put(key, "{\"site\":\"\(site)\",\"size\":1}", partition: partition)
                    truth[key] = site
                }
            }
            if random.below(5) == 0 { setup.topic.compact() }
            let keys = (0..<25).map { "k\($0)" }
            setup.feed(keys)
            if random.below(4) == 0 {
                setup.disk.plan = FaultPlan(
                    seed: random.next(), crashAtOperation: setup.disk.operationCount + Int(random.below(60)))
                let isThrough = (try? setup.harness.runPending()) != nil
                if isThrough { setup.disk.plan = FaultPlan(seed: 0) }
                try setup.restart(spec, crash: !isThrough)
            }
            _ = try setup.run()
            let expected = keys.map { key in
                "{\"id\":\"r\(round)\"" + (truth[key].map { ",\"site\":\"\($0)\"" } ?? "") + "}"
            }
            let rows = try setup.harness.allRows().filter { $0.contains("\"r\(round)\"") }
            #expect(rows == expected.sorted(), "round \(round), seed \(seed)")
            if rows != expected.sorted() { return }
        }
    }
}

/// A small generator, so that a seed says all.
private struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: UInt64) -> UInt64 { next() % bound }
}

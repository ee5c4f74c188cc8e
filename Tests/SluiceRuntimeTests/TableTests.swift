// Tables: what a batch joins, when a change of the files counts, what a replay joins, and what is said of a table that
// cannot be read or is not what it says.

import Foundation
import QueryTesting
import SluiceCheckpoint
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Testing

@Suite struct TableTests {
    private static func spec(_ table: String = "", join: String = "type: left outer, keys: { rows.k: devices.k }")
        -> String
    {
        LookupSetup.spec(connector: "file: { path: /devices }", table, join: join)
    }

    private final class Setup: LookupSetup {
        func devices(_ file: String = "a.jsonl", _ rows: (String, String)...) {
            disk.put("/devices/\(file)", rows.map { "{\"k\":\"\($0)\",\"site\":\"\($1)\",\"size\":1}\n" }.joined())
        }

        /// All rows so far.
        func run() throws -> [String] {
            try harness.runPending()
            return try harness.allRows()
        }
    }

    @Test func `A change of the files counts from the next batch on, new files included`() throws {
        let setup = try Setup(Self.spec())
        setup.devices("a.jsonl", ("k1", "north"))
        setup.feed("k1", "k2")
        #expect(try setup.run() == [#"{"id":"r0","site":"north"}"#, #"{"id":"r0"}"#])
        setup.devices("b.jsonl", ("k2", "south"))
        // A change alone starts no batch.
        #expect(try setup.run().count == 2)
        setup.feed("k2")
        #expect(try setup.run().contains(#"{"id":"r1","site":"south"}"#))
    }

    @Test func `A table that is never loaded again stays as it was, over a restart too`() throws {
        let setup = try Setup(Self.spec("reload: never"))
        setup.devices("a.jsonl", ("k1", "north"))
        setup.feed("k1")
        #expect(try setup.run() == [#"{"id":"r0","site":"north"}"#])
        setup.devices("a.jsonl", ("k1", "south"))
        setup.harness.stop()
        setup.feed("k1")
        #expect(try setup.run().last == #"{"id":"r1","site":"north"}"#)
    }

    @Test func `Every matching row joins, and a null matches nothing`() throws {
        let setup = try Setup(Self.spec())
        setup.devices("a.jsonl", ("k1", "north"), ("k1", "south"))
        setup.disk.put("/devices/b.jsonl", "{\"site\":\"nowhere\"}\n")
        setup.disk.put("/in/rows/0.jsonl", "{\"id\":\"r0\",\"k\":\"k1\"}\n{\"id\":\"r1\"}\n")
        #expect(
            try setup.run() == [
                #"{"id":"r0","site":"north"}"#, #"{"id":"r0","site":"south"}"#, #"{"id":"r1"}"#,
            ])
    }

    @Test func `Two rows of one key are an error that names them, where the table says that there are none`() throws {
        let setup = try Setup(Self.spec("unique: true"))
        setup.devices("a.jsonl", ("k1", "north"), ("k2", "east"), ("k1", "south"))
        setup.feed("k1")
        let error = #expect(throws: TableError.self) { try setup.run() }
        #expect(
            "\(error as Any)".contains("its rows /devices/a.jsonl:1 and /devices/a.jsonl:3 both have k = 'k1'"),
            "\(error as Any)")
    }

    @Test func `A table that is not there fails the query, and the batch is run once it is`() throws {
        let setup = try Setup(Self.spec().replacing("/devices }", with: "/devices/current.jsonl }"))
        setup.feed("k1")
        let error = #expect(throws: TableError.self) { try setup.run() }
        #expect("\(error as Any)".contains("there is nothing at /devices/current.jsonl"), "\(error as Any)")
        #expect(error?.code == "table-missing" && error?.isRetriable == true)
        setup.harness.stop()
        setup.devices("current.jsonl", ("k1", "north"))
        #expect(try setup.run() == [#"{"id":"r0","site":"north"}"#])
    }

    @Test func `A file that cannot be read whole leaves the table as a whole unread, with what is wrong`() throws {
        let setup = try Setup(Self.spec())
        setup.devices("a.jsonl", ("k1", "north"))
        setup.disk.put("/devices/b.jsonl.gz", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3])
        setup.feed("k1")
        let error = #expect(throws: TableError.self) { try setup.run() }
        #expect(error?.code == "file-damaged", "\(error as Any)")
        #expect("\(error as Any)".contains("/devices/b.jsonl.gz"), "\(error as Any)")
    }

    @Test func `A file without a column in its header is no file of the table`() throws {
        let setup = try Setup(
            Self.spec().replacing(
                "path: /devices }\n    format: json", with: "path: /devices }\n    format: { csv: { header: true } }"))
        setup.disk.put("/devices/a.csv", "k,size\nk1,1\n")
        setup.feed("k1")
        let error = #expect(throws: TableError.self) { try setup.run() }
        #expect(error?.code == "file-header" && error?.isRetriable == false, "\(error as Any)")
        #expect("\(error as Any)".contains("/devices/a.csv has no column `site`"), "\(error as Any)")
    }

    @Test func `A bad row of a table that must have none fails the query with its place`() throws {
        let setup = try Setup(Self.spec("bad_rows: fail"))
        setup.disk.put("/devices/a.jsonl", "{\"k\":\"k1\",\"size\":1}\n{\"k\":\"k2\",\"size\":\"big\"}\n")
        setup.feed("k1")
        let error = #expect(throws: TableError.self) { try setup.run() }
        #expect(
            "\(error as Any)".contains("/devices/a.jsonl:2") && "\(error as Any)".contains("`size`"), "\(error as Any)")
    }

    @Test func `A table's condition and a join's own are held against its rows`() throws {
        let setup = try Setup(
            Self.spec("where: site <> 'closed'", join: "type: left anti, keys: { rows.k: devices.k }")
                .replacing(", site: devices.site", with: ""))
        setup.devices("a.jsonl", ("k1", "closed"), ("k2", "north"))
        setup.feed("k1", "k2", "k3")
        #expect(try setup.run() == [#"{"id":"r0"}"#, #"{"id":"r0"}"#])
    }

    @Test func `A batch that runs again joins what it had joined, whatever has become of the table`() throws {
        // A crash at each operation of a batch; before the restart the table is another one.
        var replayed = 0
        for step in 0..<60 {
            let setup = try Setup(Self.spec())
            setup.devices("a.jsonl", ("k1", "north"))
            setup.feed("k1")
            _ = try setup.run()
            setup.feed("k1")
            setup.disk.plan = FaultPlan(seed: 1, crashAtOperation: setup.disk.operationCount + step)
            if (try? setup.harness.runPending()) != nil { break }
            setup.harness.stop()
            let disk = setup.disk.restart()
            let wasLogged = try disk.info("/check/offsets/1") != nil
            disk.put("/devices/a.jsonl", "{\"k\":\"k1\",\"site\":\"south\"}\n")
            let again = try RunnerHarness(spec: Self.spec(), disk: disk)
            try again.runPending()
            let rows = try again.allRows()
            #expect(rows.count == 2 && rows.contains(#"{"id":"r0","site":"north"}"#), "step \(step): \(rows)")
            if wasLogged, rows.contains(#"{"id":"r1","site":"north"}"#) { replayed += 1 }
        }
        #expect(replayed > 5)
    }

    @Test func `A changed condition, zone or column in the spec has the same files read anew`() throws {
        let setup = try Setup(Self.spec())
        setup.disk.put("/devices/a.jsonl", "{\"k\":\"k1\",\"site\":\"closed\",\"place\":\"north\",\"size\":1}\n")
        setup.feed("k1")
        #expect(try setup.run() == [#"{"id":"r0","site":"closed"}"#])
        try setup.restart(Self.spec("where: site <> 'closed'"))
        setup.feed("k1")
        #expect(try setup.run().last == #"{"id":"r1"}"#)
        try setup.restart(
            Self.spec("reload: never").replacing(
                "site: string, size", with: "site: { type: string, from: place }, size"))
        setup.feed("k1")
        #expect(try setup.run().last == #"{"id":"r2","site":"north"}"#)
        // `unique` that is added looks at what is there.
        setup.devices("a.jsonl", ("k1", "north"), ("k1", "south"))
        try setup.restart(Self.spec())
        setup.feed("k1")
        _ = try setup.run()
        try setup.restart(Self.spec("unique: true"))
        setup.feed("k1")
        let error = #expect(throws: TableError.self) { try setup.run() }
        #expect("\(error as Any)".contains("/devices/a.jsonl:1 and /devices/a.jsonl:2"), "\(error as Any)")
    }

    @Test func `Places of two rows are those of their lines, over files, chunks and bad lines, and packed files`()
        throws
    {
        let setup = try Setup(Self.spec("unique: true\n    bad_rows: drop"))
        setup.disk.put("/devices/a.jsonl", "\u{FEFF}nonsense\n{\"k\":\"k0\"}\n\n{\"k\":\"k1\"}\n")
        let lines = (0..<3000).map { "{\"k\":\"x\($0)\",\"site\":\"\(String(repeating: "s", count: 100))\"}\n" }
        setup.disk.put("/devices/b.jsonl", lines.joined() + "{\"k\":\"k1\"}\n")
        setup.feed("k1")
        let error = #expect(throws: TableError.self) { try setup.run() }
        #expect(
            "\(error as Any)".contains("/devices/a.jsonl:4 and /devices/b.jsonl:3001 both have k = 'k1'"),
            "\(error as Any)")
    }

    @Test func `A file that goes takes its rows along, and an empty folder is a table without rows`() throws {
        let setup = try Setup(Self.spec())
        setup.devices("a.jsonl", ("k1", "north"))
        setup.devices("b.jsonl", ("k2", "south"))
        setup.feed("k1", "k2")
        #expect(try setup.run() == [#"{"id":"r0","site":"north"}"#, #"{"id":"r0","site":"south"}"#])
        try setup.disk.remove("/devices/a.jsonl")
        setup.feed("k1", "k2")
        #expect(try setup.run().suffix(2) == [#"{"id":"r1","site":"south"}"#, #"{"id":"r1"}"#])
        try setup.disk.remove("/devices/b.jsonl")
        setup.feed("k1")
        #expect(try setup.run().last == #"{"id":"r2"}"#)
    }

    @Test func `Rows come only from a source`() throws {
        let disk = SimulatedFileSystem()
        try disk.makeFolders("/spec")
        disk.put("/spec/spec.yaml", Self.spec().replacing("from: rows", with: "from: devices"))
        let loaded = try SpecLoader(fileSystem: disk, environment: { _ in nil }, zones: RunnerHarness.zones)
            .load(["/spec/spec.yaml"])
        #expect(loaded.diagnostics.contains { $0.code == "unknown-source" && $0.message.contains("is a table") })
    }

    @Test func `A copy of a checkpoint has the versions that its batch needs`() throws {
        let setup = try Setup(Self.spec())
        for round in 0..<3 {
            setup.devices("a.jsonl", ("k1", "site-\(round)"))
            setup.feed("k1")
            _ = try setup.run()
        }
        setup.harness.stop()
        #expect(try CheckpointFork(folder: "/check", fileSystem: setup.disk).copy(from: 1, to: "/copy") == 1)
        #expect(try setup.disk.list("/copy/tables") == ["devices-1.gz"])
    }

    @Test(arguments: ["right outer", "full outer"])
    func `A table's own rows never come out alone`(type: String) throws {
        let disk = SimulatedFileSystem()
        try disk.makeFolders("/spec")
        disk.put("/spec/spec.yaml", Self.spec(join: "type: \(type), keys: { rows.k: devices.k }"))
        let loaded = try SpecLoader(fileSystem: disk, environment: { _ in nil }, zones: RunnerHarness.zones)
            .load(["/spec/spec.yaml"])
        #expect(loaded.diagnostics.map(\.code) == ["table-join-type"])
    }
}

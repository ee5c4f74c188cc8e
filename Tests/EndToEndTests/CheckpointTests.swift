// A checkpoint that a person, a disk or another version has changed, met by the binary: a clear refusal that names the
// file and changes nothing, or, where the change is harmless, a run that goes on.

import Foundation
import Testing

@Suite struct CheckpointTests {
    static let folder = "checkpoints/q"

    /// A left outer join over `batches` files a side, one row each, so that every batch has a delta of its own.
    static func prepared(batches: Int = 6) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", spec())
        try addFiles(0..<batches, to: folder)
        let outcome = try SluiceProcess.run(run, in: folder)
        try #require(outcome.exitCode == 0, "\(outcome.standardError)")
        return folder
    }

    static let run = ["run", "spec.yaml", "--trigger", "available_now"]

    static func addFiles(_ numbers: Range<Int>, to folder: TemporaryFolder) throws {
        for number in numbers {
            let time = "2024-01-01T00:00:\(10 + number)Z"
            for side in ["left", "right"] {
                try folder.write(
                    "\(side)/\(number).jsonl", "{\"k\":\(number),\"t\":\"\(time)\",\"extra\":\"x\",\"more\":1}\n")
            }
        }
    }

    static func spec() -> String {
        """
        sluice: 1
        sources:
          l:
            file: { path: left, max_files_per_trigger: 1 }
            format: json
            columns: { k: long, t: timestamp, extra: string }
            watermark: { column: t, delay: 1h }
          r:
            file: { path: right, max_files_per_trigger: 1 }
            format: json
            columns: { k: long, t: timestamp }
            watermark: { column: t, delay: 1h }
        queries:
          q:
            from: l
            join:
              - { with: r, type: left outer, keys: k, within: r.t between l.t and l.t + 10s }
            select: { k: l.k, t: l.t, extra: l.extra, rt: r.t }
            to: out
        sinks:
          out: { file: { path: out }, format: json }
        """
    }

    @Test func `A checkpoint of the same query name in another spec is refused as what it is`() throws {
        let folder = try Self.prepared()
        let other = Self.spec().replacing("max_files_per_trigger: 1", with: "follow: true")
        try folder.write("other.yaml", other)
        let outcome = try SluiceProcess.run(["run", "other.yaml", "--trigger", "available_now"], in: folder)
        #expect(outcome.exitCode == 1)
        #expect(outcome.standardError.contains("it belongs to a query of the same name in another spec"))
        #expect(outcome.standardError.contains("give the query a new checkpoint folder"))
    }

    // MARK: Damage

    enum Damage: String, CaseIterable {
        case flipped
        case truncated
        case deleted
        case fromTheFuture

        var says: String {
            switch self {
            case .flipped, .truncated: "is damaged"
            case .deleted: "is missing"
            case .fromTheFuture: "has format 4"
            }
        }

        func apply(to name: String, in folder: TemporaryFolder) throws {
            var bytes = try #require(folder.bytes(name))
            switch self {
            case .flipped: bytes[bytes.count / 2] ^= 0x10
            case .truncated: bytes = bytes.prefix(bytes.count / 2)
            case .deleted: return try folder.remove(name)
            case .fromTheFuture:
                if name.hasSuffix(".gz") {
                    bytes = storedGzipMember(Data("{\"format\":4}".utf8))
                } else {
                    let text = String(decoding: bytes, as: UTF8.self)
                    let line = text.split(separator: "\n")[0].replacing("{\"format\":2,", with: "{\"format\":4,")
                    bytes = Data("\(line)\ncrc32 \(hex(crc32(Data("\(line)\n".utf8))))\n".utf8)
                }
            }
            try folder.write(name, bytes: bytes)
        }
    }

    @Test(
        arguments: ["metadata.json", "offsets/6", "offsets/3", "state/2.delta.gz", "state/5.delta.gz"], Damage.allCases)
    func `A damaged checkpoint is refused by the file's name, and nothing in it is changed`(
        file: String, damage: Damage
    ) throws {
        let folder = try Self.prepared()
        try #require(folder.exists("\(Self.folder)/offsets/6"), "six data batches and a no-data batch")
        try damage.apply(to: "\(Self.folder)/\(file)", in: folder)
        try Self.expectRefusal(in: folder, says: ["\(Self.folder)/\(file) \(damage.says)"])
    }

    @Test(arguments: [Damage.flipped, .fromTheFuture])
    func `A commit that was changed is refused although there is a copy of it`(damage: Damage) throws {
        let folder = try Self.prepared()
        try damage.apply(to: "\(Self.folder)/commits/2", in: folder)
        try Self.expectRefusal(in: folder, says: ["\(Self.folder)/commits/2 \(damage.says)"])
    }

    /// The offsets behind a commit hold a copy of it, so a commit that never reached the disk is no loss.
    @Test(arguments: [Damage.truncated, .deleted], ["2", "6"])
    func `A commit that is cut short or gone comes back`(damage: Damage, batch: String) throws {
        let folder = try Self.prepared()
        let name = "\(Self.folder)/commits/\(batch)"
        let (before, rows) = (folder.read(name), folder.contents(of: "out"))
        try damage.apply(to: name, in: folder)
        let outcome = try SluiceProcess.run(Self.run, in: folder)
        #expect(outcome.exitCode == 0, "\(outcome.standardError)")
        // What the batch has cost is measured anew when it runs again.
        let costs = /,"cost":\{[^}]*\}/
        func facts(_ commit: String?) -> [Substring]? {
            commit?.replacing(costs, with: "").split(separator: "\n").dropLast()
        }
        #expect(facts(folder.read(name)) == facts(before))
        #expect(folder.contents(of: "out") == rows)
    }

    /// Runs, and checks that it fails by that name with every byte of the checkpoint and the output as it was.
    private static func expectRefusal(in folder: TemporaryFolder, says: [String]) throws {
        try addFiles(6..<7, to: folder)
        let (checkpoint, rows) = (contentsBesidesLock(folder), folder.contents(of: "out"))
        let outcome = try SluiceProcess.run(run, in: folder)
        #expect(outcome.exitCode == 1)
        for words in says { #expect(outcome.standardError.contains(words), "\(outcome.standardError)") }
        #expect(contentsBesidesLock(folder) == checkpoint)
        #expect(folder.contents(of: "out") == rows)
    }

    /// The lock holds the number of the process that last took it.
    private static func contentsBesidesLock(_ folder: TemporaryFolder) -> [String: Data] {
        folder.contents(of: Self.folder).filter { $0.key != "lock" }
    }

    // MARK: Two processes

    @Test func `A second process on a checkpoint is refused while the first runs, and may go on after it`() throws {
        let folder = try Self.prepared()
        let first = try SluiceProcess(["run", "spec.yaml", "--trigger", "50ms"], in: folder)
        try Self.addFiles(6..<7, to: folder)
        try first.waitUntil("the first does nothing") { folder.exists("\(Self.folder)/commits/7") }
        let second = try SluiceProcess.run(Self.run, in: folder)
        #expect(second.exitCode == 1)
        #expect(second.standardError.contains("is in use by process \(first.processID)"), "\(second.standardError)")
        try Self.addFiles(7..<8, to: folder)
        try first.waitUntil("the second has disturbed the first") { folder.exists("\(Self.folder)/commits/8") }
        #expect(first.stop().exitCode == 0)
        #expect(try SluiceProcess.run(Self.run, in: folder).exitCode == 0)
    }

    // MARK: A changed spec

    struct Change: CustomTestStringConvertible {
        var testDescription: String
        var old: String
        var new: String
        var says: String
    }

    @Test(arguments: [
        Change(
            testDescription: "join type", old: "left outer", new: "inner",
            says: "join type was `left outer`, is now `inner`"),
        Change(
            testDescription: "key", old: "keys: k,", new: "keys: [k, t],",
            says: "keys were `l.k = r.k`, are now `l.k = r.k, l.t = r.t`"),
        Change(
            testDescription: "column used", old: "extra: l.extra, ", new: "",
            says: "left column `extra` (string) is no longer used"),
        Change(
            testDescription: "type of a column", old: "{ k: long, t: timestamp, extra: string }",
            new: "{ k: long, t: timestamp, extra: long }", says: "left column `extra` was `string`, is now `long`"),
        Change(
            testDescription: "source", old: "with: r,", new: "with: another,",
            says: "right source was `r`, is now `another`"),
    ])
    func `A spec that the stored state cannot follow is refused by the name of what changed`(change: Change) throws {
        let folder = try Self.prepared()
        var spec = Self.spec().replacing(change.old, with: change.new)
        #expect(spec != Self.spec())
        if change.testDescription == "source" {
            spec.replace("  r:\n", with: "  another:\n")
            spec.replace("r.t", with: "another.t")
        }
        try folder.write("spec.yaml", spec)
        let check = try SluiceProcess.run(["check", "spec.yaml"], in: folder)
        #expect(check.exitCode == 0, "a good spec, but for its checkpoint: \(check.standardOutput)")
        try Self.expectRefusal(in: folder, says: [change.says, Self.folder, "new checkpoint folder"])
    }

    @Test(arguments: [
        Change(testDescription: "bounds", old: "l.t + 10s", new: "l.t + 20s", says: "time bounds were"),
        Change(
            testDescription: "delay",
            old: "columns: { k: long, t: timestamp }\n    watermark: { column: t, delay: 1h }",
            new: "columns: { k: long, t: timestamp }\n    watermark: { column: t, delay: 2h }",
            says: "right watermark delay was"),
        Change(
            testDescription: "unused column", old: "columns: { k: long, t: timestamp }",
            new: "columns: { k: long, more: long, t: timestamp }", says: ""),
        Change(testDescription: "trigger", old: "    to: out", new: "    trigger: 1m\n    to: out", says: ""),
    ])
    func `A spec that the stored state can follow goes on, with a warning where something follows`(
        change: Change
    ) throws {
        let folder = try Self.prepared()
        let spec = Self.spec().replacing(change.old, with: change.new)
        #expect(spec != Self.spec())
        try folder.write("spec.yaml", spec)
        try Self.addFiles(6..<8, to: folder)
        let outcome = try SluiceProcess.run(Self.run, in: folder)
        #expect(outcome.exitCode == 0, "\(outcome.standardError)")
        #expect(outcome.standardError.contains("level=warning") == !change.says.isEmpty, "\(outcome.standardError)")
        #expect(change.says.isEmpty || outcome.standardError.contains(change.says), "\(outcome.standardError)")
        let keys = folder.rows(in: "out").compactMap { jsonObject($0)?["k"] as? Int }
        #expect(keys.sorted() == Array(0..<8))
    }
}

// MARK: Making files of a future version

private func hex(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
}

/// CRC-32 bit by bit: short, and independent of the library the product uses.
private func crc32(_ data: Data) -> UInt32 {
    ~data.reduce(~0) { crc, byte in
        (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
}

/// A gzip member with one block that is not compressed.
private func storedGzipMember(_ data: Data) -> Data {
    func bytes(_ value: UInt32, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> ($0 * 8) & 0xFF) } }
    let size = UInt32(data.count)
    return Data([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF, 1] + bytes(size, 2) + bytes(~size & 0xFFFF, 2)) + data
        + Data(bytes(crc32(data), 4) + bytes(size, 4))
}

// Logs that rotate: every line once, whatever names the files have by now, over restarts too; and where lines are lost,
// it is said how many bytes.

import Glibc
import SluiceConnectors
import SluiceEngine
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import SystemTesting
import Testing

/// A query's life around one source, without a query: position and marks are what a checkpoint would have.
private final class Follower {
    let files: any FileSystem
    let spec: FileSourceSpec
    let lines = LogLines()
    private(set) var source: FollowedFileSource
    private(set) var position = SourceOffsets()
    private var marks: [String: String] = [:]
    private(set) var read = ""

    init(_ spec: FileSourceSpec, _ files: any FileSystem) {
        (self.spec, self.files) = (spec, files)
        source = FollowedFileSource(spec, fileSystem: files, log: lines.log)
    }

    /// One trigger: reads what is there. Throws the trouble when there is nothing else.
    func poll(limit: BatchLimit = .spec) throws {
        let latest = try source.latestOffsets(from: position, untilEnd: false)
        let ranges = source.planBatch(from: position, to: latest, limit: limit)
        if ranges.isEmpty, let trouble = source.trouble { throw trouble }
        guard !ranges.isEmpty else { return }
        var next = position
        next.advance(by: ranges)
        let marks = source.marks(ranges, next: next)
        read += try text(source, ranges)
        (position, self.marks) = (next, marks)
        source.didCommit(position)
    }

    func restart() {
        source = FollowedFileSource(spec, fileSystem: files, log: lines.log)
        source.resume(marks)
    }

    func error() -> ConnectorError? { connectorError { try poll() } }
}

@Suite("Rotation")
struct RotationTests {
    @Test(
        "Numbered rotation loses and doubles nothing, whenever the source looks and the process starts again",
        arguments: 0..<60 as Range<UInt64>)
    func numbered(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let files = SimulatedFileSystem()
        let follower = Follower(
            fileSpec("/in/l.log*", follow: true, maxBytes: Bool.random(using: &random) ? nil : 30), files)
        var written: [String] = []
        func write() throws {
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                written.append("line \(written.count)")
                try files.append("/in/l.log", text: written[written.count - 1] + "\n")
            }
        }
        func rotate() throws {
            guard try files.info("/in/l.log") != nil else { return }
            for number in stride(from: 8, through: 1, by: -1) {
                guard try files.info("/in/l.log.\(number)") != nil else { continue }
                try files.rename("/in/l.log.\(number)", to: "/in/l.log.\(number + 1)")
            }
            try files.rename("/in/l.log", to: "/in/l.log.1")
        }
        try files.makeFolders("/in")
        for _ in 0..<60 {
            switch Int.random(in: 0..<7, using: &random) {
            case 0...2: try write()
            case 3 where try files.info("/in/l.log.8") == nil: try rotate()
            case 4: follower.restart()
            default: try follower.poll()
            }
        }
        while follower.read.split(separator: "\n").count < written.count { try follower.poll(limit: .unlimited) }
        try follower.poll()
        #expect(
            follower.read.split(separator: "\n").sorted() == written.map { Substring($0) }.sorted(), "seed \(seed)")
    }

    @Test("What a rename and a new file have changed is in the offsets of the next batch, rows or not")
    func offsets() throws {
        let files = SimulatedFileSystem()
        files.put("/in/l.log", "one\n")
        let follower = Follower(fileSpec("/in/*", follow: true), files)
        try follower.poll()
        try files.rename("/in/l.log", to: "/in/l.log.1")
        let latest = try follower.source.latestOffsets(from: follower.position, untilEnd: false)
        #expect(
            follower.source.planBatch(from: follower.position, to: latest, limit: .spec) == [
                .gone(partition: "/in/l.log", start: 4), OffsetRange(partition: "/in/l.log.1", start: 4, end: 4),
            ])
        files.put("/in/l.log", "")
        try follower.poll()
        #expect(follower.position.next == ["/in/l.log.1": 4])
        try files.append("/in/l.log", text: "two\n")
        try follower.poll()
        #expect(follower.position.next == ["/in/l.log.1": 4, "/in/l.log": 4])
        #expect(follower.read == "one\ntwo\n")
    }

    @Test("A batch that was planned before a rename is read under the new name", arguments: [false, true])
    func renamedInBetween(isOpen: Bool) throws {
        let files = SimulatedFileSystem()
        files.put("/in/l.log", "one\n")
        let source = FollowedFileSource(fileSpec("/in/*", follow: true), fileSystem: files, log: .none)
        let latest = try source.latestOffsets(from: SourceOffsets(), untilEnd: false)
        let ranges = source.planBatch(from: SourceOffsets(), to: latest, limit: .spec)
        var input = isOpen ? try source.open(ranges) : nil
        try files.rename("/in/l.log", to: "/in/l.log.1")
        files.put("/in/l.log", "new one\n")
        if !isOpen { input = try source.open(ranges) }
        #expect(try input.map { try text(of: $0) } == "one\n")
        // And by the next process.
        let next = FollowedFileSource(fileSpec("/in/*", follow: true), fileSystem: files, log: .none)
        next.resume(source.marks(ranges, next: latest))
        #expect(try text(next, ranges) == "one\n")
    }

    @Test("An old file that was read to its end may go away, said once; and come back")
    func gone() throws {
        let files = SimulatedFileSystem()
        files.put("/in/1.log", "one\n")
        files.put("/in/2.log", "two\n")
        let follower = Follower(fileSpec("/in/*.log", follow: true), files)
        try follower.poll()
        try files.rename("/in/1.log", to: "/away")
        for _ in 0..<3 { try follower.poll() }
        try files.append("/in/2.log", text: "three\n")
        try follower.poll()
        #expect(follower.lines.count == 1 && follower.lines.all[0].contains("level=info"))
        #expect(follower.lines.all[0].contains("/in/1.log"))
        follower.restart()
        try follower.poll()
        try files.rename("/away", to: "/in/1.log")
        try files.append("/in/1.log", text: "four\n")
        try follower.poll()
        #expect(follower.read == "one\ntwo\nthree\nfour\n")
    }

    @Test("A file that goes away with lines that nobody has read is trouble, with the bytes, and others are read first")
    func goneUnread() throws {
        let files = SimulatedFileSystem()
        files.put("/in/1.log", "one\n")
        let follower = Follower(fileSpec("/in/*.log", follow: true), files)
        try follower.poll()
        try files.append("/in/1.log", text: "lost\n")
        _ = try follower.source.latestOffsets(from: follower.position, untilEnd: false)
        try files.remove("/in/1.log")
        files.put("/in/2.log", "two\n")
        try follower.poll()
        #expect(follower.read == "one\ntwo\n")
        let error = follower.error()
        #expect(error?.code == "file-missing" && error?.isRetriable == true)
        #expect(error?.message.contains("/in/1.log") == true && error?.message.contains("5 bytes") == true)
    }

    @Test("Another file with the inode of one that is gone is a new file")
    func reusedInode() throws {
        let temporary = try TemporaryFolder()
        let files = RealFileSystem()
        let old = temporary.path + "/1.log"
        try files.append(old, text: "one\n")
        let follower = Follower(fileSpec(temporary.path + "/*.log", follow: true), files)
        try follower.poll()
        // Most file systems give the inode to the next file at once.
        try files.remove(old)
        try files.append(temporary.path + "/2.log", text: "uno\ndos\n")
        try follower.poll()
        #expect(follower.read == "one\nuno\ndos\n")
    }

    @Test("A second name of a file is not read again")
    func secondName() throws {
        let temporary = try TemporaryFolder()
        let files = RealFileSystem()
        try files.append(temporary.path + "/1.log", text: "one\n")
        let follower = Follower(fileSpec(temporary.path + "/*.log", follow: true), files)
        try follower.poll()
        #expect(link(temporary.path + "/1.log", temporary.path + "/current.log") == 0)
        try files.append(temporary.path + "/1.log", text: "two\n")
        try follower.poll()
        #expect(follower.read == "one\ntwo\n")
    }

    @Test("Files that were moved to another disk are known by their content", arguments: [false, true])
    func moved(isSame: Bool) throws {
        let old = SimulatedFileSystem()
        old.put("/in/l.log", "one\ntwo\n")
        let follower = Follower(fileSpec("/in/*", follow: true), old)
        try follower.poll()
        let marks = follower.source.marks([], next: follower.position)
        let new = SimulatedFileSystem()
        new.put("/other", "takes the inode\n")
        new.put("/in/l.log", isSame ? "one\ntwo\nthree\n" : "uno\ndos\ntres\n")
        let source = FollowedFileSource(fileSpec("/in/*", follow: true), fileSystem: new, log: .none)
        source.resume(marks)
        let latest = try source.latestOrTrouble(from: follower.position)
        let ranges = source.planBatch(from: follower.position, to: latest, limit: .spec)
        #expect(try text(source, ranges) == (isSame ? "three\n" : "uno\ndos\ntres\n"))
    }

    // MARK: Copy and truncate

    @Test("on_truncate: restart reads what is written after a truncation, nothing twice", arguments: [false, true])
    func truncated(isRestarted: Bool) throws {
        let files = SimulatedFileSystem()
        files.put("/l.log", "one\ntwo\n")
        let follower = Follower(fileSpec("/l.log", follow: true, onTruncate: .restart), files)
        try follower.poll()
        files.put("/l.log", "")
        try follower.poll()
        try files.append("/l.log", text: "three\n")
        if isRestarted { follower.restart() }
        for _ in 0..<3 { try follower.poll() }
        #expect(follower.read == "one\ntwo\nthree\n")
        #expect(follower.position.next == ["/l.log": 6])
        #expect(follower.lines.count == 1 && follower.lines.all[0].contains("level=info"))
    }

    @Test("What was not read before a truncation is said with its bytes")
    func truncatedUnread() throws {
        let files = SimulatedFileSystem()
        files.put("/l.log", "one\n")
        let follower = Follower(fileSpec("/l.log", follow: true, onTruncate: .restart), files)
        try follower.poll()
        try files.append("/l.log", text: "lost\n")
        _ = try follower.source.latestOffsets(from: follower.position, untilEnd: false)
        // As long as what was read, and beyond: only the content tells.
        files.put("/l.log", "uno dos tres cuatro\n")
        try follower.poll()
        #expect(follower.read == "one\nuno dos tres cuatro\n")
        #expect(follower.lines.count == 1 && follower.lines.all[0].contains("level=warning"))
        #expect(follower.lines.all[0].contains("sluice.lost_bytes=5"))
    }

    @Test("A truncation and a file in place of the followed one fail by default, with the way out")
    func failsByDefault() throws {
        let files = SimulatedFileSystem()
        files.put("/l.log", "one\n")
        let follower = Follower(fileSpec("/l.log", follow: true), files)
        try follower.poll()
        try files.rename("/l.log", to: "/l.log.1")
        files.put("/l.log", "two\n")
        let error = follower.error()
        #expect(error?.code == "file-rotated" && error?.message.contains("on_truncate: restart") == true)
        let accepting = Follower(fileSpec("/l.log", follow: true, onTruncate: .restart), files)
        try accepting.poll()
        try files.remove("/l.log")
        files.put("/l.log", "three\n")
        try accepting.poll()
        #expect(accepting.read == "two\nthree\n")
    }

    @Test("A truncated file keeps nobody from reading the others")
    func othersFirst() throws {
        let files = SimulatedFileSystem()
        for name in ["a", "b"] { files.put("/in/\(name)", "one \(name)\n") }
        let follower = Follower(fileSpec("/in", follow: true), files)
        try follower.poll()
        files.put("/in/a", "")
        try files.append("/in/b", text: "two b\n")
        try follower.poll()
        #expect(follower.read == "one a\none b\ntwo b\n")
        #expect(follower.error()?.code == "file-truncated")
    }
}

// What the simulated disk may forget in a crash, and what it may not.

import Glibc
import SluiceSimulation
import SluiceSystem
import Testing

private func write(_ files: SimulatedFileSystem, _ path: String, _ text: String) throws {
    try Array(text.utf8).withUnsafeBytes { try files.write(path, [$0]) }
}

/// What is left of `body` after a crash, for 200 seeds.
private func survivors(_ body: (SimulatedFileSystem) throws -> Void) rethrows -> [SimulatedFileSystem] {
    try (0..<200).map { seed in
        let files = SimulatedFileSystem(plan: FaultPlan(seed: UInt64(seed)))
        files.put("/d/old", "old")
        try body(files)
        return files.restart()
    }
}

@Suite("The simulated disk")
struct SimulatedDiskTests {
    @Test("Bytes that were not synced survive as any prefix, or the old content does")
    func tornContent() throws {
        let left = Set(try survivors { try write($0, "/d/old", "new!") }.map { $0.text("/d/old") })
        #expect(left == ["old", "", "n", "ne", "new", "new!"])
    }

    @Test("An append that was not synced never harms what was there before")
    func tornAppend() throws {
        let left = Set(try survivors { try $0.append("/d/old", Array("+more".utf8)) }.map { $0.text("/d/old") })
        #expect(left == ["old", "old+", "old+m", "old+mo", "old+mor", "old+more"])
    }

    @Test("Synced bytes under a name that was not synced may be gone, but never torn")
    func lostName() throws {
        let left = Set(
            try survivors {
                try write($0, "/d/new", "whole")
                try $0.sync("/d/new")
            }.map { $0.text("/d/new") })
        #expect(left == [nil, "whole"])
    }

    @Test("A rename happens whole or not at all")
    func renames() throws {
        let left = Set(
            try survivors {
                try write($0, "/d/new", "new")
                try $0.sync("/d/new")
                try $0.syncFolder("/d")
                try $0.rename("/d/new", to: "/d/old")
            }.map { [$0.text("/d/old"), $0.text("/d/new")] })
        #expect(left == [["old", "new"], ["new", nil]])
    }

    @Test("Changes to different names survive in any order")
    func independentNames() throws {
        let left = Set(
            try survivors {
                try write($0, "/d/a", "")
                try write($0, "/d/b", "")
            }.map { $0.files(under: "/d").map { $0.dropFirst(3) } })
        #expect(left == [["old"], ["a", "old"], ["b", "old"], ["a", "b", "old"]])
    }

    @Test("What was synced, names and bytes, survives every crash")
    func durable() throws {
        for files in try survivors({
            try write($0, "/d/new", "whole")
            try $0.sync("/d/new")
            try $0.remove("/d/old")
            try $0.syncFolder("/d")
        }) {
            #expect(files.files() == ["/d/new"])
            #expect(files.text("/d/new") == "whole")
        }
    }

    @Test("From the crash on everything fails, and the same plan leaves the same disk")
    func crashes() throws {
        func run(_ seed: UInt64) -> (String?, Int) {
            let files = SimulatedFileSystem(plan: FaultPlan(seed: seed, crashAtOperation: 1))
            var crashed = 0
            for number in 0..<3 {
                do { try files.append("/log", Array("line \(number)\n".utf8)) } catch {
                    crashed += error.isSimulatedCrash ? 1 : 0
                }
            }
            return (files.restart().text("/log"), crashed)
        }
        for seed in 0..<50 as Range<UInt64> {
            #expect(run(seed) == run(seed))
            #expect(run(seed).1 == 2)
        }
    }

    @Test("A failed sync has lost the bytes although the next sync succeeds; writing them again saves them")
    func failedSync() throws {
        for seed in 0..<50 as Range<UInt64> {
            var plan = FaultPlan(seed: seed)
            plan.failures[1] = EIO
            let files = SimulatedFileSystem(plan: plan)
            files.put("/old", "old")
            try write(files, "/old", "new")
            #expect(throws: FileError.self) { try files.sync("/old") }
            try files.sync("/old")
            #expect(["old", ""].contains(files.restart().text("/old")), "seed \(seed)")
        }
        var plan = FaultPlan(seed: 1)
        plan.failures[1] = EIO
        let files = SimulatedFileSystem(plan: plan)
        files.put("/old", "old")
        try write(files, "/old", "new")
        #expect(throws: FileError.self) { try files.sync("/old") }
        try write(files, "/old", "new")
        try files.sync("/old")
        #expect(files.restart().text("/old") == "new")
    }

    @Test("A full disk fails every write and keeps what fitted")
    func fullDisk() throws {
        let files = SimulatedFileSystem()
        files.plan.fails = { $0.verb == .append ? ENOSPC : nil }
        let error = #expect(throws: FileError.self) { try files.append("/a", [1, 2, 3]) }
        #expect(error?.errno == ENOSPC)
        #expect(error?.description == "cannot append /a: No space left on device")
    }

    @Test("Locks end with the process, and bytes and files are counted")
    func countsAndLocks() throws {
        let files = SimulatedFileSystem()
        try files.makeFolders("/q/state")
        let lock = try files.lock(folder: "/q", note: nil)
        #expect(lock != nil)
        try files.append("/q/state/1", [1, 2, 3])
        try files.append("/q/state/2", [4])
        try files.remove("/q/state/1")
        #expect(files.bytesWritten(under: "/q/state") == 4)
        #expect(files.fileCount(under: "/q/state") == 1)
        let next = files.restartProcess()
        #expect(try next.lock(folder: "/q", note: nil) != nil)
        #expect(next.files(under: "/q/state") == ["/q/state/2"])
    }
}

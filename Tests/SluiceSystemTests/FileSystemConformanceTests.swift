// What the product relies on, asked of the real file system and of the simulated one. The simulation is only worth
// something while both give the same answers.

import Glibc
import SluiceSimulation
import SluiceSystem
import SystemTesting
import Testing

/// One of the two file systems with an empty folder of its own.
struct Place: CustomTestStringConvertible {
    enum Kind: CaseIterable {
        case real
        case simulated
    }

    let files: any FileSystem
    let folder: String
    private let temporary: TemporaryFolder?

    init(_ kind: Kind) throws {
        switch kind {
        case .real:
            let temporary = try TemporaryFolder()
            (files, folder, self.temporary) = (RealFileSystem(), temporary.path, temporary)
        case .simulated:
            (files, folder, temporary) = (SimulatedFileSystem(), "/data", nil)
            try files.makeFolders(folder)
        }
    }

    var testDescription: String { folder }

    func write(_ name: String, _ parts: [String]) throws {
        let bytes = parts.map { Array($0.utf8) }
        try withPointers(bytes[...], []) { try files.write(folder + "/" + name, $0) }
    }

    private func withPointers(
        _ parts: ArraySlice<[UInt8]>, _ pointers: [UnsafeRawBufferPointer],
        _ body: ([UnsafeRawBufferPointer]) throws -> Void
    ) throws {
        guard let first = parts.first else { return try body(pointers) }
        try first.withUnsafeBytes { try withPointers(parts.dropFirst(), pointers + [$0], body) }
    }

    func text(_ name: String) throws -> String {
        String(decoding: try files.readAll(folder + "/" + name), as: UTF8.self)
    }

    func path(_ name: String) -> String { folder + "/" + name }
}

@Suite("Both file systems")
struct FileSystemConformanceTests {
    @Test("A written file reads back whole, in parts and past its end", arguments: Place.Kind.allCases)
    func readsBack(kind: Place.Kind) throws {
        let place = try Place(kind)
        try place.write("a", ["one ", "", "two ", "three"])
        #expect(try place.text("a") == "one two three")

        let file = try place.files.open(place.path("a"))
        func read(_ offset: Int64, _ count: Int) throws -> String {
            var buffer = [UInt8](repeating: 0, count: count)
            let read = try buffer.withUnsafeMutableBytes { try file.read(at: offset, into: $0) }
            return String(decoding: buffer.prefix(read), as: UTF8.self)
        }
        #expect(try read(4, 3) == "two")
        #expect(try read(8, 100) == "three")
        #expect(try read(13, 5) == "")
        #expect(try read(500, 5) == "")
        #expect(try file.info().byteCount == 13)
    }

    @Test("More parts than one system call takes are written in order", arguments: Place.Kind.allCases)
    func manyParts(kind: Place.Kind) throws {
        let place = try Place(kind)
        let parts = (0..<3000).map { "\($0)\n" }
        // One array holds all bytes, so that the parts need not be nested three thousand deep.
        let bytes = Array(parts.joined().utf8)
        try bytes.withUnsafeBytes { all in
            var pointers: [UnsafeRawBufferPointer] = []
            var start = 0
            for part in parts {
                pointers.append(UnsafeRawBufferPointer(rebasing: all[start..<start + part.utf8.count]))
                start += part.utf8.count
            }
            try place.files.write(place.path("a"), pointers)
        }
        #expect(try place.text("a") == parts.joined())
    }

    @Test("Writing replaces the content and keeps the file's identity", arguments: Place.Kind.allCases)
    func replaces(kind: Place.Kind) throws {
        let place = try Place(kind)
        try place.write("a", ["long content"])
        let before = try #require(try place.files.info(place.path("a")))
        try place.write("a", ["short"])
        let after = try #require(try place.files.info(place.path("a")))
        #expect(try place.text("a") == "short")
        #expect(after.byteCount == 5 && after.kind == .file)
        #expect((before.device, before.inode) == (after.device, after.inode))
    }

    @Test("Appending creates and extends", arguments: Place.Kind.allCases)
    func appends(kind: Place.Kind) throws {
        let place = try Place(kind)
        try place.files.append(place.path("a"), Array("x".utf8))
        try place.files.append(place.path("a"), [])
        try place.files.append(place.path("a"), Array("yz".utf8))
        #expect(try place.text("a") == "xyz")
    }

    @Test("Renaming replaces the target and keeps the identity of what was renamed", arguments: Place.Kind.allCases)
    func renames(kind: Place.Kind) throws {
        let place = try Place(kind)
        try place.write("a", ["new"])
        try place.write("b", ["old"])
        let inode = try place.files.info(place.path("a"))?.inode
        let reader = try place.files.open(place.path("b"))
        try place.files.rename(place.path("a"), to: place.path("b"))
        #expect(try place.files.list(place.folder) == ["b"])
        #expect(try place.text("b") == "new")
        #expect(try place.files.info(place.path("b"))?.inode == inode)
        #expect(try reader.info().inode != inode, "an open file stays what it was")
    }

    @Test("A folder lists files and folders by their bytes", arguments: Place.Kind.allCases)
    func lists(kind: Place.Kind) throws {
        let place = try Place(kind)
        for name in ["b", "a", "é", "Z", ".hidden"] { try place.write(name, [name]) }
        try place.files.makeFolders(place.path("c/deep/er"))
        #expect(try place.files.list(place.folder) == [".hidden", "Z", "a", "b", "c", "é"])
        #expect(try place.files.list(place.path("c")) == ["deep"])
        #expect(try place.files.info(place.path("c"))?.kind == .folder)
        try place.files.makeFolders(place.path("c/deep/er"))
    }

    @Test("What is not there is nil, no error to remove, and an error to open", arguments: Place.Kind.allCases)
    func missing(kind: Place.Kind) throws {
        let place = try Place(kind)
        let files = place.files
        #expect(try files.info(place.path("a")) == nil)
        #expect(try files.info(place.path("a/b")) == nil)
        try files.remove(place.path("a"))
        func code(_ body: () throws(FileError) -> Void) -> Int32? {
            do throws(FileError) { try body() } catch { return error.errno }
            return nil
        }
        #expect(code { () throws(FileError) in _ = try files.open(place.path("a")) } == ENOENT)
        #expect(code { () throws(FileError) in _ = try files.readAll(place.path("a")) } == ENOENT)
        #expect(code { () throws(FileError) in _ = try files.list(place.path("a")) } == ENOENT)
        #expect(code { () throws(FileError) in try files.sync(place.path("a")) } == ENOENT)
        #expect(code { () throws(FileError) in try files.rename(place.path("a"), to: place.path("b")) } == ENOENT)
        #expect(code { () throws(FileError) in try files.append(place.path("no/a"), [1]) } == ENOENT)
        try place.write("file", ["x"])
        #expect(code { () throws(FileError) in _ = try files.list(place.path("file")) } == ENOTDIR)
        #expect(code { () throws(FileError) in try files.makeFolders(place.path("file/below")) } == ENOTDIR)
        #expect(code { () throws(FileError) in try files.append(place.folder, [1]) } == EISDIR)
    }

    @Test("An open file reads on after it was removed", arguments: Place.Kind.allCases)
    func removedWhileOpen(kind: Place.Kind) throws {
        let place = try Place(kind)
        try place.write("a", ["still here"])
        let file = try place.files.open(place.path("a"))
        try place.files.remove(place.path("a"))
        #expect(try place.files.info(place.path("a")) == nil)
        #expect(try file.info().byteCount == 10)
    }

    @Test("A folder is locked once, until the lock is dropped", arguments: Place.Kind.allCases)
    func locks(kind: Place.Kind) throws {
        let place = try Place(kind)
        var first = try place.files.lock(folder: place.folder, note: "lock")
        #expect(first != nil)
        #expect(try place.files.lock(folder: place.folder, note: "lock") == nil)
        first = nil
        #expect(try place.files.lock(folder: place.folder, note: "lock") != nil)
    }

    @Test("Syncing what is there succeeds", arguments: Place.Kind.allCases)
    func syncs(kind: Place.Kind) throws {
        let place = try Place(kind)
        try place.write("a", ["x"])
        try place.files.sync(place.path("a"))
        try place.files.syncFolder(place.folder)
        #expect(try place.text("a") == "x")
    }

    @Test(
        "The folder a path stands in",
        arguments: [("/a/b", "/a"), ("/a", "/"), ("a", "."), ("a/b/", "a"), ("/", "/"), ("a//b", "a")])
    func parents(path: String, parent: String) {
        #expect(parentFolder(of: path) == parent)
    }
}

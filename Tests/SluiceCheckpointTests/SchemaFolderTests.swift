// What sources keep of registries in a checkpoint: whole or not there.

import SluiceCheckpoint
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import SystemTesting
import Testing

@Suite struct SchemaFolderTests {
    private let files = SimulatedFileSystem()
    private let lines = LogLines()
    private let value = JSONValue.object(["id": .integer(7), "schema": .string(#"{"type":"long"}"#)])

    private var folder: SchemaFolder { SchemaFolder(checkpoint: "/c", fileSystem: files, log: lines.log) }

    private func replace(_ path: String, _ bytes: [UInt8]) throws {
        try files.remove(path)
        try files.append(path, bytes)
    }

    @Test func `What is kept is there again, under any name`() throws {
        for name in ["visits-7", "a/b ü-7", ".."] {
            #expect(folder.value(name) == nil)
            folder.keep(value, as: name)
            #expect(folder.value(name)?["schema"] == value["schema"], "\(name)")
        }
        #expect(try files.list("/c/schemas").sorted() == ["%2E%2E", "a%2Fb%20%C3%BC-7", "visits-7"])
        #expect(lines.all.isEmpty)
    }

    @Test func `A file that is torn is none, and one that is damaged is none and said`() throws {
        folder.keep(value, as: "visits-7")
        let path = "/c/schemas/visits-7"
        let whole = try files.readAll(path)
        for count in 0..<whole.count {
            try replace(path, Array(whole.prefix(count)))
            #expect(folder.value("visits-7") == nil, "\(count) bytes")
        }
        #expect(lines.all.isEmpty, "\(lines.all)")
        for place in whole.indices {
            var bytes = whole
            bytes[place] ^= 1
            try replace(path, bytes)
            #expect(folder.value("visits-7") == nil, "byte \(place)")
        }
        #expect(lines.all.contains { $0.contains("/c/schemas/visits-7") })
    }

    @Test func `Where nothing can be written a restart asks again, and that is said`() throws {
        try files.append("/c", [])
        folder.keep(value, as: "visits-7")
        #expect(folder.value("visits-7") == nil)
        #expect(lines.all.contains { $0.contains("a restart needs its registry") }, "\(lines.all)")
    }
}

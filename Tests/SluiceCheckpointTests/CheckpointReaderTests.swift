// A checkpoint that is only read, while a query may be running on it.

import SluiceCheckpoint
import SluiceSimulation
import SluiceSystem
import Testing

@Suite struct CheckpointReaderTests {
    @Test func `What is gone or not whole while it is read is passed over, what is damaged is not`() throws {
        let made = try OrdinaryCheckpoint()
        let files = made.copy()
        let reader = CheckpointReader(folder: "/cp/q", fileSystem: files)
        let all = try reader.committedBatches()
        #expect(all.map(\.commit.batch).suffix(3) == [117, 118, 119] && all.allSatisfy { $0.commit.cost == nil })
        #expect(all.allSatisfy { $0.offsets.batch == $0.commit.batch })
        try files.remove("/cp/q/offsets/117")
        let bytes = try files.readAll("/cp/q/commits/119")
        try files.edit("/cp/q/commits/119", Array(bytes.prefix(40)))
        let some = try reader.committedBatches().map(\.commit)
        #expect(some == all.map(\.commit).filter { $0.batch != 117 && $0.batch != 119 })
        try files.edit("/cp/q/commits/118", bytes.map { $0 == UInt8(ascii: "1") ? UInt8(ascii: "2") : $0 })
        #expect(throws: CheckpointError.self) {
            try reader.committedBatches()
        }
        let none = CheckpointReader(folder: "/none", fileSystem: files)
        #expect(try none.committedBatches().isEmpty && none.metadata() == nil)
    }
}

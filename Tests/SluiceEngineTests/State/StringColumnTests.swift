// A string column of a state file gives back every byte, whatever form it was written in; and ids that look alike take
// few bytes.

import SluiceSystem
import Testing

@testable import SluicePlan
@testable import SluiceEngine
@testable import SluiceSpec

@Suite("String columns of state")
struct StringColumnTests {
    /// Values as they stand in packed rows, written and read back.
    private func roundTrip(_ values: [String]) throws -> (values: [String], byteCount: Int) {
        var arena = ByteBuffer()
        var builder = RowBuilder(layout: RowLayout(types: [.string]))
        var writer = StringColumnWriter()
        var positions: [Int] = []
        for value in values {
            positions.append(arena.count)
            builder.begin(&arena)
            Array(value.utf8).withUnsafeBytes { builder.set(0, bytes: $0, in: &arena) }
            _ = builder.finish(&arena)
        }
        for position in positions { writer.append(PackedRow(base: arena.base + position, slotsOffset: 8).bytes(0)) }
        var block = ByteBuffer()
        writer.write(into: &block)
        var reader = try StringColumnReader(
            SegmentReader(block.bytes), valueCount: values.count, version: segmentVersion)
        var read: [String] = []
        for _ in values {
            var row = ByteBuffer()
            builder.begin(&row)
            try reader.next(0, builder, into: &row)
            _ = builder.finish(&row)
            read.append(String(decoding: PackedRow(base: row.base, slotsOffset: 8).bytes(0), as: UTF8.self))
        }
        return (read, block.count)
    }

    @Test(
        "Every byte comes back",
        arguments: [
            [], [""], ["", ""], ["a"], ["7"], ["0"], ["00"], ["visit-000123", "visit-000119", "visit-000131"],
            ["order-9", "order-10", "order-11"], ["order-9", "order-09"], ["1", "01"], ["ab12cd", "ab13cd", "ab12c"],
            ["same", "same", "same"], ["2024-01-01", "2024-01-02"], ["x1y", "x12y", "x1y2y"],
            ["999999999999999999", "000000000000000001"], ["9999999999999999999", "1"], ["-5", "-6"],
            ["é1", "é2"], ["aaaa", "aa", "aaa"], ["1a1", "1a11"], ["12345678", "87654321", "1234567"],
        ])
    func comesBack(_ values: [String]) throws {
        #expect(try roundTrip(values).values == values)
    }

    @Test("Random columns come back", arguments: 0..<300)
    func randomColumns(seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed))
        let alphabet = Array(seed % 3 == 0 ? "01" : seed % 3 == 1 ? "0189ab/" : "0123456789")
        func text(_ length: ClosedRange<Int>) -> String {
            String((0..<Int.random(in: length, using: &random)).map { _ in alphabet.randomElement(using: &random)! })
        }
        let (prefix, suffix) = (text(0...20), text(0...12))
        let lengths = Bool.random(using: &random) ? 6...6 : 0...20
        let values = (0..<Int.random(in: 1...200, using: &random)).map { _ in prefix + text(lengths) + suffix }
        #expect(try roundTrip(values).values == values, "seed \(seed)")
    }

    @Test("Numbered ids take a byte or two each, padded or not")
    func idsAreSmall() throws {
        let padded = (0..<1000).map { "visit-" + String(1_000_000 + $0 * 7).dropFirst() + ".html" }
        #expect(try roundTrip(padded).byteCount < 1000 + 30)
        let plain = (0..<1000).map { "user-\($0 * 7)" }
        #expect(try roundTrip(plain).byteCount < 1000 + 30)
    }

    @Test("A number that does not have its digits is an error")
    func badDigits() {
        var block = ByteBuffer()
        block.append(contentsOf: [1, 0, 0, 3, 0xD0, 0x0F])  // width 3, +1000
        #expect(throws: StateError.self) {
            var reader = try StringColumnReader(SegmentReader(block.bytes), valueCount: 1, version: segmentVersion)
            var row = ByteBuffer()
            var builder = RowBuilder(layout: RowLayout(types: [.string]))
            builder.begin(&row)
            try reader.next(0, builder, into: &row)
        }
    }
}

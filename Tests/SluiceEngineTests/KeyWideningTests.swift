// Numbers of unlike types as keys of a join: which values meet, as real Spark has brought them together
// (Spark/keys.json), and that values that meet have one hash, without which they would not find each other.

import SluicePlan
import SluiceSpec
import Testing

@testable import SluiceEngine

private struct KeyTruth: Decodable {
    struct Case: Decodable {
        var left: String
        var right: String
        var pairs: [[Int]]?
        var nullSafePairs: [[Int]]?
    }
    var values: [String: [String?]]
    var cases: [Case]
}

@Suite struct KeyWideningTests {
    private func rows(_ values: [String?], _ type: DataType) throws -> [TestRow] {
        try values.map { text in
            guard let text else { return TestRow([type], [.null]) }
            // A cast that Spark has made too.
            let value = compute(cast(literal(.string(text), .string), type))
            try #require(value != .null)
            return TestRow([type], [value])
        }
    }

    private func met(
        _ lefts: [TestRow], _ rights: [TestRow], _ types: [[DataType]], isNullSafe: Bool
    ) -> [[Int]] {
        let keys = [JoinKey(left: 0, right: 0, isNullSafe: isNullSafe)]
        let (left, right) = (
            JoinKeyColumns(keys, side: 0, types: types), JoinKeyColumns(keys, side: 1, types: types)
        )
        var pairs: [[Int]] = []
        for (l, leftRow) in lefts.enumerated() {
            for (r, rightRow) in rights.enumerated() {
                let (a, b) = (packed(leftRow), packed(rightRow))
                let (first, second) = (left.hash(a), right.hash(b))
                let isEqual =
                    !first.neverMatches && !second.neverMatches && left.areEqual(a, b, hasWidenings: left.hasWidenings)
                if isEqual { #expect(first.hash == second.hash, "\(types) \(l) \(r)") }
                if !first.neverMatches, !second.neverMatches {
                    #expect(right.areEqual(b, a, hasWidenings: right.hasWidenings) == isEqual)
                }
                if isEqual { pairs.append([l, r]) }
            }
        }
        return pairs
    }

    private func packed(_ row: TestRow) -> PackedRow {
        PackedRow(base: row.pointer, slotsOffset: row.layout.slotsOffset)
    }

    @Test func `Keys of unlike numbers meet as in Spark`() throws {
        let truth = try sparkFixture("keys.json", as: KeyTruth.self)
        var compared = 0
        for item in truth.cases {
            guard let pairs = item.pairs, let nullSafePairs = item.nullSafePairs else { continue }
            let types = try [item.left, item.right].map { try #require(DataType($0)) }
            let lefts = try rows(try #require(truth.values[item.left]), types[0])
            let rights = try rows(try #require(truth.values[item.right]), types[1])
            #expect(met(lefts, rights, types.map { [$0] }, isNullSafe: false) == pairs, "\(item.left) = \(item.right)")
            #expect(
                met(lefts, rights, types.map { [$0] }, isNullSafe: true) == nullSafePairs,
                "\(item.left) <=> \(item.right)")
            compared += 1
        }
        #expect(compared > 60)
    }
}

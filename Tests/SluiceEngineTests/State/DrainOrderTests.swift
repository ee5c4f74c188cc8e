// Rows leave a bucket by time, and by insertion within one time, however many there are and whenever they came.

import SluiceSystem
import Testing

@testable import SluiceEngine

@Suite("The order in which rows leave")
struct DrainOrderTests {
    @Test("Items come out as a plain sort would have them", arguments: 0..<60)
    func sorted(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        let span = [Int64(1), 50, 3_000, 5_000_000, 7_200_000_000, .max].randomElement(using: &random)!
        let first = Int64.random(in: -1_000_000_000...1_000_000_000, using: &random)
        let last = first.addingReportingOverflow(span).overflow ? Int64.max : first + span
        let count = [20, 500, 6_000].randomElement(using: &random)! - Int.random(in: 0...20, using: &random)
        let items = (0..<count).map { index in
            DrainOrder.Item(
                time: Int64.random(in: first...last, using: &random), position: index * 8, ordinal: UInt32(index))
        }
        var order = DrainOrder()
        order.build(items, times: first...last)
        var stragglers: [DrainOrder.Item] = []
        for index in 0..<Int.random(in: 0...20, using: &random) {
            let item = DrainOrder.Item(
                time: Int64.random(in: first...last, using: &random), position: (count + index) * 8,
                ordinal: UInt32(count + index))
            stragglers.append(item)
            order.add(item)
        }
        let expected = (items + stragglers).sorted { ($0.time, $0.position) < ($1.time, $1.position) }
        let threshold = Int64.random(in: first...last, using: &random)
        var found: [DrainOrder.Item] = []
        while let item = order.next(through: threshold) { found.append(item) }
        #expect(found.map(\.ordinal) == expected.filter { $0.time <= threshold }.map(\.ordinal), "seed \(seed)")
        while let item = order.next(through: .max) { found.append(item) }
        #expect(found.map(\.ordinal) == expected.map(\.ordinal), "seed \(seed)")
    }
}

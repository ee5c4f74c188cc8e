// No hash of a row that is in state is ever missing, and what has left does not pile up.

import SluiceSystem
import Testing

@testable import SluiceEngine

@Suite struct SeenHashesTests {
    @Test(arguments: 0..<40)
    func `Every live hash is there, and twice the live ones at most stay`(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        var seen = SeenHashes()
        let keptMicros = [Int64(50), 1000, 20_000].randomElement(using: &random)!
        // Hashes of one shard of many agree in some bits.
        let mask = [UInt64.max, 0xFFFF_FFFF_0000_0FFF, 0x0000_0000_FFFF_FFFF, 0xFF].randomElement(using: &random)!
        var live: [(hash: UInt64, time: Int64)] = []
        var most = 0
        for batch in 0..<60 {
            let now = Int64(batch) * 400
            for _ in 0..<Int.random(in: 0...300, using: &random) {
                let hash = random.next() & mask
                let time = now + keptMicros - Int64.random(in: 0...keptMicros, using: &random)
                seen.insert(hash, time: time)
                live.append((hash, time))
            }
            most = max(most, live.count)
            #expect(live.allSatisfy { seen.mayContain($0.hash) }, "seed \(seed), batch \(batch)")
            seen.forget(through: now)
            live.removeAll { $0.time <= now }
            #expect(live.allSatisfy { seen.mayContain($0.hash) }, "seed \(seed), batch \(batch)")
        }
        // Half full at most; two generations, each of what comes while rows stay.
        #expect(seen.byteCount <= 2 * 16 * max(most, 256) * 2, "seed \(seed): \(seen.byteCount) bytes")
        seen.forget(through: .max - 1)
        #expect(seen.byteCount == 0)
    }

    @Test func `A hash that nobody has put in is hardly ever there`() {
        var random = SplitMix64(seed: 7)
        var seen = SeenHashes()
        for _ in 0..<10_000 { seen.insert(random.next(), time: 1) }
        let found = (0..<100_000).count { _ in seen.mayContain(random.next()) }
        #expect(found < 10, "10,000 of 4 billion are there: \(found) of 100,000 should be none")
    }
}

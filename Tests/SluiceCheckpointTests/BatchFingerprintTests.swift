// A sink tells a batch that it has already from another one of the same number by the batch's fingerprint.

import SluiceConnectors
import SluiceCheckpoint
import Testing

@Suite struct BatchFingerprintTests {
    private func entry(
        start: Int64 = 0, end: Int64 = 10, watermarkMillis: Int64 = 0, taken: [String: Int64] = [:]
    ) -> OffsetsEntry {
        OffsetsEntry(
            batch: 3, batchTimeMillis: 1000, lateWatermarkMillis: 0, evictionWatermarkMillis: watermarkMillis,
            isNoData: false,
            sources: [
                SourceBatch(
                    source: "s", ranges: [OffsetRange(partition: "p", start: start, end: end)],
                    next: SourceOffsets(taken.merging(["p": end]) { $1 }))
            ])
    }

    @Test func `What was taken before a batch does not change its fingerprint`() {
        #expect(entry(taken: ["older": 5]).fingerprint == entry().fingerprint)
    }

    @Test func `What tells files apart does not change it either`() {
        var marked = entry()
        marked.sources[0].marks = ["p": "1 2 3"]
        #expect(marked.fingerprint == entry().fingerprint)
    }

    @Test func `What a batch reads, and its watermarks, do`() {
        #expect(entry(end: 11).fingerprint != entry().fingerprint)
        #expect(entry(start: 1).fingerprint != entry().fingerprint)
        #expect(entry(watermarkMillis: 1).fingerprint != entry().fingerprint)
    }
}

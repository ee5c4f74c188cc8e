// A point in time on both clocks.

internal import SluiceSystem

/// When something happened: as the wall clock said, and so that its age can be told whoever sets that clock.
struct Moment: Hashable, Sendable {
    let wallMillis: Int64
    let nanos: UInt64

    init(_ clock: any Clock) {
        wallMillis = clock.wallMillis
        nanos = clock.monotonicNanos
    }

    func millis(since other: Moment) -> Int64 { Int64(nanos / 1_000_000) - Int64(other.nanos / 1_000_000) }
}

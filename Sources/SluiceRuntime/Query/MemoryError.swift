// Why a query stops for want of memory, with the numbers and what to do. It stops before its batch is committed, so
// nothing is lost: the batch stays planned and is run again by the next start.

internal import SluiceSystem

struct MemoryError: Error, Hashable, CustomStringConvertible {
    enum Reason: Hashable {
        /// `state.max_bytes` of the spec.
        case state(byteCountMax: Int64)
        /// `run --max-memory`, or its default.
        case process(byteCount: Int64, byteCountMax: Int64)
        /// The system gives no more.
        case system
    }

    var reason: Reason
    var batch: Int64
    var stateRows: Int
    var stateByteCount: Int

    init(_ reason: Reason, batch: Int64, stateRows: Int, stateByteCount: Int) {
        self.reason = reason
        self.batch = batch
        self.stateRows = stateRows
        self.stateByteCount = stateByteCount
    }

    /// A stable name.
    var code: String {
        switch reason {
        case .state: "state-too-large"
        case .process, .system: "out-of-memory"
        }
    }

    var description: String {
        let state = "\(stateRows) rows in state take \(megabytes(Int64(stateByteCount)))"
        let smaller =
            "plan the batch anew with less input (`max_bytes_per_trigger` or `max_offsets_per_trigger` on the sources, "
            + "then `sluice checkpoint replan`), or keep rows for a shorter time (bounds, delays)"
        switch reason {
        case .state(let byteCountMax):
            return "batch \(batch) is not committed, as its state would pass `state.max_bytes`: \(state) of "
                + "\(megabytes(byteCountMax)): raise `state.max_bytes`, \(smaller)"
        case .process(let byteCount, let byteCountMax):
            return "batch \(batch) is given up, as the process uses \(megabytes(byteCount)) of "
                + "\(megabytes(byteCountMax)) that it may (`run --max-memory`), and \(state): give it more, \(smaller)"
        case .system:
            return
                "batch \(batch) is given up, as the system has no more memory for the process, and \(state): give it "
                + "more, \(smaller)"
        }
    }
}

/// For people: with the unit that leaves three digits or fewer before the point.
private func megabytes(_ byteCount: Int64) -> String {
    let mebibytes = Double(byteCount) / 1_048_576
    let tenths = (mebibytes * 10).rounded() / 10
    return mebibytes < 1 ? "\(byteCount) bytes" : "\(tenths) MiB"
}

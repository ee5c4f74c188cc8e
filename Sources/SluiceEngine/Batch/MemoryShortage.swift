// One worker that meets the end of the memory stops all that work on the batch: what it has given up is little.

internal import CMemory

/// Raised by whoever is short of memory while a batch runs.
@safe final class MemoryShortage: @unchecked Sendable {
    // @unchecked: the flag is atomic.
    private let flag: UnsafeMutablePointer<sluice_flag>

    init() {
        unsafe flag = .allocate(capacity: 1)
        unsafe flag.initialize(to: sluice_flag(is_raised: 0))
    }

    deinit { unsafe flag.deallocate() }

    /// A batch begins.
    func begin() { unsafe sluice_lower(flag) }

    /// Whether a worker of this batch has met it, this thread maybe just now.
    var isMet: Bool {
        if sluice_memory_is_short() != 0 {
            unsafe sluice_raise(flag)
            sluice_forget_memory_shortage()
        }
        return unsafe sluice_is_raised(flag) != 0
    }

    /// Finds out whether there is room for so many bytes that will be asked for in pieces.
    func checkRoom(_ byteCount: Int) { _ = sluice_has_room(byteCount) }
}

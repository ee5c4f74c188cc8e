// How the process holds its memory and how many files it may open; set once, at its start.

internal import CMemory
internal import Glibc

/// Lets memory follow what is in use: large blocks go back to the system when they are freed.
package func giveBackLargeBlocks() { sluice_give_back_large_blocks() }

/// Allows as many open files as the system lets this process have. What most systems begin with, 1,024, is for programs
/// that use `select`; thirty Kafka queries need more.
package func raiseOpenFileLimit() {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max
    else { return }
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

/// How many files this process may open at once; nil where that is not known.
package var openFileLimit: Int? {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
    return Int(clamping: limit.rlim_cur)
}

/// Keeps a block of memory for the case that there is no more: an allocation of rows, indexes or output that fails then
/// goes through with it, and the query that wanted it is given up. It costs nothing as long as it is not used.
package func keepMemoryReserve() { sluice_keep_memory_reserve(64 << 20) }

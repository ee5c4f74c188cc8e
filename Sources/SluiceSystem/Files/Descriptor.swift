// The two loops everybody gets wrong once: reading and writing a descriptor in full although signals interrupt the
// call and the kernel may take less than it was given. Files, the log and the standard streams all go through here.

internal import Glibc

/// Repeats a system call that a signal interrupted.
func uninterrupted<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result != -1 || errno != EINTR { return result }
    }
}

/// Waits until a descriptor that would block can be used; for descriptors somebody made non-blocking.
private func waitUntilReady(_ descriptor: Int32, _ event: Int32) {
    var request = pollfd(fd: descriptor, events: Int16(event), revents: 0)
    _ = uninterrupted { unsafe poll(&request, 1, -1) }
}

/// Reads once, up to `buffer.count` bytes, waiting until there is something. 0 is the end; on failure the negated
/// errno.
package func readSome(from descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    while true {
        let count = uninterrupted { unsafe read(descriptor, buffer.baseAddress, buffer.count) }
        if count >= 0 { return count }
        guard errno == EAGAIN else { return -Int(errno) }
        waitUntilReady(descriptor, POLLIN)
    }
}

/// Writes `parts` one after another, all of them. 0, or the errno of the call that failed; then an unknown part of
/// the bytes has been written.
package func writeFully(to descriptor: Int32, _ parts: [UnsafeRawBufferPointer]) -> Int32 {
    /// How many parts one call takes (the kernel's IOV_MAX).
    let vectorLimit = 1024
    var vectors = unsafe [iovec]()
    unsafe vectors.reserveCapacity(min(parts.count, vectorLimit))
    var next = unsafe parts.startIndex
    while unsafe next < parts.endIndex || !vectors.isEmpty {
        while unsafe next < parts.endIndex, unsafe vectors.count < vectorLimit {
            let part = unsafe parts[next]
            next += 1
            guard part.count > 0 else { continue }
            unsafe vectors.append(
                iovec(iov_base: UnsafeMutableRawPointer(mutating: part.baseAddress), iov_len: part.count))
        }
        if unsafe vectors.isEmpty { break }
        let written = uninterrupted { unsafe writev(descriptor, vectors, Int32(vectors.count)) }
        if written < 0 {
            guard errno == EAGAIN else { return errno }
            waitUntilReady(descriptor, POLLOUT)
            continue
        }
        unsafe dropFirst(written, from: &vectors)
    }
    return 0
}

/// Takes the first `byteCount` bytes out of `vectors`.
private func dropFirst(_ byteCount: Int, from vectors: inout [iovec]) {
    var left = byteCount
    var whole = 0
    while unsafe whole < vectors.count, unsafe vectors[whole].iov_len <= left {
        left -= unsafe vectors[whole].iov_len
        whole += 1
    }
    unsafe vectors.removeFirst(whole)
    if left > 0 {
        unsafe vectors[0].iov_base += left
        unsafe vectors[0].iov_len -= left
    }
}

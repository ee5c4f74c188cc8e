// Growable raw memory with one owner: arenas of rows, encoded output, state deltas. malloc and realloc rather than an
// Array because realloc of a large block moves page tables and not bytes, and because rows want 8-byte alignment.

internal import CMemory
internal import Glibc

/// A growable block of bytes, freed with its owner. Appending is amortised O(bytes).
@safe package struct ByteBuffer: ~Copyable {
    /// At least `capacity` bytes, 16-byte aligned; dangling only while `capacity` is 0.
    package private(set) var base: UnsafeMutableRawPointer
    package private(set) var capacity: Int
    /// How many bytes are in use.
    package private(set) var count = 0

    package init(capacity: Int = 0) {
        unsafe base = unsafe UnsafeMutableRawPointer(bitPattern: 16)!
        self.capacity = 0
        if capacity > 0 { reserve(capacity) }
    }

    deinit {
        if capacity > 0 { unsafe free(base) }
    }

    /// Makes room for `additional` more bytes. O(1) when there is room.
    @inline(__always)
    package mutating func reserve(_ additional: Int) {
        if count &+ additional > capacity { grow(additional) }
    }

    @inline(never)
    private mutating func grow(_ additional: Int) {
        let wanted = max(count + additional, capacity + capacity / 2, 64)
        var granted = 0
        let grown = unsafe sluice_grow(capacity > 0 ? base : nil, wanted, count + additional, &granted)
        guard let grown = unsafe grown else { fatalError("out of memory: \(wanted) bytes for a buffer") }
        unsafe base = grown
        capacity = granted
    }

    /// Keeps the memory and forgets the content.
    package mutating func removeAll() { count = 0 }

    /// Forgets the content and keeps memory for as much again; what an earlier, much larger content had is given back.
    package mutating func recycle() {
        if capacity > max(4 * count, 64 << 10) {
            unsafe free(base)
            unsafe base = unsafe UnsafeMutableRawPointer(bitPattern: 16)!
            capacity = 0
        }
        count = 0
    }

    /// Shortens to `newCount` bytes.
    @inline(__always)
    package mutating func truncate(to newCount: Int) {
        precondition(newCount >= 0 && newCount <= count)
        count = newCount
    }

    /// Takes bytes away from the front. O(count).
    package mutating func removeFirst(_ byteCount: Int) {
        precondition(byteCount >= 0 && byteCount <= count)
        count -= byteCount
        unsafe memmove(base, base + byteCount, count)
    }

    /// Says that `byteCount` bytes behind the end have been written; `reserve` has made the room.
    @inline(__always)
    package mutating func advance(by byteCount: Int) {
        precondition(byteCount >= 0 && count &+ byteCount <= capacity)
        count &+= byteCount
    }

    @inline(__always)
    package mutating func append(_ byte: UInt8) {
        reserve(1)
        unsafe base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    @inline(__always)
    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 0, let source = bytes.baseAddress else { return }
        reserve(bytes.count)
        unsafe (base + count).copyMemory(from: source, byteCount: bytes.count)
        count &+= bytes.count
    }

    package mutating func append(contentsOf bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { bytes in unsafe append(bytes) }
    }

    package mutating func append(_ text: StaticString) {
        unsafe append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// The bytes in use; valid until the next mutation.
    @inline(__always)
    package var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: base, count: count)
    }

    /// A copy as an array.
    package func array() -> [UInt8] { unsafe Array(bytes) }
}

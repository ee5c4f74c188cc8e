// What evaluating expressions needs for itself: registers, and memory for the strings that expressions make. One per
// worker, so that any number of workers run the same program at once.

internal import Glibc

/// Registers and string memory, reused from row to row; in steady state nothing is allocated.
@safe struct EvaluationScratch: ~Copyable {
    private(set) var registers: UnsafeMutablePointer<Register>
    private var registerCapacity = 0
    // Strings are cut from a block that never moves while registers may point into it: a full block is put aside until
    // the next evaluation begins, which replaces all blocks by one of their common size.
    private var block: UnsafeMutableRawPointer
    private var blockCapacity = 0
    private var blockCount = 0
    private var fullBlocks: [UnsafeMutableRawPointer] = unsafe []
    private var fullByteCount = 0
    /// For text that is made in pieces.
    var text = ByteBuffer()
    private var zones: TimeZones?
    private var functionMemory: FunctionMemory?

    init() {
        unsafe registers = .allocate(capacity: 16)
        registerCapacity = 16
        blockCapacity = 256
        unsafe block = .allocate(byteCount: 256, alignment: 16)
    }

    deinit {
        unsafe registers.deallocate()
        unsafe block.deallocate()
        for index in unsafe fullBlocks.indices { unsafe fullBlocks[index].deallocate() }
    }

    /// Forgets the strings of the last evaluation and makes room for `registerCount` registers.
    @inline(__always)
    mutating func begin(registerCount: Int) {
        blockCount = 0
        if registerCount > registerCapacity || fullByteCount > 0 { enlarge(registerCount: registerCount) }
    }

    @inline(never)
    private mutating func enlarge(registerCount: Int) {
        if registerCount > registerCapacity {
            unsafe registers.deallocate()
            unsafe registers = .allocate(capacity: registerCount)
            registerCapacity = registerCount
        }
        guard fullByteCount > 0 else { return }
        while let full = unsafe fullBlocks.popLast() { unsafe full.deallocate() }
        unsafe block.deallocate()
        blockCapacity += fullByteCount
        fullByteCount = 0
        unsafe block = .allocate(byteCount: blockCapacity, alignment: 16)
    }

    /// Memory for a string of at most `byteCount` bytes; `keep` says how many were used. O(1) amortised.
    @inline(__always)
    mutating func space(_ byteCount: Int) -> UnsafeMutableRawPointer {
        if byteCount > blockCapacity &- blockCount { addBlock(byteCount) }
        return unsafe block + blockCount
    }

    @inline(never)
    private mutating func addBlock(_ byteCount: Int) {
        unsafe fullBlocks.append(block)
        fullByteCount += blockCapacity
        blockCapacity = max(byteCount, blockCapacity)
        unsafe block = .allocate(byteCount: blockCapacity, alignment: 16)
        blockCount = 0
    }

    /// Calls `body` with a worker's own memory of time zones.
    mutating func withZones<Result>(of program: CompiledProgram, _ body: (inout TimeZones) -> Result) -> Result {
        var zones = self.zones ?? program.zones
        self.zones = nil
        defer { self.zones = zones }
        return body(&zones)
    }

    /// What regular expressions and their like need. O(1) after the first use.
    var memory: FunctionMemory {
        mutating get {
            if let functionMemory { return functionMemory }
            let made = FunctionMemory()
            functionMemory = made
            return made
        }
    }

    /// Takes the first `byteCount` bytes of the memory that `space` gave last.
    @inline(__always)
    mutating func keep(_ byteCount: Int) -> Register {
        precondition(byteCount >= 0 && byteCount <= blockCapacity &- blockCount)
        let start = unsafe block + blockCount
        blockCount &+= byteCount
        return unsafe Register(bytes: UnsafeRawBufferPointer(start: start, count: byteCount))
    }
}

// The structure of a block of records, and the hand that walks over it. simdjson's first stage gives the positions of
// all structural characters of the block: `{ } [ ] : ,`, opening quotes and the first bytes of other scalars. It has
// also checked that the block is UTF-8, that strings are closed and hold no control characters, so that no string
// reaches over the line end behind a record. A block that it refuses is halved until the record at fault stands alone.

internal import CSimdJSON

@safe struct JSONWalk: ~Copyable {
    /// The first byte of the chunk behind the current block.
    private(set) var end = 0
    /// False when the current block is one record that the indexer refuses.
    private(set) var isIndexed = false
    /// Where the current block begins in the chunk; structural positions count from there.
    private(set) var blockStart = 0
    /// Positions in the block, ascending; the block's byte count follows them twice.
    private(set) var structurals: UnsafePointer<UInt32>
    /// The next structural character that has not been read.
    var cursor = 0
    /// The inner nodes that the record in hand has had, a bit each; those that share one count as had.
    var visitedNodes: UInt64 = 0
    /// The node whose object is being walked, and what its names are hashed with.
    var node = 0
    var nodeSeed: UInt64 = 0
    /// Content of strings with escapes.
    var unescaped = ByteBuffer()

    private let indexer: OpaquePointer
    private var blockByteCountMax = JSONWalk.blockByteCountLimit
    /// At least the next backslash at or behind the last place asked for, in the chunk.
    private var nextBackslash = 0

    /// Text and structure of a block stay in the second-level cache together.
    private static let blockByteCountLimit = 128 << 10

    init() {
        guard let indexer = unsafe sluice_json_indexer_create() else { fatalError("out of memory: a JSON indexer") }
        unsafe self.indexer = unsafe indexer
        unsafe structurals = unsafe UnsafePointer(bitPattern: 16)!
    }

    deinit { unsafe sluice_json_indexer_destroy(indexer) }

    /// Forgets the last chunk.
    mutating func begin() {
        end = 0
        isIndexed = false
        nextBackslash = 0
    }

    /// Makes the records from `start` on the current block.
    @inline(never)
    mutating func index(_ text: UnsafeRawPointer, from start: Int, _ bounds: RecordBounds) {
        while true {
            end = unsafe bounds.lastEnd(text, from: start, byteCountMax: blockByteCountMax)
            var positions: UnsafePointer<UInt32>?
            var count = 0
            let block = unsafe (text + start).assumingMemoryBound(to: UInt8.self)
            let error = unsafe sluice_json_index(indexer, block, end - start, &positions, &count)
            if error == 0, let positions = unsafe positions {
                isIndexed = true
                blockStart = start
                unsafe structurals = unsafe positions
                cursor = 0
                blockByteCountMax = min(blockByteCountMax * 2, JSONWalk.blockByteCountLimit)
                return
            }
            if unsafe bounds.firstEnd(text, from: start) >= end {
                isIndexed = false
                return
            }
            blockByteCountMax = max(1, (end - start) / 2)
        }
    }

    /// True when a structural character that has not been read stands before a place in the chunk.
    @inline(__always)
    func hasStructure(before place: Int) -> Bool {
        unsafe Int(structurals[cursor]) < place &- blockStart
    }

    /// Skips to the structural characters at or behind a place in the chunk.
    @inline(__always)
    mutating func skip(to place: Int) {
        // The byte count behind the positions stops this at the block's end.
        while hasStructure(before: place) { cursor &+= 1 }
    }

    /// True when there is a backslash in a part of the block. Parts must be asked for in ascending order.
    @inline(__always)
    mutating func hasBackslash(_ text: UnsafeRawPointer, in range: Range<Int>) -> Bool {
        if nextBackslash < range.lowerBound {
            nextBackslash = unsafe findByte(UInt8(ascii: "\\"), in: text, from: range.lowerBound, to: end)
        }
        return nextBackslash < range.upperBound
    }
}

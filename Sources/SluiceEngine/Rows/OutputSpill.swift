// Where output goes that would fill the memory: a hot key can turn a megabyte of input into gigabytes of pairs. While a
// batch runs, whoever encodes rows keeps some of them in memory and gives segments of whole rows away; sinks get them
// back in order, one segment at a time. What a batch puts out does not depend on where it is cut.

/// Why a segment cannot be put away or read back.
package struct SpillError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What happened, and what to do.
    package var description: String
    /// True when trying again later may work.
    package var isRetriable: Bool

    package init(description: String, isRetriable: Bool) {
        self.description = description
        self.isRetriable = isRetriable
    }
}

/// Whole rows that were put away.
package struct SpilledSegment: Hashable, Sendable {
    /// Where its bytes begin: text, then records, then keys.
    package var offset: Int64
    package var textByteCount: Int
    package var recordsByteCount: Int
    package var keysByteCount: Int

    package init(offset: Int64, textByteCount: Int, recordsByteCount: Int, keysByteCount: Int) {
        self.offset = offset
        self.textByteCount = textByteCount
        self.recordsByteCount = recordsByteCount
        self.keysByteCount = keysByteCount
    }
}

/// Keeps the segments of one batch. From any thread.
package protocol OutputSpill: AnyObject, Sendable {
    func append(_ segment: OutputBytes) throws(SpillError) -> SpilledSegment
    /// Fills `output`, which is empty.
    func read(_ segment: SpilledSegment, into output: OutputBytes) throws(SpillError)
}

/// What a batch may use.
package struct BatchResources: Sendable {
    /// nil: all output stays in memory.
    package var spill: (any OutputSpill)?
    /// About so much of a batch's output stays in memory, per encoding.
    package var outputByteCountMax = 256 << 20
    /// Asked once for every chunk that is worked on: true when the process has no more memory to give to this batch.
    package var isMemoryShort: @Sendable () -> Bool = { false }

    package init(spill: (any OutputSpill)? = nil) { self.spill = spill }
}

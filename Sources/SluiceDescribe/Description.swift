// What was found in a sample, and how it is written.

package import SluiceSpec

/// A source for a sample, with the facts that it was found by.
package struct Description: Sendable {
    package var name: String
    var source: SourceDraft
    package var recordCount: Int
    /// Why records are bad, with how many.
    package var badReasons: [(reason: String, count: Int)]
    /// The likeliest first.
    package var eventTimes: [EventTimeCandidate]
    /// Sentences on what was not sure, or is not in the source.
    package var notes: [String]
    var head: String

    package var badCount: Int { badReasons.reduce(0) { $0 + $1.count } }

    /// The map `sources`, with comments.
    package var yaml: String {
        ([head] + notes).map { "# \($0)\n" }.joined() + source.yaml
    }

    /// The same as an object: `sources` as a spec has it, and the facts beside it.
    package var json: JSONValue {
        .object([
            "sources": .object([JSONMember(name, source.value)]),
            "sample": .object([
                "records": .integer(Int64(recordCount)), "badRecords": .integer(Int64(badCount)),
                "badShare": .double(recordCount == 0 ? 0 : Double(badCount) / Double(recordCount)),
                "badReasons": .object(badReasons.map { JSONMember($0.reason, .integer(Int64($0.count))) }),
                "eventTimes": .array(
                    eventTimes.map { time in
                        .object([
                            "column": .string(time.column), "disorderMs": .integer(time.disorderMicros / 1000),
                            "lateRows": .integer(Int64(time.lateCount)), "oldestMs": .integer(time.oldestMicros / 1000),
                            "newestMs": .integer(time.newestMicros / 1000),
                        ])
                    }),
                "notes": .array(notes.map { .string($0) }),
            ]),
        ])
    }
}

// What one batch has cost, measured where it ran and kept in its commit: advice about triggers has to outlive the
// process, and the progress records do not.

internal import SluiceSpec

/// Times are microseconds, one part of the batch after the other; finer than Spark's phases.
package struct BatchCost: Hashable, Sendable {
    /// Asking the sources for their ends and planning the ranges.
    package var planMicros: Int64 = 0
    /// Until the offsets were durable.
    package var logMicros: Int64 = 0
    /// Opening the ranges.
    package var openMicros: Int64 = 0
    /// Read, decode, join, encode.
    package var engineMicros: Int64 = 0
    /// Until state and staged output were durable.
    package var durableMicros: Int64 = 0
    /// Until the sinks had made the output visible: here its rows are results.
    package var visibleMicros: Int64 = 0
    /// Writing the commit, of a batch that is over. The commit itself cannot have it.
    package var commitMicros: Int64 = 0
    /// What the batch before took behind its output, until the query could wait for its trigger.
    package var tailMicros: Int64 = 0
    /// Processor time of the query's thread and of the workers for it, since the batch before.
    package var processorMicros: Int64 = 0
    /// The same of threads that connectors' libraries have for the query: they work between batches too.
    package var connectorMicros: Int64 = 0
    /// State, offsets and the commit before.
    package var checkpointBytes: Int64 = 0
    /// The trigger's interval; 0 for one without.
    package var intervalMicros: Int64 = 0

    package init() {}

    /// From the trigger to visible output.
    package var resultMicros: Int64 {
        planMicros + logMicros + openMicros + engineMicros + durableMicros + visibleMicros
    }
    /// What the query was busy for, had every batch the tail of the one before.
    package var busyMicros: Int64 { resultMicros + tailMicros }
}

extension BatchCost {
    /// What a commit keeps, by the names it has there.
    private static var members: [(name: String, path: WritableKeyPath<BatchCost, Int64>)] {
        [
            ("checkpointBytes", \.checkpointBytes), ("connectorMicros", \.connectorMicros),
            ("durableMicros", \.durableMicros),
            ("engineMicros", \.engineMicros), ("intervalMicros", \.intervalMicros), ("logMicros", \.logMicros),
            ("openMicros", \.openMicros), ("planMicros", \.planMicros), ("processorMicros", \.processorMicros),
            ("tailMicros", \.tailMicros), ("visibleMicros", \.visibleMicros),
        ]
    }

    /// The parts of a batch's time.
    package static var times: [WritableKeyPath<BatchCost, Int64>] {
        [
            \.planMicros, \.logMicros, \.openMicros, \.engineMicros, \.durableMicros, \.visibleMicros,
            \.commitMicros, \.tailMicros,
        ]
    }

    var json: JSONValue {
        .object(Self.members.map { JSONMember($0.name, .integer(self[keyPath: $0.path])) })
    }

    init(json: JSONValue) throws(JSONError) {
        for member in Self.members { self[keyPath: member.path] = try json.optionalInteger(member.name) ?? 0 }
    }
}

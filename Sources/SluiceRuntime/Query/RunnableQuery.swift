// A query on its way from the spec to its runner.

package import SluiceConnectors
package import SluiceEngine
package import SluicePlan
package import SluiceSpec

/// A query as the runner takes it: planned, with its connectors made.
package struct RunnableQuery {
    package var plan: PhysicalPlan
    package var trigger: TriggerSpec
    package var checkpointFolder: String
    package var retainBatches: Int
    /// Memory that the state may hold, in bytes; nil: no limit.
    package var stateByteCountMax: Int64?
    /// One per input of the plan; the same instances for the life of the runner.
    package var sources: [any Source]
    /// True per source whose offsets name every file it ever took.
    package var positionsAreHistory: [Bool]
    /// One per entry of `plan.tables`.
    package var tables: [TableInput] = []
    /// True where tables are to stay as the checkpoint has them: for replays.
    package var keepsTables = false
    /// One per entry of `plan.output.sinks`.
    package var sinks: [any Sink]
    /// Whether a sink's mark may be missing.
    package var acceptsMissingMark = false

    package init(
        plan: PhysicalPlan, trigger: TriggerSpec, checkpointFolder: String, retainBatches: Int,
        sources: [any Source], positionsAreHistory: [Bool], sinks: [any Sink]
    ) {
        self.plan = plan
        self.trigger = trigger
        self.checkpointFolder = checkpointFolder
        self.retainBatches = retainBatches
        self.sources = sources
        self.positionsAreHistory = positionsAreHistory
        self.sinks = sinks
    }
}

/// What a table is read from.
package enum TableInput {
    /// Where its files are, and all their records as they are now.
    case files(path: String, open: () throws -> any InputBytes)
    /// The topic's name, and what reads it, with connections of its own.
    case topic(String, open: () throws -> any Source)
}

extension RunnableQuery {
    /// Processor time so far of what the connectors' libraries do for the query. May go back.
    var connectorNanos: UInt64 {
        sources.reduce(0) { $0 + $1.processorNanos } + sinks.reduce(0) { $0 + $1.processorNanos }
    }
}

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
    /// One per entry of `plan.tables`: where it is, and all its records as they are now.
    package var tables: [(path: String, open: () throws -> any InputBytes)] = []
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

extension RunnableQuery {
    /// Processor time so far of what the connectors' libraries do for the query. May go back.
    var connectorNanos: UInt64 {
        sources.reduce(0) { $0 + $1.processorNanos } + sinks.reduce(0) { $0 + $1.processorNanos }
    }
}

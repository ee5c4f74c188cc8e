// A planned batch that cannot run, because it is too large for the memory or because its input has gone, keeps a query
// from ever going on: the plan is in the offset log, and every start carries it out. A person can have it forgotten, as
// long as nothing of it can be seen in a sink.

internal import SluiceCheckpoint
internal import SluiceConnectors
internal import SluicePlan
package import SluiceSpec
internal import SluiceSystem

/// Why a planned batch is not forgotten.
package enum ReplanError: Error, Hashable, CustomStringConvertible {
    case nothingPlanned(query: String, folder: String)
    case visible(batch: Int64, sink: String)

    package var description: String {
        switch self {
        case .nothingPlanned(let query, let folder):
            "`\(query)` has no batch that is planned and not committed, in \(folder)"
        case .visible(let batch, let sink):
            "batch \(batch) can be seen in the sink `\(sink)` already, so another batch of that number would be a "
                + "second one: start the query, which will find it there and go on"
        }
    }
}

extension QuerySet {
    /// Forgets the batch that a query has planned and not committed, and returns it. The query must not be running.
    package static func forgetPlannedBatch(
        _ planned: PlannedQuery, spec: Spec, options: QuerySetOptions, environment: QueryEnvironment
    ) throws -> Int64 {
        let folder = options.checkpointFolder(planned.spec)
        try refuseVisible(
            try makeQuery(planned, spec: spec, options: options, environment: environment), environment)
        // The checkpoint's lock has been given back and is taken again: a query that was started meanwhile keeps it.
        guard let batch = try Checkpoint.forgetPlan(folder: folder, fileSystem: environment.fileSystem) else {
            throw ReplanError.nothingPlanned(query: planned.spec.name.value, folder: folder)
        }
        return batch
    }

    private static func refuseVisible(_ query: RunnableQuery, _ environment: QueryEnvironment) throws {
        let opened = try OpenedCheckpoint(query, environment: environment)
        guard let inHand = opened.recovered.inHand else {
            throw ReplanError.nothingPlanned(query: query.plan.query, folder: query.checkpointFolder)
        }
        let start = SinkStart(opened, acceptsMissingMark: false)
        for (sink, output) in zip(query.sinks, query.plan.output.sinks) {
            try sink.recover(start)
            if try sink.shows(batch: inHand.batch) {
                throw ReplanError.visible(batch: inHand.batch, sink: output.name)
            }
        }
    }
}

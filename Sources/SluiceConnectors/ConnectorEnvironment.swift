// What every source and sink is made with, whatever system it talks to.

package import SluiceSystem

/// What connectors need from around them.
package struct ConnectorEnvironment: Sendable {
    package var query: String
    /// The consumer group in which lag tools see the query.
    package var group: String
    package var fileSystem: any FileSystem
    /// On whose disk what does not fit into memory is put, in files without a name; it is there once a query runs.
    package var scratchFolder: String
    /// What outlives the run; nil where nothing does.
    package var kept: (any KeptValues)?
    package var clock: any Clock
    package var log: Log
    /// True once the query has been asked to stop: what may never come is then not waited for.
    package var shouldStop: @Sendable () -> Bool
    /// How long to wait for a broker; nil: as long as it takes.
    package var patienceMillis: Int64?
    /// Why no longer, to end a sentence with.
    package var patienceReason = ", as the query ends by itself"
    /// Where connectors say what they wait for.
    package var waiting: Waiting

    /// How a failure's sentence ends when patience is over.
    func gaveUp(afterMillis millis: Int64) -> String { ": gave up after \(millis / 1000) s\(patienceReason)" }

    package init(
        query: String, group: String, fileSystem: any FileSystem, scratchFolder: String = temporaryRoot(),
        kept: (any KeptValues)? = nil,
        clock: any Clock, log: Log,
        shouldStop: @escaping @Sendable () -> Bool = { false }, patienceMillis: Int64? = nil,
        waiting: Waiting = Waiting()
    ) {
        self.query = query
        self.group = group
        self.fileSystem = fileSystem
        self.scratchFolder = scratchFolder
        self.kept = kept
        self.clock = clock
        self.log = log
        self.shouldStop = shouldStop
        self.patienceMillis = patienceMillis
        self.waiting = waiting
    }

    /// For somebody who looks into what is there and waits for the answer.
    static func ofSample(_ fileSystem: any FileSystem, _ clock: any Clock) -> ConnectorEnvironment {
        var environment = ConnectorEnvironment(
            query: "describe", group: "sluice-describe", fileSystem: fileSystem, clock: clock, log: .none,
            patienceMillis: 10_000)
        environment.patienceReason = ""
        return environment
    }
}

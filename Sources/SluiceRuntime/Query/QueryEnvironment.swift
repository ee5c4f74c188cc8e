// What a query is run with: the outside, as far as it may be another one in tests.

internal import SluiceConnectors
package import SluiceEngine
package import SluiceSystem

/// What a runner needs from around it; tests hand in simulated parts.
package struct QueryEnvironment: Sendable {
    package var fileSystem: any FileSystem
    package var clock: any Clock
    package var pool: WorkerPool
    package var zones: TimeZones
    package var log: Log
    /// The process' one: all copies of an environment share it.
    let wallClockWatch = WallClockWatch()
    /// Likewise: queries share tables.
    let tables = TableCache()
    /// Called on the query's thread after each batch.
    package var report: @Sendable (QueryProgress) -> Void
    /// nil: nothing but the system limits what the process uses.
    package var memoryLimit: MemoryLimit?

    package init(
        fileSystem: any FileSystem, clock: any Clock, pool: WorkerPool, zones: TimeZones, log: Log,
        memoryLimit: MemoryLimit? = nil, report: @escaping @Sendable (QueryProgress) -> Void
    ) {
        self.memoryLimit = memoryLimit
        self.fileSystem = fileSystem
        self.clock = clock
        self.pool = pool
        self.zones = zones
        self.log = log
        self.report = report
    }
}

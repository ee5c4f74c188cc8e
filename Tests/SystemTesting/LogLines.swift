// What a log has said, for tests that look at it.

package import SluiceSimulation
package import SluiceSystem
internal import Synchronization

/// Collects what a log writes. From any thread.
package final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    package init() {}

    /// How many there are so far.
    package var count: Int { all.count }

    /// Oldest first, each with its end.
    package var all: [String] { lines.withLock { $0 } }

    /// A log of every level, with the time of a clock that stands still.
    package var log: Log { log(SimulatedClock()) }

    /// A log of every level.
    package func log(_ clock: SimulatedClock) -> Log {
        Log(level: .debug, format: .logfmt, clock: clock) { line in
            self.lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
        }
    }
}

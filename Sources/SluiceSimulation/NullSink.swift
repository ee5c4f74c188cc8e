// Where the output of a simulated run goes when nobody looks at it.

package import SluiceConnectors
package import SluiceEngine
internal import SluiceSystem

/// Takes a batch and forgets it. What a real sink takes to make a batch visible passes on the simulation's clock.
package final class NullSink: Sink {
    private let clock: SimulatedClock
    private let commitMicros: Int64

    /// - Parameter commitMicros: passes with each batch; none when it is negative.
    package init(clock: SimulatedClock, commitMicros: Int64) {
        self.clock = clock
        self.commitMicros = max(0, commitMicros)
    }

    package var description: String { "NullSink" }

    package func recover(_ start: SinkStart) {}
    package func stage(_ batch: SinkBatch, parts: [OutputBytes], rowCount: Int) {}
    package func commit(batch: Int64) { clock.advance(byMicros: commitMicros) }
    package func sync() {}
}

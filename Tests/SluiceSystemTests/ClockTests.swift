import SluiceSimulation
import SluiceSystem
import Synchronization
import Testing

@Suite("Waiting")
struct ClockTests {
    @Test("A wait for a time that has passed returns at once, and takes a pending signal with it")
    func pastDeadline() {
        for clock in [SystemClock(), SimulatedClock(wallMillis: 1_000_000)] as [any Clock] {
            let wakeup = Wakeup()
            wakeup.signal()
            clock.wait(untilWallMillis: 5, wakeup: wakeup)
            #expect(!wakeup.consume())
        }
    }

    @Test("A wait ends at its wall time, never before, without a signal")
    func reachesDeadline() {
        let clock = SystemClock()
        let wakeup = Wakeup()
        for _ in 0..<20 {
            let deadline = clock.wallMillis + 3
            let before = clock.monotonicNanos
            clock.wait(untilWallMillis: deadline, wakeup: wakeup)
            #expect(clock.wallMillis >= deadline)
            #expect(clock.monotonicNanos > before)
        }
    }

    @Test("A signal ends a wait without end, however the two meet", arguments: 0..<50)
    func signalEndsWait(round: Int) throws {
        let clock = SystemClock()
        let wakeup = Wakeup()
        let waiter = try #require(
            SystemThread(name: "waiter") {
                clock.wait(untilWallMillis: round.isMultiple(of: 2) ? nil : 4_000_000_000_000, wakeup: wakeup)
            })
        wakeup.signal()
        waiter.join()
        #expect(!wakeup.consume(), "the wait has consumed the signal")
    }

    @Test("A simulated wait ends when the test moves the clock past the deadline, and not before")
    func simulatedClock() throws {
        let clock = SimulatedClock(wallMillis: 100)
        let wakeup = Wakeup()
        let ended = Box()
        let waiter = try #require(
            SystemThread(name: "waiter") {
                clock.wait(untilWallMillis: 200, wakeup: wakeup)
                ended.value.store(true, ordering: .releasing)
            })
        clock.untilSomebodyWaits()
        clock.advance(byMillis: 99)
        let endedEarly = ended.value.load(ordering: .acquiring)
        #expect(!endedEarly)
        clock.advance(byMillis: 1)
        waiter.join()
        #expect(clock.waitedFor == [200])
        #expect(clock.monotonicNanos == 100_000_000)
    }

    @Test("A simulated clock that advances by itself is where it was waited for")
    func selfAdvancing() {
        let clock = SimulatedClock(wallMillis: 7, advancesByItself: true)
        clock.wait(untilWallMillis: 50, wakeup: Wakeup())
        #expect(clock.wallMillis == 50)
        let signalled = Wakeup()
        signalled.signal()
        clock.wait(untilWallMillis: 90, wakeup: signalled)
        #expect(clock.wallMillis == 50)
    }
}

/// Lets closures share an atomic.
private final class Box: Sendable {
    let value = Atomic(false)
}

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
            clock.wait(untilNanos: 0, wakeup: wakeup)
            #expect(!wakeup.consume())
        }
    }

    @Test("A wait ends at its time, never before, without a signal")
    func reachesDeadline() {
        let clock = SystemClock()
        let wakeup = Wakeup()
        for _ in 0..<20 {
            let deadline = clock.nanos(inMillis: 3)
            clock.wait(untilNanos: deadline, wakeup: wakeup)
            #expect(clock.monotonicNanos >= deadline)
        }
    }

    @Test("A wait until the wall clock says a time ends when it does, never before")
    func reachesWallTime() {
        let clock = SystemClock()
        for _ in 0..<20 {
            let wallMillis = clock.wallMillis + 3
            clock.wait(untilNanos: clock.nanos(atWallMillis: wallMillis), wakeup: Wakeup())
            #expect((wallMillis..<wallMillis + 1000).contains(clock.wallMillis))
        }
        let now = clock.monotonicNanos
        let past = clock.nanos(atWallMillis: 5)
        #expect(past >= now && past <= clock.monotonicNanos)
        #expect(clock.nanos(atWallMillis: .max) > now + 1_000_000_000_000_000_000)
        #expect(clock.nanos(inMillis: .max) == .max && clock.nanos(inMillis: -5) <= clock.monotonicNanos)
    }

    @Test("A signal ends a wait without end, however the two meet", arguments: 0..<50)
    func signalEndsWait(round: Int) throws {
        let clock = SystemClock()
        let wakeup = Wakeup()
        let waiter = try #require(
            SystemThread(name: "waiter") {
                clock.wait(untilNanos: round.isMultiple(of: 2) ? nil : .max, wakeup: wakeup)
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
                clock.wait(untilNanos: clock.nanos(atWallMillis: 200), wakeup: wakeup)
                ended.value.store(true, ordering: .releasing)
            })
        clock.untilSomebodyWaits()
        clock.advance(byMillis: 99)
        clock.setWall(millis: 1_000_000)
        let endedEarly = ended.value.load(ordering: .acquiring)
        #expect(!endedEarly)
        clock.advance(byMillis: 1)
        waiter.join()
        #expect(clock.waitedFor == [200])
        #expect(clock.monotonicNanos == 100_000_000)
    }

    @Test("A simulated clock that waits move is where it was waited for")
    func movedByWaits() {
        let clock = SimulatedClock(wallMillis: 7, pace: .byWaits)
        clock.wait(untilNanos: clock.nanos(atWallMillis: 50), wakeup: Wakeup())
        #expect(clock.wallMillis == 50)
        let signalled = Wakeup()
        signalled.signal()
        clock.wait(untilNanos: clock.nanos(atWallMillis: 90), wakeup: signalled)
        #expect(clock.wallMillis == 50)
    }

    @Test("A wait passes at once where work moves the clock, and work takes its time")
    func working() {
        let clock = SimulatedClock(wallMillis: 5000, pace: .byWork)
        clock.wait(untilNanos: clock.nanos(atWallMillis: 3_605_000), wakeup: Wakeup())
        #expect((3_605_000..<3_615_000).contains(clock.wallMillis))
        #expect(clock.monotonicNanos >= 3_600_000_000_000)
        #expect(clock.threadProcessorNanos > 0 && clock.waitedFor.isEmpty)
        clock.wait(untilNanos: clock.nanos(atWallMillis: 1000), wakeup: Wakeup())
        #expect(clock.wallMillis < 3_615_000)
        let wakeup = Wakeup()
        wakeup.signal()
        clock.wait(untilNanos: clock.nanos(atWallMillis: 36_000_000_000), wakeup: wakeup)
        #expect(clock.wallMillis < 4_000_000)
    }

    @Test("A step of the wall clock is noticed once, in both directions; time that passes is none")
    func steps() {
        let clock = SimulatedClock(wallMillis: 1_700_000_000_000)
        let watch = WallClockWatch()
        #expect(watch.step(clock) == nil)
        clock.advance(byMillis: 7_200_000)
        #expect(watch.step(clock) == nil)
        clock.setWall(millis: clock.wallMillis - 3_600_000)
        #expect(watch.step(clock) == -3_600_000)
        #expect(watch.step(clock) == nil)
        clock.advance(byMillis: 10)
        clock.setWall(millis: clock.wallMillis + 60_000)
        #expect(watch.step(clock) == 60_000)
        clock.setWall(millis: clock.wallMillis + 999)
        #expect(watch.step(clock) == nil)
        #expect(WallClockWatch().step(SystemClock()) == nil)
    }
}

/// Lets closures share an atomic.
private final class Box: Sendable {
    let value = Atomic(false)
}

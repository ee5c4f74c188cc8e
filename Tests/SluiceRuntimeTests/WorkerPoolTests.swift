// The pool that all queries share: every index once, from any thread, and nobody waits for somebody else's work.

import Glibc
import SluiceRuntime
import SluiceSystem
import Synchronization
import Testing

/// Something that a test waits for, from any thread.
final class Signal: Sendable {
    private let monitor = Monitor()
    private let flag = Atomic<Bool>(false)

    var isSet: Bool { flag.load(ordering: .sequentiallyConsistent) }

    func set() {
        flag.store(true, ordering: .sequentiallyConsistent)
        monitor.withLock { monitor.notifyAll() }
    }

    func wait() {
        monitor.lock()
        while !isSet { monitor.wait() }
        monitor.unlock()
    }
}

/// How often each index of a job has run.
private final class Tally: Sendable {
    private let counts: Mutex<[Int]>
    init(_ count: Int) { counts = Mutex(Array(repeating: 0, count: count)) }
    func add(_ index: Int) { counts.withLock { $0[index] += 1 } }
    var all: [Int] { counts.withLock { $0 } }
}

@Suite struct WorkerPoolTests {
    @Test(arguments: [1, 2, 3, 8], [0, 1, 2, 7, 1000])
    func `Every index runs exactly once, and run returns when all have ended`(width: Int, count: Int) {
        let pool = WorkerPool(width: width)
        let tally = Tally(count)
        for _ in 0..<3 { pool.run(count) { tally.add($0) } }
        #expect(tally.all == Array(repeating: 3, count: count))
    }

    @Test(arguments: [0, -3, 1]) func `A pool has at least one thread a batch can use`(width: Int) {
        #expect(WorkerPool(width: width).width == 1)
    }

    @Test(arguments: [1, 2, 4]) func `Work may run work of its own on the same pool`(width: Int) {
        let pool = WorkerPool(width: width)
        let tally = Tally(6 * 5 * 4)
        pool.run(6) { outer in
            pool.run(5) { middle in
                pool.run(4) { inner in tally.add((outer * 5 + middle) * 4 + inner) }
            }
        }
        #expect(tally.all.allSatisfy { $0 == 1 })
    }

    @Test func `Several threads may run jobs at once`() {
        let pool = WorkerPool(width: 2)
        let tallies = (0..<6).map { _ in Tally(200) }
        let threads = tallies.map { tally in
            SystemThread(name: "caller") { for _ in 0..<20 { pool.run(200) { tally.add($0) } } }
        }
        for thread in threads { thread?.join() }
        for tally in tallies { #expect(tally.all.allSatisfy { $0 == 20 }) }
    }

    @Test func `A light job ends while a heavy one holds every worker`() {
        let pool = WorkerPool(width: 3)
        let (started, release) = (Signal(), Signal())
        let running = Atomic<Int>(0)
        let heavy = SystemThread(name: "heavy") {
            pool.run(3) { _ in
                if running.add(1, ordering: .sequentiallyConsistent).newValue == 3 { started.set() }
                release.wait()
            }
        }
        // Both workers and the heavy job's own thread are stuck now.
        started.wait()
        let tally = Tally(50)
        pool.run(50) { tally.add($0) }
        #expect(tally.all.allSatisfy { $0 == 1 })
        #expect(!release.isSet)
        release.set()
        heavy?.join()
    }

    @Test func `Workers turn to the other job after each index`() {
        let pool = WorkerPool(width: 2)
        let (heavyBegan, lightBegan, lightHelped) = (Signal(), Signal(), Signal())
        let heavyDone = Atomic<Int>(0)
        let heavy = SystemThread(name: "heavy") {
            let caller = pthread_self()
            pool.run(1000) { _ in
                heavyBegan.set()
                // Its own thread makes no headway before the light job has been helped; the worker goes on as soon as
                // there is a light job.
                (pthread_self() == caller ? lightHelped : lightBegan).wait()
                heavyDone.add(1, ordering: .sequentiallyConsistent)
            }
        }
        heavyBegan.wait()
        let caller = pthread_self()
        let doneWhenHelped = Atomic<Int>(-1)
        pool.run(2) { _ in
            lightBegan.set()
            if pthread_self() == caller {
                lightHelped.wait()
            } else {
                let done = heavyDone.load(ordering: .sequentiallyConsistent)
                doneWhenHelped.store(done, ordering: .sequentiallyConsistent)
                lightHelped.set()
            }
        }
        heavy?.join()
        #expect(heavyDone.load(ordering: .sequentiallyConsistent) == 1000)
        #expect((0...3).contains(doneWhenHelped.load(ordering: .sequentiallyConsistent)))
    }

    @Test func `Dropping a pool ends its threads`() {
        for _ in 0..<200 {
            let pool = WorkerPool(width: 3)
            pool.run(3) { _ in }
        }
    }
}

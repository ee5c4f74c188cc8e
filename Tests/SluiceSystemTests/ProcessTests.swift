import Glibc
import SluiceSystem
import Synchronization
import Testing

@Suite("The process")
struct ProcessTests {
    @Test("A signal becomes a call on an ordinary thread, once each, in order")
    func signals() async {
        await #expect(processExitsWith: .exitCode(42)) {
            let seen = Mutex<[ProcessSignal]>([])
            let wakeup = Wakeup()
            let started = handleSignals { signal in
                seen.withLock { $0.append(signal) }
                wakeup.signal()
            }
            guard started else { exit(1) }
            for number in [SIGTERM, SIGINT, SIGHUP] {
                kill(getpid(), number)
                SystemClock().wait(untilNanos: SystemClock().nanos(inMillis: 10_000), wakeup: wakeup)
            }
            exit(seen.withLock { $0 } == [.terminate, .interrupt, .hangUp] ? 42 : 2)
        }
    }

    @Test("Writing to a pipe nobody reads is an error of the call once broken pipes are ignored")
    func brokenPipe() {
        ignoreBrokenPipes()
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        close(ends[0])
        #expect([1, 2, 3].withUnsafeBytes { writeFully(to: ends[1], [$0]) } == EPIPE)
        close(ends[1])
    }

    @Test("A long write over a pipe that fills up arrives whole, also when the pipe does not block")
    func shortWrites() throws {
        for nonBlocking in [false, true] {
            var ends: [Int32] = [0, 0]
            #expect(pipe(&ends) == 0)
            let (readEnd, writeEnd) = (ends[0], ends[1])
            if nonBlocking { _ = fcntl(writeEnd, F_SETFL, O_NONBLOCK) }
            let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let writer = try #require(
                SystemThread(name: "writer") {
                    bytes.withUnsafeBytes { all in
                        let parts = stride(from: 0, to: all.count, by: 7001).map {
                            UnsafeRawBufferPointer(rebasing: all[$0..<min($0 + 7001, all.count)])
                        }
                        _ = writeFully(to: writeEnd, parts)
                    }
                    close(writeEnd)
                })
            var read: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 5000)
            while case let count = buffer.withUnsafeMutableBytes({ readSome(from: readEnd, into: $0) }), count > 0 {
                read += buffer.prefix(count)
            }
            writer.join()
            close(readEnd)
            #expect(read == bytes)
        }
    }

    @Test("The process knows its memory, time and processors")
    func facts() throws {
        #expect(ProcessFacts.id == getpid())
        let resident = try #require(ProcessFacts.residentBytes)
        #expect(resident > 1 << 20 && resident <= ProcessFacts.peakResidentBytes + 1 << 20)
        #expect(ProcessFacts.processorMicros > 0)
        #expect((1...Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))).contains(ProcessFacts.processorCount))
    }

    @Test("Seeded numbers are the published ones")
    func splitMix() {
        // The first values for seed 1234567 as in the reference implementation.
        var generator = SplitMix64(seed: 1_234_567)
        #expect(generator.next() == 6_457_827_717_110_365_317)
        #expect(generator.next() == 3_203_168_211_198_807_973)
    }
}

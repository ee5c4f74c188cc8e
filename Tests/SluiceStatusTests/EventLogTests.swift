// Readers of events: what each gets, and that a slow, a dead or a superfluous one costs a bounded amount and nobody
// else.

import SluiceSystem
import Synchronization
import Testing

@testable import SluiceStatus

@Suite struct EventLogTests {
    /// Reads all there is, in pieces of so many bytes.
    private func read(
        _ log: EventLog, _ reader: EventReader, pieces: Int = 4096, park: @escaping @Sendable () -> Void = {}
    ) -> (text: String, last: EventLog.Read) {
        var bytes: [UInt8] = []
        while true {
            var buffer = [UInt8](repeating: 0, count: pieces)
            let read = buffer.withUnsafeMutableBytes { log.read(reader, into: $0) { park } }
            guard case .bytes(let count) = read else { return (String(decoding: bytes, as: UTF8.self), read) }
            bytes += buffer.prefix(count)
        }
    }

    @Test(arguments: [1, 7, 4096])
    func `Events come whole, in order, in whatever pieces they are read`(pieces: Int) throws {
        let log = EventLog()
        log.append("progress", json: Array("{}".utf8))
        let reader = try #require(log.makeReader(first: Array("first\n\n".utf8)))
        log.append("progress", json: Array("1".utf8))
        log.append("status", json: Array("2".utf8))
        let (text, last) = read(log, reader, pieces: pieces)
        #expect(text == "first\n\nevent: progress\ndata: 1\n\nevent: status\ndata: 2\n\n")
        #expect(last == .waits)
    }

    @Test func `A reader that waits is woken once, when there is something for it`() throws {
        let log = EventLog()
        let woken = Mutex(0)
        let reader = try #require(log.makeReader(first: []))
        #expect(read(log, reader) { woken.withLock { $0 += 1 } }.last == .waits)
        log.wakeReaders(signOfLife: false)
        #expect(woken.withLock { $0 } == 0)
        log.append("progress", json: [])
        log.wakeReaders(signOfLife: false)
        log.wakeReaders(signOfLife: false)
        #expect(woken.withLock { $0 } == 1)
        #expect(read(log, reader) { woken.withLock { $0 += 1 } }.text.contains("progress"))
        log.wakeReaders(signOfLife: true)
        #expect(woken.withLock { $0 } == 2 && read(log, reader).text == ":\n\n")
    }

    @Test func `A reader that is too slow ends, others are not touched, and the log stays within its limits`() throws {
        let log = EventLog()
        let (slow, fast) = (try #require(log.makeReader(first: [])), try #require(log.makeReader(first: [])))
        let record = [UInt8](repeating: UInt8(ascii: "x"), count: 3000)
        var bytes = 0
        for _ in 0..<10_000 {
            log.append("progress", json: record)
            bytes += read(log, fast).text.utf8.count
        }
        #expect(bytes == 10_000 * (3000 + "event: progress\ndata: \n\n".utf8.count))
        #expect(read(log, slow).last == .end)
        // One that comes now starts with the present.
        let next = try #require(log.makeReader(first: []))
        #expect(read(log, next).text.isEmpty)
        log.remove(slow)
        log.remove(fast)
        log.remove(next)
        #expect(log.readerCount == 0)
    }

    @Test func `Readers beyond the limit are refused until others have gone`() throws {
        let log = EventLog()
        let readers = (0..<EventLog.readersMax).compactMap { _ in log.makeReader(first: []) }
        #expect(readers.count == EventLog.readersMax && log.makeReader(first: []) == nil)
        // The dead among them are found out at once.
        #expect(read(log, readers[0]).text == ":\n\n")
        log.remove(readers[0])
        #expect(log.makeReader(first: []) != nil)
    }

    @Test func `The end of the log is the end of all readers`() throws {
        let log = EventLog()
        let reader = try #require(log.makeReader(first: []))
        let woken = Mutex(0)
        _ = read(log, reader) { woken.withLock { $0 += 1 } }
        log.close()
        #expect(woken.withLock { $0 } == 1 && read(log, reader).last == .end && log.makeReader(first: []) == nil)
        #expect(!log.waitForNews(untilNanos: .max, SystemClock()))
    }

    @Test(arguments: [0, 1, 49, 50, 51, 100, 101, 999, 1000, 1050, 1051, 2500])
    func `At least the last thousand records are kept, and not many more`(count: Int) {
        var history = ProgressHistory()
        let record = { (number: Int) in Array("{\"batchId\":\(number),\"text\":\"\(number * 7)\"}".utf8) }
        for number in 0..<count { history.append(record(number)) }
        #expect(history.count >= min(count, 1000) && history.count <= 1100)
        #expect(history.last(1000) == (max(0, count - 1000)..<count).map(record))
        #expect(history.last(3) == (max(0, count - 3)..<count).map(record))
        #expect(history.last(0).isEmpty)
    }
}

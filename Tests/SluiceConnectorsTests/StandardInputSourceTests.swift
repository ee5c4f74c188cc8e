import Glibc
import SluiceConnectors
import SluiceEngine
import SluiceSpec
import SluiceSystem
import Testing

/// A pipe with a source at its end.
private final class Pipe {
    let source: StandardInputSource
    private let readEnd: Int32
    private var writeEnd: Int32

    init(
        heldByteLimit: Int = 1 << 20, chunkByteCount: Int = 8, format: RecordFormat = .json(),
        columns: [ColumnSpec] = []
    ) {
        var ends: [Int32] = [0, 0]
        precondition(pipe(&ends) == 0)
        (readEnd, writeEnd) = (ends[0], ends[1])
        source = StandardInputSource(
            format: format, columns: columns, descriptor: readEnd, chunkByteCount: chunkByteCount,
            heldByteLimit: heldByteLimit)
    }

    deinit { close() }

    func write(_ text: String) { _ = Array(text.utf8).withUnsafeBytes { writeFully(to: writeEnd, [$0]) } }

    func close() {
        if writeEnd >= 0 { Glibc.close(writeEnd) }
        writeEnd = -1
    }

    /// Asks until there is an answer that `isEnough`, giving other threads the processor in between.
    func latest(
        from position: SourceOffsets = SourceOffsets(), until isEnough: (SourceOffsets) -> Bool
    ) throws -> SourceOffsets {
        while true {
            let latest = try source.latestOffsets(from: position, untilEnd: false)
            if isEnough(latest) { return latest }
            sched_yield()
        }
    }

    /// Asks for the end until it is there.
    func end(from position: SourceOffsets) throws -> SourceOffsets {
        while true {
            let latest = try source.latestOffsets(from: position, untilEnd: true)
            if !source.isAwaitingEnd { return latest }
            sched_yield()
        }
    }
}

@Suite("Standard input")
struct StandardInputSourceTests {
    @Test("Gives whole lines while it is open, and everything at its end")
    func lines() throws {
        let pipe = Pipe()
        #expect(try pipe.source.latestOffsets(from: SourceOffsets(), untilEnd: false).next == [:])
        pipe.write("one\ntwo\nthr")
        var position = try pipe.latest { $0.next["stdin"] == 8 }
        let ranges = pipe.source.planBatch(from: SourceOffsets(), to: position, limit: .spec)
        #expect(ranges == [OffsetRange(partition: "stdin", start: 0, end: 8)])
        #expect(try text(pipe.source, ranges) == "one\ntwo\n")
        #expect(try text(pipe.source, ranges) == "one\ntwo\n", "kept until it is committed")
        pipe.source.didCommit(position)
        #expect(!pipe.source.isFinished)
        pipe.write("ee")
        pipe.close()
        let latest = try pipe.end(from: position)
        #expect(pipe.source.isFinished && latest.next == ["stdin": 13])
        let rest = pipe.source.planBatch(from: position, to: latest, limit: .spec)
        #expect(try text(pipe.source, rest) == "three")
        position.advance(by: rest)
        #expect(try pipe.source.latestOffsets(from: position, untilEnd: true) == position)
        #expect(pipe.source.planBatch(from: position, to: position, limit: .spec).isEmpty)
    }

    @Test("A range it no longer holds, or never had, cannot be replayed and says so")
    func noReplay() throws {
        let pipe = Pipe()
        let range = OffsetRange(partition: "stdin", start: 0, end: 4)
        let error = try #require(connectorError { _ = try pipe.source.open([range]) })
        #expect(error.code == "stdin-not-replayable" && !error.isRetriable)
        pipe.write("one\n")
        pipe.source.didCommit(try pipe.latest { $0.next["stdin"] == 4 })
        #expect(connectorError { _ = try pipe.source.open([range]) }?.code == "stdin-not-replayable")
    }

    @Test("After a restart the new stream goes on at the query's offset")
    func restart() throws {
        let pipe = Pipe()
        pipe.write("new\n")
        let position = SourceOffsets(["stdin": 100])
        let latest = try pipe.latest(from: position) { $0.next["stdin"] == 104 }
        let ranges = pipe.source.planBatch(from: position, to: latest, limit: .spec)
        #expect(try text(pipe.source, ranges) == "new\n")
    }

    @Test("Memory is bounded: more is read only when a batch was committed, and nothing is lost", arguments: 1...5)
    func bounded(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let pipe = Pipe(heldByteLimit: 4096, chunkByteCount: 100)
        let all = randomLines(5000, &random).joined()
        let writer = try #require(writeAndClose(pipe, all))
        var position = SourceOffsets()
        var read = ""
        while true {
            let latest = try pipe.source.latestOffsets(from: position, untilEnd: false)
            let ranges = pipe.source.planBatch(from: position, to: latest, limit: .spec)
            if ranges.isEmpty && pipe.source.isFinished { break }
            // The limit, and the one block that was being read when it was reached.
            #expect(ranges.allSatisfy { $0.end - $0.start <= 2 * 4096 })
            read += try text(pipe.source, ranges)
            position.advance(by: ranges)
            pipe.source.didCommit(position)
            if ranges.isEmpty { sched_yield() }
        }
        writer.join()
        #expect(read == all, "seed \(seed)")
    }

    @Test("Who wants the end is told that it is not there yet, and nothing of what is")
    func awaitingEnd() throws {
        let pipe = Pipe()
        pipe.write("one\n")
        _ = try pipe.latest { $0.next["stdin"] == 4 }
        #expect(try pipe.source.latestOffsets(from: SourceOffsets(), untilEnd: true) == SourceOffsets())
        #expect(pipe.source.isAwaitingEnd && !pipe.source.isFinished)
        pipe.close()
        #expect(try pipe.end(from: SourceOffsets()).next == ["stdin": 4])
        #expect(!pipe.source.isAwaitingEnd && pipe.source.isFinished)
    }

    @Test("Waiting for the end holds the whole stream, beyond the limit")
    func untilEnd() throws {
        let pipe = Pipe(heldByteLimit: 64)
        let all = String(repeating: "a line of text\n", count: 3000)
        let writer = try #require(writeAndClose(pipe, all))
        let latest = try pipe.end(from: SourceOffsets())
        writer.join()
        #expect(
            try text(pipe.source, pipe.source.planBatch(from: SourceOffsets(), to: latest, limit: .unlimited)) == all)
    }

    @Test("A line beyond the limit is one bad record, and the lines around it are read", arguments: [false, true])
    func longLine(isLast: Bool) throws {
        let pipe = Pipe(heldByteLimit: 64, chunkByteCount: 100)
        // The reader takes 64 bytes at a time: the line before has to be out of its way.
        pipe.write("one\n")
        let first = try pipe.latest { $0.next["stdin"] == 4 }
        pipe.source.didCommit(first)
        pipe.write(String(repeating: "x", count: 2000) + (isLast ? "" : "\ntwo\n"))
        if isLast { pipe.close() }
        let latest = try pipe.latest(from: first) { $0.next["stdin"] == (isLast ? 5 : 9) }
        let input = try pipe.source.open(pipe.source.planBatch(from: first, to: latest, limit: .spec))
        var read = ""
        var longLineCount = 0
        for number in try input.readyChunks(from: 0) {
            var chunk = InputChunk()
            try input.read(chunk: number, into: &chunk)
            read += String(decoding: chunk.text.array(), as: UTF8.self)
            if chunk.endsInLongLine { longLineCount += 1 }
        }
        #expect(read == (isLast ? "\n" : "\ntwo\n"), "an empty line in its place, which is none")
        #expect(longLineCount == 1)
    }

    @Test("A byte order mark is left out, and compressed input is refused by name")
    func firstBytes() throws {
        let marked = Pipe(chunkByteCount: 100)
        marked.write("\u{FEFF}one\n")
        let latest = try marked.latest { $0.next["stdin"] == 7 }
        let ranges = marked.source.planBatch(from: SourceOffsets(), to: latest, limit: .spec)
        #expect(try text(marked.source, ranges) == "one\n")
        let array = Pipe()
        array.write("[\n{\"a\":1}\n]\n")
        #expect(connectorError { _ = try array.latest { _ in false } }?.message.contains("JSON array") == true)
    }

    private static let column = ColumnSpec(
        name: "a", type: .string, origin: .field(FieldPath(name: "a")),
        position: SourcePosition(file: "test.yaml", line: 1, column: 1))

    @Test("A stream's header goes with every chunk of it, wherever the query is")
    func header() throws {
        let pipe = Pipe(format: .csv(CSVOptions(hasHeader: true)), columns: [Self.column])
        let start = SourceOffsets(["stdin": 100])
        pipe.write("b,a\n1,2\n3,4\n5,6\n")
        let latest = try pipe.latest(from: start) { $0.next["stdin"] == 116 }
        let input = try pipe.source.open(pipe.source.planBatch(from: start, to: latest, limit: .spec))
        for number in try input.readyChunks(from: 0) {
            var chunk = InputChunk()
            try input.read(chunk: number, into: &chunk)
            #expect(chunk.header == Array("b,a".utf8) && input.startsFile(number) == (number == 0))
        }
        pipe.source.didCommit(latest)
        pipe.write("7,8\n")
        let more = try pipe.latest(from: latest) { $0.next["stdin"] == 120 }
        let rest = try pipe.source.open(pipe.source.planBatch(from: latest, to: more, limit: .spec))
        var chunk = InputChunk()
        try rest.read(chunk: 0, into: &chunk)
        #expect(chunk.header == Array("b,a".utf8) && !rest.startsFile(0))
    }

    @Test("A stream whose header lacks a column is refused")
    func headerLacksColumn() throws {
        let pipe = Pipe(format: .csv(CSVOptions(hasHeader: true)), columns: [Self.column])
        pipe.write("b,c\n1,2\n")
        #expect {
            _ = try pipe.latest { !$0.next.isEmpty }
        } throws: { "\($0)".hasPrefix("standard input has no column `a` in its header, which has `b`, `c`") }
    }
}

/// Writes from another thread, as the program on the other side of a pipe does.
private func writeAndClose(_ pipe: Pipe, _ text: String) -> SystemThread? {
    let shared = UncheckedSend(value: pipe)
    return SystemThread(name: "writer") {
        shared.value.write(text)
        shared.value.close()
    }
}

/// The test joins the thread before it touches the value again.
private struct UncheckedSend<Value>: @unchecked Sendable {
    let value: Value
}

// kcat, a client that shares no code of ours: what it writes is the input, what it reads is the truth.

import Foundation

/// A record as it stands in a topic.
package struct KafkaRecord: Equatable, Sendable {
    package struct Header: Hashable, Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
    }

    package var topic: String
    package var partition: Int
    package var offset: Int
    package var timestampMillis: Int64
    package var key: String?
    /// Nil for a tombstone.
    package var value: String?
    package var headers: [Header]
}

/// kcat with the settings of one client.
package struct Kcat: Sendable {
    package enum Isolation: String, Sendable {
        case readCommitted = "read_committed"
        case readUncommitted = "read_uncommitted"
    }

    let home: KafkaHome
    let scratch: ScratchFolder
    package var bootstrap: String
    /// librdkafka's, for every command.
    package var options: [String: String] = [:]

    /// No text of a test has these.
    private static let recordEnd = "\u{1E}"
    /// No value that is no text has this by chance.
    private static let byteRecordEnd = "\u{1E}end of the record\u{1F}"
    private static let keyEnd = "\u{1F}"

    init(home: KafkaHome, scratch: ScratchFolder, bootstrap: String) {
        (self.home, self.scratch, self.bootstrap) = (home, scratch, bootstrap)
    }

    private func command(_ arguments: [String]) -> [String] {
        [home.kcat, "-q", "-b", bootstrap] + options.flatMap { ["-X", "\($0.key)=\($0.value)"] } + arguments
    }

    // MARK: Writing

    /// Writes records without keys, each value as it is, line ends and all. An empty value needs a key.
    /// - Parameters:
    ///   - partition: nil spreads them.
    ///   - transactionalID: all in one transaction, committed.
    package func produce(
        _ values: [String], to topic: String, partition: Int? = nil, headers: [KafkaRecord.Header] = [],
        transactionalID: String? = nil
    ) throws {
        let bytes = Data(values.map { $0 + Self.recordEnd }.joined().utf8)
        let id = transactionalID.map { ["-X", "transactional.id=\($0)"] } ?? []
        try produce(bytes, producerArguments(topic, partition, headers) + id)
    }

    /// Writes records without keys whose values are no text.
    package func produce(bytes values: [[UInt8]], to topic: String) throws {
        try produce(Self.joined(values), producerArguments(topic, nil, [], end: Self.byteRecordEnd))
    }

    private static func joined(_ values: [[UInt8]]) -> Data {
        Data(values.flatMap { $0 + Array(byteRecordEnd.utf8) })
    }

    /// Writes records with keys. A value of nil is a tombstone.
    package func produce(
        keyed records: [(key: String, value: String?)], to topic: String, partition: Int? = nil,
        headers: [KafkaRecord.Header] = []
    ) throws {
        // kcat makes either all empty values of a run tombstones or none: a run per stretch of the same kind.
        var rest = records[...]
        while let first = rest.first {
            let isTombstone = first.value == nil
            let stretch = rest.prefix { ($0.value == nil) == isTombstone }
            rest = rest.dropFirst(stretch.count)
            let bytes = Data(stretch.map { $0.key + Self.keyEnd + ($0.value ?? "") + Self.recordEnd }.joined().utf8)
            try produce(
                bytes,
                producerArguments(topic, partition, headers) + ["-K", Self.keyEnd] + (isTombstone ? ["-Z"] : []))
        }
    }

    /// Starts to write records without keys, and does not wait: while no broker is there, the producer does. Every
    /// record is written once, however often it was sent.
    package func startProducing(_ values: [String], to topic: String, partition: Int? = nil) throws -> KcatProducer {
        let bytes = Data(values.map { $0 + Self.recordEnd }.joined().utf8)
        return try startProducing(bytes, producerArguments(topic, partition, []))
    }

    /// The same, of values that are no text.
    package func startProducing(bytes values: [[UInt8]], to topic: String) throws -> KcatProducer {
        try startProducing(Self.joined(values), producerArguments(topic, nil, [], end: Self.byteRecordEnd))
    }

    private func startProducing(_ bytes: Data, _ arguments: [String]) throws -> KcatProducer {
        let (input, error) = (try scratch.write("records", bytes), scratch.uniquePath("stderr"))
        let process = try ChildProcess(
            command(["-E", "-X", "enable.idempotence=true"] + arguments), input: .file(input), output: error,
            error: error)
        return KcatProducer(process: process, scratch: scratch, files: [input, error])
    }

    /// Starts a transaction, and returns when its records are in the topic, for the caller to end it.
    package func beginTransaction(
        _ values: [String], to topic: String, partition: Int = 0, transactionalID: String
    ) throws -> OpenTransaction {
        let before = try consume(topic, isolation: .readUncommitted).count
        let arguments = producerArguments(topic, partition, []) + ["-X", "transactional.id=\(transactionalID)"]
        let error = scratch.uniquePath("stderr")
        let process = try ChildProcess(
            command(arguments), input: .pipe(scratch.uniquePath("pipe")), output: error, error: error)
        // kcat reads in blocks and leaves out empty records: a block of nothing brings it to send what it has.
        let padding = String(repeating: Self.recordEnd, count: 1 << 14)
        try process.write(Array((values.map { $0 + Self.recordEnd }.joined() + padding).utf8))
        try waitUntil("the records of transaction \(transactionalID): \(scratch.read(error))") {
            try consume(topic, isolation: .readUncommitted).count >= before + values.count
        }
        return OpenTransaction(kcat: self, process: process, transactionalID: transactionalID, topic: topic)
    }

    private func producerArguments(
        _ topic: String, _ partition: Int?, _ headers: [KafkaRecord.Header], end: String = Kcat.recordEnd
    ) -> [String] {
        ["-P", "-t", topic, "-D", end, "-X", "message.max.bytes=2000000"]
            + (partition.map { ["-p", "\($0)"] } ?? []) + headers.flatMap { ["-H", "\($0.name)=\($0.value)"] }
    }

    func produce(_ bytes: Data, _ arguments: [String]) throws {
        let file = try scratch.write("records", bytes)
        defer { unlink(file) }
        _ = try checked(arguments, input: .file(file))
    }

    // MARK: Reading

    /// Everything up to the end, by partition and offset; what an open transaction holds back is not there.
    package func consume(
        _ topic: String, partition: Int? = nil, isolation: Isolation = .readCommitted
    ) throws -> [KafkaRecord] {
        // At the end of a partition the broker shall not wait for more.
        let printed = try checked(
            [
                "-C", "-X", "fetch.wait.max.ms=10", "-t", topic, "-o", "beginning", "-e", "-J", "-X",
                "isolation.level=\(isolation.rawValue)",
            ]
                + (partition.map { ["-p", "\($0)"] } ?? []))
        let decoder = JSONDecoder()
        return try printed.split(separator: "\n").map { line in
            try decoder.decode(PrintedRecord.self, from: Data(line.utf8)).record
        }.sorted { ($0.partition, $0.offset) < ($1.partition, $1.offset) }
    }

    /// The values alone.
    package func values(_ topic: String) throws -> [String] { try consume(topic).compactMap(\.value) }

    /// The offset that the next record of a partition gets, committed or not.
    package func endOffset(_ topic: String, partition: Int = 0) throws -> Int {
        let printed = try checked(["-Q", "-t", "\(topic):\(partition):-1"])
        guard let offset = printed.split(whereSeparator: \.isWhitespace).last.flatMap({ Int($0) }) else {
            throw KafkaTestError("kcat prints no offset: \(printed)")
        }
        return offset
    }

    /// A line of `kcat -J`.
    private struct PrintedRecord: Decodable {
        var topic: String
        var partition: Int
        var offset: Int
        var ts: Int64
        var key: String?
        var payload: String?
        /// Names and values in turn.
        var headers: [String?]?

        var record: KafkaRecord {
            let flat = headers ?? []
            let pairs = stride(from: 0, to: flat.count - 1, by: 2).map {
                KafkaRecord.Header(flat[$0] ?? "", flat[$0 + 1] ?? "")
            }
            return KafkaRecord(
                topic: topic, partition: partition, offset: offset, timestampMillis: ts, key: key, value: payload,
                headers: pairs)
        }
    }

    private func checked(_ arguments: [String], input: ChildProcess.Input = .nothing) throws -> String {
        let outcome = try ChildProcess.run(command(arguments), input: input, scratch: scratch)
        guard outcome.exitCode == 0 else {
            throw KafkaTestError("kcat \(arguments) ended with \(outcome.exitCode): \(outcome.error)")
        }
        return outcome.output
    }
}

/// kcat writing.
package final class KcatProducer: Sendable {
    private let process: ChildProcess
    private let scratch: ScratchFolder
    /// Its input, then what it printed.
    private let files: [String]

    init(process: ChildProcess, scratch: ScratchFolder, files: [String]) {
        (self.process, self.scratch, self.files) = (process, scratch, files)
    }

    deinit { for file in files { unlink(file) } }

    /// False when all is written; throws when that has failed.
    package var isWriting: Bool {
        get throws {
            if process.isRunning { return true }
            try finish()
            return false
        }
    }

    package func finish() throws {
        let code = try process.wait(secondsMax: 60)
        guard code == 0 else { throw KafkaTestError("kcat ended with \(code): \(scratch.read(files[1]))") }
    }
}

/// A transaction whose records are in the topic and which nobody has ended yet; forgotten, it is left to its time-out.
package final class OpenTransaction: Sendable {
    private let kcat: Kcat
    private let process: ChildProcess
    private let transactionalID: String
    private let topic: String

    init(kcat: Kcat, process: ChildProcess, transactionalID: String, topic: String) {
        (self.kcat, self.process, self.transactionalID, self.topic) = (kcat, process, transactionalID, topic)
    }

    package func commit() throws {
        process.closeInput()
        let code = try process.wait(secondsMax: 30)
        guard code == 0 else { throw KafkaTestError("transaction \(transactionalID) ended with \(code)") }
    }

    /// The producer dies, and its successor's first step aborts what it left.
    package func abort() throws {
        process.kill()
        try kcat.produce(Data(), ["-P", "-t", topic, "-X", "transactional.id=\(transactionalID)"])
    }
}

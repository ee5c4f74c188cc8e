// Where the output of a replay goes: nowhere that anybody looks.

internal import SluiceConnectors
internal import SluiceEngine
internal import SluiceSystem

/// Takes a batch and forgets it. What the query's own sink took to make a batch visible passes on the replay's clock.
final class NullSink: Sink {
    private let clock: ReplayClock
    private let commitMicros: Int64

    init(clock: ReplayClock, commitMicros: Int64) {
        self.clock = clock
        self.commitMicros = commitMicros
    }

    var description: String { "NullSink" }

    func recover(_ start: SinkStart) {}
    func stage(_ batch: SinkBatch, parts: [OutputBytes], rowCount: Int) {}
    func commit(batch: Int64) { clock.skip(micros: commitMicros) }
    func sync() {}
}

/// A file sink in the replay's own folder, so that waiting for the disk is in the batch; a batch's file goes when the
/// next one comes.
final class PassingFileSink: Sink, @unchecked Sendable {
    // @unchecked: as its file sink, whose calls never overlap.
    private let sink: any Sink
    private let folder: String
    private let fileSystem: any FileSystem

    /// - Parameter sink: writes into `folder`.
    init(_ sink: any Sink, folder: String, fileSystem: any FileSystem) {
        self.sink = sink
        self.folder = folder
        self.fileSystem = fileSystem
    }

    var description: String { sink.description }

    func recover(_ start: SinkStart) throws(ConnectorError) { try sink.recover(start) }

    func stage(_ batch: SinkBatch, parts: [OutputBytes], rowCount: Int) throws(ConnectorError) {
        for name in (try? fileSystem.list(folder)) ?? [] { try? fileSystem.remove("\(folder)/\(name)") }
        try sink.stage(batch, parts: parts, rowCount: rowCount)
    }

    func commit(batch: Int64) throws(ConnectorError) { try sink.commit(batch: batch) }
    func sync() throws(ConnectorError) { try sink.sync() }
}

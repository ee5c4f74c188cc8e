// Where the output of a replay goes whose query writes files: nowhere that anybody looks.

internal import SluiceConnectors
internal import SluiceEngine
internal import SluiceSystem

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

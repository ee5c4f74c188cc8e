// Rows on standard output, for pipes and people. A pipe cannot take back what it was given, so a batch that is run
// again after a crash is written again: at least once.

internal import Glibc
package import SluiceEngine
internal import SluiceSpec
internal import SluiceSystem

/// A sink that writes each committed batch to a descriptor.
package final class StandardOutputSink: Sink, @unchecked Sendable {
    // @unchecked: calls never overlap; `stage` may come from another thread while the query's thread waits for it.

    private let descriptor: Int32
    /// A CSV header line until it has been written, then nothing.
    private var header: [OutputBytes]
    private var staged: (batch: Int64, parts: [OutputBytes])?

    /// `header` is a whole line with its newline, or empty.
    package init(header: [UInt8], descriptor: Int32 = 1) {
        self.header = header.isEmpty ? [] : [OutputBytes(header)]
        self.descriptor = descriptor
        ignoreBrokenPipes()
    }

    package var description: String { "StandardOutputSink" }

    package func recover(_ start: SinkStart) throws(ConnectorError) { staged = nil }

    package func stage(_ batch: SinkBatch, parts: [OutputBytes], rowCount: Int) throws(ConnectorError) {
        if rowCount > 0 { staged = (batch.id, parts) }
    }

    package func commit(batch: Int64) throws(ConnectorError) {
        guard let (stagedBatch, parts) = staged, stagedBatch == batch else { return }
        staged = nil
        let all = header + parts
        header = []
        for part in all {
            try part.forEachSegment(
                { segment throws(ConnectorError) in try write(segment) }, unreadable: ConnectorError.init(unreadable:))
        }
    }

    private func write(_ segment: OutputBytes) throws(ConnectorError) {
        let code = unsafe writeFully(to: descriptor, [segment.buffer.bytes])
        switch code {
        case 0: return
        case EPIPE:
            throw ConnectorError(
                code: "stdout-closed", "the program that read standard output has closed it", isRetriable: false)
        default:
            throw ConnectorError(
                code: "stdout-unwritable", "cannot write to standard output: \(errorText(code))", isRetriable: false)
        }
    }

    package func sync() throws(ConnectorError) {}
}

extension StandardOutputSpec: SinkMaker {
    func makeSink(_ spec: SinkSpec, _ setup: inout SinkSetup, in environment: ConnectorEnvironment) -> any Sink {
        StandardOutputSink(header: setup.header)
    }
}

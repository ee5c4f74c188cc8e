// From what a spec says to the source or sink that does it.

package import SluiceSpec
package import SluiceSystem

/// The source of one query. Reads nothing yet.
package func makeSource(
    _ spec: SourceSpec, fileSystem: any FileSystem, log: Log
) throws(SourceError) -> any Source {
    let log = log.with([.source: .string(spec.name.value)])
    switch spec.connector {
    case .file(let file) where file.isFollowed: return FollowedFileSource(file, fileSystem: fileSystem, log: log)
    case .file(let file): return WholeFileSource(file, fileSystem: fileSystem, log: log)
    case .standardInput: return StandardInputSource()
    case .kafka:
        throw SourceError(code: "not-supported", "the connector `kafka` cannot be read from yet", isRetriable: false)
    }
}

/// The sink of one query. Writes nothing yet.
///
/// - Parameter header: what each CSV output begins with, a whole line with its newline; empty for none.
package func makeSink(
    _ spec: SinkSpec, header: [UInt8], fileSystem: any FileSystem, log: Log
) throws(SinkError) -> any Sink {
    let log = log.with([.sink: .string(spec.name.value)])
    switch spec.connector {
    case .file(let path):
        let fileExtension =
            switch spec.format {
            case .json: "jsonl"
            case .csv: "csv"
            }
        return FileSink(
            folder: path.value, fileExtension: fileExtension, header: header, fileSystem: fileSystem, log: log)
    case .standardOutput: return StandardOutputSink(header: header)
    case .kafka:
        throw SinkError(code: "not-supported", "the connector `kafka` cannot be written to yet", isRetriable: false)
    }
}

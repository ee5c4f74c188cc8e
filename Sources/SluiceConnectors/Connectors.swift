// From what a spec says to the source or sink that does it.

package import SluicePlan
package import SluiceSpec
internal import SluiceSystem

/// The source of one query, for what its plan decodes. Reads nothing yet.
package func makeSource(
    _ spec: SourceSpec, for input: InputPlan, in environment: ConnectorEnvironment
) throws(ConnectorError) -> any Source {
    var environment = environment
    environment.log = environment.log.with([.source: .string(spec.name.value)])
    let (files, log) = (environment.fileSystem, environment.log)
    switch spec.connector {
    case .file(let file) where file.isFollowed:
        return FollowedFileSource(file, format: spec.format, fileSystem: files, log: log)
    case .file(let file): return WholeFileSource(file, format: spec.format, fileSystem: files, log: log)
    case .standardInput: return StandardInputSource(format: spec.format)
    case .kafka(let kafka): return try KafkaSource(kafka, wanted: RecordFields(input), environment: environment)
    }
}

/// The sink of one query. Writes nothing yet.
///
/// - Parameters:
///   - header: what each CSV output begins with, a whole line with its newline; empty for none.
///   - sourceTopics: for the one sink of the query that may move its consumer group, the topics the query reads.
package func makeSink(
    _ spec: SinkSpec, header: [UInt8], sourceTopics: [String]?, in environment: ConnectorEnvironment
) -> any Sink {
    var environment = environment
    environment.log = environment.log.with([.sink: .string(spec.name.value)])
    switch spec.connector {
    case .file(let path):
        let fileExtension =
            switch spec.format {
            case .json: "jsonl"
            case .csv: "csv"
            }
        return FileSink(
            folder: path.value, fileExtension: fileExtension, header: header, fileSystem: environment.fileSystem,
            log: environment.log)
    case .standardOutput: return StandardOutputSink(header: header)
    case .kafka(let kafka):
        return KafkaSink(name: spec.name.value, kafka, sourceTopics: sourceTopics, environment: environment)
    }
}

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
    case .file(let file):
        return WholeFileSource(
            file, format: spec.format, scratchFolder: environment.scratchFolder, fileSystem: files, log: log)
    case .standardInput: return StandardInputSource(format: spec.format)
    case .kafka(let kafka): return try KafkaSource(kafka, wanted: RecordFields(input), environment: environment)
    }
}

/// The sinks of one query, in their order. Writes nothing yet. Kafka sinks with `exactly_once` that connect alike share
/// one client and one transaction a batch.
///
/// - Parameters:
///   - specs: each with what a CSV output begins with, a whole line with its newline; empty for none.
///   - sourceTopics: the topics that the query reads, where marks of earlier versions stand.
package func makeSinks(
    _ specs: [(spec: SinkSpec, header: [UInt8])], sourceTopics: [String], in environment: ConnectorEnvironment
) -> [any Sink] {
    var transactions: [KafkaTransaction] = []
    return specs.map { spec, header in
        var environment = environment
        environment.log = environment.log.with([.sink: .string(spec.name.value)])
        switch spec.connector {
        case .file(let file):
            return FileSink(
                query: environment.query, folder: file.path.value, fileExtension: spec.format.fileExtension,
                isCompressed: file.isCompressed, header: header, fileSystem: environment.fileSystem)
        case .standardOutput: return StandardOutputSink(header: header)
        case .kafka(let kafka) where kafka.isExactlyOnce:
            if let shared = transactions.first(where: { $0.connects(as: kafka) }) {
                return KafkaTransactionSink(name: spec.name.value, kafka, in: shared)
            }
            let transaction = KafkaTransaction(
                kafka, number: transactions.count, sourceTopics: sourceTopics, environment: environment)
            transactions.append(transaction)
            return KafkaTransactionSink(name: spec.name.value, kafka, in: transaction)
        case .kafka(let kafka): return KafkaSink(kafka, environment: environment)
        }
    }
}

extension OutputFormat {
    fileprivate var fileExtension: String {
        switch self {
        case .json: "jsonl"
        case .csv: "csv"
        }
    }
}

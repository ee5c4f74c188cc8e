// From what a spec says to the source or sink that does it. Each system makes its own, in its folder.

package import SluicePlan
package import SluiceSpec
internal import SluiceSystem

/// A connector of a spec that sources are made from.
protocol SourceMaker: SourceConnector {
    /// The source of one query, for what its plan decodes. Reads nothing yet.
    func makeSource(
        _ spec: SourceSpec, for input: InputPlan, in environment: ConnectorEnvironment
    ) throws(ConnectorError) -> any Source
}

/// A connector of a spec that sinks are made from.
protocol SinkMaker: SinkConnector {
    /// A sink of one query. Writes nothing yet.
    func makeSink(_ spec: SinkSpec, _ setup: inout SinkSetup, in environment: ConnectorEnvironment) -> any Sink
}

/// What the sinks of one query are made with.
struct SinkSetup {
    /// What a CSV output of the sink in hand begins with, a whole line with its newline; empty for none.
    var header: [UInt8] = []
    /// What an Avro output of the sink in hand is written by.
    var schema: SchemaText?
    /// The topics that the query reads, where marks of earlier versions stand.
    let sourceTopics: [String]
    /// Of the sinks so far.
    var transactions: [KafkaTransaction] = []
}

/// The source of one query, for what its plan decodes. Reads nothing yet.
package func makeSource(
    _ spec: SourceSpec, for input: InputPlan, in environment: ConnectorEnvironment
) throws(ConnectorError) -> any Source {
    guard let maker = spec.connector as? any SourceMaker else {
        preconditionFailure("nothing reads `\(type(of: spec.connector).key)`")
    }
    var environment = environment
    environment.log = environment.log.with([.source: .string(spec.name.value)])
    return try maker.makeSource(spec, for: input, in: environment)
}

/// The sinks of one query, in their order. Writes nothing yet. Kafka sinks with `exactly_once` that connect alike share
/// one client and one transaction a batch.
///
/// - Parameters:
///   - specs: each with what a CSV output begins with, a whole line with its newline, empty for none; and with what an
///     Avro output is written by.
///   - sourceTopics: the topics that the query reads, where marks of earlier versions stand.
package func makeSinks(
    _ specs: [(spec: SinkSpec, header: [UInt8], schema: SchemaText?)], sourceTopics: [String],
    in environment: ConnectorEnvironment
) -> [any Sink] {
    var setup = SinkSetup(sourceTopics: sourceTopics)
    return specs.map { spec, header, schema in
        guard let maker = spec.connector as? any SinkMaker else {
            preconditionFailure("nothing writes `\(type(of: spec.connector).key)`")
        }
        var environment = environment
        environment.log = environment.log.with([.sink: .string(spec.name.value)])
        (setup.header, setup.schema) = (header, schema)
        return maker.makeSink(spec, &setup, in: environment)
    }
}

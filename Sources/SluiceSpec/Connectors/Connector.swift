// What a connector is, beside its keys: one value of a spec says for each source and sink where its records are and
// what that brings with it. What reads or writes is made from it by `SluiceConnectors`, in the folder of the same
// system. To add one: its keys (`Keys/`), its value here, and its source or sink there (`SourceMaker`, `SinkMaker`).

/// Where a source's records come from.
package protocol SourceConnector: Sendable {
    /// The key in a spec.
    static var key: String { get }
    var position: SourcePosition { get }
    /// Where its rows come from, as `explain` shows it.
    var origin: (name: String, value: String) { get }
    /// False when what was read once cannot be read again.
    var isReplayable: Bool { get }
    /// True where the offsets name every file that was ever taken, so that what was read is known from the checkpoint.
    var positionsAreHistory: Bool { get }
    /// What keeps a batch from taking all that is there.
    var limits: [TriggerLimit] { get }
    /// What it reads of Kafka.
    var topics: KafkaTopics? { get }
    /// librdkafka's settings.
    var options: [KafkaOption] { get }
    /// Files that it reads: a path, a folder or a pattern.
    var path: Located<String>? { get }

    /// The same with another path, for one that has a path.
    func reading(path: String) -> Self
    /// Whether what a sink writes comes in here, as far as their names can tell.
    func reads(_ sink: any SinkConnector, as format: OutputFormat) -> Bool
}

extension SourceConnector {
    package var isReplayable: Bool { true }
    package var positionsAreHistory: Bool { false }
    package var limits: [TriggerLimit] { [] }
    package var topics: KafkaTopics? { nil }
    package var options: [KafkaOption] { [] }
    package var path: Located<String>? { nil }
    package func reading(path: String) -> Self { self }
    package func reads(_ sink: any SinkConnector, as format: OutputFormat) -> Bool { false }
}

/// A key that limits what a batch takes.
package struct TriggerLimit: Hashable, Sendable {
    /// What is counted.
    package enum Unit: Hashable, Sendable {
        /// Bytes of files or records of topics: what offsets count.
        case offsets
        /// Whole files.
        case partitions
    }

    package var key: String
    package var limit: Int64
    package var unit: Unit
}

/// Where a sink's records go.
package protocol SinkConnector: Sendable {
    /// The key in a spec.
    static var key: String { get }
    var position: SourcePosition { get }
    /// Where its rows go and how, as `explain` shows it.
    var details: [(name: String, value: String)] { get }
    /// librdkafka's settings.
    var options: [KafkaOption] { get }
    /// The folder that gets a file a batch.
    var folder: Located<String>? { get }

    /// The same with another folder, for one that has a folder.
    func writing(folder: String) -> Self
}

extension SinkConnector {
    package var options: [KafkaOption] { [] }
    package var folder: Located<String>? { nil }
    package func writing(folder: String) -> Self { self }
}

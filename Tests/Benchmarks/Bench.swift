// What all scenarios are given, and the list of them.

/// How and on what to measure.
struct Bench {
    var binary: String
    /// All files are below it.
    var folder: String
    /// The design's workload, or a small one.
    var workload = Workload()
    var rounds = 3
    /// Sizes for CI: whether everything runs and every answer is right, not how fast.
    var isQuick = false
    var kafkaBrokers: String?
    /// A side, as the figures of peers are for.
    var kafkaRows = 1_000_000
    var kafkaBatches = 10
    var withSpark = false
    /// Leaves topics in the cluster.
    var keeps = false

    /// Measures kinds of things round by round, all kinds in each round, so that whatever else the machine does comes
    /// to all of them. Returns the values by kind.
    func inTurn<Value>(_ kinds: Range<Int>, _ measure: (_ kind: Int) -> Value) -> [[Value]] {
        var values = kinds.map { _ in [Value]() }
        for _ in 0..<rounds {
            for kind in kinds { values[kind].append(measure(kind)) }
        }
        return values
    }

    /// `full`, or what a quick run takes in its place.
    func size<Size>(_ full: Size, quick: Size) -> Size { isQuick ? quick : full }
}

struct Scenario: Sendable {
    let name: String
    let summary: String
    let measure: @Sendable (Bench) -> [Figure]

    static let all = [
        Scenario(
            name: "throughput",
            summary: "rows/s, CPU, memory and checkpoint bytes of visits-ads, beside the limit program",
            measure: measureThroughput),
        Scenario(
            name: "fixed-cost", summary: "what a batch costs that has 0 rows or 1 row a side", measure: measureFixedCost
        ),
        Scenario(
            name: "start", summary: "start to first batch, memory and CPU of a query that waits",
            measure: measureStart),
        Scenario(
            name: "latency", summary: "from append to joined row: 10 ms trigger, 1,000 rows/s",
            measure: measureLatency),
        Scenario(
            name: "state-size", summary: "batch time and checkpoint bytes while live state grows a hundredfold",
            measure: measureStateSize),
        Scenario(
            name: "recovery", summary: "from process start to the first batch, by live state",
            measure: measureRecovery),
        Scenario(
            name: "join-types", summary: "every join type on the same rows; left outer against inner",
            measure: measureJoinTypes),
        Scenario(
            name: "hot-key", summary: "Zipf 1.2, and one key with half of all rows, against uniform keys",
            measure: measureHotKey),
        Scenario(name: "workers", summary: "one processor and two", measure: measureWorkers),
        Scenario(name: "shards", summary: "1 to 64 shards", measure: measureShards),
        Scenario(name: "wide-rows", summary: "30 columns a row, 5 needed", measure: measureWideRows),
        Scenario(
            name: "formats", summary: "nested JSON, CSV, Avro and gzip against flat JSON; 60 fields, 5 of them used",
            measure: measureFormats),
        Scenario(
            name: "chains", summary: "three and five streams against two, and what their state takes",
            measure: measureChains),
        Scenario(
            name: "tables", summary: "a table of 100,000 rows, and deduplication, against neither",
            measure: measureTables),
        Scenario(
            name: "many-queries", summary: "20 light queries beside a heavy one, and 100 that wait",
            measure: measureManyQueries),
        Scenario(
            name: "advice", summary: "what tune says of an interval, and what the query then does at it",
            measure: measureAdvice),
        Scenario(
            name: "kafka", summary: "from Kafka to Kafka beside a bare forwarder (needs --kafka BROKERS)",
            measure: KafkaBenchmark.measure),
        Scenario(
            name: "kafka-formats", summary: "Avro and Protobuf against JSON, from Kafka (needs --kafka BROKERS)",
            measure: KafkaFormats.measure),
    ]
}

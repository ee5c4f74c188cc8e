/// The command line of the suite.
struct Options {
    var bench: Bench
    var scenarios = Scenario.all
    var jsonPath: String?
    private var rows: Int?
    private var batches: Int?
    private var rounds: Int?

    static let usage = """
        Benchmarks [OPTIONS]              measure the release binary beside this one, and check every answer
        Benchmarks thresholds [--update]  count instructions and allocations, and compare with the committed numbers

          --list             the scenarios
          --only NAME,NAME   these scenarios only
          --quick            small sizes: whether everything runs and is right
          --rows N           rows a side (default 5,000,000; Kafka 1,000,000)
          --batches N        batches they come in (default 50; Kafka 10)
          --rounds N         runs of each kind, of which the median counts (default 3)
          --seed N           of the workload's rows (default 1)
          --json FILE        also write the figures to a file
          --kafka BROKERS    also from Kafka to Kafka
          --with-spark       also run the throughput scenario's files through Spark
          --folder DIR       where files go (default: a new folder in TMPDIR)
          --keep             leave files and topics there
        """

    init(_ given: [String], binary: String) {
        bench = Bench(binary: binary, folder: temporaryFolder())
        var arguments = given[...]
        while let option = arguments.popFirst() {
            func value() -> String {
                guard let value = arguments.popFirst() else { fail("\(option) needs a value") }
                return value
            }
            func number() -> Int {
                guard let number = Int(value()), number > 0 else { fail("\(option) needs a positive number") }
                return number
            }
            switch option {
            case "--only": scenarios = Self.scenarios(named: value())
            case "--quick": bench.isQuick = true
            case "--rows": rows = number()
            case "--batches": batches = number()
            case "--rounds": rounds = number()
            case "--seed": bench.workload.seed = UInt64(number())
            case "--json": jsonPath = value()
            case "--kafka": bench.kafkaBrokers = value()
            case "--with-spark": bench.withSpark = true
            case "--folder": bench.folder = value()
            case "--keep": bench.keeps = true
            default: fail("unknown option \(option)\n\(Self.usage)")
            }
        }
        applySizes()
    }

    private mutating func applySizes() {
        bench.workload.rows = rows ?? bench.size(5_000_000, quick: 100_000)
        bench.workload.batches = batches ?? bench.size(50, quick: 10)
        bench.kafkaRows = rows ?? bench.size(1_000_000, quick: 100_000)
        bench.kafkaBatches = batches ?? 10
        bench.rounds = rounds ?? bench.size(3, quick: 1)
        if bench.isQuick {
            // As many matches, and time enough for rows to be evicted.
            (bench.workload.rowsPerSecond, bench.workload.pages) = (100, 12_000)
        }
        if bench.kafkaBrokers == nil, scenarios.count > 1 { scenarios.removeAll { $0.name.hasPrefix("kafka") } }
    }

    private static func scenarios(named names: String) -> [Scenario] {
        names.split(separator: ",").map { name in
            guard let scenario = Scenario.all.first(where: { $0.name == name }) else {
                fail("there is no scenario \(name): \(Scenario.all.map(\.name).joined(separator: " "))")
            }
            return scenario
        }
    }
}

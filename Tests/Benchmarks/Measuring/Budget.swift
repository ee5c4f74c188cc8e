// The budgets of the design (section 7): what each figure must be, and what it should be.

/// A figure that the design sets.
struct Budget: Sendable {
    enum Direction { case atLeast, atMost }

    let name: String
    let unit: Unit
    let direction: Direction
    let must: Double
    let goal: Double

    static let rate = Budget("rows/s through the join", .number, .atLeast, must: 1_000_000, goal: 2_000_000)
    static let cpu = Budget("CPU per input row", .micros, .atMost, must: 1.8, goal: 1.0)
    static let memory = Budget("peak memory", .megabytes, .atMost, must: 500, goal: 300)
    static let fixedCost = Budget("a batch with 1 row a side, durable", .millis, .atMost, must: 10, goal: 4)
    static let latency = Budget("append to joined row, p99", .millis, .atMost, must: 50, goal: 20)
    static let checkpoint = Budget("checkpoint bytes per input row", .bytes, .atMost, must: 16, goal: 10)
    static let stateTime = Budget("batch time, state times 100", .times, .atMost, must: 1.5, goal: 1.1)
    static let stateBytes = Budget("checkpoint bytes, state times 100", .times, .atMost, must: 1.5, goal: 1.1)
    static let leftOuter = Budget("time of left outer against inner", .times, .atMost, must: 1.2, goal: 1.05)
    static let hotKey = Budget("rate, one key with half of all rows", .times, .atLeast, must: 0.5, goal: 0.8)
    static let restart = Budget("restart with 1 M live rows", .seconds, .atMost, must: 2, goal: 0.5)
    static let start = Budget("start to first batch", .millis, .atMost, must: 50, goal: 20)
    static let idleMemory = Budget("idle memory", .megabytes, .atMost, must: 50, goal: 25)
    static let fairness = Budget("light batches beside a heavy query, p99", .times, .atMost, must: 2, goal: 1.2)
    static let nestedJSON = Budget("rate of nested JSON against flat", .times, .atLeast, must: 0.6, goal: 0.8)
    static let csv = Budget("rate of CSV against JSON", .times, .atLeast, must: 1.0, goal: 1.3)
    static let avro = Budget("rate of Avro against JSON", .times, .atLeast, must: 1.0, goal: 1.5)
    static let avroOut = Budget("rate with Avro out against JSON out", .times, .atLeast, must: 1.0, goal: 1.2)
    static let avroWide = Budget(
        "rate of Avro, 60 fields of which 5 are used, against those 5", .times, .atLeast, must: 0.8, goal: 1.0)
    static let gzipInput = Budget("CPU that gzip adds, against gzip -dc", .times, .atMost, must: 1.3, goal: 1.0)
    static let kafkaRate = Budget("Kafka to Kafka, rate against forwarder", .times, .atLeast, must: 0.4, goal: 0.7)
    static let kafkaAvro = Budget("rate of Avro against JSON, from Kafka", .times, .atLeast, must: 1.0, goal: 1.5)
    static let kafkaProtobuf = Budget(
        "rate of Protobuf against JSON, from Kafka", .times, .atLeast, must: 1.0, goal: 1.5)
    static let kafkaAvroWide = Budget(
        "rate of Avro from Kafka, 60 fields of which 5 are used", .times, .atLeast, must: 0.8, goal: 1.0)
    static let kafkaProtobufWide = Budget(
        "rate of Protobuf from Kafka, 60 fields of which 5 are used", .times, .atLeast, must: 0.8, goal: 1.0)
    static let kafkaFixedCost = Budget("a Kafka batch with 1 row a side", .millis, .atMost, must: 25, goal: 10)

    static let threeStreams = Budget(
        "rate by input row, three streams against two", .times, .atLeast, must: 0.5, goal: 0.8)
    static let fiveStreams = Budget(
        "cost by input row and join, five streams against two", .times, .atMost, must: 1.0, goal: 0.8)
    static let starState = Budget("state of a star of five, by its rows", .times, .atMost, must: 1.2, goal: 1.1)
    static let table = Budget("rate with a table of 100,000 rows", .times, .atLeast, must: 0.8, goal: 0.95)
    static let deduplicate = Budget("rate with deduplication", .times, .atLeast, must: 0.8, goal: 0.95)

    private init(_ name: String, _ unit: Unit, _ direction: Direction, must: Double, goal: Double) {
        (self.name, self.unit, self.direction, self.must, self.goal) = (name, unit, direction, must, goal)
    }

    func isMet(_ value: Double, _ target: KeyPath<Budget, Double>) -> Bool {
        direction == .atLeast ? value >= self[keyPath: target] : value <= self[keyPath: target]
    }
}

enum Unit: String {
    case number = ""
    case micros = "µs"
    case millis = "ms"
    case seconds = "s"
    case bytes = "B"
    case megabytes = "MB"
    case times = "×"
    case percent = "%"

    /// A value with as many digits as say something.
    func text(_ value: Double) -> String {
        let digits = abs(value) >= 1000 ? 0 : abs(value) >= 100 ? 1 : abs(value) >= 10 ? 2 : 3
        let number = digits == 0 ? grouped(Int(value.rounded())) : decimal(value, digits: digits)
        return rawValue.isEmpty ? number : "\(number) \(rawValue)"
    }
}

/// A measured value, and what it is held against.
struct Figure {
    let name: String
    let unit: Unit
    /// The median of the samples.
    let value: Double
    let samples: [Double]
    var budget: Budget?
    var note = ""

    init(_ budget: Budget, _ samples: [Double], note: String = "") {
        self.init(budget.name, budget.unit, samples, note: note)
        self.budget = budget
    }

    /// A figure without a budget.
    init(_ name: String, _ unit: Unit, _ samples: [Double], note: String = "") {
        (self.name, self.unit, self.samples, self.note) = (name, unit, samples, note)
        value = median(samples)
    }

    init(_ name: String, _ unit: Unit, _ value: Double, note: String = "") {
        self.init(name, unit, [value], note: note)
    }

    /// How many times as good as it must be.
    var ratio: Double? {
        budget.map { $0.direction == .atLeast ? value / $0.must : $0.must / value }
    }

    /// Which line the figure has reached: `goal`, `must` or `missed`.
    var verdict: String? {
        budget.map { $0.isMet(value, \.goal) ? "goal" : $0.isMet(value, \.must) ? "must" : "missed" }
    }
}

func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { fail("no samples") }
    let sorted = values.sorted()
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
}

/// The smallest value that is not below `share` of all.
func percentile(_ values: [Double], _ share: Double) -> Double {
    guard !values.isEmpty else { fail("no samples") }
    let sorted = values.sorted()
    return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
}

func decimal(_ value: Double, digits: Int) -> String {
    let scale = (0..<digits).reduce(1) { product, _ in product * 10 }
    let scaled = Int((abs(value) * Double(scale)).rounded())
    let whole = "\(value < 0 && scaled > 0 ? "-" : "")\(scaled / scale)"
    return digits == 0 ? whole : "\(whole).\(padded(scaled % scale, digits))"
}

func grouped(_ number: Int) -> String {
    let digits = Array(String(abs(number)))
    let parts = stride(from: digits.count, to: 0, by: -3).map { String(digits[max(0, $0 - 3)..<$0]) }
    return (number < 0 ? "-" : "") + parts.reversed().joined(separator: ",")
}

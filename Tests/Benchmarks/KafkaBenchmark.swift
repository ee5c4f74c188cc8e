// Measures the release binary from Kafka to Kafka, exactly once, on topics of its own. The broker's speed is in every
// figure, so what counts is the ratio to a bare forwarder (Forwarder.swift) that takes its turns on the same broker:
//
//     fill the topics ─▶ warm up ─▶ product, forwarder, product, forwarder, … ─▶ backlog ─▶ fixed cost ─▶ delete
//
// Every answer of the product is read back under `read_committed` and compared with the truth.

import CRdKafka
import Glibc

struct KafkaBenchmark {
    /// Topics with the workload in them, and what their join must give.
    private struct Input {
        var workload: Workload
        var topics: [String]
        var partitions: Int
        var byteCount: Int
        var truth: Answer

        var rowCount: Double { Double(workload.rows * topics.count) }
    }

    private struct Run {
        var cost: ProcessCost
        var batchMillis: [Int]
    }

    private let cluster: KafkaCluster
    private let folder: String
    private let binary: String
    /// Part of every name that the cluster sees.
    private let suffix = "\(getpid())_\(time(nil))"
    private var topics: [String] = []

    private var query: String { "visits_ads_\(suffix)" }
    private var group: String { "sluice-\(query)" }
    private var forwarderID: String { "sluice-forwarder-\(suffix)" }

    static func measure(_ options: Benchmarks.Options, brokers: String, binary: String) {
        var benchmark = KafkaBenchmark(
            cluster: KafkaCluster(brokers: brokers), folder: options.folder, binary: binary)
        var small = Workload()
        small.rows = 200
        let oneByOne = benchmark.fill("small", small, partitions: 1)
        let large = benchmark.fill("large", options.workload, partitions: 2)
        // A broker's first transaction and first group are slow.
        _ = benchmark.runProduct(oneByOne, "warm", offsetsPerTrigger: small.rows)
        _ = benchmark.runForwarder(oneByOne, "warm")
        let product = benchmark.throughput(large, rounds: options.rounds)
        benchmark.backlog(large, product)
        benchmark.fixedCost(oneByOne)
        if !options.keeps {
            benchmark.cluster.delete(benchmark.topics)
            benchmark.cluster.deleteGroup(benchmark.group)
            benchmark.cluster.deleteGroup(benchmark.forwarderID)
        }
    }

    private init(cluster: KafkaCluster, folder: String, binary: String) {
        self.cluster = cluster
        self.folder = folder
        self.binary = binary
    }

    private mutating func create(_ names: [String], partitions: Int) -> [String] {
        let full = names.map { "sluice-benchmark-\(suffix)-\($0)" }
        cluster.create(full, partitions: partitions)
        topics += full
        return full
    }

    private mutating func fill(_ name: String, _ workload: Workload, partitions: Int) -> Input {
        let (visits, ads) = (workload.side(0), workload.side(1))
        let topics = create(["\(name)-visits", "\(name)-ads"], partitions: partitions)
        let visitBytes = cluster.fill(topics[0], partitions: partitions, count: workload.rows) { index, text in
            workload.appendVisit(index, visits[index], to: &text)
        }
        let adBytes = cluster.fill(topics[1], partitions: partitions, count: workload.rows) { index, text in
            workload.appendAd(index, ads[index], to: &text)
        }
        return Input(
            workload: workload, topics: topics, partitions: partitions, byteCount: visitBytes + adBytes,
            truth: workload.truth(visits: visits, ads: ads))
    }
}

// MARK: Runs

extension KafkaBenchmark {
    /// One run of the product into a fresh topic with a fresh checkpoint, whose answer is right.
    private mutating func runProduct(_ input: Input, _ name: String, offsetsPerTrigger: Int) -> Run {
        let output = create(["\(name)-out"], partitions: input.partitions)[0]
        let place = "\(folder)/\(name)"
        makeFolder(place)
        let sources = input.topics.map { topic in
            "kafka: { brokers: \"\(cluster.brokers)\", topic: \(topic), start: earliest,"
                + " max_offsets_per_trigger: \(offsetsPerTrigger) }"
        }
        let text = Benchmarks.spec(
            visits: sources[0], ads: sources[1], query: query,
            sink: "kafka: { brokers: \"\(cluster.brokers)\", topic: \(output) }")
        writeFile("\(place)/spec.yaml", Array(text.utf8))
        let cost = run(Benchmarks.command(binary, place))
        guard cost.exitCode == 0 else { fail("sluice ended with \(cost.exitCode)") }
        var answer = Answer()
        cluster.readCommitted(output, partitions: input.partitions) { value in
            input.workload.add(Array(value)[...], to: &answer)
        }
        guard answer == input.truth else {
            fail("the answer in \(output) is wrong: \(answer), the truth is \(input.truth)")
        }
        return Run(cost: cost, batchMillis: Benchmarks.batchMillis("\(place)/progress.jsonl"))
    }

    private mutating func runForwarder(_ input: Input, _ name: String) -> ProcessCost {
        let output = create(["\(name)-forwarded"], partitions: input.partitions)[0]
        let cost = run(
            Forwarder.arguments(
                brokers: cluster.brokers, inputs: input.topics, partitions: input.partitions, output: output,
                id: forwarderID))
        guard cost.exitCode == 0 else { fail("the forwarder ended with \(cost.exitCode)") }
        var (count, byteCount) = (0, 0)
        cluster.readCommitted(output, partitions: input.partitions) { value in
            count += 1
            byteCount += value.count
        }
        guard Double(count) == input.rowCount, byteCount == input.byteCount else {
            fail("the forwarder wrote \(count) records with \(byteCount) bytes")
        }
        return cost
    }
}

// MARK: Measurements

extension KafkaBenchmark {
    private mutating func throughput(_ input: Input, rounds: Int) -> Run {
        let offsets = (input.workload.rows + input.workload.batches - 1) / input.workload.batches
        var product: [Run] = []
        var forwarder: [ProcessCost] = []
        for round in 1...rounds {
            product.append(runProduct(input, "round-\(round)", offsetsPerTrigger: offsets))
            forwarder.append(runForwarder(input, "round-\(round)"))
        }
        let written = median(product.map { Double($0.cost.writtenBytes) })
        print(
            "visits-ads from Kafka to Kafka, exactly once: \(input.workload.rows) rows a side in \(input.partitions)"
                + " partitions, \(input.byteCount / 1_000_000) MB,\n\(offsets) rows a side and batch,"
                + " medians of \(rounds) rounds")
        print(
            "  answer         right each time: \(input.truth.matched) pairs, \(input.truth.unmatched) visits without"
                + " an ad")
        let rate = printCosts(product.map(\.cost), rowCount: input.rowCount)
        print(
            "  bytes written  \(Int(written)) checkpoint and progress"
                + " (\(Benchmarks.rounded(written / input.rowCount)) a row)")
        let times = product.flatMap(\.batchMillis).sorted()
        print("  batch time     \(Benchmarks.batchTimes(times)), \(product[0].batchMillis.count) batches")
        print("bare forwarder on the same topics, a transaction per \(Forwarder.messagesPerTransaction) messages")
        let bareRate = printCosts(forwarder, rowCount: input.rowCount)
        print("  ratio          \(Benchmarks.rounded(rate / bareRate)) product : forwarder (budget: at least 0.4)")
        return product[0]
    }

    /// Prints the medians and returns that of the rows per second.
    private func printCosts(_ costs: [ProcessCost], rowCount: Double) -> Double {
        let rates = costs.map { rowCount / $0.seconds }
        let cpu = median(costs.map(\.cpuSeconds))
        let each = rates.map { String(Int($0)) }.joined(separator: " ")
        print("  rows/s         \(Int(median(rates))) (\(each))")
        print(
            "  CPU            \(Benchmarks.rounded(cpu)) s, \(Benchmarks.rounded(cpu / rowCount * 1e6)) µs a row")
        print("  peak memory    \(Int(median(costs.map { Double($0.peakBytes) })) / 1_000_000) MB")
        return median(rates)
    }

    /// The same backlog in small batches: memory follows the batch.
    private mutating func backlog(_ input: Input, _ first: Run) {
        let offsets = 10_000
        let run = runProduct(input, "backlog", offsetsPerTrigger: offsets)
        print("the same backlog, \(offsets) rows a side and batch")
        print(
            "  peak memory    \(run.cost.peakBytes / 1_000_000) MB with \(run.batchMillis.count) batches,"
                + " \(first.cost.peakBytes / 1_000_000) MB with \(first.batchMillis.count)")
    }

    private mutating func fixedCost(_ input: Input) {
        let run = runProduct(input, "fixed", offsetsPerTrigger: 1)
        let batches = run.batchMillis.count
        print("a batch with 1 row a side, from Kafka to Kafka, exactly once, \(batches) times")
        print("  whole process  \(Benchmarks.rounded(run.cost.seconds / Double(batches) * 1000)) ms a batch")
        print("  batch time     \(Benchmarks.batchTimes(run.batchMillis)) (budget: 25 ms)")
    }

    private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}

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
        var batches: [ProgressRecord]
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

    static func measure(_ bench: Bench) -> [Figure] {
        guard let brokers = bench.kafkaBrokers else { fail("the scenario kafka needs --kafka BROKERS") }
        var benchmark = KafkaBenchmark(
            cluster: KafkaCluster(brokers: brokers), folder: bench.folder, binary: bench.binary)
        var small = bench.workload
        small.rows = bench.size(200, quick: 30)
        var workload = bench.workload
        (workload.rows, workload.batches) = (bench.kafkaRows, bench.kafkaBatches)
        let oneByOne = benchmark.fill("small", small, partitions: 1)
        let large = benchmark.fill("large", workload, partitions: 2)
        // A broker's first transaction and first group are slow.
        _ = benchmark.runProduct(oneByOne, "warm", offsetsPerTrigger: small.rows)
        _ = benchmark.runForwarder(oneByOne, "warm")
        let (first, throughput) = benchmark.throughput(large, rounds: bench.rounds)
        let figures = throughput + [benchmark.backlog(large, first), benchmark.fixedCost(oneByOne)]
        if !bench.keeps {
            benchmark.cluster.delete(benchmark.topics)
            benchmark.cluster.deleteGroup(benchmark.group)
            benchmark.cluster.deleteGroup(benchmark.forwarderID)
        }
        return figures
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
        let forms = workload.forms
        let topics = create(["\(name)-visits", "\(name)-ads"], partitions: partitions)
        let visitBytes = cluster.fill(topics[0], partitions: partitions, count: workload.rows) { index, text in
            workload.appendVisit(index, forms.visit, to: &text)
        }
        let adBytes = cluster.fill(topics[1], partitions: partitions, count: workload.rows) { index, text in
            workload.appendAd(index, forms.ad, to: &text)
        }
        return Input(
            workload: workload, topics: topics, partitions: partitions, byteCount: visitBytes + adBytes,
            truth: Truth(workload).answer(.leftOuter))
    }
}

// MARK: Runs

extension KafkaBenchmark {
    /// One run of the product into a fresh topic with a fresh checkpoint, whose answer is right.
    private mutating func runProduct(_ input: Input, _ name: String, offsetsPerTrigger: Int) -> Run {
        let output = create(["\(name)-out"], partitions: input.partitions)[0]
        let sources = input.topics.map { topic in
            "kafka: { brokers: \"\(cluster.brokers)\", topic: \(topic), start: earliest,"
                + " max_offsets_per_trigger: \(offsetsPerTrigger) }"
        }
        let spec = JoinSpec(
            visits: sources[0], ads: sources[1],
            sink: "kafka: { brokers: \"\(cluster.brokers)\", topic: \(output) }", query: query)
        let place = RunFolder("\(folder)/kafka", spec, input.workload)
        let cost = run(place.command(binary), output: place.log)
        let forms = input.workload.forms
        var answer = Answer()
        cluster.readCommitted(output, partitions: input.partitions) { value in
            answer.add(value, forms)
        }
        guard answer == input.truth else {
            fail("the answer in \(output) is wrong: \(answer), the truth is \(input.truth)")
        }
        let batches = ProgressRecord.all(in: place.progress)
        removeFolder(place.path)
        return Run(cost: cost, batches: batches)
    }

    private mutating func runForwarder(_ input: Input, _ name: String) -> ProcessCost {
        let output = create(["\(name)-forwarded"], partitions: input.partitions)[0]
        let cost = run(
            Forwarder.arguments(
                brokers: cluster.brokers, inputs: input.topics, partitions: input.partitions, output: output,
                id: forwarderID))
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
    private mutating func throughput(_ input: Input, rounds: Int) -> (first: Run, figures: [Figure]) {
        let offsets = (input.workload.rows + input.workload.batches - 1) / input.workload.batches
        var product: [Run] = []
        var forwarder: [ProcessCost] = []
        for round in 1...rounds {
            product.append(runProduct(input, "round-\(round)", offsetsPerTrigger: offsets))
            forwarder.append(runForwarder(input, "round-\(round)"))
        }
        let rows = input.rowCount
        let batches = product.flatMap(\.batches.withInput)
        let figures = [
            Figure(
                "rows/s, Kafka to Kafka, exactly once", .number, product.map { rows / $0.cost.seconds },
                note: "\(grouped(input.workload.rows)) rows a side in \(input.partitions) partitions, right each time"),
            Figure("CPU per row, Kafka to Kafka", .micros, product.map { $0.cost.cpuSeconds * 1e6 / rows }),
            Figure("peak memory, Kafka to Kafka", .megabytes, product.map { Double($0.cost.peakBytes) / 1e6 }),
            Figure(
                "bytes written per row, Kafka to Kafka", .bytes, product.map { Double($0.cost.writtenBytes) / rows },
                note: "checkpoint and progress"),
            Figure("batch time, Kafka to Kafka", .millis, batches.millis, note: batches.timesText),
            Figure(
                "rows/s, forwarder", .number, forwarder.map { rows / $0.seconds },
                note: "a transaction per \(grouped(Forwarder.messagesPerTransaction)) messages"),
            Figure("CPU per row, forwarder", .micros, forwarder.map { $0.cpuSeconds * 1e6 / rows }),
            Figure(.kafkaRate, zip(product, forwarder).map { $1.seconds / $0.cost.seconds }),
        ]
        return (product[0], figures)
    }

    /// The same backlog in small batches: memory follows the batch.
    private mutating func backlog(_ input: Input, _ first: Run) -> Figure {
        let offsets = 10_000
        let run = runProduct(input, "backlog", offsetsPerTrigger: offsets)
        return Figure(
            "peak memory, \(grouped(offsets)) rows a side and batch", .megabytes, Double(run.cost.peakBytes) / 1e6,
            note: "\(run.batches.count) batches, above \(first.batches.count)")
    }

    private mutating func fixedCost(_ input: Input) -> Figure {
        let run = runProduct(input, "fixed", offsetsPerTrigger: 1)
        return Figure(
            .kafkaFixedCost, [run.cost.seconds * 1000 / Double(run.batches.count)],
            note: "whole process, exactly once; by its own account \(run.batches.timesText)")
    }
}

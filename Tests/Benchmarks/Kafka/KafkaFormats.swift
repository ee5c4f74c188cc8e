// The same rows in topics as JSON, Avro and protobuf, joined into files: the broker gives the bytes, and what differs
// is what is made of them. And rows of 60 fields against those five of them that are used.

import Glibc

struct KafkaFormats {
    private let bench: Bench
    private let cluster: KafkaCluster
    private let suffix = "\(getpid())_\(time(nil))"
    private var topics: [String] = []

    /// Topics with rows of one form.
    private struct Input {
        /// What the spec declares.
        var workload: Workload
        var spec: JoinSpec
        var truth: Answer
        var byteCount: Int
    }

    private struct Run {
        var rowsPerSecond: Double
        var cpuMicrosPerRow: Double
    }

    static func measure(_ bench: Bench) -> [Figure] {
        guard let brokers = bench.kafkaBrokers else { fail("the scenario kafka-formats needs --kafka BROKERS") }
        var formats = KafkaFormats(bench: bench, cluster: KafkaCluster(brokers: brokers))
        makeFolder("\(bench.folder)/schemas")
        let figures = formats.measure()
        removeFolder("\(bench.folder)/schemas")
        if !bench.keeps { formats.cluster.delete(formats.topics) }
        return figures
    }

    private mutating func measure() -> [Figure] {
        var plain = bench.workload
        (plain.rows, plain.batches) = (bench.kafkaRows, bench.kafkaBatches)
        var wide = plain
        wide.fillerCount = 57
        wide.rows = plain.rows / 4
        var used = wide
        used.declaresFillers = false
        var inputs = [fill("json", plain, of: plain, nil)]
        for format in BinaryFormat.allCases { inputs.append(fill("\(format)", plain, of: plain, format)) }
        for format in BinaryFormat.allCases {
            inputs.append(fill("\(format)-wide", used, of: wide, format))
            inputs.append(fill("\(format)-used", used, of: used, format))
        }
        let runs = bench.inTurn(inputs.indices) { join(inputs[$0]) }
        func rates(_ index: Int, _ base: Int) -> [Double] {
            zip(runs[index], runs[base]).map { $0.rowsPerSecond / $1.rowsPerSecond }
        }
        func cpu(_ index: Int) -> String { "\(Unit.micros.text(median(runs[index].map(\.cpuMicrosPerRow)))) a row" }
        func note(_ index: Int, _ base: Int) -> String {
            "CPU \(cpu(index)) of \(inputs[index].byteCount) bytes, against \(cpu(base)) of \(inputs[base].byteCount)"
        }
        return [
            Figure("rows/s, JSON from Kafka", .number, runs[0].map(\.rowsPerSecond), note: "CPU \(cpu(0))"),
            Figure(.kafkaAvro, rates(1, 0), note: note(1, 0)),
            Figure(.kafkaProtobuf, rates(2, 0), note: note(2, 0)),
            Figure(.kafkaAvroWide, rates(3, 4), note: note(3, 4)),
            Figure(.kafkaProtobufWide, rates(5, 6), note: note(5, 6)),
        ]
    }

    /// - Parameters:
    ///   - workload: what the spec declares.
    ///   - rows: what it declares is what rows have, but in JSON, which has all.
    ///   - format: nil for JSON.
    private mutating func fill(
        _ name: String, _ workload: Workload, of rows: Workload, _ format: BinaryFormat?
    ) -> Input {
        let names = ["visits", "ads"].map { "sluice-formats-\(suffix)-\(name)-\($0)" }
        cluster.create(names, partitions: 2)
        topics += names
        let (visits, ads) = (
            BinaryRows("Visit", members: rows.members.visit, names: rows.declaredColumns[0].columns.map(\.name)),
            BinaryRows("Ad", members: rows.members.ad, names: rows.declaredColumns[1].columns.map(\.name))
        )
        let forms = workload.forms
        var byteCount = cluster.fill(names[0], partitions: 2, count: workload.rows) { index, bytes in
            guard let format else { return workload.appendVisit(index, forms.visit, to: &bytes) }
            visits.append(workload.visitValues(index), as: format, to: &bytes)
        }
        byteCount += cluster.fill(names[1], partitions: 2, count: workload.rows) { index, bytes in
            guard let format else { return workload.appendAd(index, forms.ad, to: &bytes) }
            ads.append(workload.adValues(index), as: format, to: &bytes)
        }
        let offsets = (workload.rows + workload.batches - 1) / workload.batches
        let sources = names.map { topic in
            "kafka: { brokers: \"\(cluster.brokers)\", topic: \(topic), start: earliest,"
                + " max_offsets_per_trigger: \(offsets) }"
        }
        var spec = JoinSpec(visits: sources[0], ads: sources[1], sink: "file: { path: out }")
        if let format {
            spec.inputFormat = self.format(format, visits, "\(name)-visits")
            spec.adFormat = self.format(format, ads, "\(name)-ads")
        }
        return Input(
            workload: workload, spec: spec, truth: Truth(workload).answer(.leftOuter),
            byteCount: byteCount / workload.rows / 2)
    }

    private func format(_ format: BinaryFormat, _ rows: BinaryRows, _ name: String) -> String {
        let path = "\(bench.folder)/schemas/\(name)"
        switch format {
        case .avro:
            writeFile("\(path).avsc", Array(rows.avroSchema.utf8))
            return "{ avro: { schema: \"\(path).avsc\" } }"
        case .protobuf:
            writeFile("\(path).proto", Array(rows.proto.utf8))
            return "{ protobuf: { proto: \"\(path).proto\" } }"
        }
    }

    private func join(_ input: Input) -> Run {
        let folder = RunFolder("\(bench.folder)/run", input.spec, input.workload)
        let cost = run(folder.command(bench.binary), output: folder.log)
        folder.check(input.workload, input.truth)
        removeFolder(folder.path)
        let rows = Double(input.workload.rows * 2)
        return Run(rowsPerSecond: rows / cost.seconds, cpuMicrosPerRow: cost.cpuSeconds * 1e6 / rows)
    }
}

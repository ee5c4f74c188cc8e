// A value from `${file:…}` never shows, wherever it ends up.

import SluiceSpec
import Testing

private let secret = "hunter2"

/// Every setting that a Kafka connector has.
private let kafkaJob = """
    sluice: 1
    sources:
      s:
        kafka: { brokers: a, topic: t, start: { 0: 7, 1: latest }, max_offsets_per_trigger: 9, max_trigger_delay: 1m,
                 min_offsets_per_trigger: 2, on_data_loss: fail, isolation: read_committed, options: { client.id: c } }
        columns: { key: { type: int, from: kafka.key }, at: { type: timestamp, from: kafka.timestamp } }
        watermark: { column: at, delay: 1m, idle_timeout: 1m, per_partition: true }
    queries:
      q: { from: s, to: out }
    sinks:
      out:
        kafka: { brokers: a, topic: t, key: key, timestamp: at, delivery: exactly_once, options: { client.id: c } }

    """

@Suite struct SecretTests {
    @Test func `a secret constant works and prints as dots`() throws {
        let job = typedJob(select: "s = '${file:password}' or s = concat('${file:password}', 'x')")
        let spec = try #require(readSpec(job, secrets: ["password": secret + "\n"]).spec)
        let expression = spec.queries[0].select[0].expression
        #expect(expression.description == "r.s = ••• or r.s = ••• || 'x'")
        #expect(expression.mapColumns { $0.column }.text { $0 } == "s = ••• or s = ••• || 'x'")
        guard case .call(.or, let sides) = expression.kind, case .call(.equal, let operands) = sides[0].kind else {
            return
        }
        #expect(operands[1].kind == .literal(.string(secret)))
        #expect(spec.secretMask.hide("open \(secret): no such file") == "open •••: no such file")
    }

    @Test(arguments: [
        ("DB_PASSWORD", true), ("kafka_secret", true), ("TOKEN", true), ("API_TOKEN", true), ("BYPASS_HOST", false),
        ("FOLDER", false), ("TOKENIZER", false),
    ])
    func `a variable whose name says that it is a secret is one`(name: String, isSecret: Bool) throws {
        let job = typedJob(select: "s = '${env:\(name)}'")
        let read = SpecReader.read(
            files: [("job.yaml", Array(job.utf8))], environment: { $0 == name ? secret : nil },
            readFile: { _ in .failure(UnreadableFile(reason: "none")) })
        let spec = try #require(read.0)
        #expect(spec.queries[0].select[0].expression.description == (isSecret ? "r.s = •••" : "r.s = '\(secret)'"))
        #expect(spec.secretMask.hide("open \(secret)") == (isSecret ? "open •••" : "open \(secret)"))
    }

    /// Every scalar of the job is replaced by the secret, one after the other, whole and as a part.
    @Test(arguments: [
        "${file:password}", "a${file:password}b", "r.${file:password}", "'${file:password}", "${file:password} + 5q",
    ])
    func `no diagnostic shows a secret, wherever a spec holds it`(reference: String) {
        let job = fileJob.replacing("type: left outer", with: "type: left outer\n        null_safe: true")
        var shown = 0
        for range in job.scalarRanges {
            var changed = job
            changed.replaceSubrange(range, with: quotedJSON(reference))
            let read = readSpec(changed, secrets: ["password": secret])
            #expect(!read.rendered.contains(secret), "\(changed)")
            #expect(!read.diagnostics.json.contains(secret))
            shown += read.rendered.contains("•••") ? 1 : 0
        }
        #expect(shown > 5)
    }

    @Test(arguments: ["${file:password}", "a${file:password}b", "kafka.${file:password}", "-1${file:password}"])
    func `no diagnostic of a Kafka job shows a secret`(reference: String) {
        var shown = 0
        for range in kafkaJob.scalarRanges {
            var changed = kafkaJob
            changed.replaceSubrange(range, with: quotedJSON(reference))
            let read = readSpec(changed, secrets: ["password": secret])
            #expect(!read.rendered.contains(secret), "\(changed)")
            shown += read.rendered.contains("•••") ? 1 : 0
        }
        #expect(shown > 5)
    }

    @Test func `options of a connector are kept as secrets`() {
        #expect(Secret(secret).description == "•••")
        #expect("\(Secret(secret))" == "•••")
        #expect(String(reflecting: Secret(secret)) == "•••")
    }
}

extension String {
    /// The values of this file's simple scalars: what follows `: ` up to a comma, a brace or the end of the line.
    fileprivate var scalarRanges: [Range<String.Index>] {
        ranges(of: /: [^{}\[\],\n]+/).map {
            index(startIndex, offsetBy: distance(from: startIndex, to: $0.lowerBound) + 2)..<$0.upperBound
        }
    }
}

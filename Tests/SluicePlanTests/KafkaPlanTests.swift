// What Kafka adds to a plan: topics, records with a key and a time, watermarks per partition. How they are shown is in
// Golden/kafka.txt, and mistakes are in Golden/records.txt.

import Foundation
import SluicePlan
import SluiceSpec
import Testing

/// One query over one Kafka topic, with parts to change.
private func job(
    source: String = "kafka: { brokers: b, topic: visits }", watermark: String = "",
    select: String = "id: visits.id, at: visits.at, page: visits.page", sink: String = ""
) -> String {
    """
    sluice: 1
    sources:
      visits:
        \(source)
        columns: { id: long, at: timestamp, page: string, unused: string }
        watermark: { column: at, delay: 1m\(watermark) }
    queries:
      q: { from: visits, select: { \(select) }, to: out }
    sinks:
      out: { kafka: { brokers: b, topic: out\(sink) } }
    """
}

private func planned(_ text: String) throws -> PhysicalPlan {
    let read = readSpec(text)
    let spec = try #require(read.spec, "\(read.diagnostics)")
    let result = Planner.plan(query: spec.queries[0], in: spec)
    return try #require(result.physical, "\(result.diagnostics)")
}

private func changes(_ old: String, _ new: String) throws -> FingerprintChanges {
    PhysicalPlan.compareFingerprints(old: try planned(old).fingerprint, new: try planned(new).fingerprint)
}

@Suite struct KafkaPlanTests {
    private func record(_ text: String) throws -> RecordPlan { try #require(try planned(text).output.sinks[0].record) }

    @Test func aPlainKafkaSinkHasARecordWithoutKeyAndTime() throws {
        #expect(try record(job()) == RecordPlan(key: nil, timestamp: nil))
    }

    @Test func otherSinksHaveNoRecord() throws {
        let text = job().replacing("out: { kafka: { brokers: b, topic: out } }", with: "out: { stdout: {} }")
        #expect(try planned(text).output.sinks.map(\.record) == [nil])
    }

    @Test func theKeyAndTheTimeAreWhatTheOutputColumnsCompute() throws {
        let text = job(
            select: "name: \"lower(visits.page)\", when: \"visits.at + 1m\", id: visits.id",
            sink: ", key: \"name || '-' || id\", timestamp: when")
        let plan = try planned(text)
        let record = try #require(plan.output.sinks[0].record)
        let key = record.key?.text { plan.inputs[$0.input].columns[$0.index].name }
        #expect(key == "lower(page) || '-' || cast(id as string)")
        #expect(record.key?.type == .string)
        #expect(record.timestamp == plan.output.columns[1].expression)
        #expect(plan.inputs[0].columns.map(\.name).sorted() == ["at", "id", "page"])
    }

    @Test(
        arguments: [
            ("id", .long), ("at", .timestamp), ("page", .string), ("id > 3", .boolean), ("id / 2", .double),
            ("\"null\"", .string),
        ] as [(String, DataType)])
    func aKeyHasAnyType(key: String, type: DataType) throws {
        #expect(try record(job(sink: ", key: \(key)")).key?.type == type)
    }

    @Test func aSecretInAKeyIsNotShown() throws {
        let text = job(sink: ", key: \"concat(page, '${file:secret}', 'x')\"").replacing(
            "topic: out", with: "topic: '${file:topic}'")
        let (spec, diagnostics) = SpecReader.read(
            files: [("test.yaml", Array(text.utf8))], environment: { _ in nil },
            readFile: { .success(Array(($0 == "topic" ? "hidden-topic" : "hunter2").utf8)) })
        #expect(diagnostics.isEmpty)
        let result = Planner.plan(query: try #require(spec).queries[0], in: try #require(spec))
        #expect(result.physical?.output.sinks[0].record?.key != nil)
        for text in [result.explainText(), result.explainJSON(), result.explainDot()] {
            #expect(!text.contains("hunter2") && !text.contains("hidden-topic"))
        }
    }

    @Test func aMistakeInAKeyStandsAtItsPlaceInTheKey() throws {
        let text = job(sink: ", key: \"lower(page) || nmae\"")
        let read = readSpec(text)
        let spec = try #require(read.spec)
        let result = Planner.plan(query: spec.queries[0], in: spec)
        #expect(result.physical == nil)
        #expect(result.diagnostics.map(\.code) == ["unknown-column"])
        let start = "  out: { kafka: { brokers: b, topic: out, key: \"lower(page) || ".count + 1
        #expect(result.diagnostics.map(\.position) == [SourcePosition(file: "test.yaml", line: 10, column: start)])
        #expect(result.diagnostics.map(\.length) == [4])
    }

    @Test func aSourceKnowsItsTopicAndWhoseWatermarkItFollows() throws {
        let input = try planned(job(watermark: ", per_partition: true, idle_timeout: 5m")).inputs[0]
        #expect(input.topics == KafkaTopics(.one("visits")))
        #expect(input.watermark?.parts == .partitions)
        let file = try planned(job(source: "file: { path: in }")).inputs[0]
        #expect(file.topics == nil && file.watermark?.parts == .whole)
    }

    @Test func csvFieldsAreCountedWithoutTheRecordsOwnParts() throws {
        let text = job().replacing(
            "columns: { id: long,", with: "format: csv\n    columns: { key: { type: int, from: kafka.key }, id: long,")
        let columns = try planned(text.replacing("select: {", with: "select: { key: visits.key,")).inputs[0].columns
        let places = Dictionary(uniqueKeysWithValues: columns.map { ($0.name, $0.declaredIndex) })
        #expect(places == ["key": 0, "id": 0, "at": 1, "page": 2])
        #expect(columns.first { $0.name == "key" }?.origin == .kafka(.key))
    }

    @Test func badRowsThatAreDroppedAreJudgedByEveryColumn() throws {
        let text = job(source: "bad_rows: drop\n    kafka: { brokers: b, topic: visits }", select: "id: visits.id")
        #expect(Set(try planned(text).inputs[0].columns.map(\.name)) == ["id", "at", "page", "unused"])
    }

    @Test func theSampleOnKafkaIsTheSeedJobAndHasNoMistakes() throws {
        let sample = Golden.folder.appending(path: "../../../plans/kafka/visits-ads.yaml")
        let read = readSpec(try String(contentsOf: sample, encoding: .utf8))
        let spec = try #require(read.spec)
        let result = Planner.plan(query: spec.queries[0], in: spec)
        #expect(read.diagnostics.isEmpty && result.diagnostics.isEmpty)
        let plan = try #require(result.physical)
        #expect(plan.inputs.map(\.topics?.named) == [["visits"], ["ads"]])
        #expect(plan.output.sinks[0].record == RecordPlan(key: nil, timestamp: nil))
        #expect(plan.output.sinks[0].format == .json(timeZone: "Europe/Paris", writesNulls: false))
        let (seed, _, _) = try Golden.read("seed")
        let files = try #require(seed.flatMap { Planner.plan(query: $0.queries[0], in: $0).physical })
        #expect(plan.join == files.join && plan.output.columns.map(\.name) == files.output.columns.map(\.name))
    }

    @Test func whatKafkaAddsIsInEveryFormOfTheExplanation() throws {
        let spec = try #require(try Golden.read("kafka").spec)
        let query = try #require(spec.queries.first { $0.name.value == "visits_ads" })
        let result = Planner.plan(query: query, in: spec)
        for text in [result.explainText(), result.explainJSON(), result.explainDot()] {
            for words in ["page-visits", "exactly once", "at least once", "per partition", "keyed timestamp"] {
                #expect(text.contains(words), "\(words)")
            }
        }
    }

    // MARK: Old checkpoints

    @Test func anotherTopicIsRefusedByName() throws {
        let changes = try changes(job(), job(source: "kafka: { brokers: b, topic: others }"))
        #expect(changes.refusals.map(\.sentence) == ["kafka topic was `visits`, is now `others`"])
    }

    @Test func aSourceThatMovesToKafkaOrAwayIsRefusedByName() throws {
        let file = job(source: "file: { path: in }")
        #expect(try changes(file, job()).refusals.map(\.sentence) == ["kafka topic was `none`, is now `visits`"])
        #expect(try changes(job(), file).refusals.map(\.sentence) == ["kafka topic was `visits`, is now `none`"])
    }

    @Test func otherBrokersAnotherStartAndAnotherSinkAreNoChange() throws {
        let new = job(source: "kafka: { brokers: c, topic: visits, start: earliest }", sink: ", key: id")
        #expect(try changes(job(), new) == FingerprintChanges())
    }

    @Test func filesHaveTheFactsOfBefore() throws {
        let names = try planned(job(source: "file: { path: in }")).facts.map(\.name)
        #expect(
            names == [
                "join type", "watermark policy", "source", "watermark column", "column `at`", "column `id`",
                "column `page`", "watermark delay",
            ])
    }

    @Test func aWatermarkPerPartitionMayComeAndGoWithAWarning() throws {
        let perPartition = job(watermark: ", per_partition: true, idle_timeout: 5m")
        let (on, off) = (try changes(job(), perPartition), try changes(perPartition, job()))
        #expect(on.refusals.isEmpty && off.refusals.isEmpty)
        #expect(
            on.warnings.map(\.sentence) == [
                "watermark per partition was `false`, is now `true`: the watermark does not go back, and from now on "
                    + "waits for the partition that is furthest behind"
            ])
        #expect(
            off.warnings.map(\.sentence) == [
                "watermark per partition was `true`, is now `false`: the watermark from now on follows the latest row "
                    + "of any partition, and rows of partitions behind it are late"
            ])
    }
}

// What a Kafka source plans, against recorded runs of Spark 4.1.1: Spark/kafka-limits.json has the ends of every batch
// under `maxOffsetsPerTrigger`, also while partitions grow; Spark/kafka-minimum.json has what `minOffsetsPerTrigger`
// and `maxTriggerDelay` hold back, on a clock that Spark, too, let the test move. Planning asks no broker.

import Foundation
import SluiceEngine
import SluicePlan
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceConnectors

/// Offsets by partition, as JSON has them.
typealias RecordedOffsets = [String: Int64]

struct RecordedLimits: Decodable, CustomTestStringConvertible {
    struct Batch: Decodable {
        var latest: RecordedOffsets
        var end: RecordedOffsets
    }

    var name: String
    var limit: Int64
    var batches: [Batch]

    var testDescription: String { name }
    static let all: [RecordedLimits] = recorded("kafka-limits.json")
}

struct RecordedMinimum: Decodable, CustomTestStringConvertible {
    struct Step: Decodable {
        var millis: Int64
        var latest: RecordedOffsets
        /// Of the batches that ran until nothing was due.
        var ends: [RecordedOffsets]
    }

    var name: String
    var min: Int64
    var max: Int64?
    var delayMillis: Int64
    /// Where a query that was stopped begins.
    var position: RecordedOffsets
    var steps: [Step]
    var sluiceDiffers: String?

    var testDescription: String { name }
    static let all: [RecordedMinimum] = recorded("kafka-minimum.json")
}

private struct Recording<Case: Decodable>: Decodable { var cases: [Case] }

private func recorded<Case: Decodable>(_ file: String) -> [Case] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let data = try? Data(contentsOf: folder.appending(path: "Spark/" + file))
    return data.flatMap { try? JSONDecoder().decode(Recording<Case>.self, from: $0) }?.cases ?? []
}

/// A source of a query that nobody answers, and that has nothing to ask: all partitions have a position.
private func source(_ clock: SimulatedClock, limit: Int64?, minimum: Int64? = nil, delayMillis: Int64? = nil) throws
    -> KafkaSource
{
    let place = SourcePosition(file: "test.yaml", line: 1, column: 1)
    var spec = KafkaSourceSpec(
        position: place, brokers: Located("localhost:9", at: place), topics: KafkaTopics(.one("t")))
    spec.maxOffsetsPerTrigger = limit
    spec.minOffsetsPerTrigger = minimum
    spec.maxTriggerDelayMicros = delayMillis.map { $0 * 1000 }
    let input = InputPlan(source: "s", format: .json(), timeZone: "UTC", badRows: .null, fieldCount: 0, columns: [])
    let environment = ConnectorEnvironment(
        query: "q", group: "sluice-q", fileSystem: SimulatedFileSystem(), clock: clock, log: .none)
    return try KafkaSource(spec, wanted: RecordFields(input), environment: environment)
}

@Suite struct KafkaPlanningSparkTests {
    @Test func `The recorded runs are there`() {
        #expect(RecordedLimits.all.count >= 30)
        #expect(RecordedMinimum.all.count >= 15)
    }

    @Test(arguments: RecordedLimits.all)
    func `A limit is shared over partitions as Spark shares it`(run: RecordedLimits) throws {
        var position: [Int32: Int64] = [:]
        for (number, batch) in run.batches.enumerated() {
            var ranges: [Int32: Range<Int64>] = [:]
            for (name, latest) in batch.latest {
                let partition = try #require(Int32(name))
                ranges[partition] = position[partition, default: 0]..<latest
            }
            position = sharedEnds(ranges, limit: run.limit)
            let ends = Dictionary(uniqueKeysWithValues: position.map { (String($0.key), $0.value) })
            #expect(ends == batch.end, "batch \(number)")
        }
    }

    @Test(arguments: RecordedLimits.all)
    func `A source under a limit plans the batches that Spark ran, and once takes all`(run: RecordedLimits) throws {
        let source = try source(SimulatedClock(), limit: run.limit)
        let first = try #require(run.batches.first)
        var position = SourceOffsets(first.latest.mapValues { _ in 0 })
        for (number, batch) in run.batches.enumerated() {
            let latest = SourceOffsets(batch.latest)
            var all = position
            all.advance(by: source.planBatch(from: position, to: latest, limit: .unlimited))
            #expect(all == latest, "batch \(number)")
            let ranges = source.planBatch(from: position, to: latest, limit: .spec)
            #expect(ranges.allSatisfy { $0.start < $0.end && $0.start == position.next[$0.partition] })
            position.advance(by: ranges)
            #expect(position.next == batch.end, "batch \(number)")
        }
        let last = try #require(run.batches.last)
        #expect(source.planBatch(from: position, to: SourceOffsets(last.latest), limit: .spec) == [])
    }

    @Test(arguments: RecordedMinimum.all.filter { $0.sluiceDiffers == nil })
    func `A minimum holds back what Spark holds back, until its delay has passed`(run: RecordedMinimum) throws {
        let clock = SimulatedClock()
        let source = try source(clock, limit: run.max, minimum: run.min, delayMillis: run.delayMillis)
        var position = SourceOffsets(run.position)
        var millis: Int64 = 0
        for (number, step) in run.steps.enumerated() {
            clock.advance(byMillis: step.millis - millis)
            millis = step.millis
            var ends: [RecordedOffsets] = []
            while true {
                let ranges = source.planBatch(from: position, to: SourceOffsets(step.latest), limit: .spec)
                if ranges.isEmpty { break }
                position.advance(by: ranges)
                ends.append(position.next)
            }
            #expect(ends == step.ends, "step \(number), \(millis) ms")
        }
    }
}

// The job of the format's documentation, on files and on Kafka: it reads without a word and means what it says.

import SluiceSpec
import Testing

@Suite struct SeedJobTests {
    @Test func `the seed job on files reads without diagnostics and means what it says`() throws {
        let read = readSpec([("jobs/seed.yaml", fileJob)])
        #expect(read.rendered == "")
        let spec = try #require(read.spec)
        #expect(spec.sources.map(\.name.value) == ["ads", "visits"])
        let visits = spec.sources[1]
        #expect(visits.columns.map(\.name) == ["visit_id", "event_time", "page"])
        #expect(visits.columns.map(\.type) == [.string, .timestamp, .string])
        #expect(visits.eventTime?.value == "event_time")
        #expect(visits.watermark?.delayMicros.value == 600_000_000)
        guard let file = visits.connector as? FileSourceSpec else {
            Issue.record("not a file source")
            return
        }
        #expect(file.files.value == "jobs/in/visits")
        #expect(file.maxFilesPerTrigger == 1)
        let query = try #require(spec.queries.first)
        #expect(query.trigger.value == .interval(micros: 10_000_000))
        #expect(query.checkpoint == "jobs/checkpoints/visits_ads")
        #expect(
            query.select.map(\.name) == [
                "visit_id", "event_time", "visit_page", "page", "display_time", "campaign_name",
            ])
        let join = try #require(query.joins.first)
        #expect(join.type.value == .leftOuter)
        #expect(join.keys.map(\.left.value.description) == ["visits.page"])
        #expect(join.keys.map(\.right.value.description) == ["ads.page"])
        #expect(
            join.within?.description
                == "ads.display_time >= visits.event_time and ads.display_time <= visits.event_time + 2m")
        #expect(spec.sinks.first?.format == .json(timeZone: "Europe/Paris", writesNulls: false))
    }

    @Test func `the seed job on Kafka reads without diagnostics and means what it says`() throws {
        let read = readSpec(seedJob, environment: ["KAFKA_BROKERS": "kafka:9092"])
        #expect(read.rendered == "")
        let spec = try #require(read.spec)
        let sources = spec.sources.compactMap { $0.connector as? KafkaSourceSpec }
        #expect(sources.map(\.brokers.value) == ["kafka:9092", "kafka:9092"])
        #expect(sources.map(\.selection.named) == [["ads"], ["visits"]])
        #expect(sources.map(\.start) == [.latest, .latest])
        #expect(sources.allSatisfy { $0.isReadCommitted && $0.failsOnDataLoss && $0.options.isEmpty })
        guard let sink = spec.sinks[0].connector as? KafkaSinkSpec else {
            Issue.record("not a kafka sink")
            return
        }
        #expect(sink.brokers.value == "kafka:9092")
        #expect(sink.topic.value == "visits-enriched")
        #expect(sink.isExactlyOnce && sink.key == nil && sink.timestamp == nil)
    }
}

private let seedJob = """
    sluice: 1

    sources:
      visits:
        kafka: { brokers: "${env:KAFKA_BROKERS:-localhost:9094}", topic: visits, start: latest }
        format: json
        columns: { visit_id: string, event_time: timestamp, page: string }
        watermark: { column: event_time, delay: 10 minutes }
      ads:
        kafka: { brokers: "${env:KAFKA_BROKERS:-localhost:9094}", topic: ads, start: latest }
        format: json
        columns: { page: string, display_time: timestamp, campaign_name: string }
        watermark: { column: display_time, delay: 10 minutes }

    queries:
      visits_ads:
        from: visits
        join:
          - with: ads
            type: left outer
            keys: { visits.page: ads.page }        # `keys: page` when both sides use the name
            within: ads.display_time between visits.event_time and visits.event_time + 2 minutes
        select:
          visit_id: visits.visit_id
          event_time: visits.event_time
          visit_page: visits.page
          page: ads.page
          display_time: ads.display_time
          campaign_name: ads.campaign_name
        trigger: 10 seconds
        checkpoint: checkpoints/visits_ads
        to: visits_enriched

    sinks:
      visits_enriched:
        kafka: { brokers: "${env:KAFKA_BROKERS:-localhost:9094}", topic: visits-enriched }
        format: { json: { time_zone: Europe/Paris } }   # null fields are left out, as Spark's to_json does
    """

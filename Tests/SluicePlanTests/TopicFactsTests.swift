// Which changes of topics a checkpoint survives, what it remembers of them, and whose its bare partition numbers are.

import SluiceSpec
import Testing

@testable import SluicePlan

@Suite struct TopicFactsTests {
    private func plan(_ topics: String, watermark: String = "") throws -> PhysicalPlan {
        let read = readSpec(
            """
            sluice: 1
            sources:
              s:
                kafka: { brokers: "b:9092", \(topics) }
                columns: { page: string, at: timestamp }
                \(watermark)
            queries:
              q: { from: s, to: out }
            sinks:
              out: { stdout: {} }
            """)
        let spec = try #require(read.spec, "\(read.diagnostics)")
        return try #require(Planner.plan(query: spec.queries[0], in: spec).physical)
    }

    private func facts(_ topics: String) throws -> [PlanFact] { try plan(topics).facts }

    @Test func `A plan of one topic has the facts that it has always had`() throws {
        let one = try facts("topic: a").filter { $0.name.contains("kafka") }
        #expect(one == [PlanFact(nil, "kafka topic", .text("a"))])
        #expect(try facts("topics: [b, a]").first { $0.name == "kafka topics" }?.value == .text("a, b"))
    }

    @Test(arguments: [
        ("topic: a", "topic: a", true, ""), ("topics: [a, b]", "topics: [b, a]", true, ""),
        ("topic: a", "topics: [a, b]", true, "from their first record"),
        ("topic: a", "topics: [a]", true, "first record"),
        ("topic: a", "topic_pattern: \"[ab]\"", true, "first record"),
        ("topics: [a, b]", "topics: [a, b, c]", true, "first record"),
        ("topics: [a, b]", "topic_pattern: \"[a-c]\"", true, "first record"),
        ("topic_pattern: a", "topic_pattern: \"[ab]\"", true, "first record"),
        ("topic_pattern: a", "topics: [b]", true, "first record"),
        ("topic: a", "topic: b", false, "kafka topic was `a`, is now `b`"),
        ("topic: a", "topics: [b, c]", false, "`a` is no longer read"),
        ("topic: a", "topic_pattern: \"b+\"", false, "`a` is no longer read"),
        ("topics: [a, b, c]", "topics: [b]", false, "`a`, `c` are no longer read"),
        ("topics: [a, b]", "topic: a", false, "several topics"),
        ("topic_pattern: a", "topic: a", false, "several topics"),
    ])
    func `More topics are accepted, fewer are refused by name`(
        before: String, after: String, isAccepted: Bool, words: String
    ) throws {
        let changes = PhysicalPlan.compareFacts(old: try facts(before), new: try facts(after))
        #expect(changes.refusals.isEmpty == isAccepted, "\(changes)")
        let sentences = (changes.refusals + changes.warnings).map(\.sentence)
        if words.isEmpty {
            #expect(sentences.isEmpty)
        } else {
            #expect(sentences.count == 1 && sentences[0].contains(words), "\(sentences)")
        }
    }

    @Test func `The topic of bare numbers is remembered for good`() throws {
        let (one, two, pattern) = (try facts("topic: a"), try facts("topics: [a, b]"), try facts("topic_pattern: .+"))
        let grown = PhysicalPlan.rememberedFacts(two, over: one)
        #expect(try plan("topics: [a, b]").bareTopics([PhysicalPlan.stage(grown)]) == [0: "a"])
        #expect(PhysicalPlan.compareFacts(old: grown, new: two) == FingerprintChanges())
        #expect(PhysicalPlan.compareFacts(old: grown, new: one).refusals.count == 1)
        let further = PhysicalPlan.rememberedFacts(pattern, over: grown)
        #expect(try plan("topic_pattern: .+").bareTopics([PhysicalPlan.stage(further)]) == [0: "a"])
        #expect(
            PhysicalPlan.rememberedFacts(two, over: two) == two && PhysicalPlan.rememberedFacts(one, over: one) == one)
        #expect(try plan("topic: a").bareTopics([PhysicalPlan.stage(one)]).isEmpty)
    }

    @Test func `A fact of the first format counts as well`() throws {
        let old = [PlanFact(format1: "kafka topic", value: "a")]
        let new = try facts("topics: [a, b]").filter { $0.name.hasPrefix("kafka") }
        #expect(PhysicalPlan.compareFacts(old: old, new: new).refusals.isEmpty)
        #expect(
            try plan("topics: [a, b]").bareTopics([PhysicalPlan.stage(PhysicalPlan.rememberedFacts(new, over: old))])
                == [0: "a"])
    }

    @Test func `What was read has to be read on, whatever a pattern or partitions say`() throws {
        let facts = PhysicalPlan.rememberedFacts(try facts("topics: [a, b]"), over: try facts("topic: a"))
        func objection(_ topics: String, _ names: [String]) throws -> String? {
            try plan(topics).objection(toPositions: ["s": names], stored: [PhysicalPlan.stage(facts)])
        }
        #expect(try objection("topics: [a, b]", ["0", "a/1", "b/0"]) == nil)
        #expect(try objection("topic_pattern: \"b.*\"", ["b/0", "0"])?.contains("`a` is no longer read") == true)
        #expect(try objection("topic_pattern: \"a|b\"", ["b/0", "0"]) == nil)
        #expect(try objection("topics: [a, b], partitions: [0]", ["b/0", "0"]) == nil)
        let left = try objection("topics: [a, b], partitions: [0]", ["b/0", "1", "b/2"])
        #expect(left?.contains("`a/1`, `b/2` are no longer read") == true, "\(left ?? "")")
    }

    @Test func `A watermark per topic counts partitions for their topics`() throws {
        let watermark = "watermark: { column: at, delay: 1m, idle_timeout: 1m, "
        let names = ["a/0", "a/1", "b/0"]
        let topics = try plan("topics: [a, b]", watermark: watermark + "per_topic: true }")
        #expect(topics.inputs[0].watermarkParts(ofPartitions: names) == ["a", "a", "b"])
        #expect(topics.facts.contains { $0.name == "watermark per topic" })
        let partitions = try plan("topics: [a, b]", watermark: watermark + "per_partition: true }")
        #expect(partitions.inputs[0].watermarkParts(ofPartitions: names) == names)
        let one = try plan("topic: a", watermark: watermark + "per_topic: true }")
        #expect(one.inputs[0].watermarkParts(ofPartitions: ["0", "1"]) == ["a", "a"])
        let changes = PhysicalPlan.compareFingerprints(old: partitions.fingerprint, new: topics.fingerprint)
        #expect(changes.refusals.isEmpty && changes.warnings.count == 2)
    }
}

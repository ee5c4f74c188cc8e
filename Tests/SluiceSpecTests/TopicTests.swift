// Which topics a Kafka source reads, and what its partitions are called. What is wrong in a spec is in
// Golden/topics.txt.

import SluiceSpec
import Testing

private func source(_ text: String) throws -> KafkaSourceSpec {
    let read = readSpec(
        """
        sluice: 1
        sources:
          s: { kafka: { brokers: "b:9092", \(text) }, columns: { page: string } }
        queries:
          q: { from: s, to: out }
        sinks:
          out: { kafka: { brokers: "b:9092", topic: out } }
        """)
    let spec = try #require(read.spec, "\(read.rendered)")
    #expect(read.rendered == "")
    return try #require(spec.sources[0].connector as? KafkaSourceSpec)
}

@Suite struct TopicTests {
    @Test func `a partition prints as it is read`() {
        for text in ["visits/0", "a.b_c-9/2147483647"] { #expect(TopicPartition(text).map { "\($0)" } == text) }
        #expect(TopicPartition("a/007") == TopicPartition("a", 7))
        for text in ["", "a", "/0", "a/", "a/+1", "a/-1", "a/1x", "a/2147483648", "a/0/"] {
            #expect(TopicPartition(text) == nil, "\(text)")
        }
    }

    @Test func `partitions of one topic are numbers, those of several say their topic`() throws {
        let one = try source("topic: a").selection
        #expect(one.name(of: TopicPartition("a", 3)) == "3")
        #expect(one.partition(named: "3") == TopicPartition("a", 3))
        #expect(one.partition(named: "a/3") == nil && one.partition(named: "+3") == nil)
        for text in ["topics: [a]", "topic_pattern: a"] {
            let several = try source(text).selection
            #expect(several.name(of: TopicPartition("a", 3)) == "a/3")
            #expect(several.partition(named: "a/3") == TopicPartition("a", 3))
            #expect(several.partition(named: "3") == nil)
        }
    }

    @Test func `a source reads the topics and partitions that it names`() throws {
        let list = try source("topics: [a, b], partitions: [0, 2]").selection
        #expect(list.reads("a") && list.reads("b") && !list.reads("ab"))
        let partitions = (0..<4).filter { list.reads(TopicPartition("b", $0)) }
        #expect(partitions == [0, 2])
        #expect(!list.reads(TopicPartition("c", 0)))
        #expect("\(list)" == "a, b" && list.named == ["a", "b"])
    }

    @Test(arguments: [
        ("visits-.*", ["visits-", "visits-eu"], ["visits", "my-visits-eu", "Visits-eu"]),
        ("a|ab|abc", ["a", "ab", "abc"], ["abcd", "b", "xa"]),
        ("(eu|us)[0-9]{1,2}", ["eu1", "us22"], ["eu", "eu123", "xeu1"]),
        ("^v.$", ["va"], ["v", "vab"]), ("v\\.1", ["v.1"], ["vx1"]), ("v.1", ["v.1", "vx1"], ["v..1"]),
        ("[[:alpha:]]+", ["abc"], ["abc1", ""]), ("(a|b)*c", ["c", "abc"], ["abcd"]),
    ])
    func `a pattern matches whole names`(pattern: String, matches: [String], others: [String]) throws {
        let compiled = try TopicPattern(pattern)
        for name in matches { #expect(compiled.matches(name), "\(name)") }
        for name in others { #expect(!compiled.matches(name), "\(name)") }
    }

    @Test(arguments: ["(", "[a", "*a", "a{2,1}", "\\d", "(?i)a", "\\1", "a\\", "a\0b"])
    func `what is no extended regular expression is refused`(pattern: String) {
        #expect(throws: TopicPatternError.self) { try TopicPattern(pattern) }
    }

    @Test func `a start of several topics names them`() throws {
        #expect(
            try source("topics: [a, b-1], start: { a/0: 23, b-1/12: earliest }").start
                == .offsets([TopicPartition("a", 0): .offset(23), TopicPartition("b-1", 12): .earliest]))
        #expect(
            try source("topic: a, start: { a/0: 23 }").start == .offsets([TopicPartition("a", 0): .offset(23)]))
    }

    @Test func `a watermark per topic with an idle timeout is fine`() throws {
        let read = readSpec(
            """
            sluice: 1
            sources:
              s:
                kafka: { brokers: "b:9092", topics: [a, b] }
                columns: { at: timestamp }
                watermark: { column: at, delay: 1m, per_topic: true, idle_timeout: 5m }
            queries:
              q: { from: s, to: out }
            sinks:
              out: { stdout: {} }
            """)
        #expect(read.rendered == "" && read.spec?.sources[0].watermark?.parts == .topics)
    }

    @Test func `a sink's headers keep their order`() throws {
        let read = readSpec(
            """
            sluice: 1
            sources:
              s: { kafka: { brokers: "b:9092", topic: a }, columns: { page: string } }
            queries:
              q: { from: s, to: out }
            sinks:
              out: { kafka: { brokers: "b:9092", topic: out, headers: { z: page, a: "'x'", "b c": 1 } } }
            """)
        let sink = try #require(read.spec?.sinks[0].connector as? KafkaSinkSpec, "\(read.rendered)")
        #expect(sink.headers.map(\.name) == ["z", "a", "b c"])
    }
}

// What a checkpoint remembers of the topics that its offsets are of, and which changes of them it survives: a source
// may read more topics than before, from their first records on, and never fewer, as what is in state of one that is
// left out would wait for rows that do not come.
//
//     kafka topic            the one topic of `topic: NAME`. Its partitions have bare numbers in offsets, and so the
//                            fact stays, for those offsets, when the source goes on to read several topics
//     kafka topics           those of `topics: […]`, sorted
//     kafka topic pattern    what `topic_pattern` says; which topics were read then stands in the offsets alone

internal import SluiceSpec

/// The facts of one input's topics.
struct TopicFacts: Hashable {
    /// The topic that bare partition numbers belong to.
    var home: String?
    var list: String?
    var pattern: String?

    static let home = "kafka topic"
    static let list = "kafka topics"
    static let pattern = "kafka topic pattern"

    static func isTopicFact(_ name: String) -> Bool { name == home || name == list || name == pattern }

    init(_ facts: [PlanFact], _ input: JoinInput?) {
        func text(_ name: String) -> String? {
            facts.first { $0.input == input && $0.name == name }.map { "\($0.value)" }
        }
        (home, list, pattern) = (text(Self.home), text(Self.list), text(Self.pattern))
    }

    /// The fact of an input that reads these topics.
    static func fact(_ topics: KafkaTopics, _ input: JoinInput?) -> PlanFact {
        switch topics.names {
        case .one(let topic): PlanFact(input, home, .text(topic))
        case .list(let names): PlanFact(input, list, .text(names.sorted().joined(separator: ", ")))
        case .pattern(let pattern): PlanFact(input, TopicFacts.pattern, .text(pattern.text))
        }
    }

    /// What was read, or is.
    private var topics: KafkaTopics? {
        if let list { return KafkaTopics(.list(list.split(separator: ",").map { String($0.drop { $0 == " " }) })) }
        if let pattern { return (try? TopicPattern(pattern)).map { KafkaTopics(.pattern($0)) } }
        return home.map { KafkaTopics(.one($0)) }
    }

    private var shown: String {
        if let list { return "`topics: [\(list)]`" }
        return pattern.map { "`topic_pattern: \($0)`" } ?? home.map { "`topic: \($0)`" } ?? "`none`"
    }

    private var isOfOne: Bool { list == nil && pattern == nil }

    /// What a change means; nil for none.
    func change(to new: TopicFacts, _ label: String) -> (sentence: String, isRefused: Bool)? {
        if isOfOne, new.isOfOne {
            if home == new.home { return nil }
            return ("\(label) was `\(home ?? "none")`, is now `\(new.home ?? "none")`", true)
        }
        if (list, pattern) == (new.list, new.pattern) { return nil }
        let change = "\(label) was \(shown), is now \(new.shown)"
        guard let before = topics, let after = new.topics else { return (change, true) }
        if new.isOfOne {
            return ("\(change): a checkpoint of several topics goes on with `topics` or `topic_pattern` only", true)
        }
        let left = before.named.filter { !after.reads($0) }
        if !left.isEmpty { return ("\(change): \(Self.noLongerRead(left))", true) }
        return ("\(change): topics that are new to the query are read from their first record on", false)
    }

    static func noLongerRead(_ topics: [String]) -> String {
        let names = topics.map { "`\($0)`" }.joined(separator: ", ")
        return "\(names) \(topics.count == 1 ? "is" : "are") no longer read, and the query has read from "
            + (topics.count == 1 ? "it" : "them")
    }
}

extension PhysicalPlan {
    /// What a checkpoint has to remember once this plan goes on with it.
    /// - Parameter old: what it remembers now.
    package static func remembered(
        _ new: [StageFingerprint], over old: [StageFingerprint]
    ) -> [StageFingerprint] {
        new.map { stage in
            var stage = stage
            let inputs = Set(
                stage.facts.filter { $0.name == TopicFacts.list || $0.name == TopicFacts.pattern }.map(\.input))
            let before = old.count == 1 && new.count == 1 ? old.first : old.first { $0.stage == stage.stage }
            stage.facts += (before?.facts ?? []).filter {
                $0.name == TopicFacts.home && inputs.contains($0.input)
            }
            return stage
        }
    }

    /// What a checkpoint remembers of a source's topics.
    private func topicFacts(ofInput number: Int, _ stored: [StageFingerprint]) -> TopicFacts {
        let reader = reader(ofInput: number)
        let stage = stored.first { $0.stage == reader?.stage.name } ?? (stored.count == 1 ? stored.first : nil)
        return TopicFacts(stage?.facts ?? [], reader?.side)
    }

    /// Per input that reads several topics, the one that bare partition numbers in the checkpoint belong to.
    /// - Parameter stored: what the checkpoint remembers.
    package func bareTopics(_ stored: [StageFingerprint]) -> [Int: String] {
        var topics: [Int: String] = [:]
        for number in inputs.indices {
            let facts = topicFacts(ofInput: number, stored)
            if inputs[number].topics != nil, facts.list != nil || facts.pattern != nil { topics[number] = facts.home }
        }
        return topics
    }

    /// Why the query cannot go on from where a source stands: it has read what the spec leaves out now. nil when it
    /// can.
    /// - Parameters:
    ///   - positions: by source, the names of the partitions that have a position.
    ///   - stored: what the checkpoint remembers.
    package func objection(toPositions positions: [String: [String]], stored: [StageFingerprint]) -> String? {
        for number in inputs.indices {
            let input = inputs[number]
            guard let topics = input.topics, let names = positions[input.source] else { continue }
            let home = topicFacts(ofInput: number, stored).home
            let read = names.compactMap { name in
                TopicPartition(name) ?? home.flatMap { home in Int32(digits: name).map { TopicPartition(home, $0) } }
            }
            let left = read.filter { !topics.reads($0) }.sorted()
            if left.isEmpty { continue }
            let leftTopics = Set(left.map(\.topic)).filter { !topics.reads($0) }.sorted()
            let what =
                leftTopics.isEmpty
                ? TopicFacts.noLongerRead(left.map(\.description)) + ": `partitions` leaves it out"
                : TopicFacts.noLongerRead(leftTopics)
            return "source `\(input.source)`: \(what)"
        }
        return nil
    }
}

extension InputPlan {
    /// The parts of the source that rows of these partitions count for, where each has a watermark of its own.
    package func watermarkParts(ofPartitions names: some Sequence<String>) -> [String] {
        guard watermark?.parts == .topics, let topics else { return Array(names) }
        return names.map { topics.partition(named: $0)?.topic ?? $0 }
    }
}

// From a file or a topic to a source of a spec:
//
//     target ─▶ sample ─▶ recognised: format, records, columns with the forms that may read them
//                              │
//                              ▼   written, read by the spec's own reader, and the sample by the engine
//                         a column that does not fit takes its next form ─▶ again, until all fit
//                              │
//                              ▼
//                         event time, delay ─▶ description
//
// All but `sample` is pure. It ends: a column has a few forms, and one that none of them reads is left out.

package import SluiceConnectors
internal import SluiceEngine
internal import SluicePlan
internal import SluiceSpec
package import SluiceSystem

// MARK: Reading

extension Sample {
    /// Reads a sample.
    /// - Throws: what a query would end with: nothing there, no text, no broker.
    package init(
        _ target: SampleTarget, _ schemas: SchemaSource, _ reader: SampleReader, fileSystem: any FileSystem,
        clock: any Clock
    ) throws(ConnectorError) {
        switch target {
        case .files(let path):
            let files = try FileSample(path: path, lineCount: sampledRecordCount, fileSystem)
            self.init(
                target: target, parts: files.parts.map { Part(place: $0.path, content: Content($0.content)) },
                isAll: files.parts.allSatisfy(\.isWhole) && files.parts.count == files.fileCount,
                fileCount: files.fileCount)
            self.schemas = try SampleSchemas(schemas, reader)
        case .topic(let brokers, let name):
            let place = SourcePosition(file: "describe", line: 1, column: 1)
            let spec = KafkaSourceSpec(
                position: place, brokers: Located(brokers, at: place, length: 1), topics: KafkaTopics(.one(name)))
            let topic = try KafkaSample(
                spec, recordCount: sampledRecordCount, fileSystem: fileSystem, clock: clock)
            let parts = topic.parts.filter { !$0.values.isEmpty }
            self.init(
                target: target, parts: parts.map { Part(place: $0.partition, content: .messages($0.values)) },
                isAll: false, tombstoneCount: topic.parts.reduce(0) { $0 + $1.tombstoneCount })
            self.schemas = try SampleSchemas(
                schemas, topic: name, values: topic.parts.flatMap(\.values), reader, fileSystem, clock)
        }
    }
}

extension Sample.Content {
    fileprivate init(_ content: FileSample.Content) {
        switch content {
        case .lines(let text): self = .text(text)
        case .container(let schema, let blocks): self = .container(schema: schema, blocks: blocks)
        }
    }
}

// MARK: Describing

extension Sample {
    /// Finds a source that reads the sample: what is not bad by itself is not bad under it.
    package func described(_ reader: SampleReader) throws(DescribeError) -> Description {
        var found = try recognised(reader)
        let outcomes = try fit(&found, reader)
        var notes = found.notes + guesses(found)
        if tombstoneCount > 0 {
            let tombstones = counted(tombstoneCount, "record without a value (a tombstone)", "tombstones")
            notes.append("\(tombstones) beside these, which make no row")
        }
        let times = try eventTimes(found, outcomes, reader)
        var source = text(found)
        try addWatermark(to: &source, times, reader, found, &notes)
        return Description(
            name: source.name, source: source, recordCount: outcomes.count, badReasons: badReasons(outcomes),
            eventTimes: times, notes: notes, head: head(outcomes))
    }

    private func text(_ found: Recognised) -> SourceDraft {
        SourceDraft(
            name: target.sourceName, connector: target.connector, format: found.format,
            columns: found.columns.map { JSONMember($0.name, $0.value) },
            remarks: Dictionary(
                uniqueKeysWithValues: found.columns.compactMap { column in column.remark.map { (column.name, $0) } }),
            each: found.each)
    }

    /// Widens columns until each reads all that is there.
    private func fit(_ found: inout Recognised, _ reader: SampleReader) throws(DescribeError) -> [RecordProbe.Outcome] {
        while true {
            let outcomes = try reader.read(found.records, by: text(found))
            let misfits = Set(outcomes.compactMap(\.misfit))
            if misfits.isEmpty { return outcomes }
            var left: [String] = []
            for index in found.columns.indices where misfits.contains(found.columns[index].name) {
                if !found.columns[index].ladder.widen() { left.append(found.columns[index].name) }
            }
            guard !left.isEmpty else { continue }
            // With CSV that has no header columns go by place, and what a string does not read is no text at all.
            guard found.columns.count > left.count else {
                throw DescribeError("\(target.shown) has no field that a column could be read from")
            }
            found.columns.removeAll { left.contains($0.name) }
            found.notes.append(
                "left out, as no type reads all that is there: " + left.map { shown($0) }.joined(separator: ", "))
        }
    }

    private func guesses(_ found: Recognised) -> [String] {
        var notes = found.columns.filter { $0.ladder.isDayFirstAGuess && $0.form.pattern != nil }.map { column in
            "`\(shown(column.name))`: whether the day or the month comes first is not sure"
        }
        let zoneless = found.columns.filter { $0.ladder.isWithoutZone && $0.form.isTime }
        if !zoneless.isEmpty {
            notes.append(
                zoneless.map { "`\(shown($0.name))`" }.joined(separator: ", ")
                    + ": text without a zone is read as UTC; `time_zone:` on the source says otherwise")
        }
        return notes
    }

    private func badReasons(_ outcomes: [RecordProbe.Outcome]) -> [(reason: String, count: Int)] {
        var counts: [String: Int] = [:]
        for outcome in outcomes { if let reason = outcome.reason { counts[reason, default: 0] += 1 } }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, $0.value) }
    }

    private func head(_ outcomes: [RecordProbe.Outcome]) -> String {
        let bad = badReasons(outcomes)
        let badCount = bad.reduce(0) { $0 + $1.count }
        let all = counted(outcomes.count, "record", "records")
        let place =
            switch target {
            case .topic(_, let name):
                "the latest of the topic \(shown(name)) (\(counted(parts.count, "partition", "partitions")))"
            case .files(let path):
                (isAll ? "all" : "the first") + " of \(shown(path))"
                    + (fileCount > 1 ? " (\(grouped(parts.count)) of \(grouped(fileCount)) files)" : "")
            }
        guard badCount > 0 else { return "\(all), \(place): none of them is bad" }
        let permille = max(1, (badCount * 1000 + outcomes.count / 2) / outcomes.count)
        let reasons = bad.prefix(3).map { "\(grouped($0.count)): \($0.reason)" }.joined(separator: "; ")
        return
            "\(all), \(place): \(grouped(badCount)) of them bad, \(permille / 10).\(permille % 10) % (\(reasons))"
    }
}

// MARK: Event time

extension Sample {
    /// So many columns are looked at.
    private static let timeCountMax = 12

    /// The columns that have a time in every good record, the likeliest event time first.
    private func eventTimes(
        _ found: Recognised, _ outcomes: [RecordProbe.Outcome], _ reader: SampleReader
    ) throws(DescribeError) -> [EventTimeCandidate] {
        let drafts = found.columns.filter(\.form.isTime).sorted { $0.timeName.eventRank > $1.timeName.eventRank }
        var candidates: [EventTimeCandidate] = []
        for draft in drafts.prefix(Self.timeCountMax) {
            var source = text(found)
            source.watermark = watermark(draft.name, delay: "0 seconds", hasMaxAhead: false)
            let read = try reader.read(found.records, by: source)
            var times: [(part: Int, micros: Int64)] = []
            var isWhole = true
            for (record, outcome) in zip(found.records, read) where outcome.reason == nil && outcome.rowCount > 0 {
                // Whole files are read one after another, partitions beside each other.
                let part = isFramed ? record.part : 0
                if let micros = outcome.eventTimeMicros { times.append((part, micros)) } else { isWhole = false }
            }
            guard isWhole, !draft.hasZeros, draft.missingCount == 0 || found.each == nil else { continue }
            if let candidate = EventTimeCandidate(draft, times, nowMillis: reader.nowMillis) {
                candidates.append(candidate)
            }
        }
        return candidates.sorted { ($0.score, $1.column) > ($1.score, $0.column) }
    }

    private func watermark(_ column: String, delay: String, hasMaxAhead: Bool) -> JSONValue {
        var members = [JSONMember("column", .string(column)), JSONMember("delay", .string(delay))]
        if hasMaxAhead { members.append(JSONMember("max_ahead", .string("1 hour"))) }
        return .object(members)
    }

    private func addWatermark(
        to source: inout SourceDraft, _ times: [EventTimeCandidate], _ reader: SampleReader, _ found: Recognised,
        _ notes: inout [String]
    ) throws(DescribeError) {
        guard let time = times.first else {
            let partial = found.columns.filter(\.form.isTime)
            notes.append(
                partial.isEmpty
                    ? "no watermark: there is no time in the records"
                    : "no watermark: no time is in every record ("
                        + partial.map { "\(shown($0.name)) is missing in \(grouped($0.missingCount))" }
                        .joined(separator: ", ") + ")")
            return
        }
        let others = times.dropFirst().map { "`\(shown($0.column))`" }
        if !others.isEmpty {
            notes.append(
                "`\(shown(time.column))` is taken for the event time; \(others.joined(separator: ", ")) "
                    + (others.count == 1 ? "is a time in every record, too" : "are times in every record, too"))
        }
        source.watermarkRemarks.append(delayRemark(time))
        let delay = plainDuration(atLeastMicros: time.disorderMicros)
        source.watermark = watermark(time.column, delay: delay, hasMaxAhead: true)
        let aheadCount = try reader.read(found.records, by: source).count(where: \.isAhead)
        guard aheadCount > 0 else { return }
        source.watermarkRemarks.append(
            "no max_ahead: with it \(grouped(aheadCount)) of the sample would be bad, as ahead of the clock"
        )
        source.watermark = watermark(time.column, delay: delay, hasMaxAhead: false)
    }

    private func delayRemark(_ time: EventTimeCandidate) -> String {
        guard time.lateCount > 0 else {
            return "delay: a guess, as no row of the sample is behind one before it"
        }
        let distance = spoken(time.disorderMicros)
        let rows =
            time.lateCount == 1 ? "1 row of the sample is" : "\(grouped(time.lateCount)) rows of the sample are"
        return "delay: \(rows) behind one before, by up to \(distance)"
            + (time.isForward ? "; rounded up" : "; rounded up. They do not come in the order of this time")
    }
}

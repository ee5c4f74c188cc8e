// Where the rows of a query's sources have gone, over all its starts in this process: what is bad or late is said in
// the log when it first happens and then at most once a minute and source, and when the process ends a line a source
// says the sums, and one what waits of unions and of pairs. What a record holds is never said.

internal import SluiceEngine
internal import SluicePlan
internal import SluiceSystem
internal import Synchronization

/// The accounts of one query. Kept by its thread, read by any.
package final class RowAccounts: Sendable {
    /// So long a source's trouble is counted before it is said again.
    private static let silenceNanos: UInt64 = 60_000_000_000

    private let sources = Mutex<[RowAccount]>([])
    /// What waits in state and is no single source's.
    private let shared = Mutex<[SharedRows]>([])

    package init() {}

    /// The query starts, with so many rows in state, by stage and side. Only the first start opens the accounts.
    func open(_ plan: PhysicalPlan, stateRows: [[Int]]) {
        sources.withLock { sources in
            guard sources.isEmpty else { return }
            sources = plan.inputs.indices.map { input in
                RowAccount(plan, input, stateRows)
            }
        }
        shared.withLock { shared in
            if shared.isEmpty { shared = SharedRows.all(plan, stateRows) }
        }
    }

    /// Takes in a committed batch, and says what is due.
    func add(_ result: BatchResult, watermarkMillis: Int64?, _ clock: any Clock, _ log: Log) {
        let now = clock.monotonicNanos
        shared.withLock { shared in
            for index in shared.indices { shared[index].waiting.add(result) }
        }
        sources.withLock { sources in
            for index in sources.indices {
                sources[index].add(result, index, watermarkMillis)
                let log = log.with([.source: .string(sources[index].name)])
                if let notice = sources[index].bad.due(atNanos: now, silenceNanos: Self.silenceNanos) {
                    log.warning(
                        "Some rows are bad",
                        notice.metadata + [(.dropped, .integer(Int64(notice.droppedCount)))]
                            + sources[index].badColumns.map { (.columns, .string($0)) })
                }
                if let notice = sources[index].leaping.due(atNanos: now, silenceNanos: Self.silenceNanos) {
                    log.warning("One row moves the watermark by more than a day", notice.metadata)
                }
                if let unit = sources[index].wrongUnit {
                    log.warning(
                        "Times are in the wrong unit",
                        [(.column, .string(unit.column)), (.reason, .string(unit.reason))])
                }
                if let unused = sources[index].unusedColumns {
                    log.warning(
                        "Some columns have no value in any row so far",
                        [
                            (.column, .string(unused.names.joined(separator: ", "))),
                            (.count, .integer(Int64(unused.rowCount))),
                        ])
                }
                if let notice = sources[index].late.due(atNanos: now, silenceNanos: Self.silenceNanos) {
                    log.warning("Some rows are late and were dropped", notice.metadata)
                }
            }
        }
    }

    /// A line for each source that anything was read from, then for what a union or a join has put into the next one.
    package var lines: [(source: String, text: String)] {
        let sources = sources.withLock { $0 }
        let read = sources.filter(\.hasRead).map { ($0.name, $0.text) }
        if read.isEmpty { return [] }
        return read + shared.withLock { $0.map { ($0.name, $0.text(sources)) } }
    }
}

extension LogKey {
    static let place = LogKey("sluice.place")
    static let column = LogKey("sluice.column")
    static let columns = LogKey("sluice.columns")
    static let reason = LogKey("sluice.reason")
    static let count = LogKey("sluice.count")
    static let dropped = LogKey("sluice.dropped")
}

/// One kind of trouble of one source: what has not been said yet.
private struct RowTrouble {
    struct Notice {
        var sample: RecordSample
        var count: Int
        var droppedCount: Int

        var metadata: [(LogKey, LogValue)] {
            var metadata: [(LogKey, LogValue)] = [(.place, .string(sample.place))]
            if let column = sample.column { metadata.append((.column, .string(column))) }
            return metadata + [(.reason, .string(sample.reason)), (.count, .integer(Int64(count)))]
        }
    }

    private var unsaid: Notice?
    private var lastSaidNanos: UInt64?

    mutating func add(_ count: Int, dropped: Int, first: RecordSample?) {
        guard count > 0, let first else { return }
        var notice = unsaid ?? Notice(sample: first, count: 0, droppedCount: 0)
        notice.count += count
        notice.droppedCount += dropped
        unsaid = notice
    }

    /// What is to be said now.
    mutating func due(atNanos now: UInt64, silenceNanos: UInt64) -> Notice? {
        guard let notice = unsaid else { return nil }
        if let last = lastSaidNanos, now < last + silenceNanos { return nil }
        unsaid = nil
        lastSaidNanos = now
        return notice
    }
}

/// One source's sums since the first start.
private struct RowAccount {
    let name: String
    /// Its rows in state of a join, on a side; nil without one, and where they are those of a union.
    private var waiting: WaitingRows?
    /// Part of a union, which has its own line of what waits.
    private let isPart: Bool
    private let isDeduplicated: Bool
    /// The tables that its rows are looked up in on their way out, where no join with a stream is on it.
    private let tables: [String]
    /// Rows of the query; counted where it has this source only.
    private var outputRows: Int?
    private var duplicates = 0
    private var counters = SourceCounters()
    private var watermarkMillis: Int64?
    var bad = RowTrouble()
    var late = RowTrouble()
    /// Rows that alone are more than a day ahead of all others.
    var leaping = RowTrouble()
    /// What to do about times that cannot be right, once.
    private(set) var wrongUnit: FirstRowColumns.WrongUnit?
    /// The columns that have had no value so far, and in how many rows; once.
    private(set) var unusedColumns: (names: [String], rowCount: Int)?
    private var leap: RecordSample?
    private let columns: FirstRowColumns
    private var firstRows = FirstLook(columnCount: 0)
    /// Fewer say nothing of what a source always holds.
    private static let rowsToJudge = 100

    /// - Parameter stateRows: before the first batch, by stage and side.
    init(_ plan: PhysicalPlan, _ input: Int, _ stateRows: [[Int]]) {
        name = plan.inputs[input].source
        let readers = plan.readers(ofInput: input)
        isDeduplicated = readers.first.map { plan.stages[$0.stage].deduplicate != nil } ?? false
        // Values that a deduplication remembers are no rows that wait.
        let join = readers.first { plan.stages[$0.stage].join != nil }
        let isAlone = join.map { plan.direct(plan.stages[$0.stage].input($0.side)) == [input] } ?? false
        waiting = isAlone ? join.map { WaitingRows(plan, $0.stage, $0.side, stateRows) } : nil
        isPart = join != nil && !isAlone
        tables =
            join != nil
            ? [] : readers.compactMap { plan.stages[$0.stage].lookup.map { plan.tables[$0.table].name } }
        outputRows = plan.inputs.count == 1 && !tables.isEmpty ? 0 : nil
        columns = FirstRowColumns(plan.inputs[input])
    }

    var hasRead: Bool { counters.inputRows + counters.tombstones + counters.recordsWithoutRows > 0 }

    mutating func add(_ result: BatchResult, _ input: Int, _ watermarkMillis: Int64?) {
        let batch = result.sources[input]
        counters.add(batch)
        waiting?.add(result)
        outputRows = outputRows.map { $0 + result.outputRowCount }
        duplicates += result.stages.compactMap { $0.duplicates[input] }.reduce(0, +)
        self.watermarkMillis = watermarkMillis
        bad.add(batch.badRows, dropped: batch.droppedRows, first: batch.firstBad)
        late.add(batch.lateRows, dropped: batch.lateRows, first: batch.firstLate)
        if batch.leapingRows == 1 { leaping.add(1, dropped: 0, first: batch.firstLeap) }
        look(at: batch)
        if let leap { leaping.add(1, dropped: 0, first: leap) }
    }

    /// Takes in the first rows; says once what is hardly meant about them.
    private mutating func look(at batch: SourceCounters) {
        (wrongUnit, unusedColumns, leap) = (nil, nil, nil)
        guard let look = batch.firstLook else { return }
        if firstRows.rowCount == 0 {
            wrongUnit = columns.wrongUnit(in: look)
            if wrongUnit == nil { leap = columns.leap(in: look) }
        }
        let wasShort = firstRows.rowCount < Self.rowsToJudge
        firstRows.add(look)
        guard wasShort, firstRows.rowCount >= Self.rowsToJudge else { return }
        let empty = columns.empty(in: firstRows)
        if !empty.isEmpty { unusedColumns = (empty, firstRows.rowCount) }
    }

    /// The columns that have made rows bad among the first ones, where there is more than one: `amount 7, at 2`.
    var badColumns: [String] {
        let all = columns.bad(in: firstRows)
        return all.count > 1 ? [all.joined(separator: ", ")] : []
    }

    /// How many rows have come to the first join, or out.
    var passed: Int {
        counters.inputRows - counters.lateRows - counters.droppedRows - counters.filteredRows - duplicates
    }

    /// `3,000 read: 2,756 out, 244 still wait for ads (…), 0 late, 0 bad`.
    var text: String {
        var parts: [String] = []
        if let waiting {
            parts = [waiting.gone(of: passed), waiting.text + times]
        } else if !isPart {
            parts =
                tables.isEmpty
                ? [counted(passed, "out")] : [counted(passed, "looked up in \(tables.joined(separator: " and "))")]
            if let outputRows { parts.append(counted(outputRows, "out")) }
        }
        if counters.filteredRows > 0 { parts.append(counted(counters.filteredRows, "filtered")) }
        parts.append(counted(counters.lateRows, "late"))
        if isDeduplicated { parts.append(counted(duplicates, duplicates == 1 ? "duplicate" : "duplicates")) }
        let kept = counters.badRows - counters.droppedRows
        let isMixed = kept > 0 && counters.droppedRows > 0
        parts.append(counted(counters.badRows, "bad") + (isMixed ? " (\(counted(kept, "of them kept")))" : ""))
        if counters.tombstones > 0 {
            parts.append(counted(counters.tombstones, counters.tombstones == 1 ? "tombstone" : "tombstones"))
        }
        if counters.recordsWithoutRows > 0 {
            parts.append(counted(counters.recordsWithoutRows, "records without rows"))
        }
        let empty = columns.empty(in: firstRows)
        if !empty.isEmpty {
            let isAll = firstRows.rowCount == counters.inputRows
            let rows = isAll ? "any row" : "the first \(grouped(firstRows.rowCount)) rows"
            parts.append("no value of \(empty.joined(separator: " and ")) in \(rows)")
        }
        return "\(counted(counters.inputRows, "read"))\(waiting?.beforeText ?? ""): " + parts.joined(separator: ", ")
    }

    private var times: String {
        var words: [String] = []
        if counters.eventTimeCount > 0 {
            // Rounded down, also before 1970.
            let millis = counters.maxEventTimeMicros / 1000 - (counters.maxEventTimeMicros % 1000 < 0 ? 1 : 0)
            words.append("newest event time \(utcText(millis: millis))")
        }
        if let watermarkMillis, watermarkMillis > 0 { words.append("watermark \(utcText(millis: watermarkMillis))") }
        return words.isEmpty ? "" : " (\(words.joined(separator: ", ")))"
    }
}

/// Rows in state of a join, on one side.
private struct WaitingRows {
    private let stage: Int
    private let side: JoinInput
    /// What they wait for.
    private let other: String
    /// What is said of rows that no longer wait. One that only a partner brings out has `left` when it is done with,
    /// and not come `out`; one that goes on to another join has not come out either.
    private let word: String
    /// Before the first batch.
    private let before: Int
    private var now: Int

    init(_ plan: PhysicalPlan, _ stage: Int, _ side: JoinInput, _ stateRows: [[Int]]) {
        self.stage = stage
        self.side = side
        let planned = plan.stages[stage]
        other = plan.readRows(side.other, planned)
        word = !planned.side(side).isPreserved ? "left" : stage == plan.stages.indices.last ? "out" : "passed on"
        before = stateRows[stage][side.rawValue]
        now = before
    }

    mutating func add(_ result: BatchResult) { now = result.stages[stage].side(side).rowsTotal }

    /// `2,756 out`
    func gone(of passed: Int) -> String { counted(passed + before - now, word) }

    /// `244 still wait for ads`
    var text: String { counted(now, "still wait for \(other)") }

    var beforeText: String { before > 0 ? " and \(grouped(before)) from before" : "" }
}

/// What a join keeps of a union, or of the pairs of another join.
private struct SharedRows {
    /// As `explain` has it: `shipments`, `pairs of orders and payments`; of a join that puts out one side alone, whose
    /// source has a line already, `orders behind payments`.
    let name: String
    /// The parts of the union; empty for pairs, whose number nobody counts.
    private let parts: [Int]
    var waiting: WaitingRows

    /// In order of execution.
    static func all(_ plan: PhysicalPlan, _ stateRows: [[Int]]) -> [SharedRows] {
        plan.stages.indices.filter { plan.stages[$0].join != nil }.flatMap { number in
            let stage = plan.stages[number]
            return JoinInput.allCases.compactMap { side -> SharedRows? in
                let parts = plan.direct(stage.input(side)) ?? []
                if parts.count == 1 { return nil }
                return SharedRows(
                    name: name(plan, side, stage), parts: parts, waiting: WaitingRows(plan, number, side, stateRows))
            }
        }
    }

    private static func name(_ plan: PhysicalPlan, _ side: JoinInput, _ stage: StagePlan) -> String {
        let rows = plan.readRows(side, stage)
        guard case .stage(let number) = stage.input(side), !plan.stages[number].outputs(.right) else { return rows }
        return "\(rows) behind \(plan.readRows(.right, plan.stages[number]))"
    }

    func text(_ sources: [RowAccount]) -> String {
        if parts.isEmpty { return waiting.text }
        return "\(waiting.gone(of: parts.reduce(0) { $0 + sources[$1].passed })), \(waiting.text)"
    }
}

private func counted(_ count: Int, _ words: String) -> String { "\(grouped(count)) \(words)" }

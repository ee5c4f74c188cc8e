// A stage is an operator that keeps state. It reads the rows of sources and of stages before it, is done with a batch,
// evicted rows included, before the next one reads, and hands on rows packed as it would keep them itself:
//
//     orders ──▶ ┌──────────────┐
//                │ join         │ ──▶ ┌──────────────┐
//   payments ──▶ └──────────────┘     │ join         │ ──▶ output
//                       shipments ──▶ └──────────────┘
//
// Source: Spark runs a chain of stateful operators the same way, children first, in one pass (spark-sql's
// IncrementalExecution and WatermarkPropagator).

package import SluiceSpec

/// Where a stage's rows come from.
package enum StageInput: Hashable, Sendable {
    /// Positions in `PhysicalPlan.inputs`: one, or the parts of a union, whose rows have one layout.
    case sources([Int])
    /// A position in `PhysicalPlan.stages`, lower than the reader's own.
    case stage(Int)
    /// A position in `PhysicalPlan.tables`.
    case table(Int)
}

/// What a stage does with its rows.
package enum StageOperation: Hashable, Sendable {
    /// Two inputs, left and right.
    case join(JoinPlan)
    /// One input.
    case deduplicate(DeduplicatePlan)
    /// Rows on the left, a table on the right; it keeps nothing, and is carried out as rows come.
    case lookup(LookupPlan)
}

/// A table as the engine reads it.
package struct TablePlan: Hashable, Sendable {
    /// How its records become rows; all declared columns are there, first those that the query reads.
    package var input: InputPlan
    package var reload: TableSpec.Reload
    package var isUnique: Bool
    /// Of a topic the columns that are in the key of its records; empty for files.
    package var key: [String] = []
    /// Where its rows come from, as `explain` shows it.
    package var origin = ""

    package init(input: InputPlan, reload: TableSpec.Reload, isUnique: Bool) {
        self.input = input
        self.reload = reload
        self.isUnique = isUnique
    }

    package var name: String { input.source }
}

/// A join with a table.
package struct LookupPlan: Hashable, Sendable {
    /// A position in `PhysicalPlan.tables`.
    package var table: Int
    package var type: JoinType
    /// Slots of the row in hand, and of the table's row; empty where every row of the table is looked at.
    package var keys: [JoinKey]
    /// A row for which this is not true matches nothing.
    package var predicate: Expression<ColumnSlot>?
    /// What else a pair must satisfy.
    package var residual: Expression<ColumnSlot>?

    package init(
        table: Int, type: JoinType, keys: [JoinKey], predicate: Expression<ColumnSlot>?,
        residual: Expression<ColumnSlot>?
    ) {
        self.table = table
        self.type = type
        self.keys = keys
        self.predicate = predicate
        self.residual = residual
    }
}

/// One operator of a plan that keeps state.
package struct StagePlan: Hashable, Sendable {
    /// By what it does, not by its place: `orders+payments`. Files of state have it, so that a stage added on top
    /// leaves those below as they are.
    package var name: String
    package var operation: StageOperation
    /// Left, then right; one where there is only one.
    package var inputs: [StageInput]
    /// How far behind the query's watermark the stage's own is, in milliseconds (0 or less): sources it reads are late
    /// by it, and its rows leave by it. nil when nothing it reads has a watermark.
    package var watermarkMillis: Int64?
    /// What the stage that reads this one gets; nil for the last.
    package var emitted: StageRows?

    package init(
        name: String, operation: StageOperation, inputs: [StageInput], watermarkMillis: Int64? = 0,
        emitted: StageRows? = nil
    ) {
        self.name = name
        self.operation = operation
        self.inputs = inputs
        self.watermarkMillis = watermarkMillis
        self.emitted = emitted
    }

    /// nil for another operation.
    package var join: JoinPlan? {
        get { if case .join(let join) = operation { join } else { nil } }
        set { if let newValue { operation = .join(newValue) } }
    }

    /// nil for another operation.
    package var lookup: LookupPlan? { if case .lookup(let lookup) = operation { lookup } else { nil } }

    /// nil for another operation.
    package var deduplicate: DeduplicatePlan? {
        if case .deduplicate(let deduplicate) = operation { deduplicate } else { nil }
    }

    /// What it keeps rows of: left, left and right, or nothing.
    package var sides: [JoinInput] {
        switch operation {
        case .join: JoinInput.allCases
        case .deduplicate: [.left]
        case .lookup: []
        }
    }

    /// Whether it keeps state.
    package var isStateful: Bool { !sides.isEmpty }

    /// What it reads on a side.
    package func input(_ side: JoinInput) -> StageInput { inputs[side.rawValue] }

    /// What it keeps of a side.
    package func side(_ side: JoinInput) -> JoinSidePlan {
        switch operation {
        case .join(let join): join.side(side)
        case .deduplicate(let deduplicate): deduplicate.state
        case .lookup: preconditionFailure("a lookup keeps nothing")
        }
    }

    /// In how many parts it is carried out; a power of two, fixed for the life of a checkpoint.
    package var shards: Int {
        switch operation {
        case .join(let join): join.shards
        case .deduplicate(let deduplicate): deduplicate.shards
        case .lookup: 0
        }
    }

    /// Whether the pairs that it gives have the columns of a side.
    package func outputs(_ side: JoinInput) -> Bool { (join?.type ?? lookup?.type)?.outputs(side) ?? true }

    /// The stage's own watermark for one of the query, in milliseconds; 0 is none.
    package func watermarkMillis(of queryMillis: Int64) -> Int64 {
        guard let watermarkMillis else { return 0 }
        return watermarkMillis == 0 ? queryMillis : max(0, saturatingSum(queryMillis, watermarkMillis))
    }

    /// Whether its rows ever leave.
    package var evicts: Bool { sides.contains { side($0).eviction != nil } }

    /// Whether a rise of its watermark is worth a batch without data. Spark runs one for every deduplication, also
    /// where nothing can leave.
    package var wantsNoDataBatch: Bool { evicts || deduplicate != nil && watermarkMillis != nil }
}

/// Of rows with equal values in some columns only the first passes.
package struct DeduplicatePlan: Hashable, Sendable {
    /// Slots of the columns in the rows that come; nulls are equal.
    package var columns: [Int]
    /// Slot of the event time; nil where it does not matter.
    package var time: Int?
    /// So long after the first row's time its values are remembered; nil for ever, or, where the time is among the
    /// columns, until the watermark reaches it.
    package var withinMicros: Int64?
    /// What is kept of a row: the columns, and behind them, with `withinMicros`, the time at which they are forgotten.
    /// `joinTime` is the slot of that time, or of the event time among the columns.
    package var state: JoinSidePlan
    /// How many of the columns of the rows that come are handed on.
    package var columnCount: Int
    package var shards: Int
    /// Whether rows go with their places in what they were read from: for who reads a table, and drops none.
    package var notesPlaces = false

    package init(
        columns: [Int], time: Int?, withinMicros: Int64?, state: JoinSidePlan, columnCount: Int, shards: Int
    ) {
        self.columns = columns
        self.time = time
        self.withinMicros = withinMicros
        self.state = state
        self.columnCount = columnCount
        self.shards = shards
    }
}

/// The rows that one stage hands to another, over the pair that it gives.
package struct StageRows: Hashable, Sendable {
    /// Pairs for which this is not true are not handed on.
    package var filter: Expression<ColumnSlot>?
    package var columns: [StageColumn]

    package init(filter: Expression<ColumnSlot>? = nil, columns: [StageColumn]) {
        self.filter = filter
        self.columns = columns
    }
}

/// A column of the rows that one stage hands to another.
package struct StageColumn: Hashable, Sendable {
    package var name: ColumnReference
    package var value: Expression<ColumnSlot>

    package init(name: ColumnReference, value: Expression<ColumnSlot>) {
        self.name = name
        self.value = value
    }
}

/// A column of the rows that a stage reads.
package struct RowColumn: Hashable, Sendable {
    package var name: ColumnReference
    package var type: DataType

    package init(name: ColumnReference, type: DataType) {
        self.name = name
        self.type = type
    }

    /// A column that stored rows have and nobody reads any more.
    package init(unread name: String) { self.init(name: ColumnReference(source: "", column: name), type: .null) }
}

extension PhysicalPlan {
    /// The columns of what a stage reads, in the order of the packed row. Of a union those of its first part, as far as
    /// a stage keeps or hands them on the same in all.
    package func columns(of input: StageInput) -> [RowColumn] {
        switch input {
        case .sources(let numbers):
            let source = name(of: input)
            return inputs[numbers[0]].columns.map {
                RowColumn(name: ColumnReference(source: source, column: $0.name), type: $0.type)
            }
        case .stage(let number):
            return (stages[number].emitted?.columns ?? []).map { RowColumn(name: $0.name, type: $0.value.type) }
        case .table(let number):
            let table = tables[number]
            return table.input.columns.map {
                RowColumn(name: ColumnReference(source: table.name, column: $0.name), type: $0.type)
            }
        }
    }

    /// The columns of the rows in hand, by side: those that a stage reads, or those of the only input.
    package func columns(of stage: StagePlan?) -> [[RowColumn]] {
        guard let stage else { return [columns(of: .sources(Array(inputs.indices)))] }
        return stage.inputs.map(columns)
    }

    /// A source's name, a union's, or a stage's.
    package func name(of input: StageInput) -> String {
        switch input {
        case .sources(let numbers): inputs[numbers[0]].union ?? inputs[numbers[0]].source
        case .stage(let number): stages[number].name
        case .table(let number): tables[number].name
        }
    }

    /// The sources that a stage reads on a side through nothing but a deduplication; nil for rows of another stage.
    package func direct(_ input: StageInput) -> [Int]? {
        switch input {
        case .sources(let numbers): numbers
        case .stage(let number): stages[number].deduplicate == nil ? nil : direct(stages[number].inputs[0])
        case .table: nil
        }
    }

    /// The place of an input among the parts of its union; 0 where it is none.
    package func partNumber(ofInput number: Int) -> Int {
        guard let union = inputs[number].union, let first = inputs.firstIndex(where: { $0.union == union }) else {
            return 0
        }
        return number - first
    }

    /// The inputs that have a watermark, those together that have one together.
    package var watermarkedInputs: [[Int]] {
        var groups: [[Int]] = []
        for (number, input) in inputs.enumerated() {
            guard let watermark = input.watermark else { continue }
            let together = groups.firstIndex { group in
                watermark.isOfUnion && inputs[group[0]].union == input.union
            }
            if let together { groups[together].append(number) } else { groups.append([number]) }
        }
        return groups
    }

    /// The positions of the stages that keep state, each before those that it reads, left before right: Spark's order
    /// of operators.
    package var stagesFromTop: [Int] {
        func below(_ number: Int) -> [Int] {
            (stages[number].isStateful ? [number] : [])
                + stages[number].inputs.flatMap { input -> [Int] in
                    if case .stage(let next) = input { below(next) } else { [] }
                }
        }
        return stages.isEmpty ? [] : below(stages.count - 1)
    }

    /// The positions of the stages that keep state, in order of execution.
    package var statefulStages: [Int] { stages.indices.filter { stages[$0].isStateful } }

    /// The first stage that keeps rows of a source, behind what it looks up; nil where there is none.
    package func keeper(ofInput number: Int) -> StagePlan? {
        readers(ofInput: number).lazy.map { self.stages[$0.stage] }.first(where: \.isStateful)
    }

    /// Whether rows of any stage ever leave its state.
    package var evicts: Bool { stages.contains(where: \.evicts) }

    /// The stages that rows go through, the first one first, and on which side each reads them.
    package func readers(ofInput number: Int) -> [(stage: Int, side: JoinInput)] {
        guard let first = firstReader(where: { $0.isOf(source: number) }) else { return [] }
        return [first] + readers(ofStage: first.stage)
    }

    /// As `readers(ofInput:)`, of what a stage hands on.
    package func readers(ofStage number: Int) -> [(stage: Int, side: JoinInput)] {
        guard let first = firstReader(where: { $0 == .stage(number) }) else { return [] }
        return [first] + readers(ofStage: first.stage)
    }

    private func firstReader(where isMeant: (StageInput) -> Bool) -> (stage: Int, side: JoinInput)? {
        for number in stages.indices {
            for (side, input) in zip(JoinInput.allCases, stages[number].inputs) where isMeant(input) {
                return (number, side)
            }
        }
        return nil
    }

    /// The stage that reads a source, and on which side; nil where there is none.
    package func reader(ofInput number: Int) -> (stage: StagePlan, side: JoinInput)? {
        readers(ofInput: number).first.map { (stages[$0.stage], $0.side) }
    }

    /// The stage that reads what another one hands on, and on which side.
    package func reader(ofStage number: Int) -> (stage: StagePlan, side: JoinInput)? {
        readers(ofStage: number).first.map { (stages[$0.stage], $0.side) }
    }

    /// The side on which a source's rows are read; its own expressions name slots of that side.
    package func side(ofInput number: Int) -> JoinInput { reader(ofInput: number)?.side ?? .left }

    /// The sources, or unions, whose columns are in what a stage reads on a side, in the order of `inputs`.
    package func sources(of input: StageInput) -> [String] {
        inputNumbers(of: input).map { inputs[$0].union ?? inputs[$0].source }
    }

    /// Of each union the first part.
    private func inputNumbers(of input: StageInput) -> [Int] {
        switch input {
        case .sources(let numbers): [numbers[0]]
        case .stage(let number):
            zip(JoinInput.allCases, stages[number].inputs).filter { stages[number].outputs($0.0) }
                .flatMap { inputNumbers(of: $0.1) }.sorted()
        case .table: []
        }
    }
}

extension StageInput {
    /// Whether it is rows of a source.
    package func isOf(source number: Int) -> Bool {
        if case .sources(let numbers) = self { numbers.contains(number) } else { false }
    }
}

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
    /// A position in `PhysicalPlan.inputs`.
    case source(Int)
    /// A position in `PhysicalPlan.stages`, lower than the reader's own.
    case stage(Int)
}

/// One operator of a plan that keeps state.
package struct StagePlan: Hashable, Sendable {
    /// By what it joins, not by its place: `orders+payments`. Files of state have it, so that a stage added on top
    /// leaves those below as they are.
    package var name: String
    package var join: JoinPlan
    package var left: StageInput
    package var right: StageInput
    /// How far behind the query's watermark the stage's own is, in milliseconds (0 or less): sources it reads are late
    /// by it, and its rows leave by it. nil when nothing it reads has a watermark.
    package var watermarkMillis: Int64?
    /// What the stage that reads this one gets; nil for the last.
    package var emitted: StageRows?

    package init(
        name: String, join: JoinPlan, left: StageInput = .source(0), right: StageInput = .source(1),
        watermarkMillis: Int64? = 0, emitted: StageRows? = nil
    ) {
        self.name = name
        self.join = join
        self.left = left
        self.right = right
        self.watermarkMillis = watermarkMillis
        self.emitted = emitted
    }

    /// What it reads on a side.
    package func input(_ side: JoinInput) -> StageInput { side == .left ? left : right }

    /// The stage's own watermark for one of the query, in milliseconds; 0 is none.
    package func watermarkMillis(of queryMillis: Int64) -> Int64 {
        guard let watermarkMillis else { return 0 }
        return watermarkMillis == 0 ? queryMillis : max(0, saturatingSum(queryMillis, watermarkMillis))
    }

    /// Whether its rows ever leave.
    package var evicts: Bool { join.left.eviction != nil || join.right.eviction != nil }
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
}

extension PhysicalPlan {
    /// The columns of what a stage reads, in the order of the packed row.
    package func columns(of input: StageInput) -> [RowColumn] {
        switch input {
        case .source(let number):
            let source = inputs[number].source
            return inputs[number].columns.map {
                RowColumn(name: ColumnReference(source: source, column: $0.name), type: $0.type)
            }
        case .stage(let number):
            return (stages[number].emitted?.columns ?? []).map { RowColumn(name: $0.name, type: $0.value.type) }
        }
    }

    /// The columns of the rows in hand, by side: those that a stage reads, or those of the only input.
    package func columns(of stage: StagePlan?) -> [[RowColumn]] {
        guard let stage else { return [columns(of: .source(0))] }
        return JoinInput.allCases.map { columns(of: stage.input($0)) }
    }

    /// The positions of the stages, each before those that it reads, left before right: Spark's order of operators.
    package var stagesFromTop: [Int] {
        func below(_ number: Int) -> [Int] {
            [number]
                + JoinInput.allCases.flatMap { side -> [Int] in
                    if case .stage(let next) = stages[number].input(side) { below(next) } else { [] }
                }
        }
        return stages.isEmpty ? [] : below(stages.count - 1)
    }

    /// Whether rows of any stage ever leave its state.
    package var evicts: Bool { stages.contains(where: \.evicts) }

    /// The stages that rows go through, the first one first, and on which side each reads them.
    package func readers(of input: StageInput) -> [(stage: Int, side: JoinInput)] {
        for number in stages.indices {
            for side in JoinInput.allCases where stages[number].input(side) == input {
                return [(number, side)] + readers(of: .stage(number))
            }
        }
        return []
    }

    /// The stage that reads a source, and on which side; nil where there is none.
    package func reader(ofInput number: Int) -> (stage: StagePlan, side: JoinInput)? {
        for stage in stages {
            for side in JoinInput.allCases where stage.input(side) == .source(number) { return (stage, side) }
        }
        return nil
    }

    /// The side on which a source's rows are read; its own expressions name slots of that side.
    package func side(ofInput number: Int) -> JoinInput { reader(ofInput: number)?.side ?? .left }

    /// The sources whose columns are in what a stage reads on a side, in the order of `inputs`.
    package func sources(of input: StageInput) -> [String] { inputNumbers(of: input).map { inputs[$0].source } }

    private func inputNumbers(of input: StageInput) -> [Int] {
        switch input {
        case .source(let number): [number]
        case .stage(let number):
            JoinInput.allCases.filter { stages[number].join.type.outputs($0) }
                .flatMap { inputNumbers(of: stages[number].input($0)) }.sorted()
        }
    }
}

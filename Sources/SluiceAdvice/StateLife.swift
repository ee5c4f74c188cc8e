// What maintenance writes again: a row that is still live when its file is merged is written once more, and once for
// each further level that it lives to see. Short intervals make files old quickly, in batches.

internal import SluiceCheckpoint
internal import SluicePlan

/// How long rows live in state, and how long their files stay as they are.
package struct StateLife: Hashable, Sendable {
    /// Of a row of the side that keeps its rows longer, when both sides keep pace with the wall clock; infinite where
    /// rows are never evicted.
    package var micros: Double
    package var retainBatches: Int

    package init(micros: Double, retainBatches: Int) {
        self.micros = micros
        self.retainBatches = retainBatches
    }

    /// How often a row is written again, with a batch each period.
    func rewrites(periodMicros: Double) -> Double {
        var count = 0
        var files = Double(mergeFanIn)
        // Nothing lives longer than the levels that a checkpoint ever gets to.
        while count < 6, (Double(retainBatches) + files) * periodMicros < micros {
            count += 1
            files *= Double(mergeFanIn)
        }
        return Double(count)
    }
}

extension StateLife {
    /// nil without state.
    init?(_ plan: PhysicalPlan, retainBatches: Int) {
        if plan.statefulStages.isEmpty { return nil }
        let lives = plan.stages.flatMap { stage in
            stage.sides.map { side in
                plan.retention(of: side, in: stage).map { Double($0.totalMicros) } ?? .infinity
            }
        }
        self.init(micros: lives.max() ?? .infinity, retainBatches: retainBatches)
    }
}

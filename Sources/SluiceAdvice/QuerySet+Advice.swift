// Advice for a query of this process: its checkpoint is read beside it.

package import SluiceRuntime

extension QuerySet {
    /// What other trigger intervals would bring a query, from its checkpoint, which is only read.
    /// Throws a `ControlError` for a name that no query has, else what keeps the checkpoint from being read.
    package func advice(on name: String, latencyMicros: Int64?) throws -> TriggerAdvice {
        let query = try description(of: name)
        return try .fromCheckpoint(
            query.planned, spec: query.spec, query.checkpoint,
            question: TriggerQuestion(trigger: query.trigger, latencyMicros: latencyMicros))
    }
}

// From a query of a spec to what the engine runs:
//
//     QuerySpec ─▶ LogicalPlan as written ─▶ rules, one after another ─▶ checks ─▶ PhysicalPlan
//
// Everything here is a pure function of the spec; mistakes are values, found all at once.

package import SluiceSpec

/// What planning one query gave.
package struct PlanningResult: Sendable {
    package var query: QuerySpec
    /// What the query reads, in the order of its inputs.
    package var sources: [SourceSpec] = []
    /// The tables that the query looks up, in the order of its joins.
    package var tables: [TableSpec] = []
    /// What the query writes to, in the order of its `to`.
    package var sinks: [SinkSpec] = []
    /// Hides secrets that names hold, such as a topic's, from explain output.
    package var secretMask = SecretMask()
    /// The plan as written; nil when names are missing.
    package var logical: LogicalPlan?
    /// The plan after all rules.
    package var optimized: LogicalPlan?
    /// The rules that changed the plan, in the order they ran.
    package var appliedRules: [String] = []
    /// nil when there is an error among the diagnostics.
    package var physical: PhysicalPlan?
    /// Errors and warnings, sorted by place.
    package var diagnostics: [Diagnostic] = []
    /// What the query's checkpoint knows of registries, where somebody has looked; by source, then number.
    package var schemasMet: [SchemaMet] = []
}

/// A schema that records of a source have named by its number, or were read as.
package struct SchemaMet: Hashable, Sendable {
    package var source: String
    package var id: Int64
    /// In the registry's words, such as `AVRO`.
    package var language: String
    package var registry: String

    package init(source: String, id: Int64, language: String, registry: String) {
        self.source = source
        self.id = id
        self.language = language
        self.registry = registry
    }
}

/// Plans queries.
package enum Planner {
    /// Plans one query of a spec.
    package static func plan(query: QuerySpec, in spec: Spec) -> PlanningResult {
        let sources = Dictionary(spec.sources.map { ($0.name.value, $0) }, uniquingKeysWith: { first, _ in first })
        let sinks = Dictionary(spec.sinks.map { ($0.name.value, $0) }, uniquingKeysWith: { first, _ in first })
        var result = PlanningResult(query: query)
        let tables = Dictionary(spec.tables.map { ($0.name.value, $0) }, uniquingKeysWith: { first, _ in first })
        result.tables = query.joins.filter(\.isTable).compactMap { tables[$0.with.value] }
        result.sources = ([query.from] + query.joins.filter { !$0.isTable }.map(\.with))
            .compactMap { sources[$0.value] }
            .flatMap(spec.parts)
        result.sinks = query.sinks.compactMap { sinks[$0.value] }
        result.secretMask = spec.secretMask
        result.diagnostics = NameChecks(query: query, sources: sources, tables: tables).diagnose()
        if result.diagnostics.isEmpty, let logical = LogicalPlanBuilder.build(query, sources: sources, tables: tables) {
            result.logical = logical
            let context = RuleContext(
                watermarkPolicy: query.watermarkPolicy, shards: query.state.shards?.value)
            var plan = logical
            for rule in RewriteRules.all {
                let rewritten = rule.apply(to: plan, in: context)
                if rewritten != plan { result.appliedRules.append(rule.name) }
                plan = rewritten
            }
            result.optimized = plan
            let (records, mistakes) = RecordChecks(query: query, sinks: result.sinks).read()
            result.diagnostics += JoinChecks.diagnose(plan) + UnmatchedRowChecks.diagnose(plan) + mistakes
            result.diagnostics += OutputChecks.diagnose(query, result.sinks)
            if !result.diagnostics.contains(where: { $0.severity == .error }) {
                result.physical = PhysicalPlanner.plan(
                    plan, query: query, sources: sources, tables: tables, sinks: sinks, records: records)
            }
            if let output = result.physical?.output {
                result.diagnostics += OutputChecks.diagnose(output, of: query)
                if result.diagnostics.contains(where: { $0.severity == .error }) { result.physical = nil }
            }
        }
        result.diagnostics = result.diagnostics.map { $0.hidingSecrets(spec.secretMask) }
        result.diagnostics.sort { ($0.position, $0.code) < ($1.position, $1.code) }
        return result
    }
}

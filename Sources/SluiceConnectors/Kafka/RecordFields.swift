// What a source has to take from a record beside its value, as a query's plan wants it.

internal import SluiceEngine
package import SluicePlan
package import SluiceSpec

/// What a query wants of a record beside its value.
package struct RecordFields: Hashable, Sendable {
    /// Key and headers, in the order in which they go into a chunk's attributes.
    package var attributes: [KafkaField]
    package var hasTimestamp: Bool
    package var hasTopic: Bool
    /// Whether the number of a schema stands before values that are read without it.
    var hasUnusedSchema = false
    /// Whether records are counted by the schemas that they name.
    var countsSchemas = false

    init(attributes: [KafkaField], hasTimestamp: Bool, hasTopic: Bool) {
        self.attributes = attributes
        self.hasTimestamp = hasTimestamp
        self.hasTopic = hasTopic
    }

    package init(_ input: InputPlan) {
        attributes = input.wantedAttributes
        hasTimestamp = input.isKeyed || input.columns.contains { $0.origin == .kafka(.timestamp) }
        hasTopic = input.columns.contains { $0.origin == .kafka(.topic) }
        if case .json(let options) = input.format { hasUnusedSchema = options.registry != nil }
        countsSchemas = input.format.registry?.countsRecords ?? false
    }
}

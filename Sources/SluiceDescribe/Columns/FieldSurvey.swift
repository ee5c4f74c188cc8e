// All records of a sample laid upon each other: a tree of the places that they have, with what is at each.

internal import SluiceEngine

/// One place in records, with those below it.
final class FieldNode {
    let name: String
    private(set) var facts = FieldFacts()
    /// In the order in which they were met.
    private(set) var children: [FieldNode] = []
    /// The elements of its arrays that are objects; nil where there is none.
    private(set) var elements: FieldNode?
    private var places: [String: Int] = [:]

    init(_ name: String) { self.name = name }

    func add(_ tree: JSONTree) {
        switch tree {
        case .null: facts.addNull()
        case .bool: facts.addBoolean()
        case .number(let text): facts.addNumber(text)
        case .string(let text): facts.addText(text)
        case .array(let values): addArray(values)
        case .object(let members):
            facts.addObject()
            for (name, value) in members { child(name).add(value) }
        }
    }

    private func addArray(_ values: [JSONTree]) {
        var objectCount = 0
        for value in values {
            guard case .object = value else { continue }
            objectCount += 1
            let node = elements ?? FieldNode("each")
            elements = node
            node.add(value)
        }
        facts.addArray(elementCount: values.count, objectCount: objectCount)
    }

    private func child(_ name: String) -> FieldNode {
        if let place = places[name] { return children[place] }
        places[name] = children.count
        let node = FieldNode(name)
        children.append(node)
        return node
    }

    subscript(_ name: String) -> FieldNode? { places[name].map { children[$0] } }

    /// How often it is there, null or not.
    var count: Int { facts.valueCount + facts.nullCount }

    /// True for an object whose names are data (ids, days) or that differs from record to record: a column for each
    /// name would be null nearly everywhere.
    private var isVaried: Bool {
        guard children.count > 16, facts.objectCount > 0 else { return false }
        let present = children.reduce(0) { $0 + $1.count }
        return Double(present) < 0.25 * Double(children.count) * Double(facts.objectCount)
    }

    /// Levels of objects that columns are taken from.
    private static let depthMax = 6

    /// The places that become columns, below this one, by their steps from here.
    func leaves(_ steps: [String] = []) -> [(steps: [String], node: FieldNode)] {
        let isOpened = facts.isObject && !isVaried && !children.isEmpty && steps.count < Self.depthMax
        guard isOpened || steps.isEmpty else { return [(steps, self)] }
        return children.flatMap { $0.leaves(steps + [$0.name]) }
    }
}

// What the columns ask of a record that nests, as a tree of their paths: compilers of formats go down a schema and the
// tree together.

internal import SluicePlan
internal import SluiceSpec

/// What is wanted of a value.
struct WantedPart {
    struct Field {
        var name: String
        var part: WantedPart
    }

    struct Element {
        var place: Int
        var part: WantedPart
    }

    /// Columns that are the value itself.
    var slots: [Int] = []
    var fields: [Field] = []
    var elements: [Element] = []
    /// Whether the elements of the value make rows.
    var isEach = false
    /// All columns from here on.
    var leaves: [Int] = []

    mutating func add(_ steps: some Collection<FieldPath.Step>, slot: Int?) {
        if let slot { leaves.append(slot) }
        guard let step = steps.first else {
            if let slot { slots.append(slot) } else { isEach = true }
            return
        }
        switch step {
        case .name(let name):
            let place = fields.firstIndex { $0.name == name } ?? fields.count
            if place == fields.count { fields.append(Field(name: name, part: WantedPart())) }
            fields[place].part.add(steps.dropFirst(), slot: slot)
        case .element(let element):
            let place = elements.firstIndex { $0.place == element } ?? elements.count
            if place == elements.count { elements.append(Element(place: element, part: WantedPart())) }
            elements[place].part.add(steps.dropFirst(), slot: slot)
        }
    }
}

extension WantedPart {
    /// What columns want of the record, and of each element that makes a row.
    static func parts(_ columns: [InputColumn], each: EachSpec?) -> (record: WantedPart, element: WantedPart) {
        var record = WantedPart()
        var element = WantedPart()
        for (slot, column) in columns.enumerated() {
            switch column.origin {
            case .field(let path): record.add(path.steps, slot: slot)
            case .each(let path): element.add(path?.steps ?? [], slot: slot)
            case .eachPlace, .kafka, .computed, .place: break
            }
        }
        if let each { record.add(each.path.steps, slot: nil) }
        return (record, element)
    }
}

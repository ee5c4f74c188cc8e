// A column on the way to a spec, and what columns are called.

internal import SluiceSpec

/// A column that a source may have.
struct ColumnDraft {
    var name: String
    /// As `from:` writes it; nil where the name says it.
    var from: String?
    var ladder: FormLadder
    /// What the name of its field says.
    var timeName: TimeName
    /// How many records have a value there, and how many are without.
    var valueCount: Int
    var missingCount: Int
    /// Whether records without a value have 0 there, which is no time.
    var hasZeros = false
    /// How many steps lead to it.
    var depth = 1
    /// What stands behind it as a comment.
    var remark: String?

    var form: ColumnForm { ladder.form }

    /// As a spec writes it.
    var value: JSONValue {
        var members = [JSONMember("type", .string(form.type))]
        if let from { members.append(JSONMember("from", .string(escapingReferences(from)))) }
        if let unit = form.unit { members.append(JSONMember("unit", .string(unit))) }
        if let pattern = form.pattern { members.append(JSONMember("pattern", .string(pattern))) }
        return members.count == 1 ? .string(form.type) : .object(members)
    }
}

/// A path as a spec writes it; nil for one that it cannot write.
func writtenPath(_ steps: [String]) -> String? {
    let path = FieldPath(steps.map { .name($0) })
    return (try? FieldPath(text: path.description)) == path ? path.description : nil
}

/// The same from an element of the array whose elements make rows.
func writtenElementPath(_ steps: [String]) -> String? { writtenPath(["e"] + steps).map { "each" + $0.dropFirst() } }

/// A spec's values may hold references, which text of data is not meant to be.
func escapingReferences(_ text: String) -> String { text.replacing("${", with: "$${") }

/// How many columns a description has at most, but for CSV without a header, whose columns go by place.
let columnCountMax = 100

/// Names for columns: the last step to it where that is unique, else all of them.
struct ColumnNames {
    private var taken: Set<String> = []
    private let lastCounts: [String: Int]

    init(_ paths: [[String]]) {
        lastCounts = paths.reduce(into: [:]) { $0[Self.plain($1.suffix(1)), default: 0] += 1 }
    }

    mutating func name(_ steps: [String]) -> String {
        let last = Self.plain(steps.suffix(1))
        let wanted = lastCounts[last] == 1 ? last : Self.plain(steps[...])
        var name = wanted
        var number = 2
        while !taken.insert(name).inserted {
            name = "\(wanted)_\(number)"
            number += 1
        }
        return name
    }

    /// What can stand in an expression without quotes.
    private static func plain(_ steps: ArraySlice<String>) -> String {
        var name = ""
        for character in steps.joined(separator: "_") {
            if character.isLetter || character.isNumber || character == "_" {
                name.append(character)
            } else if name.last != "_", !name.isEmpty {
                name.append("_")
            }
        }
        while name.count > 1, name.last == "_" { name.removeLast() }
        if name.isEmpty { return "column" }
        return String((name.first?.isNumber == true ? "column_\(name)" : name).prefix(120))
    }
}

/// A name from data, in a comment: nothing of it may end the line.
func shown(_ name: String) -> String {
    let text = String(
        String.UnicodeScalarView(
            name.unicodeScalars.prefix(80).map { scalar in
                scalar.properties.isWhitespace || scalar.properties.generalCategory == .control
                    || scalar.properties.generalCategory == .format || scalar.properties.isNoncharacterCodePoint
                    ? " " : scalar
            }))
    return name.unicodeScalars.count > 80 ? text + "…" : text
}

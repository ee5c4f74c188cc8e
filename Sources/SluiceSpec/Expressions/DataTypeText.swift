// Types as specs write them.

extension DataType: CustomStringConvertible {
    /// The type's name in a spec, such as `decimal(10,2)`.
    package var description: String {
        switch self {
        case .string: "string"
        case .int: "int"
        case .long: "long"
        case .double: "double"
        case .boolean: "boolean"
        case .timestamp: "timestamp"
        case .date: "date"
        case .decimal(let precision, let scale): "decimal(\(precision),\(scale))"
        case .json: "json"
        case .duration: "duration"
        case .null: "null"
        }
    }

    static let names = ["string", "int", "long", "double", "boolean", "timestamp", "date", "decimal", "json"]

    /// Names that other systems use for one of our types.
    private static let foreignNames = [
        "bigint": "long", "int64": "long", "integer": "int", "int32": "int", "smallint": "int", "tinyint": "int",
        "short": "int", "bool": "boolean", "varchar": "string", "text": "string", "str": "string", "char": "string",
        "float": "double", "real": "double", "float64": "double", "number": "double", "numeric": "decimal(10,2)",
        "datetime": "timestamp", "time": "timestamp",
    ]

    /// The type that `text` names; `decimal` alone is `decimal(10,0)`, as in Spark. nil if there is none.
    package init?(_ text: String) {
        let compact = text.lowercased().filter { $0 != " " }
        switch compact {
        case "string": self = .string
        case "int": self = .int
        case "long": self = .long
        case "double": self = .double
        case "boolean": self = .boolean
        case "timestamp": self = .timestamp
        case "date": self = .date
        case "json": self = .json
        case "decimal": self = .decimal(precision: 10, scale: 0)
        default:
            guard compact.hasPrefix("decimal("), compact.hasSuffix(")") else { return nil }
            let parts = compact.dropFirst(8).dropLast().split(separator: ",", omittingEmptySubsequences: false)
            guard (1...2).contains(parts.count), let precision = Int(parts[0]),
                let scale = parts.count == 2 ? Int(parts[1]) : 0, (1...38).contains(precision),
                (0...precision).contains(scale)
            else { return nil }
            self = .decimal(precision: precision, scale: scale)
        }
    }

    /// What to write instead of a name that is no type.
    static func fix(for text: String) -> String {
        let lowered = text.lowercased()
        if let name = foreignNames[lowered] { return "did you mean `\(name)`?" }
        if lowered.hasPrefix("decimal") {
            return "write `decimal(p,s)` with 1 to 38 digits, `s` of them behind the point"
        }
        return suggestion(for: text, in: names, listing: "types are") ?? "types are `string`, `int` and so on"
    }

    /// Whether values are numbers: int, long, double, decimal.
    package var isNumeric: Bool {
        switch self {
        case .int, .long, .double, .decimal: true
        default: false
        }
    }
}

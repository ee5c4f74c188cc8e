// What a column can be declared as: a type, and how a time is written.

internal import SluiceSpec

/// One way to declare a column.
struct ColumnForm: Hashable, Sendable {
    var type: String
    /// The unit of a time that is a number.
    var unit: String?
    /// How text of a time is written.
    var pattern: String?

    static let string = ColumnForm(type: "string")
    static let json = ColumnForm(type: "json")
    static let int = ColumnForm(type: "int")
    static let long = ColumnForm(type: "long")
    static let double = ColumnForm(type: "double")
    static let boolean = ColumnForm(type: "boolean")
    static let date = ColumnForm(type: "date")
    static let timestamp = ColumnForm(type: "timestamp")

    static func decimal(precision: Int, scale: Int) -> ColumnForm {
        ColumnForm(type: "\(DataType.decimal(precision: precision, scale: scale))")
    }
    static func epoch(_ unit: String) -> ColumnForm { ColumnForm(type: "timestamp", unit: unit) }
    static func time(_ pattern: String) -> ColumnForm { ColumnForm(type: "timestamp", pattern: pattern) }
    static func day(_ pattern: String) -> ColumnForm { ColumnForm(type: "date", pattern: pattern) }

    var isTime: Bool { type == "timestamp" }
}

/// The forms that a column may have, the narrowest first. What the engine does not read with one is read with the next.
struct FormLadder {
    private var forms: [ColumnForm]
    private var step = 0
    /// Whether the order of day and month is a guess.
    var isDayFirstAGuess = false
    /// Whether times are text that says no zone.
    var isWithoutZone = false

    /// - Parameter forms: not empty; the last reads anything that the format has.
    init(_ forms: [ColumnForm]) {
        precondition(!forms.isEmpty)
        self.forms = forms
    }

    var form: ColumnForm { forms[step] }

    /// Takes the next form; false where there is none.
    mutating func widen() -> Bool {
        guard step + 1 < forms.count else { return false }
        step += 1
        return true
    }
}

// Which type of Avro can be read into which type of column, and how. What Spark's `from_avro` gives and a cast makes of
// it is the model, with three differences on purpose: a plain number may be a time in the column's unit; bytes are text
// only where they are UTF-8; and what nests becomes JSON text in a `string` column, as it does in JSON.

/// How a value is put into a column.
package enum AvroReading: Hashable, Sendable {
    /// Nothing but null is written.
    case null
    case boolean
    /// A whole number; one that the column's type does not hold does not fit.
    case integer
    case double
    /// A number of units since 1970.
    case epoch(EpochUnit)
    /// The same of a local time, which is of the source's time zone.
    case localTime(EpochUnit)
    case days
    /// A number without its point, which stands before so many digits, into a decimal.
    case unscaled(scale: Int)
    /// The same into a double.
    case unscaledDouble(scale: Int)
    /// A plain number into a decimal.
    case decimalNumber
    /// A text as it is, or bytes that are one.
    case text
    /// A text of a time or a decimal, as other formats write it.
    case parsedText
    case symbol
    /// 16 bytes.
    case uuid
    /// As JSON; in a `string` column a text without its quotes.
    case json
}

/// Why a type cannot be read into a column.
package struct AvroReadingProblem: Error, Hashable, Sendable {
    /// One clause.
    package var message: String
    package var fix: String?
}

extension AvroResolution.Node {
    /// What is read after a promotion.
    package enum Kind: Hashable, Sendable {
        case null, boolean, int, long, float, double, bytes, string, fixed, enumeration, record, array, map, union
        case mismatch
    }

    package var kind: Kind {
        switch promotion {
        case .toLong: return .long
        case .toFloat: return .float
        case .toDouble: return .double
        case .toString: return .string
        case .toBytes: return .bytes
        case .none: break
        }
        return switch shape {
        case .null: .null
        case .boolean: .boolean
        case .int: .int
        case .long: .long
        case .float: .float
        case .double: .double
        case .bytes: .bytes
        case .string: .string
        case .fixed: .fixed
        case .enumeration: .enumeration
        case .record: .record
        case .array: .array
        case .map: .map
        case .union: .union
        case .mismatch: .mismatch
        }
    }

    /// How a value that is no union is read into a column.
    package func reading(
        as type: DataType, _ form: ColumnSpec.Form
    ) throws(AvroReadingProblem) -> AvroReading {
        if case .mismatch(let problem) = shape { throw AvroReadingProblem(message: problem) }
        if kind == .null { return .null }
        if let reading = try possibleReading(as: type, form) { return reading }
        throw AvroReadingProblem(message: "\(effectiveNoun) cannot be read as \(type)", fix: remedy)
    }

    private func possibleReading(
        as type: DataType, _ form: ColumnSpec.Form
    ) throws(AvroReadingProblem) -> AvroReading? {
        switch type {
        case .json: .json
        case .string: textReading
        case .boolean: kind == .boolean ? .boolean : nil
        case .int, .long: isPlainInteger ? .integer : nil
        case .double: doubleReading
        case .timestamp: try timeReading(form)
        case .date where logical == .date && form == .usual: .days
        case .date: kind == .string ? .parsedText : nil
        case .decimal(_, let scale): try decimalReading(scale: scale)
        case .duration, .null: nil
        }
    }

    /// True for a number that is nothing but one. Times of day count, as Spark reads them as their numbers.
    private var isPlainInteger: Bool {
        (kind == .int || kind == .long) && (logical == nil || logical == .timeMillis || logical == .timeMicros)
    }

    private var isDecimal: Bool { if case .decimal? = logical { true } else { false } }

    private var textReading: AvroReading {
        switch kind {
        case .string: .text
        case .bytes, .fixed: isDecimal ? .json : logical == .uuid ? .uuid : .text
        case .enumeration: .symbol
        default: .json
        }
    }

    private var doubleReading: AvroReading? {
        if case .decimal(_, let scale)? = logical { return .unscaledDouble(scale: scale) }
        return kind == .float || kind == .double || isPlainInteger ? .double : nil
    }

    private func timeReading(_ form: ColumnSpec.Form) throws(AvroReadingProblem) -> AvroReading? {
        let unit: EpochUnit?
        switch form {
        case .pattern: return kind == .string ? .parsedText : nil
        case .epoch(let own): unit = own
        case .usual: unit = nil
        }
        switch logical {
        case .timestamp(let own)?, .localTimestamp(let own)?:
            if let unit, unit != own {
                throw AvroReadingProblem(
                    message: "\(effectiveNoun) counts \(own.noun), and the column says \(unit.noun)",
                    fix: "leave `unit` out: the schema has it")
            }
            if case .localTimestamp? = logical { return .localTime(own) }
            return .epoch(own)
        case nil where kind == .int || kind == .long: return .epoch(unit ?? .seconds)
        case nil where kind == .float || kind == .double: return unit.map { .epoch($0) }
        default: return kind == .string ? .parsedText : nil
        }
    }

    private func decimalReading(scale: Int) throws(AvroReadingProblem) -> AvroReading? {
        guard case .decimal(let precision, let own)? = logical else {
            let isNumber = isPlainInteger || kind == .float || kind == .double
            return isNumber ? .decimalNumber : kind == .string ? .parsedText : nil
        }
        if own > scale {
            throw AvroReadingProblem(
                message: "\(effectiveNoun) has \(own) digits behind the point, and the column \(scale)",
                fix: "declare it as `decimal(\(min(38, precision)),\(own))`")
        }
        return .unscaled(scale: own)
    }

    private var effectiveNoun: String { logical == nil && promotion == .none ? noun : promotedNoun }

    private var promotedNoun: String {
        let plain = noun.split(separator: " (").first.map(String.init) ?? noun
        return logical.map { "\(plain) (\($0.word))" } ?? plain
    }

    /// The type to declare.
    private var remedy: String? {
        switch (kind, logical) {
        case (_, .decimal(let precision, let scale)?) where precision <= 38:
            "declare it as `decimal(\(precision),\(scale))`"
        case (_, .date?): "declare it as `date`"
        case (_, .timestamp?), (_, .localTimestamp?): "declare it as `timestamp`"
        case (.boolean, _): "declare it as `boolean`"
        case (.int, _): "declare it as `int`"
        case (.long, _): "declare it as `long`"
        case (.float, _), (.double, _): "declare it as `double`"
        case (.string, _), (.bytes, _), (.fixed, _), (.enumeration, _): "declare it as `string`"
        case (.record, _), (.map, _): "name a field in it, or declare it as `json`"
        case (.array, _): "name an element of it (`[0]`), or declare it as `json`"
        default: nil
        }
    }
}

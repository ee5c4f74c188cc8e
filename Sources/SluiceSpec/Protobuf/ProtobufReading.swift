// Which type of protobuf can be read into which type of column, and how: as `AvroReading`, with the well-known
// messages.

/// How a value is put into a column.
package enum ProtobufReading: Hashable, Sendable {
    /// A whole number or a boolean; one that the column's type does not hold does not fit.
    case integer
    case double
    /// A number of units since 1970.
    case epoch(EpochUnit)
    /// A number into a decimal.
    case decimalNumber
    /// A text as it is, or bytes that are one.
    case text
    /// A text of a time or a decimal, as other formats write it.
    case parsedText
    /// The name of an enum's number.
    case symbol
    /// google.protobuf.Timestamp.
    case instant
    /// google.protobuf.Duration, as a number of seconds.
    case span
    /// As JSON; in a `string` column a text without its quotes.
    case json
}

/// What a path leads to.
package enum ProtobufPlace: Hashable, Sendable {
    case value(ProtobufType)
    case list(ProtobufType)
    /// By the message that its pairs are.
    case map(entry: Int)

    package init(_ field: ProtobufField, _ schema: ProtobufSchema) {
        let type = field.valueType
        if !field.isRepeated {
            self = .value(type)
        } else if type.kind == .message, schema[type.index].isMapEntry {
            self = .map(entry: type.index)
        } else {
            self = .list(type)
        }
    }
}

extension ProtobufSchema {
    /// How what a path leads to is read into a column. A wrapper is read as what it wraps.
    package func reading(
        _ place: ProtobufPlace, as type: DataType, _ form: ColumnSpec.Form
    ) throws(ProtobufProblem) -> ProtobufReading {
        let found = unwrapped(place)
        if case .value(let value) = found, value.kind == .group {
            throw ProtobufProblem(message: "it is a group, which is not read")
        }
        if let reading = possibleReading(found, as: type, form) { return reading }
        throw ProtobufProblem(message: "\(noun(place)) cannot be read as \(type)", fix: remedy(found))
    }

    /// The value that a wrapper wraps; anything else as it is.
    package func unwrapped(_ place: ProtobufPlace) -> ProtobufPlace {
        guard case .value(let type) = place, type.kind == .message, messages[type.index].wellKnown == .wrapper,
            let field = messages[type.index].fields.first(where: { $0.number == 1 })
        else { return place }
        return .value(field.valueType)
    }

    private func possibleReading(
        _ place: ProtobufPlace, as type: DataType, _ form: ColumnSpec.Form
    ) -> ProtobufReading? {
        guard case .value(let value) = place else { return type == .json || type == .string ? .json : nil }
        let kind = value.kind
        switch type {
        case .json: return .json
        case .string:
            return kind == .string || kind == .bytes ? .text : kind == .enumeration ? .symbol : .json
        case .boolean: return kind == .bool ? .integer : nil
        case .int, .long: return kind.isInteger || kind == .enumeration ? .integer : nil
        case .double:
            return kind.isInteger || kind == .double || kind == .float ? .double : isSpan(value) ? .span : nil
        case .timestamp: return timeReading(value, form)
        case .date: return kind == .string ? .parsedText : nil
        case .decimal:
            if kind.isInteger || kind == .double || kind == .float { return .decimalNumber }
            return kind == .string ? .parsedText : isSpan(value) ? .span : nil
        case .duration, .null: return nil
        }
    }

    private func wellKnown(_ type: ProtobufType) -> ProtobufWellKnown? {
        type.kind == .message ? messages[type.index].wellKnown : nil
    }

    private func isSpan(_ type: ProtobufType) -> Bool { wellKnown(type) == .duration }

    private func timeReading(_ type: ProtobufType, _ form: ColumnSpec.Form) -> ProtobufReading? {
        if type.kind == .string { return .parsedText }
        switch form {
        case .pattern: return nil
        case .epoch(let unit):
            return type.kind.isInteger || type.kind == .double || type.kind == .float ? .epoch(unit) : nil
        case .usual:
            if wellKnown(type) == .timestamp { return .instant }
            return type.kind.isInteger ? .epoch(.seconds) : nil
        }
    }

    /// The types to declare.
    private func remedy(_ place: ProtobufPlace) -> String? {
        switch place {
        case .list: return "name an element of it (`[0]`), make a row of each with `each`, or declare it as `json`"
        case .map: return "name a key of it, or declare it as `json`"
        case .value(let type):
            switch type.kind {
            case .message:
                switch messages[type.index].wellKnown {
                case .timestamp: return "declare it as `timestamp` (without `unit` or `pattern`) or `string`"
                case .duration: return "declare it as `double` or `decimal` (of seconds), or as `string`"
                default: return "name a field in it, or declare it as `json`"
                }
            case .bool: return "declare it as `boolean` or `string`"
            case .double, .float:
                return "declare it as `double`, `decimal` or `string`, or as `timestamp` with a `unit`"
            case .string: return "declare it as `string`, `timestamp`, `date` or `decimal`"
            case .bytes: return "declare it as `string` or `json`"
            case .enumeration: return "declare it as `string`, or as `int` for its number"
            case .int32, .sint32, .sfixed32:
                return "declare it as `int`, `long`, `double`, `decimal`, `string` or `timestamp`"
            default: return "declare it as `long`, `double`, `decimal`, `string` or `timestamp`"
            }
        }
    }
}

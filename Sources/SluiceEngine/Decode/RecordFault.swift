// Why a record is bad, as the decoder found it: a plain value, made on the way of a bad record only, from which words
// are made only for the few that somebody is told of. What the record holds is never among the words.

internal import SluicePlan
internal import SluiceSpec

/// What is wrong with a record. Slots are places in the input's columns.
enum RecordFault: Equatable {
    /// A field's text is none of its column's type.
    case field(slot: Int)
    /// A field of text is not UTF-8.
    case fieldEncoding(slot: Int)
    /// A CSV line ends before a column.
    case missingValue(slot: Int)
    /// A CSV line has more values than the source has columns, or its file's header names.
    case moreValues
    /// An event time that is further ahead than `max_ahead` allows.
    case ahead(slot: Int)
    /// A part of an element is none of its column's type.
    case element(number: Int, slot: Int)
    /// Where `each` leads is no array.
    case noArray
    /// A quote is not closed where the CSV record ends; the slot is -1 for a field that nobody looks at.
    case unclosedQuote(slot: Int)
    /// A closing quote is followed by text.
    case textBehindQuote(slot: Int)
    /// Text follows the record's object.
    case trailingText
    /// JSON, but no object.
    case noObject
    /// Not JSON, or cut off.
    case malformed
    /// Not UTF-8.
    case encoding
    /// An empty or blank value.
    case empty
    /// A line too long to be read.
    case tooLong
    /// Bytes that are no Avro.
    case avro(AvroFault)
    /// Bytes that are no message of protobuf.
    case protobuf(ProtobufFault)

    /// The column that is at fault, where it is one.
    var slot: Int? {
        switch self {
        case .field(let slot), .fieldEncoding(let slot), .missingValue(let slot), .textBehindQuote(let slot),
            .element(_, let slot), .ahead(let slot):
            slot
        case .unclosedQuote(let slot): slot >= 0 ? slot : nil
        case .noArray, .moreValues, .trailingText, .noObject, .malformed, .encoding, .empty, .tooLong, .avro,
            .protobuf:
            nil
        }
    }

    /// One clause, in words.
    func reason(_ input: InputPlan) -> String {
        switch self {
        case .field(let slot): "it cannot be read as \(input.columns[slot].type)"
        case .element(let number, let slot):
            "each[\(number)] cannot be read as \(input.columns[slot].type)"
        case .ahead: "it is further ahead of the clock than `max_ahead` allows"
        case .noArray: "`\(input.each.map { "\($0.path)" } ?? "each")` is no array"
        case .fieldEncoding: "it is not UTF-8 text"
        case .missingValue: "the line ends before it"
        case .moreValues:
            input.format.hasHeader
                ? "the line has more values than its file's header names"
                : "the line has more values than the source's \(input.fieldCount) columns"
        case .unclosedQuote:
            "a quote is not closed" + (input.format.readsLines ? " on its line (`multiline: true` reads on)" : "")
        case .textBehindQuote: "there is text behind its closing quote"
        case .trailingText: "there is text behind its object"
        case .noObject: "it is JSON, but no object"
        case .malformed: "it is not JSON, or was cut off"
        case .encoding: "it is not UTF-8 text"
        case .empty: "it is empty"
        case .tooLong: "the line is too long"
        case .avro(let fault): fault.reason
        case .protobuf(let fault): fault.reason
        }
    }
}

extension RecordFormat {
    fileprivate var hasHeader: Bool { if case .csv(let options) = self { options.hasHeader } else { false } }
    fileprivate var readsLines: Bool { if case .csv(let options) = self { !options.isMultiline } else { true } }
}

/// The first record of a chunk, batch or source that something was wrong with.
package struct RecordSample: Hashable, Sendable {
    /// Of its chunk among all of the input, so that the first is the same however chunks are shared out.
    package var order: Int
    /// Such as `visits.jsonl@1200`.
    package var place: String
    /// nil where no column is to blame.
    package var column: String?
    /// One clause, in words.
    package var reason: String

    package init(order: Int, place: String, column: String?, reason: String) {
        self.order = order
        self.place = place
        self.column = column
        self.reason = reason
    }

    /// The earlier of two.
    static func first(_ a: RecordSample?, _ b: RecordSample?) -> RecordSample? {
        guard let a, let b else { return a ?? b }
        return a.order <= b.order ? a : b
    }
}

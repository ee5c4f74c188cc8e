// What is to be done with the fields of a message: for each message on the way to a column a level, a table from the
// number of a field to a step. It is made once for a message and the columns that are wanted (`ProtobufCompiler`), and
// run over every record (`ProtobufMachine`). For
//
//     message Visit { int64 at_ms = 1; Page page = 2; string user = 3; … }
//
// and the columns `at_ms` and `page.url`, which is the second field of Page:
//
//     level 0   1 → multiply into slot 0, by 1000     2 → enter level 1
//     level 1   2 → text into slot 1
//
// Fields without a step are skipped. Where a record has a field twice the last one counts, and the fields of messages
// are merged, which is what running a level over one after the other does. What a record lacks is known at its end: of
// levels that were entered, the slots that are still null get their defaults. What becomes JSON is pending until then.

internal import SluiceSpec

struct ProtobufStep {
    enum Operation: UInt8 {
        /// Passed over; the field may still clear others of its oneof.
        case skip
        /// A message: goes on with the level `a`.
        case enter
        /// A whole number of the kind `a` that must fit into 32 bits where `b` is 1.
        case integer
        /// A number of units: of the kind `b`, `a` microseconds each.
        case multiply
        /// The same of units of which a microsecond has `a`.
        case divide
        case double
        case float
        case text
        /// google.protobuf.Timestamp, whose parts are kept as those of the level `a`.
        case instant
        /// A number of the enum at `a` in the table, by its name, or where `b` is 1 as a number.
        case symbol
        /// By the conversion at `a`.
        case convert
        /// Kept for the end, as a value of the part `a`.
        case pend
        /// The next element of a list, counted at `a`: pairs of a place and a step stand at `b` in the table.
        case element
        /// A pair of a map: what is wanted of it stands at `a` in the table.
        case entry
        /// All of the steps that stand at `a` in the table; only the last may be one that goes elsewhere.
        case several
    }

    var operation: Operation
    /// Of the tag: what the lowest three bits must be.
    var wireType: UInt8 = 0
    /// Whether values may also stand in one piece.
    var isPackable = false
    var slot: Int32 = 0
    var a: Int32 = 0
    var b: Int32 = 0
    /// Parts that the field clears, as members of its oneof: a list in the table, or 0.
    var clears: Int32 = 0
    /// Where a closed enum's names stand in the table, where a number that it does not have is more than a value that
    /// is not set: no element of a list, no pair of a map, no member of a oneof. Else 0.
    var closed: Int32 = 0
}

/// The fields of a message on the way to columns.
struct ProtobufLevel {
    /// Steps by number stand from here on in the table, `denseCount` of them; 0 where there is none.
    var dense: Int32 = 0
    var denseCount: UInt32 = 0
    /// Pairs of a larger number and a step.
    var sparse: Int32 = 0
    var sparseCount: Int32 = 0
    /// The numbers below 64 that have a step, as bits.
    var wanted: UInt64 = 0
    /// Counters of its lists.
    var counterStart: Int32 = 0
    var counterCount: Int32 = 0
}

/// What goes with a path: cleared as one.
struct ProtobufPart {
    var slots: [Int32]
    var levels: Range<Int>
    var counters: Range<Int>
    var pending: Range<Int>
}

/// What a field is where a record lacks it.
struct ProtobufDefault {
    enum Value {
        case bits(UInt64)
        /// Among the constants.
        case text(start: Int, count: Int)
        /// By a step that reads a constant.
        case step(Int, start: Int, count: Int)
    }

    var slot: Int
    /// Counts where this was entered.
    var level: Int
    var value: Value
}

/// What is made of all of a field's values at the end of a record.
struct ProtobufPending {
    enum Form {
        case json
        /// As JSON, a text without its quotes.
        case text
        /// A duration as a number of seconds.
        case seconds
        /// The elements that make rows.
        case elements
    }

    var form: Form
    var place: ProtobufPlace
    var slot: Int
    var column: DecodedColumn
    /// The level that the field is in.
    var level: Int
    /// The value that it has where there is none, among the constants.
    var fallback: Range<Int>?
}

/// What is run over a record, or over an element of one.
struct ProtobufSection {
    var level = 0
    var defaults = 0..<0
    var pending = 0..<0
    /// The slots with defaults, as bits; `.max` where not all of them are below 64.
    var defaultMask: UInt64 = 0
}

/// Why bytes are no message.
enum ProtobufFault: UInt8, Equatable {
    case short, longNumber, tag, wireType, group, deep, longJSON, elements
    case magic, indexes, unknownSchema, unknownMessage, otherMessage, unreadable
}

extension ProtobufFault {
    /// One clause, in words.
    var reason: String {
        switch self {
        case .short: "it ends before its last field does"
        case .longNumber: "a number in it has more than ten bytes"
        case .tag: "a field in it has a number that no field can have"
        case .wireType: "a field in it has a type that no field can have"
        case .group: "a group in it has no end, or another's"
        case .deep: "it is nested too deeply"
        case .longJSON: "a part of it has more than \(ProtobufJSON.byteCountMax >> 20) MiB as JSON"
        case .elements: "a list in it ends within an element"
        case .magic: "it does not begin with the byte 0 of Confluent's framing and the four of an id"
        case .indexes: "the place of its message, which Confluent's framing has before it, is none"
        case .unknownSchema: "the schema that it names is not known"
        case .unknownMessage: "its schema has no message at the place that it names"
        case .otherMessage: "it is another message than the source's `message`"
        case .unreadable: "its message cannot be read into the source's columns"
        }
    }
}

/// A way from bytes into a slot that has no step of its own.
struct ProtobufConversion {
    enum Form {
        case number(NumberReading)
        /// A text of a time or a decimal.
        case text
    }

    var kind: ProtobufField.Kind
    var form: Form
    var column: DecodedColumn
}

/// A program in raw memory.
@safe final class ProtobufProgram: @unchecked Sendable {
    // @unchecked: nothing in it changes after `init`.

    /// What runs it holds this, and the program beside it.
    @safe struct Code {
        var steps: UnsafePointer<ProtobufStep>
        var levels: UnsafePointer<ProtobufLevel>
        var table: UnsafePointer<Int32>
        var constants: UnsafeRawPointer
        var program: Unmanaged<ProtobufProgram>
    }

    private let steps: UnsafeMutablePointer<ProtobufStep>
    private let levels: UnsafeMutablePointer<ProtobufLevel>
    private let table: UnsafeMutablePointer<Int32>
    private let constants: UnsafeMutableRawPointer
    let parts: [ProtobufPart]
    let conversions: [ProtobufConversion]
    let defaults: [ProtobufDefault]
    let pending: [ProtobufPending]
    let json: ProtobufJSON
    let levelCount: Int
    let counterCount: Int
    let record: ProtobufSection
    let element: ProtobufSection
    /// What is done with an element that makes a row; 0 where none does.
    let elementStep: Int

    /// Valid while the program lives.
    var code: Code {
        unsafe Code(
            steps: steps, levels: levels, table: table, constants: UnsafeRawPointer(constants),
            program: Unmanaged.passUnretained(self))
    }

    init(_ made: borrowing ProtobufCompiler, elementStep: Int) {
        unsafe steps = .allocate(capacity: made.steps.count)
        unsafe steps.initialize(from: made.steps, count: made.steps.count)
        unsafe levels = .allocate(capacity: made.levels.count)
        unsafe levels.initialize(from: made.levels, count: made.levels.count)
        unsafe table = .allocate(capacity: made.table.count)
        unsafe table.initialize(from: made.table, count: made.table.count)
        let byteCount = made.constants.count + inputPaddingByteCount
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 16)
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        for (offset, byte) in made.constants.enumerated() {
            unsafe bytes.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
        }
        unsafe constants = bytes
        parts = made.parts
        conversions = made.conversions
        defaults = made.defaults
        pending = made.pending
        json = made.json
        levelCount = made.levels.count
        counterCount = made.counterCount
        record = made.record
        element = made.element
        self.elementStep = elementStep
    }

    deinit {
        unsafe steps.deallocate()
        unsafe levels.deallocate()
        unsafe table.deallocate()
        unsafe constants.deallocate()
    }
}

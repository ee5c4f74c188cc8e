// What is to be done with the bytes of a datum, as a flat list of instructions: skip, read into a slot, jump by the
// branch of a union, go round for the items of an array. It is made once for a writer's schema and the columns that are
// wanted (`AvroCompiler`), and run for every datum (`AvroMachine`). For
//
//     record Visit { long at (timestamp-millis); union { null, Page } page; string user; … }
//
// and the columns `at` and `page.url`, which is the second field of Page:
//
//     0  multiply  slot 0, by 1000
//     1  choose    0 → 4, 1 → 2
//     2  skip      a text
//     3  text      slot 1
//     4  skip      a text
//     5  …
//
// Nothing in it depends on what the bytes say but the jumps, and each loop is bounded by the bytes that are left, or,
// where items take none, by a number of its own.

internal import SluiceSpec

struct AvroInstruction {
    enum Operation: UInt8 {
        /// The datum is read.
        case end
        /// Passes over `b` fields, whose forms (`SkippedField`) stand at `a` in the table.
        case skip
        case jump
        /// Goes to the routine at `a`, and comes back behind the instruction.
        case call, comeBack
        /// By the branch of a union of two, to `a` or to `b`.
        case choose
        /// By the branch of a union of `b`, to a place that stands at `a` in the table.
        case chooseOfMany
        /// Keeps the place in the bytes; goes back to it; forgets it.
        case mark, goBack, forget
        /// Begins the blocks of an array or a map; without items it goes to `a`. `b` says what the items are.
        case beginItems
        /// As `beginItems`, for items that are told apart by their places.
        case beginElements
        /// Ends an item: goes to `a` for the next one.
        case nextItem
        /// Goes by the place of an element: pairs of a place and where to go stand at `a` in the table, `b` of them.
        /// Without one of them the next instruction follows.
        case element
        /// Goes by the key of a map, which it reads: pairs of a key's number and where to go.
        case key
        /// The blocks of items that take no bytes.
        case emptyItems
        /// Goes on in the constant at `a`, which has `b` bytes; comes back from it.
        case enterConstant, leaveConstant
        /// Keeps where the array begins whose elements make rows, of the type `a`.
        case markEach
        /// There is something else in place of that array.
        case noEach
        /// The slot has a value that its column cannot hold.
        case unfit
        case setNull
        // What follows reads a value into the slot.
        case boolean
        /// A number that must fit into 32 bits where it was written as an int (`a`), and in the slot (`b`).
        case integer
        /// A number of units, `a` microseconds each.
        case multiply
        /// A number of units of which a microsecond has `a`.
        case divide
        case double
        case float
        case text
        /// A symbol of an enum: `b` of them, whose texts begin at `a` in the table.
        case symbol
        /// By the conversion at `a`.
        case convert
    }

    var operation: Operation
    var slot: Int32 = 0
    var a: Int32 = 0
    var b: Int32 = 0
}

/// A field that nobody wants: in the table of a program.
struct SkippedField {
    // Forms. A text is anything that says how long it is.
    static let number: Int32 = 0
    static let text: Int32 = 1
    static let bytes: Int32 = 2
    /// Beside one of them: of a union with null.
    static let mayBeNull: Int32 = 4

    static let byteCountMax = 1 << 20

    //     | bytes of a value: 21 | form: 3 | byte that names the branch of the value: 8 |
    private let bits: UInt32

    /// - Parameters:
    ///   - nullBranch: of a union with null, 0 or 1.
    ///   - byteCount: of `bytes`.
    init(_ form: Int32, nullBranch: Int? = nil, byteCount: Int = 0) {
        let branch: UInt32 = nullBranch == 0 ? 2 : 0
        let form = UInt32(nullBranch == nil ? form : form | Self.mayBeNull)
        bits = UInt32(byteCount) << 11 | form << 8 | branch
    }

    @inline(__always)
    init(code: Int32) { bits = UInt32(bitPattern: code) }

    var code: Int32 { Int32(bitPattern: bits) }

    @inline(__always)
    var form: Int32 { Int32(truncatingIfNeeded: bits &>> 8 & 7) }
    @inline(__always)
    var mayBeNull: Bool { form & Self.mayBeNull != 0 }
    @inline(__always)
    var valueBranch: UInt64 { UInt64(bits & 0xFF) }
    @inline(__always)
    var byteCount: Int { Int(bits &>> 11) }
}

/// What items of an array or a map are, in `b` of their instructions.
struct AvroItems: OptionSet {
    let rawValue: Int32
    /// Nobody wants them: a block that says how long it is can be passed over.
    static let unwanted = AvroItems(rawValue: 1)
    /// They take no bytes, so that a few bytes may stand for any number of them.
    static let empty = AvroItems(rawValue: 2)
}

/// Why a datum cannot be read.
enum AvroFault: UInt8, Equatable {
    case short, longNumber, largeNumber, negativeCount, branch, symbol, boolean, deep, emptyItems, longJSON
    case trailing, magic, unknownSchema, unreadableSchema, behindAnother
    /// More or fewer bytes than a block of a file has for its data.
    case block
}

extension AvroFault {
    /// One clause, in words.
    var reason: String {
        switch self {
        case .short: "it ends before its last field does"
        case .longNumber: "a number in it has more than ten bytes"
        case .largeNumber: "an int in it does not fit into 32 bits"
        case .negativeCount: "a length in it is negative"
        case .branch: "a union in it has a branch that its schema does not have"
        case .symbol: "an enum in it has a symbol that its schema does not have"
        case .boolean: "a boolean in it is neither 0 nor 1"
        case .deep: "it is nested too deeply"
        case .emptyItems: "it has more than \(AvroMachine.emptyItemsMax) items that take no bytes"
        case .longJSON: "a part of it has more than \(AvroMachine.jsonByteCountMax >> 20) MiB as JSON"
        case .trailing: "there are bytes behind its last field"
        case .magic: "it does not begin with the byte 0 of Confluent's framing and the four of an id"
        case .unknownSchema: "the schema that it names is not known"
        case .unreadableSchema: "its schema cannot be read into the source's columns"
        case .behindAnother: "what is before it in its block could not be read, and so it is not to be found"
        case .block: "its block has other than the bytes of its data"
        }
    }
}

/// A way from bytes into a slot that is not worth an instruction of its own.
struct AvroConversion {
    enum Number: UInt8 { case int, long, float, double }
    enum Source {
        case number(Number)
        case bytes
        case fixed(Int)
    }

    var source: Source
    /// True for a whole number that is promoted to a float, and rounded by that.
    var isRoundedToFloat = false
    var reading: AvroReading
    var column: DecodedColumn
    /// Of JSON.
    var node: Int32 = -1
}

/// A program in raw memory.
@safe final class AvroProgram: @unchecked Sendable {
    // @unchecked: nothing in it changes after `init`.

    /// What runs it holds this, and the program beside it.
    @safe struct Code {
        var instructions: UnsafePointer<AvroInstruction>
        var table: UnsafePointer<Int32>
        var constants: UnsafeRawPointer
        var conversions: UnsafePointer<AvroConversion>
        var json: Unmanaged<AvroJSON>
    }

    let code: Code
    /// Where the instructions for an element begin, for each type of elements that make rows.
    let elementStarts: [Int]
    /// What is written as JSON.
    private let json: AvroJSON
    /// True when a datum takes no bytes.
    let isEmpty: Bool

    init(
        _ instructions: [AvroInstruction], table: [Int32], constants: [UInt8], conversions: [AvroConversion],
        elementStarts: [Int], json: AvroJSON, isEmpty: Bool
    ) {
        let code = UnsafeMutablePointer<AvroInstruction>.allocate(capacity: instructions.count)
        unsafe code.initialize(from: instructions, count: instructions.count)
        let places = UnsafeMutablePointer<Int32>.allocate(capacity: table.count + 1)
        unsafe places.initialize(from: table, count: table.count)
        let ways = UnsafeMutablePointer<AvroConversion>.allocate(capacity: conversions.count + 1)
        unsafe ways.initialize(from: conversions, count: conversions.count)
        let bytes = UnsafeMutableRawPointer.allocate(
            byteCount: constants.count + inputPaddingByteCount, alignment: 16)
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0, count: constants.count + inputPaddingByteCount)
        unsafe constants.withUnsafeBytes {
            unsafe bytes.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(bytes), byteCount: $0.count)
        }
        unsafe self.code = Code(
            instructions: code, table: places, constants: UnsafeRawPointer(bytes), conversions: ways,
            json: Unmanaged.passUnretained(json))
        self.elementStarts = elementStarts
        self.json = json
        self.isEmpty = isEmpty
    }

    deinit {
        unsafe code.instructions.deallocate()
        unsafe code.table.deallocate()
        unsafe code.constants.deallocate()
        unsafe code.conversions.deallocate()
    }
}

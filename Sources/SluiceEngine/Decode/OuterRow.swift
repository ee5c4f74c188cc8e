// The row of a record whose elements make rows: what lies outside of the list is read once, and each element then goes
// into a copy of that row.

internal import SluicePlan
internal import SluiceSpec

struct OuterRow: ~Copyable {
    /// What is read outside of the list goes here.
    var buffer = ByteBuffer()
    private var isBad = false
    private var fault = RecordFault.malformed
    /// Slots of the row that get the element's place.
    private let placeSlots: [Int]
    private let keepsEmpty: Bool

    init(_ input: InputPlan) {
        placeSlots = input.columns.indices.filter { input.columns[$0].origin == .eachPlace }
        keepsEmpty = input.each?.keepsEmpty ?? false
    }

    /// Starts on a record.
    mutating func begin(_ row: inout RowWriter) {
        buffer.removeAll()
        row.begin(&buffer)
    }

    /// All of the row is read.
    ///
    /// - Parameter unfit: what is wrong with it; nil for nothing.
    mutating func finish(_ row: inout RowWriter, unfit: RecordFault?) {
        _ = row.fields.builder.finish(&buffer)
        isBad = unfit != nil
        if let unfit { fault = unfit }
    }

    /// What becomes of a record whose list has no elements.
    func withoutElements(_ row: inout RowWriter, into arena: inout ByteBuffer) -> RecordOutcome {
        row.fault = fault
        if keepsEmpty {
            let start = arena.count
            copy(&row, into: &arena)
            return outcome(arena.count - start)
        }
        return isBad ? .noRecord(byteCount: row.rowBesideText(&arena)) : .noRows
    }

    /// Begins the row of an element.
    func beginElement(_ number: Int, _ row: inout RowWriter, into arena: inout ByteBuffer) {
        copy(&row, into: &arena)
        for slot in placeSlots { row.fields.builder.set(slot, integer: Int64(number), in: &arena) }
    }

    /// Ends it.
    ///
    /// - Parameters:
    ///   - isBroken: true where its bytes are none.
    ///   - unfitSlot: a column that it does not fit; negative for none.
    func finishElement(
        _ number: Int, isBroken: Bool, unfitSlot: Int32, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> RecordOutcome {
        let byteCount = row.fields.builder.finish(&arena)
        let slot = isBroken ? placeSlots.first ?? 0 : Int(unfitSlot)
        if isBroken || slot >= 0 {
            row.fault = .element(number: number, slot: slot)
            return .badRow(byteCount: byteCount)
        }
        if isBad { row.fault = fault }
        return outcome(byteCount)
    }

    private func copy(_ row: inout RowWriter, into arena: inout ByteBuffer) {
        let start = arena.count
        unsafe arena.append(buffer.bytes)
        row.fields.builder.reopen(at: start)
    }

    private func outcome(_ byteCount: Int) -> RecordOutcome {
        isBad ? .badRow(byteCount: byteCount) : .row(byteCount: byteCount)
    }
}

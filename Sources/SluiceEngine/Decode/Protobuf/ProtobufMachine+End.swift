// What is known of a record when all of it has been read: what it lacks, and what becomes JSON.

internal import SluiceSpec

extension ProtobufMachine {
    /// Sets what was pending, and what the record lacks. nil, or why the bytes are none.
    @inline(__always)
    mutating func finish(
        _ section: ProtobufSection, _ code: ProtobufProgram.Code, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        if section.defaultMask != 0 {
            let nulls = unsafe (arena.base + row.fields.builder.start).load(as: UInt64.self)
            if section.defaultMask == .max || nulls & section.defaultMask != 0 {
                if let fault = setDefaults(section.defaults, code, &row, into: &arena) { return fault }
            }
        }
        return section.pending.isEmpty ? nil : setPending(section.pending, code, &row, into: &arena)
    }

    @inline(never)
    mutating func setDefaults(
        _ defaults: Range<Int>, _ code: ProtobufProgram.Code, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        let program = unsafe code.program.takeUnretainedValue()
        let start = row.fields.builder.start
        for index in defaults {
            let entry = program.defaults[index]
            guard unsafe entered[entry.level] == generation else { continue }
            let base = unsafe UnsafeRawPointer(arena.base) + start
            guard unsafe PackedRow(base: base, layout: row.fields.builder.layout).isNull(entry.slot) else { continue }
            if !unfitSlots.isEmpty, unfitSlots.contains(Int32(entry.slot)) { continue }
            switch entry.value {
            case .bits(let bits): row.fields.builder.set(entry.slot, bits: bits, in: &arena)
            case .text(let place, let count):
                unsafe row.fields.builder.set(entry.slot, padded: code.constants + place, count: count, in: &arena)
            case .step(let number, let place, let count):
                let (outer, outerEnd) = unsafe (cursor, end)
                unsafe cursor = code.constants + place
                unsafe end = unsafe cursor + count
                let fault = unsafe readRarely(code.steps[number], code, &row, into: &arena)
                unsafe cursor = unsafe outer
                unsafe end = unsafe outerEnd
                if let fault { return fault }
            }
        }
        return nil
    }

    @inline(never)
    mutating func setPending(
        _ numbers: Range<Int>, _ code: ProtobufProgram.Code, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        let program = unsafe code.program.takeUnretainedValue()
        for number in numbers {
            let pending = program.pending[number]
            guard pending.form != .elements, unsafe entered[pending.level] == generation else { continue }
            var values = values(of: number)
            if values.isEmpty {
                if let fallback = pending.fallback, case .value(let type) = pending.place {
                    let start = unsafe code.constants + fallback.lowerBound
                    unsafe values.append(
                        ProtobufJSON.Value(
                            wireType: type.kind.wireType, start: start, end: start + fallback.count))
                } else if case .value = pending.place {
                    continue
                }
            }
            switch program.json.set(pending, values, &row, into: &arena) {
            case .set, .nothing: continue
            case .unfit: noteUnfit(Int32(pending.slot), &row, in: &arena)
            case .faulty(let fault): return fault
            }
        }
        return nil
    }

    /// What is kept of a pending value; `withLength` begins each where its length stands.
    func values(of pending: Int, withLength: Bool = false) -> [ProtobufJSON.Value] {
        guard keptFrom[pending] < kept.count else { return [] }
        var values: [ProtobufJSON.Value] = []
        for index in keptFrom[pending]..<kept.count where Int(kept[index].pending) == pending {
            let value = kept[index]
            let start = unsafe withLength ? value.place : value.start
            unsafe values.append(ProtobufJSON.Value(wireType: value.wireType, start: start, end: value.end))
        }
        return values
    }
}

// Conditions become jumps.

internal import SluicePlan
internal import SluiceSpec

extension ExpressionCompiler {
    /// Emits code that jumps to `label` when the answer to "is `expression` known to be `truth`" equals `met`, and
    /// falls through otherwise. Registers from `free` on may be used.
    mutating func branch(_ expression: Tree, on truth: Bool, jumpIf met: Bool, to label: Label, free: Int) {
        switch expression.kind {
        case .literal(let value):
            if (value == .boolean(truth)) == met { jump(to: label) }
        case .call(.not, let operands):
            branch(operands[0], on: !truth, jumpIf: met, to: label, free: free)
        case .call(let function, let operands) where function == .and || function == .or:
            // A conjunction is true when all operands are, and false when one is; a disjunction the other way round.
            let needsAll = (function == .and) == truth
            branches(operands[...], needsAll: needsAll, jumpIf: met, to: label) {
                $0.branch($1, on: truth, jumpIf: $2, to: $3, free: free)
            }
        case .call(.in, let operands):
            let (needle, free) = held(operands[0], free: free)
            branches(operands.dropFirst(), needsAll: !truth, jumpIf: met, to: label) {
                let ordering = truth ? Ordering.equal : Ordering.equal.complement
                $0.branchComparing(needle, $0.operand($1), ordering, jumpIf: $2, to: $3, free: free)
            }
        case .call(let function, let operands) where function == .isNull || function == .isNotNull:
            let jumpIfNull = ((function == .isNull) == truth) == met
            branchNull(operands[0], jumpIf: jumpIfNull, to: label, free: free)
        case .call(let function, let operands) where function != .nullSafeEqual && Ordering(function) != nil:
            guard let ordering = Ordering(function) else { return }
            branchComparing(
                operand(operands[0]), operand(operands[1]), truth ? ordering : ordering.complement, jumpIf: met,
                to: label, free: free)
        default:
            value(expression, into: free)
            emit(Instruction(opcode: truth ? .branchTrue : .branchFalse, a: use(free)), jumpIf: met, to: label)
        }
    }

    /// Joins conditions: with `needsAll` the whole is met when every part is, else when one is.
    private mutating func branches(
        _ parts: ArraySlice<Tree>, needsAll: Bool, jumpIf met: Bool, to label: Label,
        _ emitPart: (inout ExpressionCompiler, Tree, _ jumpIf: Bool, Label) -> Void
    ) {
        // Any part that is `!needsAll` settles the whole. If the whole then leads to the label the part jumps there,
        // otherwise past the end; the last part decides alone.
        let end = makeLabel()
        for (index, part) in zip(parts.indices, parts) {
            let isLast = index == parts.endIndex - 1
            if needsAll == met && !isLast {
                emitPart(&self, part, !needsAll, end)
            } else {
                emitPart(&self, part, met, label)
            }
        }
        place(end)
    }

    private mutating func branchNull(_ operand: Tree, jumpIf met: Bool, to label: Label, free: Int) {
        if case .column(let column) = operand.kind {
            emit(Instruction(opcode: .branchNullSlot, slot: slot(column)), jumpIf: met, to: label)
        } else {
            value(operand, into: free)
            emit(Instruction(opcode: .branchNull, a: use(free)), jumpIf: met, to: label)
        }
    }

    // MARK: Comparisons

    /// What a comparison may find in place, and what it must compute first.
    enum Operand {
        case slot(SlotAddress, DataType)
        case constant(Value, DataType)
        case computed(Tree)
        /// Computed already.
        case register(Int, DataType)

        var type: DataType {
            switch self {
            case .slot(_, let type), .constant(_, let type), .register(_, let type): type
            case .computed(let tree): tree.type
            }
        }
    }

    func operand(_ expression: Tree) -> Operand {
        switch expression.kind {
        case .column(let column): .slot(slot(column), expression.type)
        case .literal(let value): .constant(value, expression.type)
        default: .computed(expression)
        }
    }

    /// The operand for use more than once: a computed one goes to register `free`.
    mutating func held(_ expression: Tree, free: Int) -> (Operand, free: Int) {
        let operand = operand(expression)
        guard case .computed = operand else { return (operand, free) }
        value(expression, into: free)
        return (.register(free, expression.type), free + 1)
    }

    private mutating func branchComparing(
        _ a: Operand, _ b: Operand, _ ordering: Ordering, jumpIf met: Bool, to label: Label, free: Int
    ) {
        let domain = ComparisonDomain(a.type, b.type)
        switch (a, b) {
        case (.constant(.null, _), _), (_, .constant(.null, _)):
            if !met { jump(to: label) }
        case (.constant, .slot):
            branchComparing(b, a, ordering.mirrored, jumpIf: met, to: label, free: free)
        case (.slot(let slot, _), .constant(let value, _)) where domain == .integer:
            emit(
                Instruction(
                    opcode: .branchIntegerConstant, ordering: ordering, slot: slot, immediate: value.integerBits),
                jumpIf: met, to: label)
        case (.slot(let a, _), .slot(let b, _)) where domain == .integer:
            emit(
                Instruction(opcode: .branchIntegerSlots, ordering: ordering, slot: a, otherSlot: b), jumpIf: met,
                to: label)
        case (.slot(let slot, _), .constant(.string(let text), _)) where domain == .string:
            let number = constantNumber(.text(Array(text.utf8)))
            emit(
                Instruction(opcode: .branchStringConstant, ordering: ordering, slot: slot, immediate: number),
                jumpIf: met, to: label)
        case (.slot(let a, _), .slot(let b, _)) where domain == .string:
            emit(
                Instruction(opcode: .branchStringSlots, ordering: ordering, slot: a, otherSlot: b), jumpIf: met,
                to: label)
        default:
            compareValues(a, b, ordering, isNullSafe: false, into: free)
            emit(Instruction(opcode: .branchTrue, a: use(free)), jumpIf: met, to: label)
        }
    }

    /// Emits a comparison whose boolean goes to register `target`.
    mutating func compareValues(_ a: Operand, _ b: Operand, _ ordering: Ordering, isNullSafe: Bool, into target: Int) {
        let first = load(a, into: target)
        let second = load(b, into: target + 1)
        var instruction = Instruction(opcode: .compareInteger, ordering: ordering, flag: isNullSafe)
        switch ComparisonDomain(a.type, b.type) {
        case .integer: break
        case .double: instruction.opcode = .compareDouble
        case .string: instruction.opcode = .compareString
        case .decimal:
            instruction.opcode = .compareDecimal
            instruction.scales = DecimalScales(left: a.type.scale, right: b.type.scale)
        }
        instruction.target = UInt32(use(target))
        instruction.a = first
        instruction.b = second
        emit(instruction)
    }

    /// Puts the operand into register `target` unless it is in one already; returns the register.
    private mutating func load(_ operand: Operand, into target: Int) -> UInt16 {
        switch operand {
        case .slot(let slot, let type): load(slot, type, into: target)
        case .constant(let constant, _): load(constant, into: target)
        case .computed(let tree): value(tree, into: target)
        case .register(let number, _): return use(number)
        }
        return use(target)
    }
}

/// How two values of comparable types are compared.
private enum ComparisonDomain {
    case integer, double, string, decimal

    init(_ a: DataType, _ b: DataType) {
        switch a == .null ? b : a {
        case .string, .json: self = .string
        case .double: self = .double
        case .decimal: self = .decimal
        case .int, .long, .boolean, .timestamp, .date, .duration, .null: self = .integer
        }
    }
}

extension DataType {
    /// Digits behind the point; 0 for what is no decimal.
    var scale: UInt8 {
        if case .decimal(_, let scale) = self { UInt8(scale) } else { 0 }
    }
}

extension Value {
    /// The slot bits of a value that is compared as an integer.
    var integerBits: Int64 {
        switch self {
        case .integer(let value), .timestamp(let value), .date(let value), .duration(let value): value
        case .boolean(let value): value ? 1 : 0
        case .double(let value): Int64(bitPattern: value.bitPattern)
        case .null, .string, .decimal: 0
        }
    }
}

// From tree to program. A value is compiled "into register t", with every register above t free for its operands. A
// condition is compiled to jumps: "go to the label when the expression is (not) true, or (not) false". Since each of
// the two questions distributes over `and`, `or` and `not`, three-valued logic needs no registers where only the answer
// counts, and comparisons of columns with constants become single instructions.

internal import SluicePlan
internal import SluiceSpec

struct ExpressionCompiler {
    typealias Tree = Expression<ColumnSlot>

    enum Constant: Hashable {
        case plain(Register)
        case text([UInt8])

        var textByteCount: Int {
            if case .text(let bytes) = self { bytes.count } else { 0 }
        }
    }

    /// A place in the program that is not known yet: branches name it and `place` fixes it.
    struct Label { fileprivate let number: UInt32 }

    private let layouts: [RowLayout]
    let zone: TimeZoneRules
    let calendarZone: TimeZoneRules
    let zones: TimeZones
    /// What instructions point to.
    private(set) var resources: [AnyObject] = []
    private(set) var constants: [Constant] = []
    private var constantNumbers: [Constant: Int] = [:]
    private(set) var registerCount = 1
    private var code: [Instruction] = []
    private var labelPositions: [Int] = []

    init(layouts: [RowLayout], zone: TimeZoneRules, calendarZone: TimeZoneRules, zones: TimeZones) {
        self.layouts = layouts
        self.zone = zone
        self.calendarZone = calendarZone
        self.zones = zones
    }

    /// The program with every label replaced by its place.
    var instructions: [Instruction] {
        code.map { instruction in
            switch instruction.opcode {
            case .branchIntegerConstant, .branchIntegerSlots, .branchStringConstant, .branchStringSlots,
                .branchNullSlot, .branchTrue, .branchFalse, .branchNull, .jump:
                var placed = instruction
                placed.target = UInt32(labelPositions[Int(instruction.target)])
                return placed
            default: return instruction
            }
        }
    }

    /// Adds a program that ends in `yes` or `no` and returns where it begins.
    mutating func addCondition(_ expression: Tree) -> Int {
        let entry = code.count
        let no = makeLabel()
        branch(expression, on: true, jumpIf: false, to: no, free: 0)
        code.append(Instruction(opcode: .yes))
        place(no)
        code.append(Instruction(opcode: .no))
        return entry
    }

    /// Adds a program that ends in `result` and returns where it begins.
    mutating func addValue(_ expression: Tree) -> Int {
        let entry = code.count
        value(expression, into: 0)
        code.append(Instruction(opcode: .result, a: 0))
        return entry
    }

    // MARK: Pieces

    mutating func makeLabel() -> Label {
        labelPositions.append(-1)
        return Label(number: UInt32(labelPositions.count - 1))
    }

    mutating func place(_ label: Label) { labelPositions[Int(label.number)] = code.count }

    mutating func emit(_ instruction: Instruction) { code.append(instruction) }

    mutating func emit(_ branch: Instruction, jumpIf: Bool, to label: Label) {
        var branch = branch
        branch.flag = jumpIf
        branch.target = label.number
        code.append(branch)
    }

    mutating func jump(to label: Label) { emit(Instruction(opcode: .jump), jumpIf: true, to: label) }

    /// Notes that register `number` is used. Registers nest as operands do, so their number is the tree's depth.
    mutating func use(_ number: Int) -> UInt16 {
        precondition(number <= Int(UInt16.max), "an expression nests too deeply")
        registerCount = max(registerCount, number + 1)
        return UInt16(number)
    }

    mutating func constantNumber(_ constant: Constant) -> Int64 {
        if let number = constantNumbers[constant] { return Int64(number) }
        constants.append(constant)
        constantNumbers[constant] = constants.count - 1
        return Int64(constants.count - 1)
    }

    /// Keeps an object for the program and returns its address; 0 for none.
    mutating func keep(_ resource: AnyObject?) -> Int64 {
        guard let resource else { return 0 }
        resources.append(resource)
        return unsafe Int64(Int(bitPattern: Unmanaged.passUnretained(resource).toOpaque()))
    }

    func slot(_ column: ColumnSlot) -> SlotAddress { SlotAddress(column, layout: layouts[column.input]) }

    // MARK: Folding

    /// The expression with every part that names no column replaced by its value.
    func folded(_ expression: Tree) -> Tree {
        var result = expression
        switch expression.kind {
        case .literal, .column: return expression
        case .call(let function, let operands): result.kind = .call(function, operands.map(folded))
        case .cast(let operand): result.kind = .cast(folded(operand))
        case .caseWhen(let branches, let otherwise):
            result.kind = .caseWhen(
                branches.map { (folded($0.condition), folded($0.value)) }, otherwise: otherwise.map(folded))
        }
        guard result.isOverLiterals, result.type != .null else { return result }
        var compiler = ExpressionCompiler(layouts: [], zone: zone, calendarZone: calendarZone, zones: zones)
        let entry = compiler.addValue(result)
        let program = CompiledExpression(compiler, type: result.type, valueEntry: entry, conditionEntry: -1)
        var scratch = EvaluationScratch()
        let register = unsafe program.evaluate(RowPair(left: nil, right: nil), &scratch)
        result.kind = .literal(Value(register, type: result.type))
        return result
    }
}

extension Expression {
    /// Whether all operands are literals: then so is the value.
    fileprivate var isOverLiterals: Bool {
        switch kind {
        case .literal, .column: false
        case .call(_, let operands): operands.allSatisfy(\.isLiteral)
        case .cast(let operand): operand.isLiteral
        case .caseWhen(let branches, let otherwise):
            branches.allSatisfy { $0.condition.isLiteral && $0.value.isLiteral } && otherwise?.isLiteral != false
        }
    }

    var isLiteral: Bool {
        if case .literal = kind { true } else { false }
    }
}

extension Value {
    /// The literal for a value the machine has computed.
    init(_ register: Register, type: DataType) {
        if register.isNull {
            self = .null
            return
        }
        switch type {
        case .string, .json: self = .string(unsafe String(decoding: register.bytes, as: UTF8.self))
        case .int, .long: self = .integer(register.integer)
        case .double: self = .double(register.double)
        case .boolean: self = .boolean(register.low != 0)
        case .timestamp: self = .timestamp(register.integer)
        case .date: self = .date(register.integer)
        case .decimal: self = .decimal(register.decimal)
        case .duration: self = .duration(register.integer)
        case .null: self = .null
        }
    }
}

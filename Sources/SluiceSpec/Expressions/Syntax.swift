// An expression after parsing and before anything is known about its names and types.

/// An expression's characters with the way back to the file.
struct ExpressionText {
    let scalars: [Unicode.Scalar]
    /// One more than there are characters.
    private let origins: [Int]
    private let source: SourceText
    private let secretRanges: [Range<Int>]

    init(_ scalar: YAMLScalar) {
        scalars = Array(scalar.text.unicodeScalars)
        origins = scalar.alignedOrigins()
        source = scalar.source
        secretRanges = scalar.secretRanges
    }

    /// Where a range of the expression stands in the file.
    func place(_ range: Range<Int>) -> Place {
        guard !scalars.isEmpty else { return source.place(origins[0]..<origins[0] + 1) }
        let first = min(range.lowerBound, scalars.count)
        let last = min(max(range.upperBound - 1, first), scalars.count)
        let start = origins[first]
        return source.place(start..<max(start, origins[last]) + 1)
    }

    func isSecret(_ range: Range<Int>) -> Bool {
        secretRanges.contains { $0.overlaps(range) }
    }

    /// The text of a range as messages may show it.
    func shown(_ range: Range<Int>) -> String {
        isSecret(range) ? "•••" : String(String.UnicodeScalarView(scalars[range.clamped(to: 0..<scalars.count)]))
    }
}

struct Syntax: Sendable {
    enum Operator: String {
        case or, and
        case equal = "="
        case notEqual = "<>"
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case nullSafeEqual = "<=>"
        case add = "+"
        case subtract = "-"
        case concat = "||"
        case multiply = "*"
        case divide = "/"
        case remainder = "%"
    }

    /// An operator and what stands behind it.
    typealias Link = (operation: Operator, operand: Syntax)

    indirect enum Kind: Sendable {
        case literal(Value, DataType)
        case name(source: String?, column: String)
        case not(Syntax)
        case negate(Syntax)
        /// A comparison.
        case binary(Operator, Syntax, Syntax)
        /// Operands joined by operators of one strength, to be taken from left to right: a level of the tree for each
        /// run of one operator, however long. Never without a link.
        case chain(Syntax, [Link])
        case between(Syntax, Syntax, Syntax, isNegated: Bool)
        case inList(Syntax, [Syntax], isNegated: Bool)
        case like(Syntax, Syntax, isNegated: Bool)
        case rlike(Syntax, Syntax, isNegated: Bool)
        case isNull(Syntax, isNegated: Bool)
        case caseWhen(operand: Syntax?, [(condition: Syntax, value: Syntax)], otherwise: Syntax?)
        case cast(Syntax, type: String, typeRange: Range<Int>)
        case call(name: String, nameRange: Range<Int>, [Syntax])
    }

    var kind: Kind
    /// In characters of the expression.
    var range: Range<Int>
    /// Height of the tree; limited by the parser, so that recursion over it is safe.
    var height: Int

    /// Calls `body` with the name of every column.
    func forEachName(_ body: (String) -> Void) {
        switch kind {
        case .literal: break
        case .name(_, let column): body(column)
        case .not(let operand), .negate(let operand), .isNull(let operand, _), .cast(let operand, _, _):
            operand.forEachName(body)
        case .binary(_, let left, let right), .like(let left, let right, _), .rlike(let left, let right, _):
            left.forEachName(body)
            right.forEachName(body)
        case .chain(let first, let links):
            first.forEachName(body)
            for link in links { link.operand.forEachName(body) }
        case .between(let operand, let lower, let upper, _):
            for part in [operand, lower, upper] { part.forEachName(body) }
        case .inList(let operand, let items, _):
            for part in [operand] + items { part.forEachName(body) }
        case .caseWhen(let operand, let branches, let otherwise):
            operand?.forEachName(body)
            for branch in branches {
                branch.condition.forEachName(body)
                branch.value.forEachName(body)
            }
            otherwise?.forEachName(body)
        case .call(_, _, let operands):
            for operand in operands { operand.forEachName(body) }
        }
    }

    static let maximumHeight = 200
}

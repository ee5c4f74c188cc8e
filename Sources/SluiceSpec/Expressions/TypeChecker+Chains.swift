// Chains of operators, such as `a and b and c`. However long one is, the tree that comes out is flat, so that neither
// the planner nor the compiler has to go down as many levels as there are operands: a call takes all operands of a run
// of one operator whose result keeps its type, and is evaluated from left to right.

extension TypeChecker {
    func chain(_ first: Syntax, _ links: [Syntax.Link], _ syntax: Syntax) -> TypedExpression? {
        let operation = links[0].operation
        // These two have a strength of their own, so all links have the same one.
        if operation == .and || operation == .or {
            let all = [first] + links.map(\.operand)
            let operands = all.compactMap { boolean($0, of: operation.rawValue) }
            guard operands.count == all.count else { return nil }
            return call(operation == .and ? .and : .or, operands, .boolean, syntax)
        }
        let checked = links.map { (link: $0, operand: check($0.operand)) }
        guard var left = check(first) else { return nil }
        // A part of the chain for messages: what has been taken together so far.
        var part = syntax
        part.range = first.range
        for (link, operand) in checked {
            guard let operand else { return nil }
            let done = part.range
            part.range = first.range.lowerBound..<link.operand.range.upperBound
            switch step(left, done, link, operand, part) {
            case .refused: return nil
            case .longer(let operand): left.append(operand)
            case .joined(let expression): left = expression
            }
        }
        return left
    }

    /// What one link does to what stands left of it.
    private enum ChainStep {
        /// The call on the left takes one more operand.
        case longer(TypedExpression)
        case joined(TypedExpression)
        /// With a report.
        case refused
    }

    private func step(
        _ left: TypedExpression, _ leftRange: Range<Int>, _ link: Syntax.Link, _ right: TypedExpression, _ part: Syntax
    ) -> ChainStep {
        let joined: TypedExpression?
        if link.operation == .concat {
            let (a, b) = (asText(left, leftRange, of: "||"), asText(right, link.operand.range, of: "||"))
            guard let a, let b else { return .refused }
            joined = call(.concat, [a, b], .string, part)
        } else {
            joined = arithmetic(link.operation, left, right, part)
        }
        guard let joined else { return .refused }
        if case .call(let function, let operands) = joined.kind, operands.count == 2,
            case .call(function, _) = left.kind, left.type == joined.type
        {
            return .longer(operands[1])
        }
        return .joined(joined)
    }
}

extension Expression {
    /// Gives a call one more operand. O(1) amortised.
    fileprivate mutating func append(_ operand: Expression) {
        guard case .call(let function, var operands) = kind else { preconditionFailure("only a call has operands") }
        // The array is then nobody else's, and grows in its place.
        kind = .literal(.null)
        operands.append(operand)
        kind = .call(function, operands)
        isNullable = isNullable || operand.isNullable
    }
}

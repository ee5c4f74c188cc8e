// One component of a glob: `*`, `?`, `[a-z]`, `[!a]`, `{jsonl,csv}`, and `\` before a character that is meant.
//
// The pattern becomes a row of steps that all lead forward, and a name is read once, with the set of the steps it may
// stand at: no pattern takes longer than its length times the name's, however its stars and braces are nested.
//
//     a{b,*c}d     0 a   1 ▸2,4   2 b   3 ▸6   4 *   5 c   6 d   7 end

/// Says which names a pattern stands for.
struct GlobPattern {
    private enum Step {
        case scalar(Unicode.Scalar)
        case anyScalar
        case set([ClosedRange<Unicode.Scalar>], isNegated: Bool)
        /// Any number of scalars.
        case star
        /// Goes on at any of these steps, all further on.
        case branch([Int])
    }

    /// A brace that is open.
    private struct Choices {
        /// The step that branches.
        var branch: Int
        /// Where each choice begins.
        var starts: [Int]
        /// The steps at the ends of all choices but the last, which lead behind the brace.
        var ends: [Int] = []
    }

    private var steps: [Step] = []
    /// True when a bracket or brace has no end: then no name fits.
    private var isBroken = false

    init(_ pattern: String) {
        var rest = pattern.unicodeScalars[...]
        var open: [Choices] = []
        while let scalar = rest.popFirst(), !isBroken {
            switch scalar {
            case "*": steps.append(.star)
            case "?": steps.append(.anyScalar)
            case "[":
                if let set = Self.readSet(&rest) { steps.append(set) } else { isBroken = true }
            case "\\": steps.append(.scalar(rest.popFirst() ?? "\\"))
            case "{":
                steps.append(.branch([]))
                open.append(Choices(branch: steps.count - 1, starts: [steps.count]))
            case "," where !open.isEmpty:
                open[open.count - 1].ends.append(steps.count)
                steps.append(.branch([]))
                open[open.count - 1].starts.append(steps.count)
            case "}" where !open.isEmpty:
                let choices = open.removeLast()
                steps[choices.branch] = .branch(choices.starts)
                for end in choices.ends { steps[end] = .branch([steps.count]) }
            default: steps.append(.scalar(scalar))
            }
        }
        isBroken = isBroken || !open.isEmpty
    }

    /// The set up to the closing bracket; nil when there is none.
    private static func readSet(_ rest: inout Substring.UnicodeScalarView) -> Step? {
        let isNegated = rest.first == "!" || rest.first == "^"
        if isNegated { rest.removeFirst() }
        var ranges: [ClosedRange<Unicode.Scalar>] = []
        var isFirst = true
        while let low = rest.popFirst() {
            // A closing bracket that comes first is a member.
            if low == "]" && !isFirst { return .set(ranges, isNegated: isNegated) }
            isFirst = false
            var high = low
            let afterNext = rest.dropFirst().first
            if rest.first == "-", let last = afterNext, last != "]" {
                rest.removeFirst(2)
                high = last
            }
            if low <= high { ranges.append(low...high) }
        }
        return nil
    }

    /// O(length of the name times length of the pattern).
    func matches(_ name: String) -> Bool {
        if isBroken { return false }
        var places = [Bool](repeating: false, count: steps.count + 1)
        places[0] = true
        lead(&places)
        for scalar in name.unicodeScalars {
            var next = [Bool](repeating: false, count: steps.count + 1)
            for index in steps.indices where places[index] {
                switch steps[index] {
                case .scalar(let wanted): if scalar == wanted { next[index + 1] = true }
                case .anyScalar: next[index + 1] = true
                case .set(let ranges, let isNegated):
                    if ranges.contains(where: { $0.contains(scalar) }) != isNegated { next[index + 1] = true }
                case .star: next[index] = true
                case .branch: break
                }
            }
            lead(&next)
            places = next
        }
        return places[steps.count]
    }

    /// Adds the places that are reached without reading anything. All of them are further on, so one pass does.
    private func lead(_ places: inout [Bool]) {
        for index in steps.indices where places[index] {
            switch steps[index] {
            case .star: places[index + 1] = true
            case .branch(let targets): for target in targets { places[target] = true }
            case .scalar, .anyScalar, .set: break
            }
        }
    }
}

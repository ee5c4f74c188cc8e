// Decimal arithmetic against long arithmetic on digits, as java.math.BigDecimal does it: exact sums and products, then
// the roundings that Spark makes.

import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceEngine

/// A natural number as decimal digits, the last one first.
private struct Digits: Comparable {
    var digits: [Int]

    init(_ digits: [Int]) {
        self.digits = digits
        while self.digits.last == 0 { self.digits.removeLast() }
    }

    init(_ value: UInt128) { self.init(String(value).reversed().map { $0.wholeNumberValue! }) }

    var isZero: Bool { digits.isEmpty }

    func shifted(_ count: Int) -> Digits { Digits([Int](repeating: 0, count: count) + digits) }

    static func < (a: Digits, b: Digits) -> Bool {
        if a.digits.count != b.digits.count { return a.digits.count < b.digits.count }
        return a.digits.reversed().lexicographicallyPrecedes(b.digits.reversed())
    }

    static func + (a: Digits, b: Digits) -> Digits {
        var sum: [Int] = []
        var carry = 0
        for index in 0..<max(a.digits.count, b.digits.count) + 1 {
            let place = (index < a.digits.count ? a.digits[index] : 0) + (index < b.digits.count ? b.digits[index] : 0)
            sum.append((place + carry) % 10)
            carry = (place + carry) / 10
        }
        return Digits(sum)
    }

    /// `b` is not greater.
    static func - (a: Digits, b: Digits) -> Digits {
        var difference = a.digits
        for index in b.digits.indices { difference[index] -= b.digits[index] }
        for index in difference.indices where difference[index] < 0 {
            difference[index] += 10
            difference[index + 1] -= 1
        }
        return Digits(difference)
    }

    static func * (a: Digits, b: Digits) -> Digits {
        var product = [Int](repeating: 0, count: a.digits.count + b.digits.count)
        for (i, x) in a.digits.enumerated() {
            for (j, y) in b.digits.enumerated() {
                product[i + j] += x * y
                if product[i + j] >= 10 {
                    product[i + j + 1] += product[i + j] / 10
                    product[i + j] %= 10
                }
            }
        }
        for index in product.indices where product[index] >= 10 {
            product[index + 1] += product[index] / 10
            product[index] %= 10
        }
        return Digits(product)
    }

    func divided(by divisor: Digits) -> (quotient: Digits, remainder: Digits) {
        var rest = Digits([])
        var quotient: [Int] = []
        for digit in digits.reversed() {
            rest = Digits([digit] + rest.digits)
            var count = 0
            while rest >= divisor {
                rest = rest - divisor
                count += 1
            }
            quotient.append(count)
        }
        return (Digits(quotient.reversed()), rest)
    }

    /// Half up.
    func dividedRounding(by divisor: Digits) -> Digits {
        let (quotient, remainder) = divided(by: divisor)
        return remainder + remainder >= divisor ? quotient + Digits([1]) : quotient
    }

    /// From one scale to another, half up.
    func rescaled(_ from: Int, _ to: Int) -> Digits {
        to >= from ? shifted(to - from) : dividedRounding(by: Digits([1]).shifted(from - to))
    }

    /// As an Int128 if it has at most `precision` digits.
    func value(isNegative: Bool, precision: Int) -> Int128? {
        guard digits.count <= precision else { return nil }
        let magnitude = digits.reversed().reduce(Int128(0)) { $0 * 10 + Int128($1) }
        return isNegative ? -magnitude : magnitude
    }
}

@Suite struct ExpressionDecimalTests {
    /// Spark's DecimalPrecision, precision loss allowed.
    private func type(_ precision: Int, _ scale: Int) -> (precision: Int, scale: Int) {
        if precision <= 38 { return (max(1, precision), scale) }
        return (38, max(38 - (precision - scale), min(scale, 6)))
    }

    private func expected(
        _ function: Function, _ a: Int128, _ b: Int128, _ s1: Int, _ s2: Int, _ result: (precision: Int, scale: Int)
    ) -> Int128? {
        let (x, y) = (Digits(a.magnitude), Digits(b.magnitude))
        let scale = max(s1, s2)
        let differs = (a < 0) != (b < 0)
        switch function {
        case .add, .subtract:
            let isPlus = differs == (function == .subtract)
            let (left, right) = (x.shifted(scale - s1), y.shifted(scale - s2))
            let isNegative = isPlus || left >= right ? a < 0 : a >= 0
            let magnitude = isPlus ? left + right : (left >= right ? left - right : right - left)
            return magnitude.rescaled(scale, result.scale).value(isNegative: isNegative, precision: result.precision)
        case .multiply:
            var product = x * y
            var productScale = s1 + s2
            let excess = max(0, product.digits.count - 39)
            product = product.rescaled(excess, 0)
            productScale -= excess
            guard productScale >= result.scale else {
                return product.isZero
                    ? 0
                    : product.shifted(result.scale - productScale)
                        .value(isNegative: differs, precision: result.precision)
            }
            return product.rescaled(productScale, result.scale).value(isNegative: differs, precision: result.precision)
        case .divide:
            guard !y.isZero else { return nil }
            let quotient = x.shifted(39 - s1 + s2).dividedRounding(by: y)
            return quotient.rescaled(39, result.scale).value(isNegative: differs, precision: result.precision)
        default:
            guard !y.isZero else { return nil }
            let remainder = x.shifted(scale - s1).divided(by: y.shifted(scale - s2)).remainder
            return remainder.rescaled(scale, result.scale).value(isNegative: a < 0, precision: result.precision)
        }
    }

    private func random(_ precision: Int, _ random: inout SplitMix64) -> Int128 {
        let count = Int.random(in: 1...precision, using: &random)
        // Long runs of one digit make carries and halves.
        let digit = [nil, 9, 5, 0].randomElement(using: &random) ?? nil
        let text = (0..<count).map {
            String($0 == 0 ? Int.random(in: 0...9, using: &random) : digit ?? Int.random(in: 0...9, using: &random))
        }
        let value = Int128(text.joined())!
        return Bool.random(using: &random) ? -value : value
    }

    @Test func randomArithmeticAgreesWithLongArithmeticOnDigits() {
        var random = SplitMix64(seed: 31)
        for _ in 0..<2000 {
            let p1 = Int.random(in: 1...38, using: &random)
            let p2 = Int.random(in: 1...38, using: &random)
            let s1 = Int.random(in: 0...p1, using: &random)
            let s2 = Int.random(in: 0...p2, using: &random)
            let (a, b) = (self.random(p1, &random), self.random(p2, &random))
            let scale = max(s1, s2)
            let quotientScale = max(6, s1 + p2 + 1)
            let results: [(Function, (precision: Int, scale: Int))] = [
                (.add, type(max(p1 - s1, p2 - s2) + scale + 1, scale)),
                (.subtract, type(max(p1 - s1, p2 - s2) + scale + 1, scale)),
                (.multiply, type(p1 + p2 + 1, s1 + s2)),
                (.divide, type(p1 - s1 + s2 + quotientScale, quotientScale)),
                (.remainder, type(min(p1 - s1, p2 - s2) + scale, scale)),
            ]
            let left = column(0, .decimal(precision: p1, scale: s1))
            let right = column(1, .decimal(precision: p2, scale: s2))
            let row = TestRow([left.type, right.type], [.decimal(a), .decimal(b)])
            for (function, result) in results {
                let tree = call(
                    function, [left, right], .decimal(precision: result.precision, scale: result.scale))
                let expected = self.expected(function, a, b, s1, s2, result).map { Value.decimal($0) } ?? .null
                #expect(compute(tree, [row]) == expected, "\(a)e-\(s1) \(function) \(b)e-\(s2) as \(result)")
            }
            let x = Digits(a.magnitude).shifted(scale - s1)
            let y = Digits(b.magnitude).shifted(scale - s2)
            let isLess = (a < 0) != (b < 0) ? (x.isZero && y.isZero ? false : a < 0) : (a < 0 ? y < x : x < y)
            #expect(compute(call(.less, [left, right]), [row]) == .boolean(isLess), "\(a)e-\(s1) < \(b)e-\(s2)")
        }
    }

    @Test func randomCastsRoundHalfUp() {
        var random = SplitMix64(seed: 32)
        for _ in 0..<2000 {
            let p1 = Int.random(in: 1...38, using: &random)
            let s1 = Int.random(in: 0...p1, using: &random)
            let p2 = Int.random(in: 1...38, using: &random)
            let s2 = Int.random(in: 0...p2, using: &random)
            let value = self.random(p1, &random)
            let expected = Digits(value.magnitude).rescaled(s1, s2).value(isNegative: value < 0, precision: p2)
            let from = DataType.decimal(precision: p1, scale: s1)
            let tree = cast(column(0, from), .decimal(precision: p2, scale: s2))
            #expect(
                compute(tree, [TestRow([from], [.decimal(value)])]) == expected.map { .decimal($0) } ?? .null,
                "\(value)e-\(s1) to \(p2),\(s2)")
        }
    }
}

// What is known of the numbers at one place of all records: enough to choose the narrowest type that loses nothing.

internal import SluiceSpec

/// Facts of numbers.
struct NumberFacts {
    private(set) var count = 0
    private(set) var fractionCount = 0
    /// Words that stand for numbers, such as `NaN`.
    private(set) var wordCount = 0
    private(set) var smallest = Double.infinity
    private(set) var largest = -Double.infinity
    private(set) var smallestWhole = Int64.max
    private(set) var largestWhole = Int64.min
    /// Whether one of the whole numbers is beyond 64 bits.
    private(set) var isBeyondLong = false
    private(set) var wholeDigitsMax = 1
    private(set) var scaleMax = 0
    /// Whether a double would lose digits of one of them.
    private(set) var losesDigits = false

    /// - Parameter text: a number of JSON, or a word that stands for one.
    mutating func add(_ text: String) {
        count += 1
        guard let digits = NumberDigits(text), let value = Double(text), value.isFinite else {
            wordCount += 1
            return
        }
        smallest = min(smallest, value)
        largest = max(largest, value)
        wholeDigitsMax = max(wholeDigitsMax, digits.wholeCount)
        scaleMax = max(scaleMax, digits.scale)
        if NumberDigits(value.description)?.significant != digits.significant { losesDigits = true }
        if text.contains(where: { ".eE".contains($0) }) {
            fractionCount += 1
        } else if let whole = Int64(text) {
            smallestWhole = min(smallestWhole, whole)
            largestWhole = max(largestWhole, whole)
        } else {
            isBeyondLong = true
        }
    }

    var areWhole: Bool { fractionCount == 0 && wordCount == 0 }

    /// The narrowest type that reads every one of them as it is; nil where there is none. An int leaves room: what has
    /// come near its end will pass it.
    var type: ColumnForm? {
        if areWhole, !isBeyondLong {
            let room: Int64 = 1 << 30
            return smallestWhole > -room && largestWhole < room ? .int : .long
        }
        let isDecimal = wordCount == 0 && wholeDigitsMax + scaleMax <= 38
        if areWhole { return isDecimal ? .decimal(precision: max(20, wholeDigitsMax), scale: 0) : nil }
        guard losesDigits, isDecimal else { return .double }
        return .decimal(precision: min(38, max(wholeDigitsMax + scaleMax + 2, 18)), scale: scaleMax)
    }

    /// The unit in which all of them are times between 1980 and 3000; nil where there is none.
    var epochUnit: String? {
        guard count > 0, wordCount == 0, !isBeyondLong else { return nil }
        let plausible = EpochUnit.plausibleSeconds
        return EpochUnit.allCases.first { unit in
            let perSecond = Double(unit.perSecond)
            return smallest >= Double(plausible.lowerBound) * perSecond
                && largest < Double(plausible.upperBound) * perSecond
        }?.rawValue
    }
}

/// The digits of a number that is written out.
private struct NumberDigits {
    /// Digits and the place of the point, without what does not count.
    struct Significant: Equatable {
        var isNegative: Bool
        var digits: String
        /// How far the point is behind the first digit.
        var exponent: Int
    }

    let significant: Significant
    /// Digits before the point, at least one.
    let wholeCount: Int
    /// Digits behind the point.
    let scale: Int

    init?(_ text: String) {
        let parts = text.lowercased().split(separator: "e", omittingEmptySubsequences: false)
        guard let mantissa = parts.first, parts.count <= 2 else { return nil }
        guard let power = parts.count == 2 ? Int(parts[1]) : 0, power.magnitude < 10_000 else { return nil }
        let unsigned = mantissa.first == "-" || mantissa.first == "+" ? mantissa.dropFirst() : mantissa
        let halves = unsigned.split(separator: ".", omittingEmptySubsequences: false)
        guard halves.count <= 2, let whole = halves.first else { return nil }
        let fraction = halves.count == 2 ? halves[1] : ""
        let all = whole + fraction
        guard !all.isEmpty, all.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        let leading = all.prefix { $0 == "0" }.count
        var digits = String(all.dropFirst(leading))
        while digits.last == "0" { digits.removeLast() }
        let exponent = digits.isEmpty ? 0 : whole.count - leading + power
        significant = Significant(
            isNegative: mantissa.first == "-" && !digits.isEmpty, digits: digits, exponent: exponent)
        wholeCount = max(1, whole.drop { $0 == "0" }.count + power, exponent)
        scale = max(0, fraction.count - power)
    }
}

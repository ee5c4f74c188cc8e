// Doubles as Java writes them: known outputs, round trips, and the standard library's shortest digits as a second
// opinion.

import Glibc
import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceEngine

private func text(_ value: Double) -> String {
    let place = UnsafeMutableRawPointer.allocate(byteCount: doubleTextRoom, alignment: 16)
    defer { place.deallocate() }
    let count = writeDouble(value, to: place)
    return String(decoding: UnsafeRawBufferPointer(start: place, count: count), as: UTF8.self)
}

/// The same text by way of the standard library's description, which has the shortest digits too.
private func reference(_ value: Double) -> String {
    guard value.isFinite else { return value.isNaN ? "NaN" : (value < 0 ? "-Infinity" : "Infinity") }
    let sign = value.sign == .minus ? "-" : ""
    if value == 0 { return sign + "0.0" }
    let parts = value.magnitude.description.split(separator: "e")
    let number = parts[0].split(separator: ".")
    var digits = String(number[0]) + (number.count > 1 ? String(number[1]) : "")
    var point = number[0].count + (parts.count > 1 ? Int(parts[1])! : 0)
    while digits.hasPrefix("0") && digits.count > 1 {
        digits.removeFirst()
        point -= 1
    }
    while digits.hasSuffix("0") && digits.count > 1 { digits.removeLast() }
    if point > -3 && point <= 7 {
        let zerosInFront = String(repeating: "0", count: max(0, 1 - point))
        let all = zerosInFront + digits + String(repeating: "0", count: max(0, point + 1 - digits.count))
        let whole = max(1, point)
        return sign + all.prefix(whole) + "." + all.dropFirst(whole)
    }
    return sign + digits.prefix(1) + "." + (digits.count > 1 ? digits.dropFirst() : "0") + "E\(point - 1)"
}

@Suite struct EncodeDoubleTests {
    @Test(arguments: [
        (1.0, "1.0"), (0.001, "0.001"), (1e20, "1.0E20"), (1e-7, "1.0E-7"), (12_345_678.9, "1.23456789E7"),
        (-0.0, "-0.0"),
        (0.0, "0.0"), (100.0, "100.0"), (9_999_999.0, "9999999.0"), (1e7, "1.0E7"), (9.999e-4, "9.999E-4"),
        (0.1, "0.1"), (0.3, "0.3"), (0.1 + 0.2, "0.30000000000000004"), (123.456, "123.456"), (2e-3, "0.002"),
        (1e23, "1.0E23"), (2e23, "2.0E23"), (.greatestFiniteMagnitude, "1.7976931348623157E308"),
        (Double(bitPattern: 1), "4.9E-324"), (Double(bitPattern: 2), "9.9E-324"), (Double(bitPattern: 4), "2.0E-323"),
        (.leastNormalMagnitude, "2.2250738585072014E-308"),
        (9.007199254740993e15, "9.007199254740992E15"), (1e15, "1.0E15"),
        (999_999_999_999_999.9, "9.999999999999999E14"),
        (123_456_789_012_345.6, "1.234567890123456E14"), (5.684341886080802e-14, "5.684341886080802E-14"),
        (-1.5, "-1.5"), (1.0 / 3, "0.3333333333333333"), (.infinity, "Infinity"), (-.infinity, "-Infinity"),
        (.nan, "NaN"),
    ])
    func knownTextsOfJava(value: Double, expected: String) {
        #expect(text(value) == expected)
    }

    @Test func randomDoublesHaveTheShortestDigitsAndReadBack() {
        var random = SplitMix64(seed: 21)
        for _ in 0..<50_000 {
            let value = Double(bitPattern: random.next())
            guard value.magnitude > 1e-300 || !value.isFinite else { continue }
            let written = text(value)
            #expect(written == reference(value))
            if value.isFinite { #expect(Double(written) == value) }
        }
    }

    @Test func randomShortDecimalsComeOutAsTheyWereWritten() {
        var random = SplitMix64(seed: 22)
        for digits in 1...17 {
            for _ in 0..<1000 {
                let value =
                    Double(random.next() % UInt64(pow(10, Double(digits))))
                    / pow(10, Double(Int.random(in: 0...22, using: &random)))
                #expect(text(value) == reference(value), "\(value)")
            }
        }
    }

    @Test func everyTinyDoubleHasTwoDigitsAtLeastAndReadsBack() {
        for bits in 1...2000 as ClosedRange<UInt64> {
            let value = Double(bitPattern: bits)
            #expect(Double(text(value)) == value, "\(bits)")
        }
    }

    @Test func infinitiesAndNaNAreStringsInJSON() {
        #expect(encodedValue(.double, .double(.nan)) == #"{"v":"NaN"}"# + "\n")
        #expect(encodedValue(.double, .double(.infinity)) == #"{"v":"Infinity"}"# + "\n")
        #expect(encodedValue(.double, .double(-.infinity)) == #"{"v":"-Infinity"}"# + "\n")
        #expect(encodedValue(.double, .double(-0.0)) == #"{"v":-0.0}"# + "\n")
    }
}

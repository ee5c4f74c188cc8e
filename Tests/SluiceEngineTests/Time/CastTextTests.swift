// Text to values as Spark's try_cast does it (ANSI mode, where a failed cast is an error that try_cast makes null).

import SluiceSystem
import Testing

@testable import SluiceEngine

@Suite struct CastTextTests {
    private func bytes<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        Array(text.utf8).withUnsafeBytes(body)
    }

    @Test(
        arguments: [
            ("12", 12), (" \t12\n", 12), ("+7", 7), ("-9223372036854775808", .min), ("9223372036854775807", .max),
            ("007", 7),
            ("9223372036854775808", nil), ("1.0", nil), ("1e2", nil), ("", nil), ("-", nil), ("1 2", nil), ("0x1", nil),
        ] as [(String, Int64?)])
    func longs(text: String, expected: Int64?) {
        #expect(bytes(text, parseLong) == expected)
    }

    /// Digits are read eight at a time: at every place another character ends it, whatever its bits.
    @Test(arguments: 0..<20)
    func longsOfRandomDigits(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        for _ in 0..<2_000 {
            let count = Int.random(in: 1...24, using: &random)
            var text = (0..<count).map { _ in UInt8(ascii: "0") + UInt8.random(in: 0...9, using: &random) }
            if Bool.random(using: &random) { text[0] = UInt8(ascii: "-") }
            if Int.random(in: 0..<3, using: &random) == 0 {
                text[Int.random(in: 0..<count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            // The standard library reads no other digits, and no blanks.
            let expected = Int64(String(decoding: text, as: UTF8.self))
            #expect(text.withUnsafeBytes(integer) == expected, "seed \(seed): \(text)")
        }
    }

    @Test func intsAreOfThirtyTwoBits() {
        #expect(bytes("2147483647", parseInt) == 2_147_483_647)
        #expect(bytes("2147483648", parseInt) == nil)
        #expect(bytes("-2147483648", parseInt) == -2_147_483_648)
    }

    @Test(
        arguments: [
            ("1.5", 1.5), (" 1e3 ", 1000), (".5", 0.5), ("5.", 5), ("1d", 1), ("1F", 1), ("Infinity", .infinity),
            ("-inf", -.infinity),
            ("+INF", .infinity), ("1e400", .infinity), ("-1e-400", -0.0), ("4.9e-324", .leastNonzeroMagnitude),
            ("0.1", 0.1),
            ("1e", nil), ("", nil), (".", nil), ("d", nil), ("x", nil), ("1,5", nil), ("Infinityd", nil), ("--1", nil),
        ] as [(String, Double?)])
    func doubles(text: String, expected: Double?) {
        #expect(bytes(text, parseDouble)?.bitPattern == expected?.bitPattern)
    }

    @Test func nanIsReadInAnyCase() {
        for text in ["NaN", "nan", " NAN "] { #expect(bytes(text, parseDouble)?.isNaN == true) }
    }

    @Test(
        arguments: [
            ("1.005", 101), ("-1.005", -101), ("1.0049999", 100), (" 2 ", 200), ("1e2", 10_000), ("0.005", 1),
            ("0.0049", 0),
            ("999.994", 99_999), ("999.995", nil), ("1000", nil), ("1e-999999", 0), ("1e999999", nil), ("0e99999", 0),
            ("1e99999999999", nil), ("", nil), ("x", nil), ("1,000", nil),
            ("000000000000000000000000000000000000000000001", 100),
            ("0.00000000000000000000000000000000000000000000000001", 0), ("+1.5", 150), (".5", 50), ("5.", 500),
            ("-0.004", 0),
        ] as [(String, Int?)])
    func decimalsRoundHalfUp(text: String, expected: Int?) {
        #expect(bytes(text) { parseDecimal($0, precision: 5, scale: 2) } == expected.map { Int128($0) })
    }

    @Test func decimalsHaveThirtyEightDigits() {
        let nines = String(repeating: "9", count: 38)
        #expect(bytes(nines) { parseDecimal($0, precision: 38, scale: 0) } == Int128(nines))
        #expect(bytes(nines + ".5") { parseDecimal($0, precision: 38, scale: 0) } == nil)
        #expect(bytes("0." + nines) { parseDecimal($0, precision: 38, scale: 38) } == Int128(nines))
    }

    @Test func booleansAreSparksWords() {
        for text in ["t", "TRUE", " yes ", "y", "1"] { #expect(bytes(text, parseBoolean) == true) }
        for text in ["f", "False", "no", "N", "0"] { #expect(bytes(text, parseBoolean) == false) }
        for text in ["", "tr", "2", "on", "truee"] { #expect(bytes(text, parseBoolean) == nil) }
    }

    /// The last and the first instants, and the forms at the limits of a date.
    @Test(
        arguments: [
            ("294247-01-10T04:00:54.775807Z", .max), ("294247-01-10T04:00:54.775808Z", nil),
            ("-290308-12-21T19:59:05.224192Z", .min), ("-290308-12-21T19:59:05.224191Z", nil),
            ("0000-01-01", -62_167_219_761_000_000),
            ("2024-01-01GMT", nil), ("08:18:00", nil), ("T08:18:00", nil), ("2024-1-1 8:1:0", 1_704_092_460_000_000),
        ] as [(String, Int64?)])
    func timestampsOfCasts(text: String, expected: Int64?) {
        var zones = systemTimeZones
        let paris = rules("Europe/Paris")
        #expect(bytes(text) { parseTimestamp($0, rules: paris, zones: &zones) } == expected)
    }

    @Test(
        arguments: [
            ("2024-01-01", 19_723), ("2024", 19_723), ("2024-1", 19_723), ("2024-01-01T25:61", 19_723),
            ("2024-01-01 x", 19_723),
            ("-0044-03-15", -735_525), ("1234567", 450_196_810), ("+2024-01-01", 19_723), ("9999999", nil),
            ("2024-", nil),
            ("123", nil), ("2024-02-30", nil), ("20240101", nil), ("", nil), ("2024-01T", nil), ("2024-01-01x", nil),
        ] as [(String, Int64?)])
    func datesOfCasts(text: String, expected: Int64?) {
        #expect(bytes(text, parseDate) == expected)
    }
}

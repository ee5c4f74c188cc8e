// Expected texts are what Spark 4.1.1's to_json wrote for these instants.

import Testing

@testable import SluiceEngine

@Suite struct TimestampFormatterTests {
    private func text(_ micros: Int64, _ formatter: inout TimestampFormatter) -> String {
        var buffer = ByteBuffer()
        formatter.append(micros, to: &buffer)
        return String(decoding: buffer.array(), as: UTF8.self)
    }

    static let paris: [(Int64, String)] = [
        (0, "1970-01-01T01:00:00.000+01:00"),
        (-1, "1970-01-01T00:59:59.999+01:00"),
        (-1000, "1970-01-01T00:59:59.999+01:00"),
        (1_704_097_080_123_456, "2024-01-01T09:18:00.123+01:00"),
        (253_402_300_800_000_000, "+10000-01-01T01:00:00.000+01:00"),
        (-62_198_755_200_000_000, "-0001-01-01T00:09:21.000+00:09:21"),
        (-5_364_662_400_000_000, "1800-01-01T00:09:21.000+00:09:21"),
        (.min, "-290308-12-21T20:08:26.224+00:09:21"),
        (.max, "+294247-01-10T05:00:54.775+01:00"),
        (2_556_143_999_999_999, "2051-01-01T00:59:59.999+01:00"),
        (-1_700_000_000_000_000, "1916-02-18T01:46:40.000Z"),
        (4_102_444_800_000_000, "2100-01-01T01:00:00.000+01:00"),
        (4_118_083_200_000_000, "2100-07-01T02:00:00.000+02:00"),
    ]

    static let newYork: [(Int64, String)] = [
        (0, "1969-12-31T19:00:00.000-05:00"),
        (1_704_097_080_123_456, "2024-01-01T03:18:00.123-05:00"),
        (-62_198_755_200_000_000, "-0002-12-31T19:03:58.000-04:56:02"),
        (.min, "-290308-12-21T15:03:03.224-04:56:02"),
        (.max, "+294247-01-09T23:00:54.775-05:00"),
        (2_556_143_999_999_999, "2050-12-31T18:59:59.999-05:00"),
    ]

    @Test func timestampsAreWrittenAsSparkWritesThem() {
        for (zone, cases) in [("Europe/Paris", Self.paris), ("America/New_York", Self.newYork)] {
            // Once with a cold cache each and once with whatever the case before left in it.
            var warm = TimestampFormatter(rules: rules(zone))
            for (micros, expected) in cases + cases.reversed() {
                var cold = TimestampFormatter(rules: rules(zone))
                #expect(text(micros, &cold) == expected)
                #expect(text(micros, &warm) == expected)
                #expect(text(micros, &warm) == expected)
            }
        }
    }

    @Test func utcIsWrittenAsZ() {
        var formatter = TimestampFormatter(rules: .utc)
        #expect(text(1_704_097_080_123_456, &formatter) == "2024-01-01T08:18:00.123Z")
        #expect(text(-62_198_755_200_000_000, &formatter) == "-0001-01-01T00:00:00.000Z")
    }

    @Test func datesBeyondFourDigitYearsGetASign() {
        for (days, expected) in [
            (0, "1970-01-01"), (19_723, "2024-01-01"), (-719_528, "0000-01-01"), (-719_529, "-0001-12-31"),
            (2_932_896, "9999-12-31"), (2_932_897, "+10000-01-01"), (-106_751_992, "-290308-12-21"),
        ] as [(Int64, String)] {
            var buffer = ByteBuffer()
            formatDate(days, into: &buffer)
            #expect(String(decoding: buffer.array(), as: UTF8.self) == expected)
        }
    }

    @Test func theCacheOfTheLastDayNeverChangesAnAnswer() {
        // Around both changes of the clock of one year, in steps that cross midnight, gap and overlap both ways.
        for zone in ["Europe/Paris", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"] {
            var warm = TimestampFormatter(rules: rules(zone))
            for base in [1_711_756_800, 1_729_900_800, 1_710_000_000, 1_730_500_000] as [Int64] {
                for step in 0..<800 as Range<Int64> {
                    let second = base + (step * 7919) % 172_800
                    let micros = second * 1_000_000 + step
                    var cold = TimestampFormatter(rules: rules(zone))
                    #expect(text(micros, &warm) == text(micros, &cold))
                }
            }
        }
    }
}

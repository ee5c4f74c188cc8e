import SluiceSpec
import Testing

@testable import SluiceEngine

@Suite struct TimeZonesTests {
    private func offset(_ name: String, at second: Int64) -> Int64? {
        var zones = systemTimeZones
        return zones.rules(named: name)?.span(atSecond: second).offsetSeconds
    }

    @Test(
        arguments: [
            ("Z", 0), ("UTC", 0), ("GMT", 0), ("UT", 0), ("+1", 3600), ("+01", 3600), ("-0130", -5400),
            ("+01:00", 3600),
            ("+01:02:03", 3723), ("+010203", 3723), ("GMT+1", 3600), ("UTC+01:00", 3600), ("UT-2", -7200),
            ("+1:00", 3600),
            ("+01:5", 3900), ("+18:00", 64_800), ("-18:00", -64_800), ("EST", -18_000), ("PST", -28_800),
            ("Etc/GMT+1", -3600),
        ] as [(String, Int64)])
    func namesOfJavaAreKnown(name: String, expected: Int64) {
        #expect(offset(name, at: 1_704_097_080) == expected)
    }

    @Test(arguments: [
        "", "z", "utc", "+", "+18:01", "+19", "+01:60", "+1:0:0", "01:00", "europe/paris", "Europe/Nowhere", "Europe",
        "../etc/passwd", "Europe/../UTC", "/etc/passwd", "GMT+", "GMT+x", "UTC 1", "a/../../passwd", "posix/UTC",
    ])
    func otherNamesAreUnknown(name: String) {
        #expect(!systemTimeZones.contains(name))
    }

    @Test func onlyRegionNamesReachTheFileSystem() {
        var zones = TimeZones { name in
            Issue.record("asked for \(name)")
            return nil
        }
        for name in ["../../etc/passwd", "a/../b", "+01:00", "UTC", "/x", "x y", "é"] { _ = zones.rules(named: name) }
    }

    @Test func aZoneFileThatIsCutOffOrDamagedIsRefused() throws {
        var paris: [UInt8] = []
        var zones = TimeZones { name in
            var bytes: [UInt8]?
            bytes = zoneFile(name)
            return bytes
        }
        #expect(zones.rules(named: "Europe/Paris") != nil)
        paris = try #require(zoneFile("Europe/Paris"))
        for count in stride(from: 0, to: paris.count, by: 7) {
            #expect(TimeZoneRules(tzif: Array(paris[..<count])) == nil)
        }
        var state: UInt64 = 42
        for _ in 0..<2000 {
            var damaged = paris
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            damaged[Int(state >> 33) % damaged.count] = UInt8(truncatingIfNeeded: state >> 20)
            // Whatever it reads as, it must not trap.
            _ = TimeZoneRules(tzif: damaged)?.span(atSecond: 4_102_444_800)
        }
    }

    /// Local clock readings and the instants that java.time reads them as.
    @Test(
        arguments: [
            // Gap: 02:30 does not exist and is read as 03:30 (+02:00).
            ("Europe/Paris", "2024-03-31 02:30:00", 1_711_848_600),
            ("Europe/Paris", "2024-03-31 01:59:59", 1_711_846_799),
            ("Europe/Paris", "2024-03-31 03:00:00", 1_711_846_800),
            // Overlap: 02:30 comes twice, the first (summer) one counts.
            ("Europe/Paris", "2024-10-27 02:30:00", 1_729_989_000),
            ("Europe/Paris", "2024-10-27 03:00:00", 1_729_994_400),
            ("America/New_York", "2024-03-10 02:30:00", 1_710_055_800),
            ("America/New_York", "2024-11-03 01:30:00", 1_730_611_800),
            // Local mean time before 1900, the yearly rule behind 2037.
            ("Europe/Paris", "1800-01-01 00:00:00", -5_364_662_961),
            ("America/New_York", "1850-06-01 00:00:00", -3_773_761_438),
            ("Europe/Paris", "2050-07-01 00:00:00", 2_540_239_200),
            ("Europe/Paris", "2050-03-27 02:30:00", 2_531_957_400),
            ("Europe/Paris", "2050-10-30 02:30:00", 2_550_702_600),
            ("America/New_York", "2100-07-01 00:00:00", 4_118_097_600),
            ("America/New_York", "2100-11-07 01:30:00", 4_129_248_600),
        ] as [(String, String, Int64)])
    func localTimesAreReadAsJavaReadsThem(zone: String, local: String, second: Int64) {
        let parts = local.split { "- :".contains($0) }.map { Int($0)! }
        let days = CivilDate(year: parts[0], month: parts[1], day: parts[2]).daysSinceEpoch
        let reading = Int64(days * 86_400 + parts[3] * 3600 + parts[4] * 60 + parts[5])
        let span = rules(zone).span(atLocalSecond: reading)
        #expect(reading - span.offsetSeconds == second)
        #expect(span.from <= reading && reading < span.until)
    }

    @Test func spansAreTheLargestWithOneOffset() {
        for zone in ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"] {
            let rules = rules(zone)
            var second: Int64 = -3_000_000_000
            var spanCount = 0
            while second < 6_000_000_000 {
                let span = rules.span(atSecond: second)
                #expect(span.from <= second && second < span.until)
                #expect(rules.span(atSecond: span.from == .min ? second : span.from) == span)
                guard span.until < .max else { break }
                #expect(rules.span(atSecond: span.until - 1) == span)
                #expect(rules.span(atSecond: span.until).offsetSeconds != span.offsetSeconds)
                second = span.until
                spanCount += 1
            }
            #expect(zone == "UTC" || spanCount > 50)
        }
    }

    @Test(
        arguments: [
            ("CET-1CEST,M3.5.0,M10.5.0/3", 2_540_239_200, 7200), ("<+03>-3", 4_000_000_000, 10_800),
            ("EST5EDT,M3.2.0,M11.1.0", 4_118_097_600, -14_400), ("IST-2IDT,M3.4.4/26,M10.5.0", 2_540_239_200, 10_800),
            ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 2_540_239_200, -3600), ("AAA3BBB,J60/2,J300", 2_540_239_200, -7200),
            ("NZST-12NZDT,M9.5.0,M4.1.0/3", 2_525_212_800, 46_800),
        ] as [(String, Int64, Int64)])
    func posixRulesAreRead(text: String, second: Int64, offset: Int64) throws {
        let rule = try #require(YearlyRule(posix: text.utf8))
        let rules = TimeZoneRules(transitions: [], offsets: [rule.standardOffset], yearlyRule: rule)
        #expect(rules.span(atSecond: second).offsetSeconds == offset)
    }

    @Test(arguments: [
        "", "1", "CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.5.0,M10.5.0x",
    ])
    func malformedPosixRulesAreRefused(text: String) {
        #expect(YearlyRule(posix: text.utf8) == nil)
    }
}

import SluiceSimulation
import SluiceSystem
import Synchronization
import Testing

private final class Lines: Sendable {
    let all = Mutex<[String]>([])
    var text: [String] { all.withLock { $0 } }
    func log(_ format: LogFormat, _ level: LogLevel = .info) -> Log {
        Log(level: level, format: format, clock: SimulatedClock(wallMillis: 1_704_097_080_250)) { self.add($0) }
    }

    func add(_ line: [UInt8]) { all.withLock { $0.append(String(decoding: line, as: UTF8.self)) } }
}

@Suite("The log")
struct LogTests {
    @Test("logfmt quotes what needs it and nothing else")
    func logfmt() {
        let lines = Lines()
        let log = lines.log(.logfmt).with([.query: "visits_ads"])
        log.info("query started", [.batch: 12, .path: "/a b/\"c\"=\\d\n\u{1}é", .source: "", .sink: "plain/path"])
        #expect(
            lines.text == [
                "time=2024-01-01T08:18:00.250Z level=info message=\"query started\" sluice.query=visits_ads "
                    + "sluice.batch=12 sluice.path=\"/a b/\\\"c\\\"=\\\\d\\n\\u0001é\" sluice.source=\"\" "
                    + "sluice.sink=plain/path\n"
            ])
    }

    @Test("JSON lines are one object each, with numbers and booleans as such")
    func json() {
        let lines = Lines()
        lines.log(.json).warning(
            "file truncated", [.path: "/x\t\"y\"", .batch: -3, .sink: true, .source: 1.5, .error: .double(.infinity)])
        #expect(
            lines.text == [
                "{\"time\":\"2024-01-01T08:18:00.250Z\",\"level\":\"warning\",\"message\":\"file truncated\","
                    + "\"sluice.path\":\"/x\\t\\\"y\\\"\",\"sluice.batch\":-3,\"sluice.sink\":true,"
                    + "\"sluice.source\":1.5,\"sluice.error\":\"inf\"}\n"
            ])
    }

    @Test("Events below the level are not even put together", arguments: LogLevel.allCases)
    func levels(level: LogLevel) {
        let lines = Lines()
        let log = lines.log(.logfmt, level)
        var built = 0
        func value() -> LogValue {
            built += 1
            return 1
        }
        log.debug("a", [.batch: value()])
        log.info("b", [.batch: value()])
        log.warning("c", [.batch: value()])
        log.error("d", [.batch: value()])
        let expected = LogLevel.allCases.count { $0 >= level }
        #expect(lines.text.count == expected && built == expected)
    }

    @Test("What is to be hidden is hidden in every text, before it is quoted", arguments: LogFormat.allCases)
    func hiding(format: LogFormat) {
        let lines = Lines()
        let log = Log(
            level: .info, format: format, write: { lines.add($0) }, hide: { $0.replacing("a \"secret\"", with: "•••") })
        log.with([.path: "/x/a \"secret\""]).info("event", [.error: "cannot open a \"secret\": a \"secret\""])
        #expect(lines.text.count == 1 && lines.text.allSatisfy { !$0.contains("secret") && $0.contains("/x/•••") })
    }

    @Test(
        "Times are UTC with three digits of milliseconds",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"), (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
        ] as [(Int64, String)])
    func times(millis: Int64, text: String) {
        #expect(utcText(millis: millis) == text)
    }
}

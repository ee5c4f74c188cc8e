// Forecasts against what arithmetic says, the choice among candidates, and the words and bytes that come out.

import SluiceCheckpoint
import SluiceRuntime
import SluiceSpec
import Testing

@testable import SluiceAdvice

@Suite struct TriggerAdvisorTests {
    private static let second: Int64 = 1_000_000

    private static func interval(millis: Int64) -> TriggerSpec { .interval(micros: millis * 1000) }

    private static func advice(
        _ machine: SyntheticMachine = SyntheticMachine(), rows: [Int64], intervalMillis: Int64 = 1000,
        latencyMicros: Int64? = nil, intervals: [Int64] = [], facts: QueryFacts = QueryFacts(query: "q")
    ) -> TriggerAdvice {
        TriggerAdvisor(
            machine.records(rows: rows, intervalMillis: intervalMillis), facts: facts,
            question: TriggerQuestion(
                trigger: interval(millis: intervalMillis), latencyMicros: latencyMicros, intervalsMicros: intervals)
        ).advice()
    }

    private static let sizes = scatteredRows(1000, share: 0.3, count: 100)

    // MARK: Forecasts

    @Test func `A row waits half an interval, and then for its batch`() throws {
        let machine = SyntheticMachine()
        let advice = Self.advice(machine, rows: Self.sizes)
        for millis in [100, 1000, 5000] as [Int64] {
            let forecast = try #require(advice.candidates.first { $0.trigger == Self.interval(millis: millis) })
            let (interval, batch) = (Double(millis) * 1000, machine.micros(rows: Double(millis)))
            #expect(isNear(forecast.batchMicros, batch, 0.05), "\(millis) ms")
            #expect(isNear(try #require(forecast.utilisation), batch / interval, 0.05), "\(millis) ms")
            #expect(isNear(forecast.latency.p50Micros, interval / 2 + batch, 0.05), "\(millis) ms")
            #expect(isNear(forecast.latency.p99Micros, 0.99 * interval + batch, 0.05), "\(millis) ms")
            #expect(isNear(forecast.batchesPerHour, 3.6e9 / interval, 0.05), "\(millis) ms")
            #expect(isNear(forecast.cpuShare, (500 + 3 * Double(millis)) / interval, 0.1), "\(millis) ms")
            let bytes = (1400 + 12 * Double(millis)) * 3.6e9 / interval
            #expect(isNear(forecast.checkpointBytesPerHour, bytes, 0.1), "\(millis) ms")
        }
    }

    @Test func `Intervals longer than the past are forecast too`() throws {
        let machine = SyntheticMachine()
        let advice = Self.advice(machine, rows: Self.sizes, intervals: [600_000_000])
        let forecast = try #require(advice.candidates.last)
        let batch = machine.micros(rows: 600_000)
        #expect(isNear(forecast.batchMicros, batch, 0.05))
        #expect(isNear(forecast.latency.p50Micros, 300e6 + batch, 0.05))
        #expect(isNear(forecast.batchesPerHour, 6, 0.05))
    }

    @Test func `Batches that overrun follow each other, and grow until what is fixed is shared by enough rows`() throws
    {
        // 100 rows/ms at 5 µs are half of the time; 20 ms are fixed: batches of 40 ms.
        var machine = SyntheticMachine()
        machine.logMicros = 19_000
        machine.durableFixedMicros = 500
        machine.perRowMicros = 4.38
        let advice = Self.advice(machine, rows: scatteredRows(100_000, share: 0.1, count: 60))
        let forecast = try #require(advice.candidates.first { $0.trigger == Self.interval(millis: 10) })
        #expect(isNear(forecast.batchMicros, 41_000, 0.15))
        #expect(try #require(forecast.utilisation) > 3)
        #expect(!forecast.isStable)
        #expect(forecast.latency.p99Micros > 60_000)
    }

    @Test func `More rows than a processor can take are stable at no interval and never caught up with`() throws {
        var machine = SyntheticMachine()
        machine.perRowMicros = 11
        let advice = Self.advice(machine, rows: scatteredRows(100_000, share: 0.1, count: 60))
        #expect(advice.candidates.allSatisfy { !$0.isStable && $0.catchUpSeconds == nil })
        #expect(advice.recommended == nil)
        #expect(advice.reasons.contains("No interval up to 5s is stable at twice today's rate."))
    }

    @Test func `Catching up with an hour takes as long as its rows and those that come meanwhile`() throws {
        // 20 rows/ms at 2.5 µs and their bytes: a twentieth.
        let advice = Self.advice(rows: scatteredRows(20_000, share: 0.1, count: 60))
        let forecast = try #require(advice.candidates.first { $0.trigger == Self.interval(millis: 1000) })
        #expect(isNear(try #require(forecast.catchUpSeconds), 3600 * 0.0524 / (1 - 0.0524), 0.05))
        #expect(forecast.isStable)
    }

    @Test func `A limit per trigger holds up long intervals and catching up`() throws {
        let facts = QueryFacts(query: "q", limit: SourceLimit(seconds: 3, name: "`max_offsets_per_trigger: 3000`"))
        let advice = Self.advice(rows: Self.sizes, facts: facts)
        let stable = advice.candidates.filter(\.isStable).map(\.trigger)
        #expect(stable.contains(Self.interval(millis: 1000)) && !stable.contains(Self.interval(millis: 2000)))
        // Each second takes three of the backlog's and one comes anew.
        let forecast = try #require(advice.candidates.first { $0.trigger == Self.interval(millis: 1000) })
        #expect(isNear(try #require(forecast.catchUpSeconds), 1800, 0.05))
        #expect(advice.reasons.contains { $0.contains("`max_offsets_per_trigger: 3000` is reached by 3 s") })
    }

    @Test func `Rare rows make no more batches than there are rows, and one more each to evict`() throws {
        // A row each two seconds.
        let rows = (0..<100).map { Int64($0 % 2) }
        for (evicts, perHour) in [(false, 1800.0), (true, 3600.0)] {
            let advice = Self.advice(rows: rows, facts: QueryFacts(query: "q", evicts: evicts))
            let forecast = try #require(advice.candidates.first { $0.trigger == Self.interval(millis: 100) })
            #expect(isNear(forecast.batchesPerHour, perHour, 0.1))
        }
    }

    @Test func `Rows that outlive the retained batches are written again, once a level`() throws {
        // A row lives 720 s; with 100 retained batches it is merged at 116, 356 and 4,196 batches.
        let life = StateLife(micros: 720e6, retainBatches: 100)
        #expect([10e6, 6e6, 1e6, 0.1e6].map { life.rewrites(periodMicros: $0) } == [0, 1, 2, 3])
        #expect(StateLife(micros: .infinity, retainBatches: 100).rewrites(periodMicros: 1e9) == 6)
        let plain = Self.advice(rows: Self.sizes)
        let merging = Self.advice(rows: Self.sizes, facts: QueryFacts(query: "q", life: life))
        for (one, other) in zip(plain.candidates, merging.candidates) {
            let again = life.rewrites(periodMicros: one.trigger.intervalMicros ?? 0)
            let bytes = one.checkpointBytesPerHour + again * 12 * 1000 * 3600
            #expect(isNear(other.checkpointBytesPerHour, bytes, 0.1), "\(one.trigger.text)")
        }
    }

    // MARK: Candidates and choice

    @Test func `Candidates stand around today's interval, with today's own and those asked for`() {
        let advice = Self.advice(rows: Self.sizes, intervalMillis: 1500, intervals: [333_000, 90_000_000])
        #expect(
            advice.candidates.map(\.trigger.text) == [
                "10ms", "20ms", "50ms", "100ms", "200ms", "333ms", "500ms", "1s", "1s500ms", "2s", "5s", "1m30s",
            ])
    }

    @Test func `The shortest stable interval is recommended`() throws {
        // 3.6 ms are fixed, and twice the rows of 5 ms are 10: 80 % of 5 ms are too little.
        let advice = Self.advice(rows: Self.sizes, intervals: [4000, 5000])
        #expect(advice.recommended == Self.interval(millis: 5))
        #expect(advice.candidates.filter { !$0.isStable }.map(\.trigger) == [Self.interval(millis: 4)])
        #expect(advice.reasons.contains { $0.hasPrefix("5ms is the shortest of these intervals that is stable") })
    }

    @Test func `Of those that meet a latency the cheapest is recommended`() {
        let advice = Self.advice(rows: Self.sizes, latencyMicros: 600_000)
        #expect(advice.recommended == Self.interval(millis: 500))
        #expect(advice.reasons.contains { $0.hasPrefix("500ms brings 99 of 100 rows out within 600ms") })
    }

    @Test func `A latency that cannot be met is said so, with what comes nearest`() {
        let advice = Self.advice(rows: Self.sizes, latencyMicros: 3000)
        #expect(advice.recommended == Self.interval(millis: 10))
        #expect(
            advice.reasons.contains { $0.hasPrefix("No stable interval brings 99 of 100 rows out within 3ms: 10ms") })
    }

    @Test func `Today is what was measured at today's trigger, and the model where it has not run yet`() throws {
        var machine = SyntheticMachine()
        machine.noise = 0.1
        let records = machine.records(rows: Self.sizes, intervalMillis: 1000)
        func current(_ trigger: TriggerSpec) throws -> TriggerForecast {
            let advisor = TriggerAdvisor(
                records, facts: QueryFacts(query: "q"), question: TriggerQuestion(trigger: trigger))
            return try #require(advisor.advice().current)
        }
        let measured = median(records.dropFirst().map { Double($0.cost!.resultMicros) })
        #expect(try current(Self.interval(millis: 1000)).batchMicros == measured)
        #expect(isNear(try current(Self.interval(millis: 200)).batchMicros, machine.micros(rows: 200), 0.1))
    }

    // MARK: Nothing to say

    @Test func `Without enough batches it says what is missing`() {
        func reason(_ rows: [Int64], isMeasured: Bool = true, intervalMillis: Int64 = 1000) -> String {
            var records = SyntheticMachine().records(rows: rows, intervalMillis: intervalMillis)
            if !isMeasured { for index in records.indices { records[index].cost = nil } }
            let facts = QueryFacts(query: "q", certainties: ["Always."])
            let question = TriggerQuestion(trigger: Self.interval(millis: 1000))
            let advice = TriggerAdvisor(records, facts: facts, question: question).advice()
            #expect(advice.candidates.isEmpty && advice.current == nil && advice.recommended == nil)
            #expect(advice.reasons.count == 2 && advice.reasons[1] == "Always.")
            return advice.reasons[0]
        }
        #expect(reason([]) == "The checkpoint has no committed batch: advice takes 5 batches with rows.")
        #expect(
            reason([1, 1, 0, 0, 0, 0])
                == "The checkpoint keeps 2 measured batches with rows: advice takes 5 batches with rows.")
        #expect(
            reason([1, 1, 1, 1, 1, 1], isMeasured: false)
                == "6 batches of the checkpoint ran under a version that did not measure them: advice takes 5 batches "
                + "with rows that are still to come.")
        #expect(
            reason([1, 1, 1, 1, 1, 1], intervalMillis: 0)
                == "No rows came behind the first batch that the checkpoint keeps, or no time passed: it does not say "
                + "how fast rows come.")
    }

    // MARK: Bytes

    @Test func `The JSON has the members of the contract in its order`() {
        let forecast = TriggerForecast(
            trigger: Self.interval(millis: 2000), batchMicros: 12_345.678, utilisation: 0.006_172_839,
            latency: TriggerForecast.Latency(p50Micros: 1_012_345, p99Micros: 1_999_999), cpuShare: 0.123_456,
            checkpointBytesPerHour: 1_234_567.8, batchesPerHour: 1800, catchUpSeconds: 12.34, isStable: true)
        var overload = forecast
        overload.trigger = .asFastAsPossible
        overload.utilisation = nil
        overload.catchUpSeconds = nil
        overload.isStable = false
        let advice = TriggerAdvice(
            query: "visits \"ads\"", trigger: Self.interval(millis: 10_000), candidates: [overload, forecast],
            recommended: forecast.trigger, reasons: ["One.", "Two."])
        #expect(
            advice.json == """
                {"query":"visits \\"ads\\"","current":{"trigger":"10s","batchMs":null,"utilisation":null,\
                "latencyMs":{"p50":null,"p99":null},"cpuShare":null,"checkpointBytesPerHour":null,\
                "batchesPerHour":null,"catchUpSeconds":null,"stable":null},"candidates":[\
                {"trigger":"as_fast_as_possible","batchMs":12.35,"utilisation":null,\
                "latencyMs":{"p50":1012.3,"p99":2000.0},"cpuShare":0.1235,"checkpointBytesPerHour":1234568,\
                "batchesPerHour":1800,"catchUpSeconds":null,"stable":false},\
                {"trigger":"2s","batchMs":12.35,"utilisation":0.0062,"latencyMs":{"p50":1012.3,"p99":2000.0},\
                "cpuShare":0.1235,"checkpointBytesPerHour":1234568,"batchesPerHour":1800,"catchUpSeconds":12.3,\
                "stable":true}],"recommended":"2s","reasons":["One.","Two."]}
                """)
    }

    @Test func `The table marks today, the recommended interval and those that are not stable`() {
        var forecast = TriggerForecast(
            trigger: Self.interval(millis: 100), batchMicros: 45_000, utilisation: 0.45,
            latency: TriggerForecast.Latency(p50Micros: 95_000, p99Micros: 144_000), cpuShare: 0.5,
            checkpointBytesPerHour: 52e6, batchesPerHour: 36_000, catchUpSeconds: nil, isStable: false)
        var candidates = [forecast]
        forecast.trigger = Self.interval(millis: 1000)
        (forecast.batchMicros, forecast.utilisation) = (90_000, 0.09)
        forecast.latency = TriggerForecast.Latency(p50Micros: 590_000, p99Micros: 1_080_000)
        (forecast.batchesPerHour, forecast.catchUpSeconds, forecast.isStable) = (3600, 200, true)
        candidates.append(forecast)
        forecast.trigger = Self.interval(millis: 10_000)
        candidates.append(forecast)
        let advice = TriggerAdvice(
            query: "q", trigger: Self.interval(millis: 10_000), candidates: candidates,
            recommended: Self.interval(millis: 1000),
            reasons: [Array(repeating: "word", count: 25).joined(separator: " ")])
        #expect(advice.text == tableText)
    }

    @Test(
        arguments: [
            (0.0, "0 ms"), (850, "0.85 ms"), (12_300, "12 ms"), (999_400, "999 ms"), (999_600, "1 s"),
            (1_340_000, "1.3 s"), (90e6, "90 s"), (252e6, "4.2 min"), (7.2e9, "2 h"), (1e12, "278 h"),
        ] as [(Double, String)])
    func `Durations have two digits that count`(micros: Double, text: String) {
        #expect(roundedDuration(micros: micros) == text)
    }

    @Test func `Numbers and bytes are rounded and grouped`() {
        #expect(
            [0, 0.004, 0.123, 1.25, 9.96, 99.4, 1234, 1_234_567].map(roundedNumber) == [
                "0", "0", "0.12", "1.3", "10", "99", "1,230", "1,230,000",
            ])
        #expect([12, 999.6, 12_345, 5.2e7, 3e14].map(roundedBytes) == ["12 B", "1 KB", "12 KB", "52 MB", "300 TB"])
    }
}

/// What a terminal shows, column for column.
private let tableText = """
    q: trigger 10s

       trigger  batch  busy               p50     p99                     CPU  batches/h  checkpoint/h  catch-up
    !    100ms  45 ms  45 %  ███▋       95 ms  144 ms  ███████████▍      50 %     36,000         52 MB     never
    >       1s  90 ms   9 %  ▊         590 ms   1.1 s  ████████████████  50 %      3,600         52 MB   3.3 min
    =      10s  90 ms   9 %  ▊         590 ms   1.1 s  ████████████████  50 %      3,600         52 MB   3.3 min

    > recommended   = today   ! not stable at twice today's rate

    - word word word word word word word word word word word word word word word word word word word
      word word word word word word

    To take it, in the spec: trigger: 1s

    """

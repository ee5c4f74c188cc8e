// What a query is said to do, from what it does and what was asked of it: every combination.

import SluiceSpec
import Testing

@testable import SluiceRuntime

@Suite struct QueryLifeTests {
    private static let activities: [QueryLife.Activity] = [
        .busy, .waiting, .restarting(error: "e"), .failed(error: "e"), .finished,
    ]

    @Test(arguments: zip(activities, ["running", "waiting", "restarting", "failed", "finished"]))
    func `Each activity has its word`(activity: QueryLife.Activity, word: String) {
        var life = QueryLife()
        life.enter(activity)
        #expect(life.status.word == word)
        #expect(life.status.error == (["restarting", "failed"].contains(word) ? "e" : nil))
    }

    @Test(arguments: zip(activities, ["running", "paused", "paused", "failed", "finished"]))
    func `A pause shows when no batch is in hand, and never over an end`(activity: QueryLife.Activity, word: String) {
        var life = QueryLife()
        let isTaken = life.askToPause(true)
        #expect(isTaken)
        life.enter(activity)
        #expect(life.status.word == word)
        let isAlive = !["failed", "finished"].contains(word)
        let canResume = life.askToPause(false)
        let canChange = life.ask(for: .asFastAsPossible)
        #expect(canResume == isAlive && canChange == isAlive)
    }

    @Test func `Restarts are counted, and a trigger set by hand outlives them`() {
        var life = QueryLife()
        _ = life.ask(for: .interval(micros: 2_000_000))
        for activity in [QueryLife.Activity.waiting, .restarting(error: "a"), .busy, .restarting(error: "b"), .busy] {
            life.enter(activity)
        }
        #expect(life.restartCount == 2)
        #expect(life.trigger == .interval(micros: 2_000_000))
    }

    @Test(arguments: [
        ("10 seconds", "10s"), ("90s", "1m30s"), ("500ms", "500ms"), ("as_fast_as_possible", "as_fast_as_possible"),
        ("once", "once"), ("available_now", "available_now"), ("PT10M", "10m"),
    ])
    func `A trigger is shown as a spec would write it, and reads back as itself`(text: String, shown: String) throws {
        let trigger = try TriggerSpec(text: text)
        #expect(trigger.text == shown)
        #expect(try TriggerSpec(text: shown) == trigger)
    }
}

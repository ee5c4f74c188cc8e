import SluicePlan
import SluiceSpec
import Testing

@Suite struct ExplainTests {
    @Test(
        arguments: [
            (0, "0 s"), (120_000_000, "2 min"), (-120_000_000, "-2 min"), (5_400_000_000, "1 h 30 min"),
            (500_000, "500 ms"), (90_061_001_001, "1 d 1 h 1 min 1 s 1 ms 1 µs"),
            (.min, "-106751991 d 4 h 54 s 775 ms 808 µs"),
        ] as [(Int64, String)])
    func durationsAreSaidWithTheirUnits(micros: Int64, text: String) {
        #expect(spoken(micros) == text)
    }

    @Test func theSeedJobSaysHowLongEachSideIsKept() {
        let facts = TestQuery().plan().stateFacts
        #expect(
            facts.map(\.summary) == [
                "visits are kept 12 min: bound 2 min + delay 10 min", "ads are kept 10 min: bound 0 s + delay 10 min",
            ])
    }

    @Test func aWindowIsKeptUpToItsWidthAndTheDelay() {
        var query = TestQuery(.leftOuter, within: nil)
        query.window = 10 * .second
        #expect(
            query.plan().stateFacts.first?.summary == "visits are kept up to 10 min 10 s: window 10 s + delay 10 min")
    }

    @Test func aSideThatStaysForEverSaysWhy() {
        let facts = TestQuery(.inner, within: nil).plan().stateFacts
        #expect(
            facts.map(\.summary) == [
                "visits are kept for ever: the join has no time condition",
                "ads are kept for ever: the join has no time condition",
            ])
    }

    @Test func aRefusedQueryStillShowsItsLogicalPlan() {
        let result = TestQuery(.leftOuter, within: nil).plan()
        #expect(result.physical == nil)
        #expect(result.explainText().contains("Join left outer"))
        #expect(!result.explainText().contains("Physical plan"))
    }

    @Test func constantsThatAreSecretAreNotShown() {
        var query = TestQuery()
        var secret = Condition(.literal(.string("hunter2")), type: .string, isNullable: false, at: nowhere)
        secret.isSecret = true
        query.visitsFilter = call(.equal, column("visits.page", .string), secret)
        let result = query.plan()
        #expect(result.physical != nil)
        for text in [result.explainText(), result.explainJSON(), result.explainDot()] {
            #expect(!text.contains("hunter2"))
            #expect(text.contains("•••"))
        }
    }

    @Test func namesAreEscapedInDot() {
        var query = TestQuery()
        let quoted = Condition(.literal(.string(#"a"b\c"#)), type: .string, isNullable: false, at: nowhere)
        query.visitsFilter = call(.equal, column("visits.page", .string), quoted)
        #expect(query.plan().explainDot().contains(#"'a\"b\\c'"#))
    }
}

// Joins: every way to write keys, and what a query may name after a join.

import SluiceSpec
import Testing

private func job(join: String, query: String = "select: { x: visits.page }") -> String {
    """
    sluice: 1
    sources:
      visits:
        file: { path: in/visits }
        columns: { page: string, user: string, at: timestamp, size: int, price: "decimal(10,2)" }
        watermark: { column: at, delay: 1m }
      ads:
        file: { path: in/ads }
        columns: { page: string, user: string, shown: timestamp, size: long, price: "decimal(10,3)" }
        event_time: shown
    queries:
      q:
        from: visits
        to: out
        join: { with: ads, \(join) }
        \(query)
    sinks: { out: { stdout: {} } }
    """
}

private func join(_ text: String) throws -> JoinSpec {
    let read = readSpec(job(join: text))
    return try #require(read.spec?.queries[0].joins.first, "\(read.rendered)")
}

@Suite struct JoinTests {
    @Test(arguments: [
        ("keys: page", ["visits.page=ads.page"]),
        ("keys: [page, user]", ["visits.page=ads.page", "visits.user=ads.user"]),
        ("keys: { visits.page: ads.user }", ["visits.page=ads.user"]),
        ("keys: { page: user }", ["visits.page=ads.user"]),
        ("keys: { ads.page: visits.user }", ["visits.user=ads.page"]),
        ("keys: { visits.size: ads.size }", ["visits.size=ads.size"]), ("keys: price", ["visits.price=ads.price"]),
        ("keys: { visits.size: ads.price }", ["visits.size=ads.price"]),
        ("keys: { visits.at: ads.shown, page: page }", ["visits.at=ads.shown", "visits.page=ads.page"]),
    ])
    func `keys read in each of their forms`(text: String, expected: [String]) throws {
        let keys = try join("type: inner, \(text)").keys
        #expect(keys.map { "\($0.left.value)=\($0.right.value)" } == expected)
        #expect(keys.allSatisfy { !$0.isNullSafe })
    }

    @Test(arguments: [
        ("true", [true, true]), ("false", [false, false]), ("[user]", [false, true]), ("[visits.page]", [true, false]),
        ("[ads.user, page]", [true, true]), ("[]", [false, false]),
    ])
    func `null safety covers all keys or those that are named`(text: String, expected: [Bool]) throws {
        let keys = try join("type: inner, keys: [page, user], null_safe: \(text)").keys
        #expect(keys.map(\.isNullSafe) == expected)
    }

    @Test(arguments: JoinType.allCases) func `a type of join is read by its name`(type: JoinType) throws {
        #expect(try join("type: \(type.rawValue), keys: page").type.value == type)
    }

    @Test func `a window alone is an equality`() throws {
        let join = try join("type: left outer, window: 10 seconds")
        #expect(join.windowMicros?.value == 10_000_000)
        #expect(join.keys.isEmpty)
    }

    @Test(arguments: [
        "ads.shown between visits.at and visits.at + 2m", "shown >= at", "ads.shown - visits.at <= 5m",
        "visits.at - 1m < ads.shown and ads.shown < visits.at + 1m", "2m > ads.shown - visits.at",
        "at - shown < -(2m) * 2",
    ])
    func `within takes comparisons of the two event times`(text: String) throws {
        let within = try join("type: inner, keys: page, within: \(quotedJSON(text))").within
        #expect(within?.type == .boolean)
    }

    @Test(arguments: [
        ("visits.page = ads.page", "within-form"), ("ads.shown > visits.at + visits.at", "within-form"),
        ("ads.shown > '2024-01-01'", "within-form"), ("ads.shown > visits.at or ads.shown < visits.at", "within-form"),
        ("ads.shown between visits.at and timestamp '2024-01-01'", "within-form"), ("ads.shown > 5m", "within-form"),
        ("true", "within-form"), ("ads.shwn > visits.at", "unknown-column"),
        ("ads.shown + visits.at > 2m", "within-form"),
        ("ads.shown > visits.at + 5", "within-form"), ("not ads.shown > visits.at", "within-form"),
        ("window_end(ads.shown, 1m) > visits.at", "within-form"),
    ])
    func `anything else in within is refused`(text: String, code: String) {
        #expect(readSpec(job(join: "type: inner, keys: page, within: \(quotedJSON(text))")).codes == [code])
    }

    @Test(arguments: [
        ("type: inner", ["join-without-equality"]), ("type: inner, keys: { visits.page: ads.size }", ["key-type"]),
        ("type: inner, keys: { visits.price: ads.user }", ["key-type"]),
        ("type: inner, keys: nope", ["unknown-column", "unknown-column"]),
        ("type: outer, keys: page", ["unknown-word"]), ("keys: page", ["missing-key"]),
        ("type: inner, keys: []", ["missing-value"]),
        ("type: inner, window: 1m, null_safe: true", ["conflicting-keys"]),
        ("type: inner, keys: page, null_safe: [nope]", ["unknown-column"]),
        ("type: inner, keys: page, window: 0s", ["out-of-range"]),
        ("type: inner, keys: page, on: page", ["unknown-key"]),
        ("type: inner, keys: page, where: ads.page", ["type-mismatch"]),
    ])
    func `a wrong join is refused by its code`(text: String, codes: [String]) {
        let read = readSpec(job(join: text))
        #expect(read.codes == codes, "\(read.rendered)")
    }

    @Test(arguments: [JoinType.leftSemi, .leftAnti])
    func `after a semi or anti join only the left side has columns`(type: JoinType) throws {
        let text = "type: \(type.rawValue), keys: page, where: ads.size > visits.size"
        let all = try #require(readSpec(job(join: text, query: "")).spec)
        #expect(all.queries[0].select.map(\.name) == ["page", "user", "at", "size", "price"])
        #expect(readSpec(job(join: text, query: "select: [ads.page]")).codes == ["unknown-column"])
        #expect(readSpec(job(join: text, query: "select: [page]")).codes == [])
    }

    @Test func `without select all columns come out, left then right, unless two have one name`() throws {
        let read = readSpec(job(join: "type: inner, keys: page", query: ""))
        #expect(read.codes == ["duplicate-output"])
        #expect(read.diagnostics[0].fix == "add `select` and rename one: `ads_page: ads.page`")
        let distinct = job(join: "type: inner, keys: { page: path }", query: "").replacing(
            "{ page: string, user: string, shown: timestamp, size: long, price: \"decimal(10,3)\" }",
            with: "{ path: string, shown: timestamp }")
        let spec = try #require(readSpec(distinct).spec)
        #expect(spec.queries[0].select.map(\.name) == ["page", "user", "at", "size", "price", "path", "shown"])
        #expect(spec.queries[0].select.map(\.expression.description).last == "ads.shown")
    }
}

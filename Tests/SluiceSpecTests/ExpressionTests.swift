// What expressions mean: their type, and the typed tree, which is compared in its printed form because that shows every
// cast that was put in and every constant that was folded.

import SluiceSpec
import Testing

/// A query over one source with a column of each type, `i l d s b t a m` and a second decimal `n`.
func typedJob(select expression: String) -> String {
    """
    sluice: 1
    sources:
      r:
        file: { path: in }
        columns:
          { i: int, l: long, d: double, s: string, b: boolean, t: timestamp, a: date, m: "decimal(10,2)",
            n: "decimal(5,3)" }
    queries:
      q: { from: r, to: out, select: { x: \(quotedJSON(expression)) } }
    sinks: { out: { stdout: {} } }
    """
}

private func typed(_ expression: String) throws -> Expression<ColumnReference> {
    let read = readSpec(typedJob(select: expression))
    return try #require(read.spec?.queries[0].select[0].expression, "\(read.rendered)")
}

@Suite struct ExpressionTests {
    @Test(arguments: [
        ("1", "int", "1"), ("2147483647", "int", "2147483647"), ("2147483648", "long", "2147483648"),
        ("-2147483648", "int", "-2147483648"), ("-9223372036854775808", "long", "-9223372036854775808"),
        ("5L", "long", "5"), ("100_000", "int", "100000"), ("1.5", "decimal(2,1)", "1.5"),
        ("0.05", "decimal(2,2)", "0.05"), (".5", "decimal(1,1)", "0.5"), ("-1.50", "decimal(3,2)", "-1.50"),
        ("12345678901234567890", "decimal(20,0)", "12345678901234567890"), ("1e3", "double", "1000.0"),
        ("1.5E-3", "double", "0.0015"), ("'it''s'", "string", "'it''s'"), ("''", "string", "''"),
        ("TRUE", "boolean", "true"), ("null", "string", "null"), ("date '2024-02-29'", "date", "date '2024-02-29'"),
        ("timestamp '2024-01-01 08:18'", "timestamp", "timestamp '2024-01-01T08:18:00Z'"),
        (
            "timestamp '2024-01-01T09:18:00.000001+01:00'", "timestamp",
            "timestamp '2024-01-01T08:18:00.000001Z'"
        ),
        ("timestamp '1969-12-31 23:59:59.5Z'", "timestamp", "timestamp '1969-12-31T23:59:59.500Z'"),
    ])
    func `a literal has Spark's type`(text: String, type: String, printed: String) throws {
        let expression = try typed(text)
        #expect(expression.type.description == type)
        #expect(expression.description == printed)
        #expect(expression.isNullable == (text == "null"))
    }

    @Test(arguments: [
        ("r.t + 2m", "2m"), ("r.t + 1h30m", "1h30m"), ("r.t + 2 minutes", "2m"), ("r.t + interval 2 minutes", "2m"),
        ("r.t + interval '2' minutes", "2m"), ("r.t + interval '2 minutes'", "2m"), ("r.t + interval 1h30m", "1h30m"),
        ("r.t + PT10M", "10m"), ("r.t + P1DT2H", "1d2h"), ("r.t + 500ms", "500ms"),
        ("r.t + 1 hour 30 minutes", "1h30m"),
        ("r.t + interval -5 seconds", "-5s"), ("r.t + (2m + 30s)", "2m30s"), ("r.t + 2m * 3", "6m"),
        ("r.t + 3 * 2m", "6m"), ("r.t + 1.5h", "1h30m"), ("r.t + PT0.5S", "500ms"), ("2m + r.t", "2m"),
        ("r.t + (1d - 1h)", "23h"), ("r.t + -2m", "-2m"), ("r.t + 100_000ms", "1m40s"),
    ])
    func `a duration is written in any form`(text: String, duration: String) throws {
        let expression = try typed(text)
        #expect(expression.type == .timestamp)
        #expect(expression.description == "r.t + \(duration)")
    }

    @Test(
        arguments: [
            // Integers, as Spark: int < long < decimal < double; `/` of integers is a double.
            ("i + 1", "int", "r.i + 1"), ("i + l", "long", "cast(r.i as long) + r.l"), ("l * 2", "long", "r.l * 2"),
            ("i / 2", "double", "cast(r.i as double) / 2.0"), ("i % 3", "int", "r.i % 3"), ("-i", "int", "-r.i"),
            ("i + d", "double", "cast(r.i as double) + r.d"), ("d + 1", "double", "r.d + 1.0"),
            ("m + d", "double", "cast(r.m as double) + r.d"), ("d > 1.5", "boolean", "r.d > 1.5"),
            // Decimals: Spark's DecimalPrecision; constants count with their digits.
            ("m + n", "decimal(12,3)", "r.m + r.n"),
            ("m * n", "decimal(16,5)", "r.m * r.n"),
            ("m / n", "decimal(19,8)", "r.m / r.n"),
            ("m % n", "decimal(5,3)", "r.m % r.n"),
            ("m + 1", "decimal(11,2)", "r.m + 1"), ("m * 2", "decimal(12,2)", "r.m * 2"),
            ("m + i", "decimal(13,2)", "r.m + cast(r.i as decimal(10,0))"),
            ("m > 5", "boolean", "r.m > 5.00"),
            ("m = l", "boolean", "cast(r.m as decimal(22,2)) = cast(r.l as decimal(22,2))"),
            ("coalesce(m, 5)", "decimal(12,2)", "coalesce(cast(r.m as decimal(12,2)), 5.00)"),
            ("cast(1 as decimal(38,18)) * cast(1 as decimal(38,18))", "decimal(38,6)", nil),
            ("cast(1 as decimal(38,10)) + cast(1 as decimal(38,2))", "decimal(38,6)", nil),
            // Comparisons and three-valued logic.
            ("i = l", "boolean", "cast(r.i as long) = r.l"),
            ("i <> 3000000000", "boolean", "cast(r.i as long) <> 3000000000"),
            ("i != 1 and i == 1", "boolean", "r.i <> 1 and r.i = 1"), ("s <=> null", "boolean", "r.s <=> null"),
            ("t > a", "boolean", "r.t > cast(r.a as timestamp)"),
            ("t >= date '2024-01-01'", "boolean", "r.t >= timestamp '2024-01-01T00:00:00Z'"),
            ("i between 1 and 10", "boolean", "r.i >= 1 and r.i <= 10"),
            ("i not between 1 and 10 or b", "boolean", "not (r.i >= 1 and r.i <= 10) or r.b"),
            ("i in (1, 2, 3)", "boolean", "r.i in (1, 2, 3)"),
            ("i in (1, 3000000000)", "boolean", "cast(r.i as long) in (1, 3000000000)"),
            ("s not in ('a')", "boolean", "not r.s in ('a')"), ("s like 'a%'", "boolean", "r.s like 'a%'"),
            ("s not like 'a%'", "boolean", "not r.s like 'a%'"),
            ("s is not null and not b", "boolean", "r.s is not null and not r.b"),
            ("null and b", "boolean", "null and r.b"), ("not b = b", "boolean", "not r.b = r.b"),
            // Precedence and parentheses.
            ("i + 2 * 3 - 1", "int", "r.i + 2 * 3 - 1"), ("(i + 2) * 3", "int", "(r.i + 2) * 3"),
            ("i - (2 - 1)", "int", "r.i - (2 - 1)"), ("b or b and b", "boolean", "r.b or r.b and r.b"),
            ("(b or b) and b", "boolean", "(r.b or r.b) and r.b"), ("not (b and b)", "boolean", "not (r.b and r.b)"),
            ("i + 1 = 2 or s || 'x' = 'y'", "boolean", "r.i + 1 = 2 or r.s || 'x' = 'y'"),
            // Time.
            ("t - 2m < t", "boolean", "r.t - 2m < r.t"), ("t - t > 5 minutes", "boolean", "r.t - r.t > 5m"),
            ("a + 1 day", "timestamp", "cast(r.a as timestamp) + 1d"),
            ("t + i * 1s", "timestamp", "r.t + 1s * cast(r.i as long)"),
            // Functions and case.
            ("coalesce(i, l, 0)", "long", "coalesce(cast(r.i as long), r.l, 0)"),
            ("length(trim(s))", "int", "length(trim(r.s))"),
            ("substring(s, 1, 2)", "string", "substring(r.s, 1, 2)"),
            ("concat(s, i, null)", "string", "r.s || cast(r.i as string) || null"),
            ("s || m", "string", "r.s || cast(r.m as string)"), ("abs(m)", "decimal(10,2)", "abs(r.m)"),
            ("round(m)", "decimal(9,0)", "round(r.m, 0)"), ("round(m, 1)", "decimal(10,1)", "round(r.m, 1)"),
            ("round(m, -3)", "decimal(9,0)", "round(r.m, -3)"), ("round(d, 2)", "double", "round(r.d, 2)"),
            ("window_end(t, 10s)", "timestamp", "window_end(r.t, 10s)"), ("UPPER(s)", "string", "upper(r.s)"),
            ("case when b then 1 else 2.5 end", "decimal(11,1)", "case when r.b then 1.0 else 2.5 end"),
            (
                "case s when 'a' then i when 'b' then l end", "long",
                "case when r.s = 'a' then cast(r.i as long) when r.s = 'b' then r.l end"
            ),
            ("cast(s as decimal(5,2))", "decimal(5,2)", "cast(r.s as decimal(5,2))"),
            ("cast(1 as double)", "double", "1.0"),
            ("cast(null as date)", "date", "null"), ("cast(t as long)", "long", "cast(r.t as long)"),
        ] as [(String, String, String?)])
    func `an expression gets Spark's type, with its casts written out`(
        text: String, type: String, printed: String?
    ) throws {
        let expression = try typed(text)
        #expect(expression.type.description == type)
        if let printed { #expect(expression.description == printed) }
    }

    @Test(arguments: [
        ("i", true), ("1 + 2", true), ("1.5e0 + 2", false), ("1 / 2", true), ("i is null", false), ("i <=> l", false),
        ("coalesce(i, 1)", false),
        ("coalesce(i, l)", true), ("case when b then 1 else 2 end", false), ("case when b then 1 end", true),
        ("cast('1' as int)", true), ("cast(1 as string)", false), ("'a' || s", true), ("lower('A')", false),
    ])
    func `nullability follows the operands`(text: String, isNullable: Bool) throws {
        #expect(try typed(text).isNullable == isNullable)
    }

    @Test func `names in back quotes stand for any column`() throws {
        let read = readSpec(
            """
            sluice: 1
            sources:
              my-rows: { file: { path: in }, columns: { "order": string, "a b": int, "x`y": int } }
            queries:
              q: { from: my-rows, to: out, select: { x: "`my-rows`.`a b` + `x``y`", y: "`order`", z: my-rows.order } }
            sinks: { out: { stdout: {} } }
            """)
        // `my-rows.order` is a subtraction to the expression parser.
        #expect(read.codes == ["unknown-column", "unknown-source"])
        let fixed = readSpec(
            """
            sluice: 1
            sources:
              my-rows: { file: { path: in }, columns: { "order": string, "a b": int, "x`y": int } }
            queries:
              q: { from: my-rows, to: out, select: { x: "`my-rows`.`a b` + `x``y`", y: "`order`" } }
            sinks: { out: { stdout: {} } }
            """)
        let select = try #require(fixed.spec?.queries[0].select)
        #expect(select.map(\.expression.description) == ["`my-rows`.`a b` + `my-rows`.`x``y`", "`my-rows`.order"])
    }

    @Test func `deep nesting is refused without running out of stack`() {
        let deep = String(repeating: "(", count: 20_000) + "i" + String(repeating: ")", count: 20_000)
        #expect(readSpec(typedJob(select: deep)).codes == ["too-deep"])
        #expect(readSpec(typedJob(select: String(repeating: "not ", count: 20_000) + "b")).codes == ["too-deep"])
        #expect(readSpec(typedJob(select: String(repeating: "-", count: 20_000) + "i")).codes == ["too-deep"])
        // Each change of operator is a level of the tree.
        #expect(readSpec(typedJob(select: "i" + String(repeating: " - i + i", count: 10_000))).codes == ["too-deep"])
        let long = "i in (" + (0..<10_000).map(String.init).joined(separator: ",") + ")"
        #expect(readSpec(typedJob(select: long)).codes == [])
    }

    @Test(arguments: [
        ("(i + 1", "1:7"), ("b and", "1:6"), ("i +* 1", "1:4"), ("lower(i, 2)", "1:1"), ("s = 'open", "1:5"),
        ("i in ()", "1:1"), ("case end", "1:6"), ("i is 3", "1:6"), ("s like 5", "1:8"), ("t + 5", "1:1"),
        ("i..s", "1:3"), ("i s", "1:3"), ("sum(i)", "1:1"), ("interval 5", "1:11"), ("cast(i int)", "1:8"),
        ("5 fortnights", "1:1"), ("t + 99999999999999d", "1:5"), ("1e999", "1:1"), ("t * 2", "1:1"), ("not s", "1:5"),
    ])
    func `an error points at the character`(text: String, place: String) throws {
        let read = readSpec(typedJob(select: text))
        let diagnostic = try #require(read.errors.first)
        // The expression stands behind `x: "` in line 9.
        let start = "  q: { from: r, to: out, select: { x: \"".count
        #expect(diagnostic.position.line == 9)
        #expect("1:\(diagnostic.position.column - start)" == place, "\(read.rendered)")
        #expect(read.errors.count == 1)
    }
}

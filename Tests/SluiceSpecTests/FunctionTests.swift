// Calls of functions as `check` sees them: what is wrong, where, and what to write instead. What functions compute is
// held against Spark in SluiceEngineTests.

import Testing

@testable import SluiceSpec

@Suite struct FunctionTests {
    /// The diagnostics of an expression over `t: string`, `i: int`, `at: timestamp` and `day: date`, a line each.
    private func problems(_ expression: String) -> [String] {
        let quoted = expression.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        let spec = """
            sluice: 1
            sources:
              x:
                file: { path: x.jsonl }
                format: json
                columns: { t: string, i: int, at: timestamp, day: date, d: double }
            queries:
              q: { from: x, to: out, trigger: once, select: { v: "\(quoted)" } }
            sinks:
              out: { stdout: {}, format: json }
            """
        let (_, diagnostics) = SpecReader.read(
            files: [("x.yaml", Array(spec.utf8))], environment: { _ in nil },
            readFile: { _ in .failure(UnreadableFile(reason: "none")) })
        return diagnostics.filter { $0.severity == .error }.map { diagnostic in
            // The expression begins at column 55 of its line.
            "\(diagnostic.position.column - 54): \(diagnostic.message)" + (diagnostic.fix.map { "; \($0)" } ?? "")
        }
    }

    @Test(arguments: [
        ("lpad(t)", "1: 1 argument, where `lpad(text, length[, pad])` is the form"),
        ("year(t)", "6: `year` wants a timestamp or a date, and this is a string; write `to_timestamp(t)`"),
        (
            "timestamp_millis(d)",
            "18: `timestamp_millis` wants an int or a long, and this is a double; write `cast(d as long)`"
        ),
        (
            "rlike(t, t)",
            "10: `rlike` wants its regular expression as a constant text, which is compiled once, not for each row; write the regular expression between single quotes"
        ),
        ("t rlike '^(a'", "11: a `(` without its `)`; write `\\(` for the character"),
        ("t rlike 'a[b-'", "11: a `[` without its `]`; write `\\[` for the character"),
        ("t rlike 'it''s ['", "16: a `[` without its `]`; write `\\[` for the character"),
        ("t rlike 'a\\q'", "11: `\\q` has no meaning in Java's regular expressions; write `q`"),
        (
            "t rlike '[a-z&&[^b]]'",
            "14: `&&` in a class of characters, which has no form here; write a look-ahead: `(?=[…])[…]`"
        ),
        ("t rlike '(?x)a'", "12: the flag `x` of regular expressions is not there; leave it out"),
        ("t rlike '*a'", "10: `*` with nothing before it to repeat; write `\\*`"),
        ("regexp_extract(t, 'a(b)', 2)", "27: group 2 of a regular expression with 1 group"),
        (
            "regexp_extract(t, 'a')",
            "19: group 1 of a regular expression with 0 groups; write `(…)` around the part, or 0 for the whole match"
        ),
        ("regexp_replace(t, 'a', 'x$1')", "26: `$1` is a group that the regular expression does not have"),
        (
            "regexp_replace(t, 'a', '5 $')",
            "27: `$` in a replacement without a group behind it; write `\\$` for the character"
        ),
        (
            "to_date(t, 'YYYY-MM-dd')",
            "13: `Y` is about weeks, and patterns know none; letters are y M L d D H h K k m s S a G V X x Z O; other text stands between single quotes"
        ),
        (
            "to_timestamp(t, 'yyyy-MM-dd T')",
            "29: `T` is not a letter of patterns; letters are y M L d D H h K k m s S a G V X x Z O; other text stands between single quotes"
        ),
        ("to_date(t, 'dd/MMMMM')", "16: `MMMMM` is no part of a pattern; `M` stands up to 4 times"),
        (
            "to_date(t, t)",
            "12: `to_date` wants its pattern as a constant text, which is compiled once, not for each row; write the pattern between single quotes"
        ),
        ("date_trunc('weak', at)", "12: `'weak'` is not a unit of `date_trunc`; did you mean `'week'`?"),
        ("get_json_object(t, 'a.b')", "21: a path into JSON begins with `$`; write `$.field` or `$[0]`"),
        (
            "get_json_object(t, '$.a[x]')",
            "24: `[x]` is no element in a path into JSON; elements are `[0]`, `[1]`, … and `[*]`; a field is `['x']`"
        ),
        ("get_json_object(t, '$.*')", "22: a path into JSON cannot mean every field of an object; name the field"),
        ("regexp_extrac(t, 'a', 0)", "1: no function `regexp_extrac`; did you mean `regexp_extract`?"),
        ("ceiling(i)", "1: no function `ceiling`; did you mean `ceil`?"),
        ("hash(1h)", "6: `hash` wants a value of a column's type, and this is a duration"),
    ])
    func `A wrong call gets one error with its place and what to write`(expression: String, problem: String) {
        #expect(problems(expression) == [problem])
    }

    @Test(arguments: [
        "not t rlike 'a'", "t not rlike 'a'", "like(t, 'a%')", "t like 'a%'", "t rlike null", "to_date(day)",
        "hash(null)",
        "left(t, null)", "nullif(i, 0) + 1", "greatest(i, d, null)", "hour(day)", "to_timestamp(i)",
    ])
    func `A right call is taken`(expression: String) {
        #expect(problems(expression).isEmpty)
    }

    @Test func `Every function stands once in the table and is called as its usage says`() {
        let names = FunctionDefinition.all.map(\.name)
        #expect(Set(names).count == names.count)
        for function in FunctionDefinition.all {
            #expect(function.usage.hasPrefix(function.name + "("))
            #expect(function.name == function.name.lowercased())
            #expect(function.summary.hasSuffix("."))
            #expect(FunctionDefinition.named(function.name.uppercased())?.name == function.name)
            #expect(function.example.contains(function.name), "\(function.name)")
            #expect(problems(function.example).isEmpty, "\(function.example)")
        }
    }

    /// The typed form of an expression without columns, or nil.
    private func typed(_ expression: String, timeZone: String = "UTC") throws -> TypedExpression? {
        let scalars = Array(expression.unicodeScalars)
        let source = SourceText(name: "x.yaml", scalars: scalars)
        let scalar = YAMLScalar(text: expression, style: .plain, isNull: false, span: 0..<scalars.count, source: source)
        let text = ExpressionText(scalar)
        let checker = TypeChecker(
            text: text, scope: ColumnScope(inputs: [], output: nil), diagnostics: DiagnosticCollector(),
            timeZone: timeZone)
        return checker.check(try ExpressionParser.parse(text))
    }

    @Test(arguments: [
        ("'t' rlike 'a.b'", "'t' rlike 'a.b'"), ("'t' not rlike 'a'", "not 't' rlike 'a'"),
        ("LPAD('a', 3)", "lpad('a', 3, ' ')"),
        (
            "date_trunc('hour', timestamp '2024-01-01T00:00:00Z')",
            "date_trunc('hour', timestamp '2024-01-01T00:00:00Z')"
        ),
        ("regexp_extract('a', '(a)')", "regexp_extract('a', '(a)', 1)"), ("greatest(1, 2.5)", "greatest(1.0, 2.5)"),
        ("dayofweek(date '2024-01-01') + 1", "dayofweek(date '2024-01-01') + 1"), ("sqrt(4)", "sqrt(4.0)"),
    ])
    func `A call is printed as it is read again`(written: String, printed: String) throws {
        let expression = try #require(try typed(written))
        #expect(expression.description == printed)
        #expect(try typed(printed)?.description == printed)
    }

    @Test func `What depends on the zone is left to the engine unless the zone is UTC`() throws {
        let date = "date '2024-01-01' < timestamp '2024-01-01T00:00:00Z'"
        #expect(
            try typed(date)?.description == "timestamp '2024-01-01T00:00:00Z' < timestamp '2024-01-01T00:00:00Z'")
        #expect(
            try typed(date, timeZone: "Europe/Paris")?.description
                == "cast(date '2024-01-01' as timestamp) < timestamp '2024-01-01T00:00:00Z'")
        let bare = "hour(timestamp '2024-01-01 08:00:00')"
        #expect(try typed(bare)?.description == "hour(timestamp '2024-01-01T08:00:00Z')")
        #expect(
            try typed(bare, timeZone: "Europe/Paris")?.description == "hour(cast('2024-01-01 08:00:00' as timestamp))")
    }
}

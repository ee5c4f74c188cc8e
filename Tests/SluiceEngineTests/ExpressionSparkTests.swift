// Every expression that has been run on real Spark (Spark/expressions.json), from its text through the type checker to
// the value. Where Spark in ANSI mode ends the query with an error, Sluice gives null; where Sluice's type checker is
// stricter on purpose, the expression stands in a list below.

import Foundation
import SluicePlan
import SluiceSpec
import Testing

@testable import SluiceEngine

private struct Truth: Decodable {
    /// A number, a text, a truth value or nothing.
    enum Scalar: Decodable, Equatable {
        case null
        case integer(Int64)
        case boolean(Bool)
        case text(String)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let flag = try? container.decode(Bool.self) {
                self = .boolean(flag)
            } else if let number = try? container.decode(Int64.self) {
                self = .integer(number)
            } else {
                self = .text(try container.decode(String.self))
            }
        }
    }

    struct Column: Decodable {
        var type: String
        var value: Scalar?
    }

    struct Outcome: Decodable {
        var result: Scalar?
        var resultType: String?
        var error: String?
    }

    struct Case: Decodable {
        var group: String
        var expr: String
        var timeZone: String?
        var columns: [String: Column]
        var both: Outcome?
        var ansi: Outcome?
        var nonAnsi: Outcome?

        /// What Sluice must give: Spark's answer in ANSI mode.
        var outcome: Outcome? { both ?? ansi }
    }

    var cases: [Case]
}

@Suite struct ExpressionSparkTests {
    /// Spark turns texts into numbers and times by itself, Sluice's type checker wants a cast; it also wants constants
    /// where Spark folds them. Each of these is refused, with a message.
    private static let refused: Set<String> = [
        "uni > '\u{FFFF}'", "num = 42", "42 = num", "num < 5", "num > 5.5", "numf = 4.75", "num = n", "num > d",
        "num = p", "snull = 1", "t = 'true'", "t = 'yes'", "ts = '2024-01-01T08:18:00.123456Z'", "ts > '2024-01-01'",
        "dt = '2024-01-01'", "dt < '2024-01-02'", "2 < '10'", "1.5 < '1.6'",
        "ts between '2024-01-01' and '2024-01-02'", "i between '1' and '9'", "num between 1 and 50",
        "i in ('7', '8')", "num in (42, 43)", "dt in ('2024-01-01')", "n like '1%'", "i + num", "num / 2", "num % 5",
        "n + num", "d + num", "p + num", "p + numf", "-num", "coalesce(snull, i)", "upper(i)", "lower(t)", "trim(i)",
        "length(i)", "length(d)", "length(t)", "length(p)", "length(ts)", "substring(i, 1, 1)", "substring(p, 1, 2)",
        "substring(a, n, 1)", "substring(a, d)", "substring(a, '2')", "substring(a, 1, 2.9)", "abs(num)",
        "abs(cast(-5 as bigint))", "round(num)", "round(numf)", "round(dbig, -299)", "round(dbig, -300)",
        "round(dbig, -301)", "round(i, 1 + 1)", "round(cast(5e-324 as double), 323)",
        "round(cast(5e-324 as double), 324)",
    ]

    /// Where the answer differs, and why.
    private static let different: [String: String] = [
        "uni like '__😀_'": "Spark's pattern never finds a character beyond U+FFFF: it quotes the surrogates one by one",
        "cast('0x1p3' as double)": "hexadecimal floats are no numbers here",
        "tp - interval 1 day": "a duration is a number of microseconds, whatever the clocks of a zone do",
        "tp - interval 24 hours": "a duration is a number of microseconds, whatever the clocks of a zone do",
        "dt + interval 1 day": "a date and a duration make a timestamp",
        "coalesce(null, null)": "there is no type void",
        "coalesce(pnull, 1)": "a constant counts with its digits, not with its type's",
        // The type checker brings decimals to one scale before it compares them, which can cut digits.
        "n > 9.99999999999999999999": "digits cut before",
    ]

    private func value(_ scalar: Truth.Scalar?, _ type: DataType) throws -> Value {
        switch (scalar ?? .null, type) {
        case (.null, _): return .null
        case (.boolean(let flag), .boolean): return .boolean(flag)
        case (.integer(let number), .int), (.integer(let number), .long): return .integer(number)
        case (.integer(let number), .timestamp): return .timestamp(number)
        case (.integer(let number), .date): return .date(number)
        case (.text(let text), .string): return .string(text)
        case (.text(let text), .double):
            return .double(try #require(Array(text.utf8).withUnsafeBytes { parseDouble($0) }))
        case (.text(let text), .decimal(let precision, let scale)):
            let digits = Array(text.utf8).withUnsafeBytes { parseDecimal($0, precision: precision, scale: scale) }
            return .decimal(try #require(digits))
        default:
            Issue.record("\(String(describing: scalar)) is no \(type)")
            return .null
        }
    }

    /// The expression as the spec reader types it, over slots of a row with its columns; nil when it is refused.
    private func typed(_ item: Truth.Case, _ names: [String]) throws -> Tree? {
        let quoted = String(decoding: try JSONEncoder().encode([item.expr]), as: UTF8.self).dropFirst().dropLast()
        let columns = names.map { "\($0): \"\(item.columns[$0]!.type)\"" } + ["unused: int"]
        let spec = """
            sluice: 1
            sources:
              x:
                file: { path: x.jsonl }
                format: json
                columns: { \(columns.joined(separator: ", ")) }
            queries:
              q:
                from: x
                select: { v: \(quoted.replacing("\\/", with: "/")) }
                trigger: once
                to: out
            sinks:
              out: { stdout: {}, format: json }
            """
        let (read, diagnostics) = SpecReader.read(
            files: [("x.yaml", Array(spec.utf8))], environment: { _ in nil },
            readFile: { _ in .failure(UnreadableFile(reason: "none")) })
        guard let read else {
            #expect(diagnostics.contains { $0.severity == .error })
            return nil
        }
        let output = try #require(read.queries.first?.select.first)
        return output.expression.mapColumns { ColumnSlot(input: 0, index: names.firstIndex(of: $0.column)!) }
    }

    @Test func everyExpressionThatSparkHasEvaluatedHasItsValueAndType() throws {
        let compared = try compare("expressions.json", refused: Self.refused, different: Self.different)
        #expect(compared > 1200)
    }

    @Test func `Functions give Spark's values and types`() throws {
        let compared = try compare(
            "functions.json", refused: FunctionDifferences.refused, different: FunctionDifferences.answers,
            ignoring: { expression in FunctionDifferences.refusedPatterns.contains { expression.contains("'\($0)'") } })
        #expect(compared > 2000)
    }

    /// Holds every expression of a recording against what Sluice makes of it; returns how many have a value here.
    /// Expressions that are refused and to be ignored need not be in the list of refused ones.
    private func compare(
        _ recording: String, refused expected: Set<String>, different: [String: String],
        ignoring isIgnored: (String) -> Bool = { _ in false }
    ) throws -> Int {
        let truth = try sparkFixture(recording, as: Truth.self)
        var refused: Set<String> = []
        var compared = 0
        for item in truth.cases {
            let outcome = try #require(item.outcome)
            let names = item.columns.keys.sorted()
            guard let tree = try typed(item, names) else {
                // What Spark refuses too needs no entry.
                if outcome.error == nil, !isIgnored(item.expr) { refused.insert(item.expr) }
                continue
            }
            #expect(!isIgnored(item.expr), "\(item.expr)")
            guard different[item.expr] == nil else { continue }
            let types = names.map { DataType(item.columns[$0]!.type)! }
            let values = try zip(names, types).map { try value(item.columns[$0]!.value, $1) }
            let result = compute(tree, [TestRow(types, values)], zone: rules(item.timeZone ?? "UTC"))
            compared += 1
            // A sink's schema may have a field that is never null for it.
            #expect(tree.isNullable || result != .null, "said never to be null: \(item.expr)")
            if outcome.error != nil {
                #expect(result == .null, "\(item.expr) \(item.timeZone ?? "")")
                continue
            }
            #expect(tree.type.description == outcome.resultType, "\(item.expr) \(item.timeZone ?? "")")
            let expected = try value(outcome.result, tree.type)
            #expect(same(result, expected), "\(result) is not \(expected): \(item.expr) \(item.timeZone ?? "")")
            if tree.type == .boolean {
                #expect(
                    holds(tree, [TestRow(types, values)]) == (expected == .boolean(true)),
                    "\(item.expr) \(item.timeZone ?? "")")
            }
        }
        #expect(refused == expected)
        return compared
    }

    /// -0.0 is not 0.0 here, and NaN is NaN.
    private func same(_ a: Value, _ b: Value) -> Bool {
        guard case .double(let x) = a, case .double(let y) = b else { return a == b }
        return x.isNaN ? y.isNaN : x.bitPattern == y.bitPattern
    }
}

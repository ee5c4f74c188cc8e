// Columns by path, with units and patterns, and parts of records as JSON. Random records are built as trees, so that
// what a path leads to is known without reading text; both readers of JSON must find it.

import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceEngine

private func plan(
    _ columns: [(path: FieldPath, type: DataType, form: ColumnSpec.Form)], timeZone: String = "UTC"
) -> InputPlan {
    InputPlan(
        source: "source", format: .json(), timeZone: timeZone, badRows: .null, fieldCount: columns.count,
        columns: columns.enumerated().map { index, column in
            InputColumn(
                name: "c\(index)", type: column.type, origin: .field(column.path), form: column.form,
                declaredIndex: index)
        })
}

private func plan(_ columns: [(String, DataType)]) throws -> InputPlan {
    plan(try columns.map { (try FieldPath(text: $0.0), $0.1, .usual) })
}

/// What both readers make of a record; they have to agree.
private func decoded(_ text: String, _ plan: InputPlan) -> DecodedRecord? {
    let walked = decode(text + "\n", plan)
    #expect(walked == decode(text + "\n", plan, path: .lenient), "\(text)")
    return walked.first
}

@Suite struct PathDecodeTests {
    @Test(
        arguments: [
            (#"{"user":{"id":"a","page":{"n":3}},"x":1}"#, ["a", "3", nil, nil], false),
            (
                #"{"x":1,"user" : { "other":[1,{"id":"no"}], "page":{"m":2,"n":3}, "id":"a"}}"#, ["a", "3", nil, nil],
                false
            ),
            (#"{"user":null}"#, [nil, nil, nil, nil], false), (#"{"user":{}}"#, [nil, nil, nil, nil], false),
            (#"{}"#, [nil, nil, nil, nil], false), (#"{"user":{"page":null,"id":null}}"#, [nil, nil, nil, nil], false),
            // A value of the wrong kind gives null and makes the row bad.
            (#"{"user":5}"#, [nil, nil, nil, nil], true), (#"{"user":"a"}"#, [nil, nil, nil, nil], true),
            (#"{"user":[{"id":"a"}]}"#, [nil, nil, nil, nil], true),
            (#"{"user":{"id":"a","page":[3]}}"#, ["a", nil, nil, nil], true),
            (#"{"user":{"id":"a","page":{"n":"three"}}}"#, ["a", nil, nil, nil], true),
            // The last field of a name takes the place of all before it.
            (#"{"user":{"id":"a","page":{"n":3}},"user":{"id":"b"}}"#, ["b", nil, nil, nil], false),
            (#"{"user":{"id":"a"},"user":null}"#, [nil, nil, nil, nil], false),
            // Unless it is of the wrong kind.
            (#"{"user":{"id":"a"},"user":5}"#, ["a", nil, nil, nil], true),
            (#"{"items":[{"sku":"s0"}],"items":{}}"#, [nil, nil, "s0", nil], true),
            // Elements of arrays.
            (#"{"items":[{"sku":"s0"},{"sku":"s1"},{"sku":"s2"}]}"#, [nil, nil, "s0", "s2"], false),
            (#"{"items":[{"sku":"s0"}]}"#, [nil, nil, "s0", nil], false),
            (#"{"items":[]}"#, [nil, nil, nil, nil], false),
            (#"{"items":[null,5,{"x":[1,[2]],"sku":"s2"},{"sku":"s3"}]}"#, [nil, nil, nil, "s2"], false),
            (#"{"items":[7]}"#, [nil, nil, nil, nil], true),
            (#"{"items":{"0":{"sku":"a"}}}"#, [nil, nil, nil, nil], true),
            (#"{"user":{'id':'a'}}"#, ["a", nil, nil, nil], false),
        ] as [(String, [String?], Bool)])
    func `A path leads to its value`(text: String, values: [String?], isBad: Bool) throws {
        let plan = try plan([
            ("user.id", .string), ("user.page.n", .int), ("items[0].sku", .string), ("items[2].sku", .string),
        ])
        let record = try #require(decoded(text, plan))
        #expect(record.values == values)
        #expect(record.kind == (isBad ? .bad : .good))
    }

    @Test func `A record that breaks off or breaks anywhere is none`() throws {
        let text =
            #"{"user":{"id":"a","page":{"n":3}},"items":[{"sku":"s0"},{"sku":"s1"}],"meta":{"x":[1,{"y":null}]}}"#
        let plan = try plan([
            ("user.id", .string), ("user.page.n", .int), ("items[1].sku", .string), ("meta", .json),
        ])
        #expect(decoded(text, plan)?.kind == .good)
        for count in 1..<text.utf8.count {
            let part = String(text.prefix(count))
            #expect(decoded(part, plan)?.kind == DecodedRecord.Kind.none, "\(part)")
        }
        let breaks = [(#""n":3"#, "n:3"), (#"{"y""#, #"{]"y""#), (#"s1"}"#, #"s1",}"#), (#""a""#, #""\q""#)]
        for (piece, broken) in breaks {
            let record = try #require(decoded(text.replacing(piece, with: broken), plan))
            #expect(record.kind == .none && record.fault == .malformed, "\(broken): \(record)")
        }
    }

    @Test func `One field feeds a column, a part and what lies in it`() throws {
        let plan = try plan([("meta", .json), ("meta.ts", .long), ("meta.tags[1]", .string), ("meta.tags", .json)])
        let text = #"{ "meta" : {"ts": 5, "tags": ["a", "b c"], "x": {"y": 1.50}} }"#
        let meta = #"{"ts":5,"tags":["a","b c"],"x":{"y":1.50}}"#
        #expect(try #require(decoded(text, plan)).values == [meta, "5", "b c", #"["a","b c"]"#])
    }

    @Test(
        arguments: [
            (#"{"a":{"n": 1.50, "s" : "x \" y\\"}}"#, #"{"n":1.50,"s":"x \" y\\"}"#), (#"{"a":"t"}"#, #""t""#),
            (#"{"a": true }"#, "true"), (#"{"a": -1e5 }"#, "-1e5"), (#"{"a": [ ]}"#, "[]"), (#"{"a":null}"#, nil),
            (#"{"a":"\u0041\n"}"#, #""A\n""#), (#"{"a":{'b':NaN}}"#, #"{"b":"NaN"}"#), (#"{"b":1}"#, nil),
            (#"{"a":{"b":null}}"#, #"{"b":null}"#),
            (#"{"a":[NaN,12345678901234567.250,-0]}"#, #"["NaN",12345678901234567.250,-0]"#),
        ] as [(String, String?)])
    func `A part of a record is JSON again`(text: String, part: String?) throws {
        #expect(try #require(decoded(text, try plan([("a", .json)]))).values == [part])
    }

    @Test(
        arguments: [
            (EpochUnit.seconds, "1700000000", 1_700_000_000_000_000),
            (.seconds, "1700000000.123456789", 1_700_000_000_123_456),
            (.milliseconds, "1700000000123", 1_700_000_000_123_000), (.milliseconds, "1.7E12", 1_700_000_000_000_000),
            (.microseconds, "1700000000123456", 1_700_000_000_123_456),
            (.nanoseconds, "1700000000123456789", 1_700_000_000_123_456),
            (.nanoseconds, "-1", -1), (.seconds, "-0.5", -500_000), (.milliseconds, "0.0019", 1),
            (.milliseconds, "9223372036854775807", nil), (.seconds, "1e300", nil),
        ] as [(EpochUnit, String, Int64?)])
    func `A number in a unit is a time, also as text`(unit: EpochUnit, number: String, micros: Int64?) throws {
        let plan = plan([(FieldPath(name: "t"), .timestamp, .epoch(unit))])
        for text in ["{\"t\":\(number)}", "{\"t\":\"\(number)\"}"] {
            let record = try #require(decoded(text, plan))
            #expect(record.values == [micros.map { String($0) }], "\(text)")
            #expect(record.kind == (micros == nil ? .bad : .good), "\(text)")
        }
        #expect(try #require(decoded(#"{"t":"2024-01-01"}"#, plan)).kind == .bad)
        #expect(try #require(decoded(#"{"t":true}"#, plan)).kind == .bad)
    }

    @Test func `A pattern reads times in the source's zone`() throws {
        func column(_ name: String, _ type: DataType, _ pattern: String) throws -> (
            FieldPath, DataType, ColumnSpec.Form
        ) {
            (
                FieldPath(name: name), type,
                .pattern(try ColumnPattern(pattern))
            )
        }
        let plan = plan(
            [try column("d", .date, "dd/MM/yyyy"), try column("t", .timestamp, "dd.MM.yyyy HH:mm")],
            timeZone: "Europe/Paris")
        let record = try #require(decoded(#"{"d":"31/01/2024","t":"31.01.2024 09:18"}"#, plan))
        #expect(record.values == ["19753", "1706689080000000"])
        let bad = try #require(decoded(#"{"d":"2024-01-31","t":20240131}"#, plan))
        #expect(bad.values == [nil, nil] && bad.kind == .bad)
    }

    // MARK: Random records

    @Test(arguments: 0..<1000 as Range<UInt64>)
    func `A random path leads through a random record`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let record = RandomTree.object(&random, depth: 4)
        var paths: [(path: FieldPath, type: DataType, form: ColumnSpec.Form)] = []
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let type: DataType = [.string, .long, .json].randomElement(using: &random) ?? .string
            paths.append((FieldPath(RandomTree.path(through: record, &random)), type, .usual))
        }
        let text = record.text(&random)
        let actual = try #require(decoded(text, plan(paths)), "seed \(seed): \(text)")
        let expected = paths.map { record.value(at: $0.path.steps[...], as: $0.type) }
        #expect(actual.values == expected, "seed \(seed): \(text) at \(paths.map(\.path))")
    }
}

/// A record as a tree. Values of the kinds that columns of the test can have, and what lies between.
private indirect enum RandomTree {
    case null, number(Int64), text(String), array([RandomTree]), object([(String, RandomTree)])

    static let names = ["a", "b", "c", "long name", "user_id", "a.b", "x-y", "z1234567890123456789"]

    static func object(_ random: inout some RandomNumberGenerator, depth: Int) -> RandomTree {
        .object(
            names.shuffled(using: &random).prefix(Int.random(in: 0...5, using: &random)).map {
                ($0, value(&random, depth: depth - 1))
            })
    }

    static func value(_ random: inout some RandomNumberGenerator, depth: Int) -> RandomTree {
        switch Int.random(in: 0...(depth > 0 ? 6 : 3), using: &random) {
        case 0: return .null
        case 1: return .number(Int64.random(in: -1000...1000, using: &random))
        case 2, 3: return .text(["", "x", "two words", "{[,:]}", "ü€"].randomElement(using: &random) ?? "")
        case 4:
            return .array((0..<Int.random(in: 0...3, using: &random)).map { _ in value(&random, depth: depth - 1) })
        default: return object(&random, depth: depth)
        }
    }

    /// Steps that lead somewhere, or leave the record.
    static func path(
        through tree: RandomTree, _ random: inout some RandomNumberGenerator
    ) -> [FieldPath.Step] {
        var steps: [FieldPath.Step] = []
        var tree = tree
        while steps.count < 5 {
            switch tree {
            case .object(let fields):
                let field = Bool.random(using: &random) ? fields.randomElement(using: &random) : nil
                let name = field?.0 ?? names.randomElement(using: &random) ?? "a"
                steps.append(.name(name))
                tree = fields.first { $0.0 == name }?.1 ?? .null
            case .array(let elements) where !steps.isEmpty:
                let element = Int.random(in: 0...3, using: &random)
                steps.append(.element(element))
                tree = element < elements.count ? elements[element] : .null
            default:
                if !steps.isEmpty { return steps }
                steps.append(.name("a"))
            }
            if Int.random(in: 0..<4, using: &random) == 0 { return steps }
        }
        return steps
    }

    func text(_ random: inout some RandomNumberGenerator) -> String {
        let blank = ["", "", "", " ", "  "].randomElement(using: &random) ?? ""
        switch self {
        case .null: return "null" + blank
        case .number(let number): return "\(number)" + blank
        case .text(let text): return "\"\(text)\"" + blank
        case .array(let elements):
            return "[" + blank + elements.map { $0.text(&random) }.joined(separator: "," + blank) + "]"
        case .object(let fields):
            let members = fields.map { "\"\($0.0)\":" + blank + $0.1.text(&random) }
            return "{" + blank + members.joined(separator: "," + blank) + "}" + blank
        }
    }

    /// Without blanks.
    var compact: String {
        switch self {
        case .null: "null"
        case .number(let number): "\(number)"
        case .text(let text): "\"\(text)\""
        case .array(let elements): "[" + elements.map(\.compact).joined(separator: ",") + "]"
        case .object(let fields): "{" + fields.map { "\"\($0.0)\":\($0.1.compact)" }.joined(separator: ",") + "}"
        }
    }

    func value(at steps: ArraySlice<FieldPath.Step>, as type: DataType) -> String? {
        switch (steps.first, self) {
        case (.name(let name)?, .object(let fields)):
            fields.first { $0.0 == name }?.1.value(at: steps.dropFirst(), as: type)
        case (.element(let element)?, .array(let elements)):
            element < elements.count ? elements[element].value(at: steps.dropFirst(), as: type) : nil
        case (_?, _): nil
        case (nil, .null): nil
        case (nil, .text(let text)) where type == .string: text
        case (nil, .number(let number)) where type == .long: "\(number)"
        case (nil, _): type == .long ? nil : compact
        }
    }
}

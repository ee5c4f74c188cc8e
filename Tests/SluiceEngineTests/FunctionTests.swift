// What Spark cannot be asked: limits on what a match and a text may cost, bytes that are no text, and that the examples
// of the reference are true.

import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceEngine

@Suite struct FunctionTests {
    private func call(_ function: Function, _ operands: [Tree], _ type: DataType = .string) -> Tree {
        Tree(.call(function, operands), type: type, isNullable: true, at: somewhere)
    }

    private func bytes(_ bytes: [UInt8], _ make: (Tree) -> Tree) -> Value {
        compute(make(column(0, .string)), [TestRow(bytes: bytes)])
    }

    @Test func `A pattern that tries exponentially many ways gives null and not an endless batch`() {
        let row = TestRow([.string], [.string(String(repeating: "a", count: 40) + "!")])
        for (function, type) in [
            (Function.rlike, DataType.boolean), (.regexpExtract, .string), (.regexpReplace, .string),
        ] {
            var operands = [column(0, .string), text("^(a+)+$")]
            if function == .regexpExtract { operands.append(int(1)) }
            if function == .regexpReplace { operands.append(text("")) }
            #expect(compute(call(function, operands, type), [row]) == .null)
        }
        // The same pattern on a text that it matches.
        let good = TestRow([.string], [.string(String(repeating: "a", count: 40))])
        #expect(compute(call(.rlike, [column(0, .string), text("^(a+)+$")], .boolean), [good]) == .boolean(true))
    }

    @Test func `A long text is matched however long it is`() {
        let long = TestRow([.string], [.string(String(repeating: "word ", count: 200_000) + "end")])
        #expect(compute(call(.rlike, [column(0, .string), text("end$")], .boolean), [long]) == .boolean(true))
        #expect(
            compute(call(.regexpExtract, [column(0, .string), text("(\\w+)$"), int(1)]), [long]) == .string("end"))
    }

    @Test func `Bytes that are no UTF-8 match nothing and end nothing`() {
        let broken: [UInt8] = [0x61, 0xFF, 0xC3, 0x62, 0xF0, 0x9F]
        #expect(bytes(broken) { call(.rlike, [$0, text("b")], .boolean) } == .boolean(true))
        #expect(bytes(broken) { call(.rlike, [$0, text("^a.+b")], .boolean) } == .boolean(false))
        for function in [Function.left, .right] {
            for count in -1...8 { _ = bytes(broken) { call(function, [$0, int(Int64(count))]) } }
        }
        for count in 0...9 { _ = bytes(broken) { call(.lpad, [$0, int(Int64(count)), $0]) } }
        _ = bytes(broken) { call(.regexpReplace, [$0, text(""), text("-")]) }
        _ = bytes(broken) { call(.regexpReplace, [$0, text("a|b"), text("[$0]")]) }
        _ = bytes(broken) { call(.getJSONObject, [$0, text("$.a")]) }
        _ = bytes(broken) { call(.toTimestamp, [$0, text("yyyy")], .timestamp) }
        _ = bytes(broken) { call(.splitPart, [$0, text("b"), int(2)]) }
        _ = bytes(broken) { call(.hash, [$0], .int) }
    }

    @Test func `A text that would take the machine's memory is null`() {
        #expect(value(of: call(.lpad, [text("a"), int(Int64(Int32.max)), text("xyz")])) == .null)
        let large = TestRow([.string], [.string(String(repeating: "a", count: 20_000))])
        let column = column(0, .string)
        #expect(compute(call(.replace, [column, text("a"), column]), [large]) == .null)
        #expect(
            compute(call(.length, [call(.lpad, [column, int(100_000), text("ü")])], .int), [large]) == .integer(100_000)
        )
    }

    @Test func `The examples of the reference are true`() throws {
        var checked = 0
        for function in FunctionDefinition.all {
            let spec = """
                sluice: 1
                sources:
                  x: { file: { path: x.jsonl }, format: json, columns: { unused: int } }
                queries:
                  q: { from: x, to: out, trigger: once, select: { v: "\(
                    function.example.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))" } }
                sinks:
                  out: { stdout: {}, format: json }
                """
            let read = SpecReader.read(
                files: [("x.yaml", Array(spec.utf8))], environment: { _ in nil },
                readFile: { _ in .failure(UnreadableFile(reason: "none")) }
            ).0
            let output = try #require(read?.queries.first?.select.first, "\(function.example)")
            let tree = output.expression.mapColumns { _ in ColumnSlot(input: 0, index: 0) }
            #expect(compute(tree) == .boolean(true), "\(function.example)")
            checked += 1
        }
        #expect(checked > 50)
    }

    @Test(
        arguments: [
            ("yyyy-MM-dd HH:mm:ss", "2024-01-31 08:18:00", 1_706_689_080_000_000, 19753),
            ("dd/MM/yyyy", "31/01/2024", 1_706_659_200_000_000, 19753),
            ("yyyyMMdd['T'HHmm]", "20240131T0818", 1_706_689_080_000_000, 19753),
            ("d MMM y h:mm a", "5 Jan 2024 3:07 PM", 1_704_467_220_000_000, 19727),
            // The date is what the text says, whatever the zone.
            ("yyyy-DDD'T'HH:mm:ss.SSSXXX", "2024-060T00:02:03.5+01:00", 1_709_161_323_500_000, 19782),
            ("yyyy-MM-dd", "2024-02-30", nil, nil), ("yyyy-MM-dd", "2024-01-31 ", nil, nil),
            ("HH:mm", "24:00", nil, nil),
        ] as [(String, String, Int64?, Int64?)])
    func `A pattern reads a time and a date`(pattern: String, written: String, micros: Int64?, day: Int64?) throws {
        let reader = DateTimeReader(try DateTimePattern(pattern))
        var zones = systemTimeZones
        let bytes = Array(written.utf8)
        #expect(bytes.withUnsafeBytes { reader.timestamp($0, zone: .utc, zones: &zones) } == micros)
        #expect(bytes.withUnsafeBytes { reader.day($0, zones: &zones) } == day)
        let row = TestRow([.string], [.string(written)])
        let result = compute(call(.toTimestamp, [column(0, .string), text(pattern)], .timestamp), [row])
        #expect(result == micros.map { .timestamp($0) } ?? .null)
    }

    /// Random texts near a pattern's, and random patterns: nothing may end the process or read beyond the text.
    @Test(arguments: 0..<20) func `No text and no pattern ends the process`(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        let letters = Array("yMLdDHhKkmsSaGVXxZO'[]/- :.TE#é0123456789".unicodeScalars)
        func some(_ count: Int) -> String {
            String(
                String.UnicodeScalarView(
                    (0..<count).map { _ in letters[Int.random(in: 0..<letters.count, using: &random)] }))
        }
        var zones = systemTimeZones
        for _ in 0..<300 {
            let pattern = some(Int.random(in: 0...12, using: &random))
            guard let parsed = try? DateTimePattern(pattern) else { continue }
            let reader = DateTimeReader(parsed)
            for _ in 0..<20 {
                let bytes = Array(some(Int.random(in: 0...16, using: &random)).utf8)
                bytes.withUnsafeBytes { _ = reader.timestamp($0, zone: .utc, zones: &zones) }
            }
        }
        let signs = Array("abl\\()[]{}*+?|^$.-&<>=!:,0123pPQERdDwWsSbBhvzZAGkuxie é😀".unicodeScalars)
        for _ in 0..<300 {
            let count = Int.random(in: 0...10, using: &random)
            let pattern = String(
                String.UnicodeScalarView(
                    (0..<count).map { _ in signs[Int.random(in: 0..<signs.count, using: &random)] }))
            guard let expression = RegularExpression(pattern, replacement: "<$0>") else { continue }
            _ = expression
            let row = TestRow([.string], [.string("able, é 😀\r\nb")])
            _ = compute(call(.regexpReplace, [column(0, .string), text(pattern), text("<$0>")]), [row])
        }
    }
}

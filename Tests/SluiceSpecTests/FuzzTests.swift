// Seeded random edits of good specs and random expressions. Whatever the text, reading must end, every diagnostic must
// point into the text, and a spec must come back exactly when there is no error. SLUICE_FUZZ_ROUNDS sets how long.

import class Foundation.ProcessInfo
import SluiceSpec
import SluiceSystem
import Testing

private let rounds = ProcessInfo.processInfo.environment["SLUICE_FUZZ_ROUNDS"].flatMap { Int($0) } ?? 60

private func check(_ bytes: [UInt8], _ context: @autoclosure () -> String) -> ReadSpec {
    let files: [SpecFile] = [("fuzz.yaml", bytes)]
    let (spec, diagnostics) = SpecReader.read(
        files: files, environment: { $0.hasPrefix("K") ? "value" : nil },
        readFile: { _ in .success(Array("hunter2".utf8)) })
    let read = ReadSpec(spec: spec, diagnostics: diagnostics, lines: SourceLines(files: files))
    #expect((spec == nil) == !read.errors.isEmpty, "\(context())")
    for diagnostic in diagnostics {
        let line = read.lines.line(diagnostic.position.line, ofFile: "fuzz.yaml")
        let width = line?.unicodeScalars.count ?? -1
        #expect(
            line != nil && diagnostic.position.column >= 1 && diagnostic.position.column <= width + 1
                && diagnostic.length >= 1 && diagnostic.position.column - 1 + diagnostic.length <= max(width, 1) + 1,
            "\(diagnostic) \(context())")
    }
    #expect(!read.rendered.contains("hunter2"), "\(context())")
    return read
}

@Suite struct FuzzTests {
    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `an edited spec never breaks the reader`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let seeds = try [fileJob] + Golden.names.map { try Golden.text("\($0).yaml") }
        let pieces: [[UInt8]] = [
            "\n", "  ", ": ", "- ", "{", "}", "[", "]", "'", "\"", "#", "&a ", "*a", "<<: ", "\t", "|\n", ">\n", "${",
            "}",
            "${env:K}", "${file:x}", "${env:NO}", "$${", "---\n", "\\", "é", "\u{FEFF}", "\u{2028}", "null", "~", "!x ",
            "%",
            "@", "`", ",", "? ", "...", "0", "-1", "1e9", "and ", "not ", "(", ")", "\r\n", "\r", "x: &x {<<: *x}\n",
        ].map { Array($0.utf8) }
        for round in 0..<rounds {
            guard var bytes = seeds.randomElement(using: &random).map({ Array($0.utf8) }) else { return }
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let at = Int.random(in: 0...bytes.count, using: &random)
                let end = min(bytes.count, at + Int.random(in: 0...20, using: &random))
                switch Int.random(in: 0..<6, using: &random) {
                case 0: bytes.removeSubrange(at..<end)
                case 1: bytes.insert(contentsOf: bytes[at..<end], at: Int.random(in: 0...bytes.count, using: &random))
                case 2: bytes.removeSubrange(end...)
                case 3 where at < bytes.count: bytes[at] = UInt8.random(in: 0...255, using: &random)
                default: bytes.insert(contentsOf: pieces.randomElement(using: &random) ?? [], at: at)
                }
            }
            _ = check(bytes, "seed \(seed), round \(round): \(String(decoding: bytes, as: UTF8.self))")
        }
    }

    @Test(arguments: 101...108 as ClosedRange<UInt64>)
    func `a random expression never breaks the reader, and a good one reads back as it prints`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var good = 0
        for round in 0..<rounds * 4 {
            let text = Bool.random(using: &random) ? phrase(&random, 4) : noise(&random)
            let read = check(Array(typedJob(select: text).utf8), "seed \(seed), round \(round): \(text)")
            guard let expression = read.spec?.queries[0].select[0].expression else { continue }
            good += 1
            // Such constants print as plain numbers.
            if expression.holdsFraction { continue }
            let printed = expression.description
            let again = readSpec(typedJob(select: printed))
            #expect(again.spec?.queries[0].select[0].expression.description == printed, "\(text)\n\(again.rendered)")
        }
        #expect(good > rounds / 4)
    }

    /// Tokens without sense.
    private func noise(_ random: inout SplitMix64) -> String {
        let tokens = [
            "i", "r.s", "r.", "t", "1", "1.5", "1e3", "2m", "2 minutes", "'x'", "'", "(", ")", ",", "+", "-", "*", "/",
            "%",
            "||", "=", "<>", "<=>", "<", "and", "or", "not", "between", "in", "is", "null", "like", "case", "when",
            "then",
            "else", "end", "cast", "as", "int", "interval", "timestamp", "date", "lower", "`", "\"", "é", ".", "P1D",
            "PT",
            "5q", "99999999999999999999", "${env:K}", "\\", "\n", "-2147483648", "round", "m", "true", "window_start",
        ]
        return (0..<Int.random(in: 1...15, using: &random)).map { _ in tokens.randomElement(using: &random) ?? "" }
            .joined(separator: Bool.random(using: &random) ? " " : "")
    }

    /// An expression that parses and often has types that fit.
    private func phrase(_ random: inout SplitMix64, _ depth: Int) -> String {
        let leaves = [
            "i", "l", "d", "s", "b", "t", "a", "m", "n", "1", "2.50", "1e3", "'it''s'", "null", "true", "2m", "-7",
        ]
        if depth == 0 || Int.random(in: 0..<5, using: &random) == 0 {
            return leaves.randomElement(using: &random) ?? "i"
        }
        func part() -> String { phrase(&random, depth - 1) }
        switch Int.random(in: 0..<12, using: &random) {
        case 0: return "\(part()) + \(part())"
        case 1: return "(\(part()) - \(part()))"
        case 2: return "\(part()) * \(part())"
        case 3: return "(\(part())) \(["=", "<", ">=", "<>", "<=>"].randomElement(using: &random) ?? "=") (\(part()))"
        case 4: return "(\(part())) and not (\(part()))"
        case 5: return "coalesce(\(part()), \(part()))"
        case 6: return "case when \(part()) then \(part()) else \(part()) end"
        case 7: return "\(part()) || \(part())"
        case 8: return "\(part()) is \(Bool.random(using: &random) ? "" : "not ")null"
        case 9: return "(\(part())) in (\(part()), \(part()))"
        case 10: return "-\(part())"
        default:
            let type = ["string", "long", "double", "decimal(12,4)"].randomElement(using: &random) ?? "int"
            return "cast(\(part()) as \(type))"
        }
    }
}

extension Expression {
    /// Whether a double or decimal constant is in it.
    fileprivate var holdsFraction: Bool {
        switch kind {
        case .literal(.double), .literal(.decimal): true
        case .literal, .column: false
        case .cast(let operand): operand.holdsFraction
        case .call(_, let operands): operands.contains(where: \.holdsFraction)
        case .caseWhen(let branches, let otherwise):
            branches.contains { $0.condition.holdsFraction || $0.value.holdsFraction }
                || otherwise?.holdsFraction == true
        }
    }
}

// The fast walk and the complete reader must give the same rows wherever both answer, however a text is cut into
// chunks, and whatever bytes stand in it. Lines come from a small grammar of ordinary and odd JSON and are then damaged
// at random; a failure prints the seed and the line.

import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceEngine

@Suite struct DecodeAgreementTests {
    static let columns: [(String, DataType)] = [
        ("s", .string), ("event_time", .timestamp), ("l", .long), ("a_longer_name_than_16", .string), ("d", .double),
        ("b", .boolean), ("day", .date), ("m", .decimal(precision: 12, scale: 3)), ("i", .int), ("exactly8", .string),
    ]
    static let scalars = [
        #""x""#, #""""#, #""2024-01-01T08:18:00.123Z""#, #""2024-01-01T08:18:00""#, #""2024-01-01 08:18:00.5+01:00""#,
        #""2024-02-29""#, #""2023-02-29T00:00:00Z""#, #""10:00""#, "0", "-0", "12", "-7", "1.50", "1e3", "-0.0",
        "0.1e-5",
        "9223372036854775807", "9223372036854775808", "2147483648", "true", "false", "null", #""a\"b\\c\u00e9\n""#,
        #""\ud83d\ude00""#, #""\ud83d""#, #""é😀""#, "123456789.123456", "1e400", "NaN", "-Infinity", "'q'",
        #""a longer text that takes more than thirty-two bytes to copy""#, "00", "+1", "tru", "1.", #""\q""#, "\"\t\"",
    ]

    static func value(_ random: inout SplitMix64, depth: Int = 0) -> String {
        let kind = Int.random(in: 0..<10, using: &random)
        if depth < 4, kind == 0 {
            let items = (0..<Int.random(in: 0..<4, using: &random)).map { _ in value(&random, depth: depth + 1) }
            return "[" + items.joined(separator: ",") + "]"
        }
        if depth < 4, kind == 1 {
            let items = (0..<Int.random(in: 0..<4, using: &random)).map { _ in
                #""k":"# + value(&random, depth: depth + 1)
            }
            return "{" + items.joined(separator: ", ") + "}"
        }
        // The odd ones at the list's end come less often.
        let odd = Int.random(in: 0..<12, using: &random) == 0
        return odd ? scalars.randomElement(using: &random)! : scalars[Int.random(in: 0..<22, using: &random)]
    }

    static func line(_ random: inout SplitMix64) -> [UInt8] {
        var names = columns.map(\.0) + ["other", "s2", "", "exactly9x"]
        if Bool.random(using: &random) { names.shuffle(using: &random) }
        names = Array(names.prefix(Int.random(in: 0...names.count, using: &random)))
        if Int.random(in: 0..<8, using: &random) == 0 { names.append(contentsOf: names.prefix(1)) }
        let colon = Bool.random(using: &random) ? ":" : Bool.random(using: &random) ? " : " : ": "
        let fields = names.map { "\"\($0)\"" + colon + value(&random) }
        var line = Array(("{" + fields.joined(separator: Bool.random(using: &random) ? "," : ", ") + "}").utf8)
        if Int.random(in: 0..<3, using: &random) == 0 { damage(&line, &random) }
        line.removeAll { $0 == UInt8(ascii: "\n") }
        if Int.random(in: 0..<6, using: &random) == 0 { line.append(UInt8(ascii: "\r")) }
        return line
    }

    static func damage(_ line: inout [UInt8], _ random: inout SplitMix64) {
        let bytes = Array(#"{}[]:,"'\ tfn019.eE+-NIu"#.utf8) + [0x00, 0x01, 0x09, 0x7F, 0x80, 0xC3, 0xED, 0xF0, 0xFF]
        for _ in 0..<Int.random(in: 1...3, using: &random) where !line.isEmpty {
            let place = Int.random(in: 0..<line.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: line[place] = bytes.randomElement(using: &random)!
            case 1: line.insert(bytes.randomElement(using: &random)!, at: place)
            case 2: line.remove(at: place)
            default: line.removeLast(line.count - place)
            }
        }
    }

    private func check(_ text: [UInt8], _ plan: InputPlan, seed: UInt64) {
        let block = decode(text, plan)
        let lenient = decode(text, plan, path: .lenient)
        guard block != lenient else { return }
        let lines = text.split(separator: UInt8(ascii: "\n")).filter { !$0.allSatisfy(isJSONBlank) }
        #expect(block.count == lenient.count && lines.count == lenient.count, "seed \(seed)")
        for (line, (one, other)) in zip(lines, zip(block, lenient)) where one != other {
            Issue.record("seed \(seed): \(String(decoding: line, as: UTF8.self).debugDescription)\n\(one)\n\(other)")
            return
        }
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func theWalkAndTheCompleteReaderAgree(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var text: [UInt8] = []
        for _ in 0..<200 {
            text += Self.line(&random)
            text.append(UInt8(ascii: "\n"))
        }
        check(text, inputPlan(Self.columns), seed: seed)
        // A last line without its end.
        check(text.dropLast() + Self.line(&random), inputPlan(Self.columns, timeZone: "America/New_York"), seed: seed)
    }

    @Test(arguments: 100..<112 as Range<UInt64>)
    func howATextIsCutIntoChunksChangesNothing(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let plan = inputPlan(Self.columns)
        let lines = (0..<120).map { _ in Self.line(&random) + [UInt8(ascii: "\n")] }
        let whole = decode(Array(lines.joined()), plan)
        var decoder = jsonDecoder(plan)
        for _ in 0..<5 {
            var parts: [DecodedRecord] = []
            var start = 0
            while start < lines.count {
                let end = min(lines.count, start + Int.random(in: 1...40, using: &random))
                parts += decode(chunk(Array(lines[start..<end].joined())), with: &decoder, plan)
                start = end
            }
            #expect(parts == whole, "seed \(seed)")
        }
    }

    @Test func aBadLineInALargeBlockSpoilsNoOther() {
        let plan = inputPlan([("s", .string), ("l", .long)])
        let bad: [[UInt8]] = [
            Array("{\"s\":\"open".utf8), Array("{\"s\":\"\u{1}\",\"l\":3}".utf8), [0x7B, 0xFF, 0x7D],
            Array("{'s':'q','l':5}".utf8),
        ]
        var text: [UInt8] = []
        var expected: [String?] = []
        for index in 0..<20_000 {
            if index % 3001 == 7 {
                text += bad[index % 4]
                expected.append(index % 4 == 3 ? "5" : nil)
            } else {
                text += Array("{\"s\":\"row \(index)\",\"l\":\(index)}".utf8)
                expected.append(String(index))
            }
            text.append(UInt8(ascii: "\n"))
        }
        #expect(decode(text, plan).map { $0.values[1] } == expected)
    }

    @Test func aLineLongerThanABlockIsOneRecord() {
        let plan = inputPlan([("s", .string), ("l", .long)])
        let long = String(repeating: "x", count: 400_000)
        let text =
            "{\"l\":1}\n{\"s\":\"\(long)\",\"l\":2}\n{\"o\":[\(String(repeating: "1,", count: 200_000))1],\"l\":3}\n"
        let records = decode(text, plan)
        #expect(records.map { $0.values[1] } == ["1", "2", "3"])
        #expect(records[1].values[0] == long)
        #expect(records.allSatisfy { !$0.isBad })
    }

    @Test(arguments: 200..<220 as Range<UInt64>)
    func timestampsReadTheSameByPositionAndByScan(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let zone = rules(["UTC", "Europe/Paris", "America/New_York"].randomElement(using: &random)!)
        var reader = TimestampReader(rules: zone, zones: systemTimeZones)
        var zones = systemTimeZones
        for _ in 0..<400 {
            var text = Array(Self.timestamp(&random).utf8)
            if Bool.random(using: &random) {
                let place = Int.random(in: 0..<text.count, using: &random)
                text[place] = Array("0123456789-:T .Z+Gx".utf8).randomElement(using: &random)!
            }
            let padded = text + [UInt8](repeating: UInt8(ascii: "7"), count: 64)
            let fast = padded.withUnsafeBytes { reader.read($0.baseAddress!, count: text.count) }
            let slow = text.withUnsafeBytes { parseTimestamp($0, rules: zone, zones: &zones) }
            #expect(fast == slow, "seed \(seed): \(String(decoding: text, as: UTF8.self))")
        }
    }

    private static func timestamp(_ random: inout SplitMix64) -> String {
        func digits(_ range: ClosedRange<Int>, _ count: Int) -> String {
            let text = String(Int.random(in: range, using: &random))
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let fraction = Int.random(in: 0...9, using: &random)
        let zone = ["", "Z", "+01:00", "-11:30", "+18:00", "+0100", " Europe/Paris", "+1", "+19:00"]
        return digits(1890...2060, 4) + "-" + digits(1...12, 2) + "-" + digits(1...31, 2)
            + (Bool.random(using: &random) ? "T" : " ") + digits(0...24, 2) + ":" + digits(0...60, 2) + ":"
            + digits(0...60, 2) + (fraction == 0 ? "" : "." + digits(0...999_999_999, fraction).prefix(fraction))
            + zone.randomElement(using: &random)!
    }
}

// Random schemas, with rows of random values of them and names that mean something to paths, YAML and references: what
// is printed passes the reader of specs, without a warning, and no row of the sample is bad. And random damage:
// whatever stands in a file, there is an answer. DESCRIBE_SEED=n repeats one.

import Foundation
import SluiceDescribe
import Testing

@Suite struct RandomRecordTests {
    static let seeds: [UInt64] =
        ProcessInfo.processInfo.environment["DESCRIBE_SEED"].flatMap { UInt64($0) }.map { [$0] }
        ?? (1...60).map { _ in UInt64.random(in: 1...UInt64.max >> 1) }

    @Test(arguments: seeds) func `What is printed passes check and reads its sample`(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let schema = RandomSchema(&random, depth: 0)
        let rows = (0..<Int.random(in: 1...60, using: &random)).map { _ in schema.object(&random) }
        let text = rows.joined(separator: "\n") + "\n"
        let description: Description
        do { description = try described(text) } catch let error as DescribeError {
            // A schema may have no field at all.
            #expect("\(error)".contains("no field") || "\(error)".contains("empty objects"), "seed \(seed): \(error)")
            return
        }
        let outcome = try outcome(of: description, lines(text))
        #expect(outcome.mistakes == [], "seed \(seed): \(description.yaml)")
        #expect(outcome.bad == [], "seed \(seed): \(description.yaml)\n\(text)")
    }

    @Test(arguments: seeds.prefix(20)) func `CSV is read as it was written`(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let separator = [",", ";", "\t", "|"].randomElement(using: &random) ?? ","
        let makers = (0..<Int.random(in: 2...8, using: &random)).map { _ in RandomSchema.csvMaker(&random) }
        let header = makers.indices.map { "c\($0)" }.joined(separator: separator)
        let rows = (0..<Int.random(in: 2...50, using: &random)).map { _ in
            makers.map { maker in
                let value = maker(&random)
                let needsQuotes = value.contains(separator) || value.contains("\"")
                return needsQuotes ? "\"" + value.replacingOccurrences(of: "\"", with: "\"\"") + "\"" : value
            }.joined(separator: separator)
        }
        let description = try described(([header] + rows).joined(separator: "\n") + "\n", "t.csv")
        let outcome = try outcome(of: description, rows.map { Array($0.utf8) }, header: Array(header.utf8))
        #expect(outcome.mistakes == [] && outcome.bad == [], "seed \(seed): \(description.yaml)")
    }

    @Test(arguments: seeds) func `Damage has an answer, and never the wrong one`(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let bases = [
            #"{"id":1,"user":{"id":"a"},"at":"2024-01-31T08:18:00Z","x":[{"y":1.5}]}"# + "\n",
            "id,name,at\n1,\"a\"\"b\",31/01/2024\n2,c,28/02/2024\n",
            #"{"schema":{},"payload":{"op":"c","after":{"id":1},"ts_ms":1700000000000}}"# + "\n",
        ]
        var bytes = Array(String(repeating: bases.randomElement(using: &random) ?? "", count: 8).utf8)
        for _ in 0..<Int.random(in: 1...20, using: &random) {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(Array("\"{}[],:\\\n;'0-".utf8).randomElement(using: &random) ?? 0, at: place)
            default: bytes.insert(contentsOf: bytes[place..<min(place + 20, bytes.count)], at: place)
            }
        }
        let found: Description
        do { found = try sample(bytes).described(utcOnly) } catch {
            #expect(!"\(error)".contains("please report"), "seed \(seed): \(error)")
            return
        }
        #expect(try outcome(of: found, []).mistakes == [], "seed \(seed): \(found.yaml)")
    }
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}

/// The fields of an object, each with a way to make values.
struct RandomSchema {
    private indirect enum Kind {
        case value(String)
        case object(RandomSchema)
        case array(RandomSchema)
        case mixed([Kind])
    }

    private var fields: [(name: String, kind: Kind)] = []

    private static let names = [
        "id", "ts", "user", "event_time", "a.b", "it's", "q\"", "both'\"", "kafka", "each", "null", "on", "$.x", "a->b",
        "${HOME}", "$${x}", "#", "a: b", "- x", "é", "日本", "x y", " lead", "[0]", "['x']", "a/b", "/r", "", "\\n",
        "\\u0007",
        "{", "*", "&a", "!t", "%", "@at", "1", "007", "1e5", "~", "updated_at", "🙂", "\\u2028", "name", "value",
    ]
    private static let kinds = [
        "int", "long", "huge", "fraction", "digits", "boolean", "text", "date", "iso", "local", "millis", "seconds",
        "null",
        "digitText", "odd",
    ]

    init(_ random: inout SplitMix, depth: Int) {
        for name in Self.names.shuffled(using: &random).prefix(Int.random(in: 1...(depth == 0 ? 9 : 4), using: &random))
        {
            fields.append((name, Self.kind(&random, depth: depth)))
        }
    }

    private static func kind(_ random: inout SplitMix, depth: Int) -> Kind {
        switch Int.random(in: 0..<20, using: &random) {
        case 0...2 where depth < 4: .object(RandomSchema(&random, depth: depth + 1))
        case 3 where depth < 4: .array(RandomSchema(&random, depth: depth + 1))
        case 4 where depth < 4: .mixed([kind(&random, depth: depth + 1), kind(&random, depth: depth + 1)])
        default: .value(kinds.randomElement(using: &random) ?? "int")
        }
    }

    func object(_ random: inout SplitMix) -> String {
        var members: [String] = []
        for (name, kind) in fields where Int.random(in: 0..<10, using: &random) > 0 {
            let isNull = Int.random(in: 0..<10, using: &random) == 0
            let name = name.replacingOccurrences(of: "\"", with: "\\\"")
            members.append("\"\(name)\":" + (isNull ? "null" : Self.text(kind, &random)))
        }
        return "{" + members.joined(separator: ",") + "}"
    }

    private static func text(_ kind: Kind, _ random: inout SplitMix) -> String {
        switch kind {
        case .value(let name): value(name, &random)
        case .object(let schema): schema.object(&random)
        case .array(let schema):
            "[" + (0..<Int.random(in: 0...3, using: &random)).map { _ in schema.object(&random) }.joined(separator: ",")
                + "]"
        case .mixed(let kinds): text(kinds.randomElement(using: &random) ?? .value("int"), &random)
        }
    }

    private static func value(_ name: String, _ random: inout SplitMix) -> String {
        let (a, b) = (Int.random(in: 0...28, using: &random), Int.random(in: 0...59, using: &random))
        let two = { (value: Int) in value < 10 ? "0\(value)" : "\(value)" }
        switch name {
        case "int": return "\(a - 14)"
        case "long": return "\(Int64.random(in: .min ... .max, using: &random))"
        case "huge": return "\(UInt64.random(in: 0 ... .max, using: &random))\(b)"
        case "fraction": return "\(Double.random(in: -1e6...1e6, using: &random))"
        case "digits": return "\(a).\(UInt64.random(in: 0 ... .max, using: &random))"
        case "boolean": return a < 14 ? "true" : "false"
        case "text": return ["\"a\"", "\"\"", "\"\\\"\"", "\"\\u00e9\\ud83d\\ude00\"", "\"true\""][a % 5]
        case "date": return "\"2024-\(two(a % 12 + 1))-\(two(a + 1))\""
        case "iso": return "\"2024-01-\(two(a + 1))T\(two(a % 24)):\(two(b)):00\(["Z", "", "+01:00", ".123Z"][a % 4])\""
        case "local": return "\"\(two(a + 1))/\(two(a % 12 + 1))/2024 \(two(a % 24)):\(two(b)):00\""
        case "millis": return "\(1_700_000_000_000 + a * 1_000_003)"
        case "seconds": return "\(1_700_000_000 + a).\(b)"
        case "digitText": return "\"\(a * 1000 + b)\""
        case "odd": return ["1e999", "-0", "1E-400", "\"2024-13-01\"", "\"\\ud800\"", "0.1e1"][a % 6]
        default: return "null"
        }
    }

    /// A way to make fields of a column of CSV.
    static func csvMaker(_ random: inout SplitMix) -> (inout SplitMix) -> String {
        let kind =
            ["int", "long", "fraction", "boolean", "date", "local", "text"].randomElement(using: &random) ?? "int"
        return { random in
            if Int.random(in: 0..<10, using: &random) == 0 { return "" }
            if kind == "text" {
                return ["a", "b;c", "d,e", "f|g", "say \"h\"", "x\ty"].randomElement(using: &random) ?? ""
            }
            return value(kind, &random).filter { $0 != "\"" }
        }
    }
}

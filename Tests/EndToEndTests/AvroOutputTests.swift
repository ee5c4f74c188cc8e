// Container files that the binary writes, read by Apache's own reader of Avro (Avro/compare.py): every row is the one
// that the same query writes as JSON.

import Foundation
import Testing

@Suite struct AvroOutputTests {
    private struct Rows {
        var random: SeededRandom

        private mutating func maybe(_ value: String) -> String {
            Int.random(in: 0..<5, using: &random) == 0 ? "null" : value
        }

        private mutating func integer(_ bits: ClosedRange<Int>) -> Int64 {
            let width = Int.random(in: bits, using: &random)
            let value = Int64(bitPattern: UInt64.random(in: 0 ... .max, using: &random) >> UInt64(64 - width))
            return Bool.random(using: &random) ? value : ~value
        }

        private mutating func time() -> String {
            let seconds = Double(Int.random(in: -2_000_000_000...4_000_000_000, using: &random))
            let date = Date(timeIntervalSince1970: seconds).ISO8601Format().dropLast()
            return "\"\(date).\(String(Int.random(in: 1_000_000..<2_000_000, using: &random)).dropFirst())Z\""
        }

        mutating func next() -> String {
            let text =
                ["", "a", "æøå 🎉", String(repeating: "x", count: 300), #"q\"\\\n"#]
                .randomElement(using: &random) ?? ""
            let cents = integer(1...50)
            let point = "\(cents / 100).\(String(abs(cents % 100) + 100).dropFirst())"
            let sign = cents < 0 && cents > -100 ? "-" : ""
            return """
                {"s":\(maybe("\"\(text)\"")),"i":\(maybe("\(integer(1...31))")),"l":\(maybe("\(integer(1...63))")),\
                "d":\(maybe("\(Double(integer(1...63)) / 1024)")),"b":\(maybe("\(Bool.random(using: &random))")),\
                "t":\(maybe(time())),"day":\(maybe("\(time().prefix(11))\"")),"m":\(maybe(sign + point)),\
                "j":\(maybe(#"{"x":[1,null,{"y":"z"}]}"#))}

                """
        }
    }

    private static let columns = """
        { s: string, i: int, l: long, d: double, b: boolean, t: timestamp, day: date, m: "decimal(18,2)", j: json }
        """

    private func spec(select: String, avro: String) -> String {
        """
        sluice: 1
        sources:
          rows: { file: { path: in }, format: json, columns: \(Self.columns) }
        queries:
          copy:
            from: rows
            select: \(select)
            trigger: available_now
            to: [json, avro]
        sinks:
          json: { file: { path: json }, format: json }
          avro: { file: { path: avro }, format: \(avro) }
        """
    }

    private func run(_ spec: String, rowCount: Int = 3000, names: String? = nil) throws {
        let seed = UInt64.random(in: 0..<1_000_000)
        print("AvroOutputTests: seed \(seed)")
        let folder = try TemporaryFolder()
        var rows = Rows(random: SeededRandom(seed: seed))
        try folder.write("in/rows.jsonl", (0..<rowCount).map { _ in rows.next() }.joined())
        try folder.write("spec.yaml", spec)
        let outcome = try SluiceProcess.run(["run", "spec.yaml"], in: folder)
        #expect(outcome.exitCode == 0, "\(outcome.standardError)")
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Avro/compare.py")
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.currentDirectoryURL = URL(filePath: folder.path)
        process.arguments = [script.path, "avro", "json"] + (names.map { [$0] } ?? [])
        let (output, errors) = (Pipe(), Pipe())
        (process.standardOutput, process.standardError) = (output, errors)
        try process.run()
        let said = try output.fileHandleForReading.readToEnd() ?? Data()
        let trouble = try errors.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(
            String(decoding: said, as: UTF8.self) == "\(rowCount)\n",
            "seed \(seed), python3-avro (docker/setup.sh) is needed: \(String(decoding: trouble, as: UTF8.self))")
    }

    @Test(arguments: ["none", "deflate", "snappy", "zstandard"])
    func `Rows are as in JSON, of every type and in objects`(codec: String) throws {
        let select = """
            { s: rows.s, n: { i: rows.i, deep: { l: rows.l, d: rows.d }, b: rows.b }, t: rows.t, day: rows.day,
              m: rows.m, j: rows.j }
            """
        try run(spec(select: select, avro: "{ avro: { codec: \(codec) } }"))
    }

    /// Fields in another order, of wider types, of other branches, and some that no column gives.
    @Test func `Rows are written by a schema that is given`() throws {
        let tags = #"{"name":"tags","type":{"type":"array","items":"string"},"default":["x","y"]}"#
        let schema = #"""
            {"type":"record","name":"Row","namespace":"test","fields":[
              {"name":"kind","type":{"type":"enum","name":"Kind","symbols":["a","b"]},"default":"b"},
              {"name":"m","type":["null",{"type":"fixed","name":"Money","size":9,"logicalType":"decimal",
                "precision":20,"scale":2}]},
              {"name":"t","type":[{"type":"long","logicalType":"timestamp-millis"},"null"]},
              {"name":"n","type":{"type":"record","name":"N","fields":[
                {"name":"i","type":["boolean","null","long"]},{"name":"s","type":["string","null"]}]}},
              {"name":"sure","type":"int"},{"name":"end","type":["null","int"],"default":null}]}
            """#
        let select = "{ sure: \"coalesce(rows.i, 5)\", n: { s: rows.s, i: rows.i }, t: rows.t, m: rows.m }"
        let withArray = #"{"type":"record","name":"R","fields":[\#(tags),{"name":"sure","type":"int"}]}"#
        try run(
            spec(select: select, avro: "{ avro: { schema: '\(schema.replacing("\n", with: " "))' } }"),
            names: #"{"kind":"b","end":null}"#)
        try run(
            spec(select: "{ sure: \"coalesce(rows.i, 5)\" }", avro: "{ avro: { schema: '\(withArray)' } }"),
            names: #"{"tags":["x","y"]}"#)
    }

    @Test func `A batch without rows leaves no file, and one row makes a file`() throws {
        try run(spec(select: "{ s: rows.s }", avro: "avro"), rowCount: 1)
        let folder = try TemporaryFolder()
        try folder.write("in/rows.jsonl", "")
        try folder.write("spec.yaml", spec(select: "{ s: rows.s }", avro: "avro"))
        #expect(try SluiceProcess.run(["run", "spec.yaml"], in: folder).exitCode == 0)
        #expect(folder.names(in: "avro").filter { !$0.hasPrefix(".") }.isEmpty)
    }
}

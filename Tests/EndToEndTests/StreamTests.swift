// Standard input and output as a pipeline uses them, CSV in and out, and one query with several sinks.

import Foundation
import Testing

@Suite struct StreamTests {
    private static func spec(sinks: String, to: String = "out", format: String = "json") -> String {
        """
        sluice: 1
        sources:
          lines:
            stdin: {}
            format: \(format)
            columns: { n: long, name: string, price: "decimal(6,2)", at: timestamp }
        queries:
          copy: { from: lines, to: \(to) }
        sinks:
        \(sinks)
        """
    }

    private static let row =
        #"{"n":1,"name":"a \"quoted\", name","price":1.50,"at":"2024-01-01T00:00:00.000Z"}"# + "\n"

    @Test(arguments: ["as_fast_as_possible", "available_now", "once"])
    func `What comes in through a pipe goes out through one, and the end of the input is the end`(
        trigger: String
    ) throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec(sinks: "  out: { stdout: {}, format: json }"))
        let sluice = try SluiceProcess(
            ["run", "spec.yaml", "--trigger", trigger, "--log-level", "debug"], in: folder, input: .pipe)
        for _ in 0..<1000 { sluice.writeInput(Self.row) }
        sluice.writeInput(String(Self.row.dropLast()))
        sluice.closeInput()
        let outcome = sluice.wait()
        #expect(outcome.exitCode == 0, "\(outcome.standardError)")
        #expect(outcome.standardOutput == String(repeating: Self.row, count: 1001), "rows, and only rows")
    }

    @Test func `A row is out before the input ends`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec(sinks: "  out: { file: { path: out }, format: json }"))
        let sluice = try SluiceProcess(["run", "spec.yaml"], in: folder, input: .pipe)
        for count in 1...3 {
            sluice.writeInput(Self.row)
            try sluice.waitUntil("row \(count)") { folder.rows(in: "out").count == count }
        }
        sluice.closeInput()
        #expect(sluice.wait().exitCode == 0)
    }

    @Test func `A reader that goes away ends the query with an error, not the process with a signal`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec(sinks: "  out: { stdout: {}, format: json }"))
        let sluice = try SluiceProcess(["run", "spec.yaml"], in: folder, input: .pipe, output: .pipe)
        sluice.closeOutput()
        sluice.writeInput(Self.row)
        let outcome = sluice.wait()
        #expect(outcome.exitCode == 1)
        #expect(outcome.standardError.contains("has closed it"), "\(outcome.standardError)")
    }

    @Test func `CSV is read past its header, written with one in every file, and reads back`() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            "spec.yaml",
            Self.spec(
                sinks: "  out: { file: { path: out }, format: { csv: { header: true } } }",
                format: "{ csv: { header: true } }"
            ).replacing("stdin: {}", with: "file: { path: in, max_files_per_trigger: 1 }"))
        let header = "n,name,price,at\n"
        try folder.write("in/1.csv", header + #"1,"a ""quoted"", name",1.5,2024-01-01T00:00:00Z"# + "\n")
        try folder.write("in/2.csv", header + "2,,,\n3,plain,2.255,2024-01-01 00:00:00.5\n")
        let outcome = try SluiceProcess.run(["run", "spec.yaml", "--trigger", "available_now"], in: folder)
        #expect(outcome.exitCode == 0, "\(outcome.standardError)")
        #expect(folder.names(in: "out") == ["batch-0000000000.csv", "batch-0000000001.csv"])
        let first = try #require(folder.read("out/batch-0000000000.csv"))
        #expect(first.hasPrefix(header) && first.contains("1,") && first.contains(",1.50,2024-01-01T00:00:00.000Z\n"))
        // What was written reads back as what was read.
        try folder.write(
            "again.yaml",
            Self.spec(
                sinks: "  out: { stdout: {}, format: json }", format: "{ csv: { header: true } }"
            ).replacing("stdin: {}", with: "file: { path: out }"))
        let again = try SluiceProcess.run(["run", "again.yaml", "--trigger", "once", "--checkpoint", "c2"], in: folder)
        let expected = [
            Self.row, "{\"n\":2}\n",
            #"{"n":3,"name":"plain","price":2.26,"at":"2024-01-01T00:00:00.500Z"}"# + "\n",
        ]
        #expect(again.standardOutput == expected.joined(), "\(again.standardError)")
    }

    @Test func `One query writes to several sinks, each in its own format`() throws {
        let folder = try TemporaryFolder()
        let sinks = """
              files: { file: { path: files }, format: json }
              nulls: { file: { path: nulls }, format: { json: { nulls: write, time_zone: Europe/Paris } } }
              table: { file: { path: table }, format: { csv: { header: true, separator: ";" } } }
              shown: { stdout: {}, format: json }
            """
        try folder.write("spec.yaml", Self.spec(sinks: sinks, to: "[files, nulls, table, shown]"))
        let sluice = try SluiceProcess(["run", "spec.yaml"], in: folder, input: .pipe)
        sluice.writeInput("{\"n\":1,\"at\":\"2024-06-01T00:00:00Z\"}\n")
        sluice.closeInput()
        let outcome = sluice.wait()
        #expect(outcome.exitCode == 0, "\(outcome.standardError)")
        let plain = "{\"n\":1,\"at\":\"2024-06-01T00:00:00.000Z\"}"
        #expect(outcome.standardOutput == plain + "\n")
        #expect(folder.rows(in: "files") == [plain])
        #expect(
            folder.rows(in: "nulls") == [
                #"{"n":1,"name":null,"price":null,"at":"2024-06-01T02:00:00.000+02:00"}"#
            ])
        #expect(folder.rows(in: "table") == ["n;name;price;at", "1;;;2024-06-01T00:00:00.000Z"])
    }
}

// `sluice schema` against a validator of JSON Schema that is not ours: it takes the sample specs and refuses slips.

import Foundation
import Testing

@Suite struct SchemaTests {
    private static let validator = """
        import json, sys, yaml, jsonschema
        schema = json.load(open("schema.json"))
        jsonschema.Draft202012Validator.check_schema(schema)
        for name in sys.argv[1:]:
            errors = list(jsonschema.Draft202012Validator(schema).iter_errors(yaml.safe_load(open(name))))
            print(name, "; ".join(e.message for e in errors) if errors else "fits")
        """

    /// What the validator says of each spec.
    private func judge(_ specs: [String: String]) throws -> String {
        let folder = try TemporaryFolder()
        let schema = try SluiceProcess.run(["schema"], in: folder)
        #expect(schema.exitCode == 0)
        try folder.write("schema.json", schema.standardOutput)
        try folder.write("validate.py", Self.validator)
        for (name, text) in specs { try folder.write(name, text) }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.currentDirectoryURL = URL(filePath: folder.path)
        process.arguments = ["validate.py"] + specs.keys.sorted()
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "python3-yaml and python3-jsonschema (docker/setup.sh) are needed")
        return String(decoding: data, as: UTF8.self)
    }

    @Test func `The sample specs fit the schema`() throws {
        let plans = URL(filePath: #filePath).appending(path: "../../../plans").standardized
        let names = try FileManager.default.contentsOfDirectory(atPath: plans.path).filter { $0.hasSuffix(".yaml") }
        #expect(names.count >= 3)
        var specs: [String: String] = [:]
        for name in names { specs[name] = try String(contentsOf: plans.appending(path: name), encoding: .utf8) }
        #expect(try judge(specs) == names.sorted().map { "\($0) fits\n" }.joined())
    }

    @Test(arguments: [
        ("watermark: { column: t, delay: 1m }", "watermarks: { column: t, delay: 1m }", "'watermarks' was unexpected"),
        ("type: inner", "type: middle", "is not valid under any"), ("from: l", "form: l", "'from' is a required"),
        // A watermark is that of a source or that of a union.
        ("delay: 1m", "delay: [1]", "is not valid under any"), ("from: l", "from: [l]", "is not of type 'string'"),
    ])
    func `A slip does not fit the schema`(right: String, wrong: String, said: String) throws {
        let spec = """
            sluice: 1
            sources:
              l: { file: { path: l }, columns: { t: timestamp, k: string }, watermark: { column: t, delay: 1m } }
              r: { stdin: {}, format: { csv: { header: true } }, columns: { k: { type: string, from: key } } }
            queries:
              q: { from: l, join: [{ with: r, type: inner, keys: k }], trigger: { every: 2s }, to: [o] }
            sinks:
              o: { stdout: {} }
            """
        #expect(try judge(["a.yaml": spec]) == "a.yaml fits\n")
        let text = try judge(["a.yaml": spec.replacing(right, with: wrong)])
        #expect(text.contains(said), "\(text)")
    }
}

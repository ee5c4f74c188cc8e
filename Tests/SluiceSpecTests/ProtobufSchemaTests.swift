// Schemas of protobuf: texts with what they import, sets of descriptors, names, and that no text or bytes break the
// reader.

import SluiceSystem
import Testing

@testable import SluiceSpec

/// What protoc 3.21 makes of a message `p.M` with an int32, a Timestamp and an enum, without what it imports.
private let descriptors =
    "0a96010a076d2e70726f746f1201701a1f676f6f676c652f70726f746f6275662f74696d657374616d702e70726f746f225f0a014d120c0a016e"
    + "18012001280552016e122a0a02617418022001280b321a2e676f6f676c652e70726f746f6275662e54696d657374616d705202617412140a01"
    + "6518032001280e32062e702e4d2e45520165220a0a014512050a01411000620670726f746f33"

private func bytes(_ hex: String) -> [UInt8] {
    stride(from: 0, to: hex.count, by: 2).compactMap { UInt8(hex.dropFirst($0).prefix(2), radix: 16) }
}

private func schema(_ text: String, imports: [String: String] = [:]) throws -> ProtobufSchema {
    try ProtobufSchema(proto: Array(text.utf8), name: "test.proto") { imports[$0].map { Array($0.utf8) } }
}

private func problem(_ text: String, imports: [String: String] = [:]) -> String {
    do { _ = try schema(text, imports: imports) } catch let problem as ProtobufProblem { return problem.message } catch
    {}
    return "none"
}

private let visit = """
    syntax = "proto3";
    package shop;
    import "page.proto";
    import public "google/protobuf/wrappers.proto";
    message Visit {
      Page page = 1; google.protobuf.Int64Value n = 2; map<string, Visit> inner = 3; optional int32 o = 4;
      oneof choice { string a = 5; int32 b = 6; } repeated sint64 list = 7; reserved 8; reserved "old";
      message First {} message Second { enum E { option allow_alias = true; X = 0; Y = 0; } E e = 1; }
    }
    message Other { Visit.Second second = 1; }
    """
private let page = #"syntax = "proto2"; package shop; message Page { optional group G = 1 { optional int32 n = 1; } }"#

@Suite struct ProtobufSchemaTests {
    @Test func `Messages and fields are those of the text`() throws {
        let read = try schema(visit, imports: ["page.proto": page])
        let message = read[try read.message(named: "Visit")]
        #expect(message.fields.map(\.name) == ["page", "n", "inner", "o", "a", "b", "list"])
        #expect(message.fields.map(\.hasPresence) == [true, true, false, true, true, true, false])
        #expect(message.fields.map(\.oneof) == [nil, nil, nil, nil, 0, 0, nil])
        #expect(message.fields[6].fallback == nil && message.fields[3].fallback == nil)
        #expect(read[message.fields[1].type].wellKnown == .wrapper)
        #expect(read[message.fields[2].type].isMapEntry)
        #expect(read[try read.message(named: "Page")].fields[0].kind == .group)
        // Confluent's framing counts by these.
        #expect(read.message(at: [0]).map { read[$0].fullName } == "shop.Visit")
        #expect(read.message(at: [0, 2]).map { read[$0].fullName } == "shop.Visit.Second")
        #expect(read.message(at: [1]).map { read[$0].fullName } == "shop.Other")
        #expect(read.message(at: [2]) == nil && read.message(at: [0, 7]) == nil && read.message(at: []) == nil)
        #expect(throws: ProtobufProblem.self) { try read.onlyMessage() }
    }

    @Test func `A set of descriptors says the same as its text`() throws {
        let read = try ProtobufSchema(descriptors: bytes(descriptors))
        let text = #"""
            syntax = "proto3"; package p; import "google/protobuf/timestamp.proto";
            message M { int32 n = 1; google.protobuf.Timestamp at = 2; enum E { A = 0; } E e = 3; }
            """#
        #expect(read == (try schema(text)))
        #expect(read[try read.onlyMessage()].fields[0].fallback == .bits(0))
    }

    @Test func `A registry's schema comes with those that it imports`() throws {
        let written = SchemaText(
            Array(visit.utf8), references: [Array(page.utf8)], referenceNames: ["page.proto"])
        #expect(try ProtobufSchema(written) == schema(visit, imports: ["page.proto": page]))
        #expect(throws: ProtobufProblem.self) { try ProtobufSchema(SchemaText(Array(visit.utf8))) }
    }

    @Test(
        arguments: [
            ("message M { int32 n = 1 }", "test.proto:1:13: Expected \"required\", \"optional\", or \"repeated\""),
            ("syntax = \"proto3\";\nmessage M { N n = 1; }", "test.proto:2:13: \"N\" is not defined"),
            ("syntax = \"proto3\";\nimport \"a.proto\";", "test.proto:2:1: there is no `a.proto` to import"),
            (
                "syntax = \"proto3\"; import \"bad.proto\";",
                "bad.proto:1:1: Expected top-level statement (e.g. \"message\")"
            ),
            (
                "syntax = \"proto3\"; import \"round.proto\";",
                "test.proto:1:20: File recursively imports itself: "
                    + "test.proto -> round.proto -> test.proto"
            ),
            (
                "syntax = \"proto3\"; message M { int32 a = 1; int32 b = 1; }",
                "test.proto:1:55: Field number 1 has already been used in \"M\" by field \"a\""
            ),
            ("edition = \"2023\"; message M {}", "`test.proto` is of an edition, which is not read yet"),
            (String(repeating: "message M {", count: 200), "test.proto: brackets nest too deeply in it"),
        ])
    func `A mistake has its place`(text: String, expected: String) {
        let imports = ["bad.proto": "?", "round.proto": "syntax = \"proto3\"; import \"test.proto\";"]
        #expect(problem(text, imports: imports) == expected)
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `No text and no bytes break the reader`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let set = bytes(descriptors)
        let pieces = [
            "message A {", "}", ";", "=", "1", "repeated", "map<string, Visit>", "oneof c {", "enum E {", "0", "\"",
            "/*",
            "import \"page.proto\";", "[default = 5]", "[packed = true]", "extend Visit {",
            "option a = { b: < c: 1 > };",
            "group G = 9 {", "-1", "536870912", "service S { rpc A (Visit) returns (Visit); }", "\\377",
        ].map { Array($0.utf8) }
        let column = ColumnSpec(
            name: "a", type: .json, origin: .field(try FieldPath(text: "page.a")),
            position: SourcePosition(file: "f", line: 1, column: 1))
        var readCount = 0
        for _ in 0..<400 {
            var text = Array(visit.utf8)
            var binary = set
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let at = Int.random(in: 0...text.count, using: &random)
                let end = min(text.count, at + Int.random(in: 0...8, using: &random))
                switch Int.random(in: 0..<3, using: &random) {
                case 0: text.removeSubrange(at..<end)
                default: text.insert(contentsOf: pieces.randomElement(using: &random) ?? [], at: at)
                }
                let place = Int.random(in: 0..<binary.count, using: &random)
                binary[place] = UInt8.random(in: 0...255, using: &random)
            }
            let reads = [
                try? ProtobufSchema(proto: text, name: "test.proto") { $0 == "page.proto" ? Array(page.utf8) : nil },
                try? ProtobufSchema(descriptors: binary),
            ]
            for case .some(let read) in reads {
                readCount += 1
                for message in read.topMessages { _ = read.problems(of: [column], each: nil, message: message) }
            }
        }
        #expect(readCount > 20, "seed \(seed): \(readCount)")
    }
}

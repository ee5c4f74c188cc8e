// Schemas of Avro: what the specification allows, what it refuses, and that no text breaks the reader.

import SluiceSystem
import Testing

@testable import SluiceSpec

private func schema(_ text: String) throws -> AvroSchema { try AvroSchema(text: Array(text.utf8)) }

private func root(_ text: String) throws -> AvroType {
    let schema = try schema(text)
    return schema[schema.root]
}

private func problem(_ text: String) -> String {
    do { _ = try schema(text) } catch let problem as AvroSchemaProblem {
        return problem.sentence + (problem.fix.map { " [\($0)]" } ?? "")
    } catch {}
    return "none"
}

private func record(_ fields: String) -> String { #"{"type":"record","name":"R","fields":[\#(fields)]}"# }

@Suite struct AvroSchemaTests {
    @Test(
        arguments: [
            (#""string""#, .string), (#"{"type":"string"}"#, .string), (#"{"type":{"type":"long"}}"#, .long),
            (#"{"type":"fixed","name":"F","size":16}"#, .fixed(byteCount: 16)), (#"["null","int"]"#, nil),
            (#" { "type" : "array" , "items" : "null" } "#, nil), (#"{"type":"error","name":"E","fields":[]}"#, nil),
            (#"{"type":"boolean","doc":"x","anything":{"a":[1.5e3,null]}}"#, .boolean),
        ] as [(String, AvroType.Shape?)])
    func `Every form of a type is read`(text: String, shape: AvroType.Shape?) throws {
        let found = try root(text)
        if let shape { #expect(found.shape == shape) }
    }

    @Test(
        arguments: [
            (#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#, .decimal(precision: 9, scale: 2)),
            (#"{"type":"bytes","logicalType":"decimal","precision":9}"#, .decimal(precision: 9, scale: 0)),
            (#"{"type":"bytes","logicalType":"decimal","precision":2,"scale":3}"#, nil),
            (#"{"type":"bytes","logicalType":"decimal","precision":0}"#, nil),
            (#"{"type":"bytes","logicalType":"decimal"}"#, nil),
            (
                #"{"type":"fixed","name":"F","size":2,"logicalType":"decimal","precision":4}"#,
                .decimal(precision: 4, scale: 0)
            ),
            // 32767 is the most that two bytes hold: five digits do not all fit.
            (#"{"type":"fixed","name":"F","size":2,"logicalType":"decimal","precision":5}"#, nil),
            (#"{"type":"string","logicalType":"uuid"}"#, .uuid),
            (#"{"type":"fixed","name":"F","size":16,"logicalType":"uuid"}"#, .uuid),
            (#"{"type":"fixed","name":"F","size":15,"logicalType":"uuid"}"#, nil),
            (#"{"type":"int","logicalType":"date"}"#, .date), (#"{"type":"long","logicalType":"date"}"#, nil),
            (#"{"type":"int","logicalType":"time-millis"}"#, .timeMillis),
            (#"{"type":"long","logicalType":"time-micros"}"#, .timeMicros),
            (#"{"type":"long","logicalType":"timestamp-millis"}"#, .timestamp(.milliseconds)),
            (#"{"type":"long","logicalType":"timestamp-nanos"}"#, .timestamp(.nanoseconds)),
            (#"{"type":"long","logicalType":"local-timestamp-micros"}"#, .localTimestamp(.microseconds)),
            (#"{"type":"fixed","name":"F","size":12,"logicalType":"duration"}"#, nil),
            (#"{"type":"long","logicalType":"of-somebody"}"#, nil), (#"{"type":"long","logicalType":5}"#, nil),
        ] as [(String, AvroLogicalType?)])
    func `A logical type counts where it goes with the type`(text: String, logical: AvroLogicalType?) throws {
        #expect(try root(text).logical == logical)
    }

    @Test func `Names have the namespace around them, unless they have one of their own`() throws {
        let text = #"""
            {"type":"record","name":"a.b.R","aliases":["Old","x.Older"],"fields":[
              {"name":"f","type":{"type":"enum","name":"E","symbols":["A"]}},
              {"name":"g","type":{"type":"fixed","name":"F","namespace":"c","size":1}},
              {"name":"h","type":"E"},{"name":"i","type":"a.b.E"},{"name":"j","type":"c.F"},
              {"name":"k","type":["null","R"]},
              {"name":"l","type":{"type":"record","name":"S","namespace":"","fields":[]}},{"name":"m","type":"S"}]}
            """#
        let schema = try schema(text)
        #expect(schema[schema.root].aliases == ["a.b.Old", "x.Older"])
        guard case .record(let fields) = schema[schema.root].shape else { return }
        #expect(
            fields.map { schema[$0.type].fullName } == [
                "a.b.E", "c.F", "a.b.E", "a.b.E", "c.F", nil, "S", "S",
            ])
        guard case .union(let branches) = schema[fields[5].type].shape else { return }
        #expect(branches.last == schema.root)
    }

    @Test func `A schema uses the types of those that it refers to`() throws {
        let page = #"{"type":"record","name":"shop.Page","fields":[{"name":"url","type":"string"}]}"#
        let visit = #"{"type":"record","name":"Visit","fields":[{"name":"page","type":"shop.Page"}]}"#
        let read = try AvroSchema(text: Array(visit.utf8), references: [Array(page.utf8)])
        guard case .record(let fields) = read[read.root].shape else { return }
        #expect(read[fields[0].type].fullName == "shop.Page")
        #expect(problem(visit).hasPrefix("there is no type `shop.Page` before here, at `fields[0].type`"))
    }

    @Test(
        arguments: [
            (
                "",
                "the schema is not JSON: the text ends too early at byte 0 [a schema is JSON, as an `.avsc` file has it]"
            ),
            ("5", "a type is a name, an object or a list, and this is a number [write a name such as `\"string\"`]"),
            ("{}", "a type has no `type`"),
            (#""strin""#, "there is no type `strin` before here [did you mean `string`?]"),
            (
                record(#"{"name":"a","type":"int"},{"name":"a","type":"int"}"#),
                "the record has the field `a` twice, at `fields[1].name`"
            ),
            (record(#"{"type":"int"}"#), "`name` is missing, at `fields[0]`"),
            (record(#"{"name":"a"}"#), "`type` is missing, at `fields[0]`"),
            (record(#""a""#), "a field is an object, and this is a text, at `fields[0]`"),
            (#"{"type":"record","name":"R"}"#, "`fields` is missing"),
            (#"{"type":"record","fields":[]}"#, "`name` is missing"),
            (#"{"type":"record","name":"R","fields":{}}"#, "`fields` is no list, at `fields`"),
            (
                #"{"type":"record","name":"int","fields":[]}"#,
                "`int` is a primitive type's name, at `name` [give it another]"
            ),
            (
                record(#"{"name":"a","type":{"type":"enum","name":"R","symbols":[]}}"#),
                "`R` is defined twice, at `fields[0].type.name` [where it is used again its name alone is enough]"
            ),
            (#"{"type":"enum","name":"E","symbols":["A","A"]}"#, "a symbol stands there twice, at `symbols`"),
            (#"{"type":"enum","name":"E"}"#, "an enum has no `symbols`"),
            (
                #"{"type":"enum","name":"E","symbols":["A"],"default":"B"}"#,
                "the default is none of the enum's symbols, at `default`"
            ),
            (#"{"type":"fixed","name":"F","size":-1}"#, "`size` is no number of bytes, at `size`"),
            (#"{"type":"array"}"#, "`items` is missing"),
            (
                #"{"type":"map","values":null}"#,
                "a type is a name, an object or a list, and this is null, at `values` [write a name such as `\"string\"`]"
            ),
            (#"["int",["null","long"]]"#, "a union stands in a union, at `[1]` [put its branches into the outer one]"),
            (
                #"["int",{"type":"int","logicalType":"date"}]"#,
                "the union has an int (date) twice, at `[1]` [leave one out: which of them a value is of could not be told]"
            ),
        ])
    func `What is none is said with its place`(text: String, sentence: String) {
        #expect(problem(text) == sentence)
    }

    @Test func `A schema that nests without end is refused, and one that names itself is not`() throws {
        let deep =
            String(repeating: #"{"type":"array","items":"#, count: 300) + #""int""# + String(repeating: "}", count: 300)
        #expect(problem(deep).contains("nested too deeply"))
        let list = record(#"{"name":"next","type":["null","R"]},{"name":"itself","type":"R"}"#)
        let resolution = AvroResolution(writer: try schema(list))
        #expect(resolution.nodes.count < 10)
    }

    @Test func `Types that nest by their names go as deep as is read`() throws {
        // Each record holds the one before: as text they stand beside each other.
        var branches = [#"{"type":"record","name":"R0","fields":[{"name":"x","type":"int"}]}"#]
        for level in 1...5000 {
            branches.append(
                #"{"type":"record","name":"R\#(level)","fields":[{"name":"r","type":"R\#(level - 1)"},{"name":"s","type":"R\#(level - 1)"}]}"#
            )
        }
        let resolution = AvroResolution(writer: try schema("[" + branches.joined(separator: ",") + "]"))
        #expect(resolution.nodes.count < 20_000)
    }

    // MARK: - Columns

    private func problems(
        _ writer: String, reader: String? = nil, _ type: DataType, _ path: String, form: ColumnSpec.Form = .usual
    ) throws -> [String] {
        let resolution = AvroResolution(writer: try schema(writer), reader: try reader.map { try schema($0) })
        var column = ColumnSpec(
            name: "c", type: type, origin: .field(try FieldPath(text: path)),
            position: SourcePosition(file: "f", line: 1, column: 1))
        column.form = form
        return resolution.problems(of: [column], each: nil).map { $0.message + ($0.fix.map { " [\($0)]" } ?? "") }
    }

    @Test(
        arguments: [
            (#"{"name":"a","type":"int"}"#, .long, "a", nil), (#"{"name":"a","type":"long"}"#, .int, "a", nil),
            (
                #"{"name":"a","type":"string"}"#, .long, "a",
                "`a` is of another type: a string cannot be read as long [declare it as `string`]"
            ),
            (
                #"{"name":"page","type":"string"}"#, .string, "pge",
                "the record `R` has no field `pge`; it has `page` [did you mean `page`?]"
            ),
            (
                #"{"name":"a","type":{"type":"long","logicalType":"timestamp-millis"}}"#, .long, "a",
                "`a` is of another type: a long (timestamp-millis) cannot be read as long [declare it as `timestamp`]"
            ),
            (
                #"{"name":"a","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":3}}"#,
                .decimal(precision: 9, scale: 2), "a",
                "`a` is of another type: bytes (decimal(9,3)) has 3 digits behind the point, and the column 2 [declare it as `decimal(9,3)`]"
            ),
            (
                #"{"name":"a","type":{"type":"array","items":"int"}}"#, .int, "a.b",
                "`a`: an array has no fields, and so no `b` [name an element (`[0].b`), or make a row of each with `each`]"
            ),
            (#"{"name":"a","type":{"type":"array","items":"int"}}"#, .int, "a[3]", nil),
            (#"{"name":"a","type":{"type":"map","values":"int"}}"#, .int, "a['x.y']", nil),
            (#"{"name":"a","type":["null","string","int"]}"#, .int, "a", nil),
            (
                #"{"name":"a","type":"int"}"#, .int, "a[0]", "`a`: an int has no elements, and so no `[0]`"
            ),
            (#"{"name":"a","type":"null"}"#, .int, "a", nil),
            (#"{"name":"a","type":["null","R"]}"#, .json, "a.a.a.a", nil),
        ] as [(String, DataType, String, String?)])
    func `A column is read, or it is said why not`(
        field: String, type: DataType, path: String, sentence: String?
    ) throws {
        #expect(try problems(record(field), type, path) == (sentence.map { [$0] } ?? []))
    }

    @Test func `A unit must not be another than the schema's`() throws {
        let writer = record(#"{"name":"a","type":{"type":"long","logicalType":"timestamp-micros"}}"#)
        #expect(try problems(writer, .timestamp, "a", form: .epoch(.microseconds)).isEmpty)
        #expect(
            try problems(writer, .timestamp, "a", form: .epoch(.milliseconds)).first?.contains(
                "counts microseconds, and the column says milliseconds") == true)
    }

    @Test func `A reader's names, aliases and defaults count, and what only the writer has can be read too`() throws {
        let writer = record(#"{"name":"old","type":"int"},{"name":"gone","type":"int"}"#)
        let reader = record(
            #"{"name":"new","aliases":["old"],"type":"long"},{"name":"added","type":"string","default":"x"},{"name":"none","type":"int"},{"name":"bad","type":"int","default":"x"}"#
        )
        for path in ["new", "added", "none", "gone"] {
            #expect(try problems(writer, reader: reader, .string, path).isEmpty, "\(path)")
        }
        #expect(try problems(writer, reader: reader, .string, "old").first?.contains("has no field `old`") == true)
        #expect(
            try problems(writer, reader: reader, .string, "bad") == [
                "the default of `bad` in the record `R` is no value of its type [mend the default in the schema]"
            ])
    }

    @Test func `Types that do not go together are said where a column reads them`() throws {
        let writer = record(#"{"name":"a","type":"string"},{"name":"b","type":"int"}"#)
        let reader = record(#"{"name":"a","type":"int"},{"name":"b","type":"long"}"#)
        #expect(try problems(writer, reader: reader, .long, "b").isEmpty)
        #expect(
            try problems(writer, reader: reader, .long, "a").first?.contains(
                "a string cannot be read as an int, which the reader wants") == true)
        let other = #"{"type":"record","name":"S","fields":[{"name":"b","type":"int"}]}"#
        #expect(
            try problems(writer, reader: other, .long, "b").first?.contains(
                "the record `R` is not the record `S`, which the reader wants and has no alias for it") == true)
    }

    // MARK: - Fuzz

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `No text breaks the reader, nor what is made of it`(seed: UInt64) throws {
        let seeds = [
            record(
                #"{"name":"a","type":["null",{"type":"array","items":{"type":"map","values":"R"}}],"default":null},{"name":"b","aliases":["c"],"type":{"type":"fixed","name":"F","size":4,"logicalType":"decimal","precision":5,"scale":2}}"#
            ),
            record(
                #"{"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"],"default":"A"},"default":"B"},{"name":"m","type":{"type":"map","values":["null","R"]},"default":{}},{"name":"n","type":"R","default":{}}"#
            ),
        ].map { Array($0.utf8) }
        let pieces = [
            "\"R\"", "\"int\"", "[", "]", "{", "}", ",", ":", "\"type\"", "\"fields\"", "null", "0", "-1", "\"record\"",
            "\"default\"", "\"E\"", "[\"null\",\"R\"]", "\"name\":", "\"array\"", "\"items\":",
        ].map { Array($0.utf8) }
        var random = SplitMix64(seed: seed)
        let column = ColumnSpec(
            name: "a", type: .json, origin: .field(try FieldPath(text: "a.a.a")),
            position: SourcePosition(file: "f", line: 1, column: 1))
        var readCount = 0
        for _ in 0..<1500 {
            var bytes = seeds[Int.random(in: 0...1, using: &random)]
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0...bytes.count, using: &random)
                let end = min(bytes.count, at + Int.random(in: 0...12, using: &random))
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes.removeSubrange(at..<end)
                case 1: bytes.replaceSubrange(at..<end, with: pieces.randomElement(using: &random) ?? [])
                default: bytes.insert(contentsOf: pieces.randomElement(using: &random) ?? [], at: at)
                }
            }
            guard let read = try? AvroSchema(text: bytes) else { continue }
            readCount += 1
            let other = try AvroSchema(text: seeds[Int.random(in: 0...1, using: &random)])
            for resolution in [
                AvroResolution(writer: read, reader: other), AvroResolution(writer: other, reader: read),
            ] {
                _ = resolution.problems(of: [column], each: nil)
            }
        }
        #expect(readCount > 20, "seed \(seed): \(readCount)")
    }
}

// Data of Avro against rows that are known: fastavro's reading of random schemas and data, and a case by hand for each
// rule. Bytes are written here by `Datum`, which knows nothing of schemas.

import Foundation
import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceEngine

/// The bytes of a datum, put together.
struct Datum {
    var bytes: [UInt8] = []

    func long(_ value: Int64) -> Datum {
        var rest = UInt64(bitPattern: value << 1 ^ value >> 63)
        var datum = self
        while rest >= 0x80 {
            datum.bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        datum.bytes.append(UInt8(rest))
        return datum
    }

    func text(_ text: String) -> Datum { long(Int64(text.utf8.count)).raw(Array(text.utf8)) }
    func bytes(_ bytes: [UInt8]) -> Datum { long(Int64(bytes.count)).raw(bytes) }
    func raw(_ bytes: [UInt8]) -> Datum { Datum(bytes: self.bytes + bytes) }
    func double(_ value: Double) -> Datum { raw(withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }) }
    func float(_ value: Float) -> Datum { raw(withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }) }

    /// One block of items, and the end of blocks; `sized` says how many bytes it has.
    func items(_ items: [Datum], sized: Bool = false) -> Datum {
        guard !items.isEmpty else { return long(0) }
        let content = items.flatMap(\.bytes)
        let head = sized ? long(Int64(-items.count)).long(Int64(content.count)) : long(Int64(items.count))
        return head.raw(content).long(0)
    }
}

private func schema(_ text: String) throws -> AvroSchema { try AvroSchema(text: Array(text.utf8)) }

/// A record `R` with these fields.
private func record(_ fields: String) -> String { #"{"type":"record","name":"R","fields":[\#(fields)]}"# }

private func plan(
    _ format: AvroOptions, _ columns: [(path: String, type: DataType, form: ColumnSpec.Form)], each: String? = nil,
    keepsEmpty: Bool = false, timeZone: String = "UTC"
) throws -> InputPlan {
    try nestedPlan(.avro(format), columns, each: each, keepsEmpty: keepsEmpty, timeZone: timeZone)
}

/// What values are, read by their own schema.
private func decoded(
    _ writer: String, _ columns: [(String, DataType)], _ values: [Datum], each: String? = nil, keepsEmpty: Bool = false
) throws -> [DecodedRecord] {
    let options = AvroOptions(schema: try schema(writer), framing: .none)
    let plan = try plan(options, columns.map { ($0.0, $0.1, .usual) }, each: each, keepsEmpty: keepsEmpty)
    return decode(framed(values.map(\.bytes)), plan)
}

private func reason(_ record: DecodedRecord?) -> AvroFault? {
    if case .avro(let fault)? = record?.fault { fault } else { nil }
}

@Suite struct AvroTests {
    // MARK: - What nobody wants

    /// Neighbours that may be null are passed over in one loop, whichever branch is null and in however many bytes the
    /// branch is written.
    @Test func `Fields that may be null and nobody wants are passed over`() throws {
        let types = [
            #"["null","long"]"#, #"["string","null"]"#, #"["null","double"]"#, #"["null","boolean"]"#,
            #"["null","float"]"#, #"["null","bytes"]"#, #"["int","null"]"#,
            #"["null",{"type":"fixed","name":"F","size":3}]"#,
            #"["null",{"type":"enum","name":"E","symbols":["a"]}]"#,
        ]
        let fields = types.enumerated().map { #"{"name":"f\#($0)","type":\#($1)}"# } + [#"{"name":"v","type":"long"}"#]
        let writer = record(fields.joined(separator: ","))
        let full = Datum().long(1).long(300).long(0).text("abc").long(1).double(2).long(1).raw([1]).long(1).float(3)
            .long(1).bytes([9, 9]).long(0).long(-70_000).long(1).raw([7, 7, 7]).long(1).long(0).long(42)
        let empty = Datum(bytes: [0, 2, 0, 0, 0, 0, 2, 0, 0]).long(43)
        // Zero and one in more bytes than they need.
        let long = Datum(bytes: [0x80, 0, 0x82, 0x80, 0, 0, 0, 0, 0, 2, 0, 0]).long(44)
        let records = try decoded(writer, [("v", .long)], [full, empty, long])
        #expect(records.map(\.values) == [["42"], ["43"], ["44"]])
        for count in full.bytes.indices.dropFirst() {
            let cut = try decoded(writer, [("v", .long)], [Datum(bytes: Array(full.bytes.prefix(count)))])
            #expect(reason(cut.first) == .short, "\(count) bytes")
        }
        #expect(reason(try decoded(writer, [("v", .long)], [Datum(bytes: [4])]).first) == .branch)
        #expect(reason(try decoded(writer, [("v", .long)], [Datum().long(1).long(1).long(0).long(-1)]).first) != nil)
    }

    // MARK: - The oracle

    @Test func `Random schemas and data are read as fastavro reads them`() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Python/fastavro.json")
        let cases = try JSONValue(report: Array(try Data(contentsOf: path))[...])
        guard case .array(let cases) = cases else { return }
        #expect(cases.count == 400)
        var valueCount = 0
        for (number, one) in cases.enumerated() {
            guard case .array(let parts) = one, case .string(let writer) = parts[0],
                case .array(let columns) = parts[2], case .array(let data) = parts[3]
            else { return }
            var reader: AvroSchema?
            if case .string(let text) = parts[1] { reader = try schema(text) }
            // A reader's schema comes into play where writers are told by number.
            let options = AvroOptions(schema: try reader ?? schema(writer), framing: .confluent)
            let types = columns.map { column in
                guard case .array(let pair) = column, case .string(let name) = pair[0], case .string(let type) = pair[1]
                else { return ("", DataType.json, ColumnSpec.Form.usual) }
                return (name, DataType(type) ?? .json, ColumnSpec.Form.usual)
            }
            let plan = try plan(options, types)
            var values: [[UInt8]] = []
            var expected: [[JSONValue]] = []
            for datum in data {
                guard case .array(let pair) = datum, case .string(let hex) = pair[0], case .array(let row) = pair[1]
                else { return }
                values.append([0, 0, 0, 0, 7] + unhex(hex))
                expected.append(row)
            }
            let chunk = framed(values, schemas: [RecordSchema(id: 7, writer: SchemaText(Array(writer.utf8)))])
            let records = decode(chunk, plan)
            #expect(records.count == expected.count)
            for (record, row) in zip(records, expected) {
                #expect(record.kind == .good, "case \(number): \(record) of \(writer)")
                for (index, (found, wanted)) in zip(record.values, row).enumerated() {
                    valueCount += 1
                    let context =
                        "case \(number), column \(types[index].0) \(types[index].1): \(found ?? "-") for \(wanted)"
                    guard case .string(let text) = wanted else {
                        #expect(found == nil || (types[index].1 == .json && found == "null"), "\(context)")
                        continue
                    }
                    if types[index].1 == .json, let found {
                        let a = try JSONValue(report: Array(found.utf8)[...])
                        #expect(isSameJSON(a, try JSONValue(report: Array(text.utf8)[...])), "\(context)")
                    } else {
                        #expect(found == text, "\(context)")
                    }
                }
            }
        }
        #expect(valueCount > 5000)
    }

    // MARK: - Types

    @Test(
        arguments: [
            (#""boolean""#, .boolean, Datum().raw([1]), "true"), (#""int""#, .int, Datum().long(-5), "-5"),
            (#""int""#, .long, Datum().long(-5), "-5"), (#""int""#, .string, Datum().long(-5), "-5"),
            (#""long""#, .long, Datum().long(.min), "\(Int64.min)"), (#""long""#, .int, Datum().long(1 << 31), nil),
            (#""long""#, .timestamp, Datum().long(5), "5000000"), (#""int""#, .timestamp, Datum().long(5), "5000000"),
            (#""long""#, .timestamp, Datum().long(.max), nil),
            (#""long""#, .double, Datum().long(3), shown(3)),
            (#""float""#, .double, Datum().float(0.1), shown(Double(Float(0.1)))),
            (#""float""#, .string, Datum().float(0.1), "0.1"), (#""double""#, .double, Datum().double(0.1), shown(0.1)),
            (#""double""#, .string, Datum().double(1e10), "1.0E10"),
            (#""boolean""#, .string, Datum().raw([0]), "false"),
            (#""string""#, .string, Datum().text("é"), "é"), (#""string""#, .string, Datum().text(""), ""),
            (#""bytes""#, .string, Datum().text("abc"), "abc"), (#""bytes""#, .string, Datum().bytes([0xFF]), nil),
            (#""string""#, .string, Datum().bytes([0x61, 0xFF]), nil),
            (#""string""#, .timestamp, Datum().text("1970-01-01T00:00:05Z"), "5000000"),
            (#""string""#, .date, Datum().text("1970-01-03"), "2"), (#""string""#, .date, Datum().text("x"), nil),
            (#""string""#, .decimal(precision: 5, scale: 2), Datum().text("1.5"), "150"),
            (#""int""#, .decimal(precision: 5, scale: 2), Datum().long(12), "1200"),
            (#""int""#, .decimal(precision: 3, scale: 2), Datum().long(12), nil),
            (#""double""#, .decimal(precision: 5, scale: 2), Datum().double(1.25), "125"),
            (#"{"type":"int","logicalType":"date"}"#, .date, Datum().long(-1), "-1"),
            (#"{"type":"int","logicalType":"date"}"#, .string, Datum().long(1), "1970-01-02"),
            (#"{"type":"int","logicalType":"time-millis"}"#, .int, Datum().long(7), "7"),
            (#"{"type":"long","logicalType":"timestamp-millis"}"#, .timestamp, Datum().long(-7), "-7000"),
            (#"{"type":"long","logicalType":"timestamp-micros"}"#, .timestamp, Datum().long(-7), "-7"),
            (#"{"type":"long","logicalType":"timestamp-nanos"}"#, .timestamp, Datum().long(-1), "-1"),
            (#"{"type":"long","logicalType":"timestamp-nanos"}"#, .timestamp, Datum().long(1999), "1"),
            (
                #"{"type":"long","logicalType":"timestamp-millis"}"#, .string, Datum().long(5),
                "1970-01-01T00:00:00.005Z"
            ),
            (
                #"{"type":"long","logicalType":"timestamp-nanos"}"#, .json, Datum().long(5),
                #""1970-01-01T00:00:00.000000005Z""#
            ),
            (#"{"type":"long","logicalType":"local-timestamp-micros"}"#, .timestamp, Datum().long(7), "7"),
            (
                #"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#, .decimal(precision: 10, scale: 3),
                Datum().bytes([0xFF, 0x85]), "-1230"
            ),
            (
                #"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#, .decimal(precision: 9, scale: 2),
                Datum().bytes([]), "0"
            ),
            (
                #"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#, .decimal(precision: 9, scale: 2),
                Datum().bytes([UInt8](repeating: 0xFF, count: 40)), "-1"
            ),
            (
                #"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#, .decimal(precision: 9, scale: 2),
                Datum().bytes([1] + [UInt8](repeating: 0, count: 40)), nil
            ),
            (
                #"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#, .double, Datum().bytes([0x7B]),
                shown(1.23)
            ),
            (
                #"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#, .string, Datum().bytes([0x7B]),
                "1.23"
            ),
            (
                #"{"type":"fixed","name":"F","size":3,"logicalType":"decimal","precision":6,"scale":1}"#,
                .decimal(precision: 6, scale: 1), Datum().raw([0xFF, 0xFF, 0xFE]), "-2"
            ),
            (#"{"type":"fixed","name":"F","size":3}"#, .string, Datum().text("abc").raw([]).dropFirst, "abc"),
            (
                #"{"type":"fixed","name":"F","size":16,"logicalType":"uuid"}"#, .string, Datum().raw(Array(0..<16)),
                "00010203-0405-0607-0809-0a0b0c0d0e0f"
            ),
            (#"{"type":"enum","name":"E","symbols":["A","B"]}"#, .string, Datum().long(1), "B"),
            (#"{"type":"enum","name":"E","symbols":["A","B"]}"#, .json, Datum().long(1), #""B""#),
            (#"["null","string"]"#, .string, Datum().long(1).text("x"), "x"),
            (#"["string","null"]"#, .string, Datum().long(0).text("x"), "x"),
            (#"["null","int","string"]"#, .string, Datum().long(1).long(5), "5"),
            (#"["null","int","string"]"#, .json, Datum().long(2).text("5"), #""5""#),
            (#"["null","int","string"]"#, .int, Datum().long(2).text("5"), nil),
            (#"{"type":"array","items":"int"}"#, .string, Datum().items([Datum().long(1), Datum().long(2)]), "[1,2]"),
            (#"{"type":"array","items":"int"}"#, .json, Datum().items([]), "[]"),
            (
                #"{"type":"map","values":["null","bytes"]}"#, .json,
                Datum().items(
                    [Datum().text("a\"").long(1).bytes([1, 2, 3, 4]), Datum().text("b").long(0)], sized: true),
                #"{"a\"":"AQIDBA==","b":null}"#
            ),
        ] as [(String, DataType, Datum, String?)])
    func `A value is read into a column, or does not fit`(
        type: String, column: DataType, value: Datum, expected: String?
    ) throws {
        let writer = record(
            #"{"name":"before","type":"string"},{"name":"a","type":\#(type)},{"name":"behind","type":"long"}"#)
        let datum = Datum().text("before").raw(value.bytes).long(77)
        let found = try decoded(writer, [("a", column), ("behind", .long), ("a", column)], [datum])
        #expect(found.first?.values == [expected, "77", expected])
        #expect(found.first?.kind == (expected == nil ? .bad : .good))
        // Cut off anywhere it is no record, and none of its bytes are read that are not there.
        for count in 0..<datum.bytes.count {
            let cut = try decoded(
                writer, [("a", column), ("behind", .long)], [Datum(bytes: Array(datum.bytes[..<count]))])
            #expect(cut.first?.kind == DecodedRecord.Kind.none, "\(count) of \(datum.bytes.count)")
        }
    }

    @Test(
        arguments: [
            (EpochUnit.milliseconds, #""long""#, Datum().long(-1500), "-1500000"),
            (.microseconds, #""long""#, Datum().long(7), "7"), (.nanoseconds, #""long""#, Datum().long(-1), "-1"),
            (.seconds, #""double""#, Datum().double(1_704_096_000.123), "1704096000123000"),
            (.milliseconds, #""int""#, Datum().long(5), "5000"),
            (.milliseconds, #""string""#, Datum().text("5.5"), "5500"),
            (.seconds, #""double""#, Datum().double(.nan), nil), (.seconds, #""float""#, Datum().float(0.5), "500000"),
        ] as [(EpochUnit, String, Datum, String?)])
    func `A plain number is a time in the column's unit`(
        unit: EpochUnit, type: String, value: Datum, expected: String?
    ) throws {
        let options = AvroOptions(schema: try schema(record(#"{"name":"a","type":\#(type)}"#)), framing: .none)
        let found = decode(framed([value.bytes]), try plan(options, [("a", .timestamp, .epoch(unit))]))
        #expect(found.first?.values == [expected])
    }

    @Test func `A text that is not UTF-8 is said to be none`() throws {
        let found = try decoded(
            record(#"{"name":"a","type":"int"},{"name":"s","type":"string"}"#), [("s", .string), ("a", .int)],
            [Datum().long(5).bytes([0xC3, 0x28])])
        #expect(found == [DecodedRecord(kind: .bad, fault: .fieldEncoding(slot: 0), values: [nil, "5"])])
    }

    @Test func `A local time is of the source's zone`() throws {
        let type = #"{"name":"a","type":{"type":"long","logicalType":"local-timestamp-millis"}}"#
        let options = AvroOptions(schema: try schema(record(type)), framing: .none)
        let plan = try plan(options, [("a", .timestamp, .usual)], timeZone: "Europe/Paris")
        // Noon of 1 July 2024 in Paris is ten o'clock.
        #expect(decode(framed([Datum().long(1_719_835_200_000).bytes]), plan).first?.values == ["1719828000000000"])
    }

    @Test func `Numbers of every length are read`() throws {
        let writer = record(#"{"name":"a","type":"long"},{"name":"b","type":"long"}"#)
        var numbers: [Int64] = [.min, .max]
        for shift in 0..<63 { for offset in -1...1 as ClosedRange<Int64> { numbers.append(1 << shift + offset) } }
        numbers += numbers.map { 0 &- $0 }
        let found = try decoded(
            writer, [("a", .long), ("b", .long)], numbers.map { Datum().long($0).long(1) })
        #expect(found.map(\.values) == numbers.map { ["\($0)", "1"] })
        // More bytes than are needed are as good, up to ten.
        let padded = try decoded(
            writer, [("a", .long), ("b", .long)],
            (1...9).map { Datum(bytes: [UInt8](repeating: 0x80, count: $0) + [0, 2]) })
        #expect(padded.map(\.values) == (1...9).map { _ in ["0", "1"] })
    }

    // MARK: - Paths

    @Test func `Paths go through unions, records, maps and arrays`() throws {
        let writer = record(
            #"""
            {"name":"user","type":["null",{"type":"record","name":"U","fields":[
              {"name":"skip","type":{"type":"array","items":{"type":"map","values":"string"}}},
              {"name":"id","type":["string","null"]},{"name":"at","type":"long"}]}]},
            {"name":"tags","type":{"type":"map","values":"string"}},
            {"name":"items","type":{"type":"array","items":["null",{"type":"record","name":"I","fields":[
              {"name":"sku","type":"string"},{"name":"n","type":"int"}]}]}}
            """#)
        let columns: [(String, DataType)] = [
            ("user.id", .string), ("user.at", .long), ("tags.a", .string), ("tags['x.y']", .string),
            ("items[0].sku", .string), ("items[2].n", .int), ("items[2]", .json), ("user", .json),
        ]
        let skipped = Datum().items([Datum().items([Datum().text("k").text("v")]), Datum().items([])], sized: true)
        let full = Datum().long(1).raw(skipped.bytes).long(0).text("u1").long(9)
            .items([Datum().text("x.y").text("2"), Datum().text("a").text("1"), Datum().text("a").text("3")])
            .items([Datum().long(1).text("s0").long(0), Datum().long(0)], sized: true)
        // A second block of the same array stands in place of its end.
        var twoBlocks = full
        twoBlocks.bytes.removeLast()
        twoBlocks = twoBlocks.items([Datum().long(1).text("s2").long(5)])
        let empty = Datum().long(0).items([]).items([])
        let found = try decoded(writer, columns, [twoBlocks, full, empty])
        let user = #"{"skip":[{"k":"v"},{}],"id":"u1","at":9}"#
        #expect(
            found.map(\.values) == [
                ["u1", "9", "3", "2", "s0", "5", #"{"sku":"s2","n":5}"#, user],
                ["u1", "9", "3", "2", "s0", nil, nil, user],
                [nil, nil, nil, nil, nil, nil, nil, nil],
            ])
        #expect(found.allSatisfy { $0.kind == .good })
    }

    @Test func `A union of records gives a field where its branch has it`() throws {
        let writer = record(
            #"{"name":"a","type":["string",{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]},{"type":"record","name":"Q","fields":[{"name":"y","type":"int"},{"name":"x","type":"string"}]}]}"#
        )
        let found = try decoded(
            writer, [("a.x", .string)],
            [Datum().long(0).text("no"), Datum().long(1).long(5), Datum().long(2).long(6).text("q"), Datum().long(3)])
        #expect(found.map(\.values) == [[nil], ["5"], ["q"], [nil]])
        #expect(found.map(\.kind) == [.bad, .good, .good, DecodedRecord.Kind.none])
        #expect(reason(found.last) == .branch)
    }

    @Test func `A recursive type is followed as far as a path goes, and skipped as deep as data go`() throws {
        let writer = record(#"{"name":"v","type":"int"},{"name":"next","type":["null","R"]}"#)
        var list = Datum().long(3).long(0)
        for value in [2, 1] { list = Datum().long(Int64(value)).long(1).raw(list.bytes) }
        let columns: [(String, DataType)] = [("next.next.v", .int), ("next.next.next.v", .int), ("next", .json)]
        let found = try decoded(writer, columns, [list])
        #expect(found.first?.values == ["3", nil, #"{"v":2,"next":{"v":3,"next":null}}"#])
        var deep = Datum().long(0).long(0)
        for _ in 0..<100_000 { deep = Datum(bytes: [2, 2]).raw(deep.bytes) }
        for type in [DataType.json, .int] {
            let found = try decoded(writer, [(type == .json ? "next" : "v", type)], [deep])
            #expect(found.first?.kind == DecodedRecord.Kind.none && reason(found.first) == .deep)
        }
    }

    // MARK: - Elements that make rows

    private static let orders = record(
        #"""
        {"name":"id","type":"string"},{"name":"items","type":["null",{"type":"array","items":["null",
          {"type":"record","name":"I","fields":[{"name":"sku","type":"string"},{"name":"n","type":"long"}]}]}, "string"]},
        {"name":"total","type":"int"}
        """#)

    @Test(arguments: [false, true])
    func `Each element makes a row`(keepsEmpty: Bool) throws {
        let item = { (sku: String, n: Int64) in Datum().long(1).text(sku).long(n) }
        let records = [
            Datum().text("a").long(1).items([item("s1", 1), Datum().long(0), item("s2", 1 << 40)], sized: true).long(7),
            Datum().text("b").long(0).long(8), Datum().text("c").long(1).items([]).long(9),
            Datum().text("d").long(2).text("no array").long(10),
            Datum().text("e").long(1).items([item("s3", 3)]).long(11),
        ]
        let found = try decoded(
            Self.orders,
            [
                ("id", .string), ("each.sku", .string), ("each.n", .int), ("each.#", .int), ("total", .int),
                ("each", .json),
            ],
            records, each: "items", keepsEmpty: keepsEmpty)
        let empty: [DecodedRecord] = ["b", "c"].enumerated().map {
            DecodedRecord(kind: .good, fault: nil, values: [$1, nil, nil, nil, "\(8 + $0)", nil])
        }
        var expected = [
            DecodedRecord(
                kind: .good, fault: nil, values: ["a", "s1", "1", "0", "7", #"{"sku":"s1","n":1}"#]),
            DecodedRecord(kind: .good, fault: nil, values: ["a", nil, nil, "1", "7", nil]),
            DecodedRecord(
                kind: .bad, fault: .element(number: 2, slot: 2),
                values: ["a", "s2", nil, "2", "7", #"{"sku":"s2","n":1099511627776}"#]),
        ]
        if keepsEmpty { expected += empty }
        expected += [
            DecodedRecord(kind: .none, fault: .noArray, values: [nil, nil, nil, nil, nil, nil]),
            DecodedRecord(kind: .good, fault: nil, values: ["e", "s3", "3", "0", "11", #"{"sku":"s3","n":3}"#]),
        ]
        #expect(found == expected)
    }

    @Test func `Elements that take no bytes are not without number`() throws {
        let writer = record(#"{"name":"a","type":{"type":"array","items":"null"}}"#)
        let few = Datum().long(3).long(0)
        let many = Datum().long(1 << 60).long(0)
        let rows = try decoded(writer, [("each.#", .long)], [few], each: "a")
        #expect(rows.map(\.values) == [["0"], ["1"], ["2"]])
        let flood = try decoded(writer, [("each.#", .long)], [many], each: "a")
        #expect(flood.count == AvroMachine.emptyItemsMax + 1 && flood.last?.isBad == true)
        // Skipped they cost nothing; as JSON they are counted.
        #expect(try decoded(writer, [("a[5]", .int)], [many]).first?.kind != .good)
        let skipped = try decoded(
            record(#"{"name":"a","type":{"type":"array","items":"null"}},{"name":"b","type":"int"}"#), [("b", .int)],
            [many.long(4)])
        #expect(skipped.first?.values == ["4"])
        #expect(reason(try decoded(writer, [("a", .json)], [many]).first) == .emptyItems)
    }

    // MARK: - Bytes that are none

    @Test(
        arguments: [
            ([0x80], .short), ([UInt8](repeating: 0xFF, count: 10) + [1], .longNumber),
            ([UInt8](repeating: 0xFF, count: 9) + [2], .longNumber), ([0x80, 0x80, 0x80, 0x80, 0x10], .largeNumber),
            ([0, 1], .negativeCount), ([0, 0xFE, 0xFF, 0xFF, 0xFF, 0x0F], .short), ([0, 0, 4], .branch),
            ([0, 0, 1], .branch),
            ([0, 0, 0, 6], .symbol), ([0, 0, 0, 0, 2], .boolean), ([0, 0, 0, 0, 0, 1, 1], .negativeCount),
            ([0, 0, 0, 0, 0] + [UInt8](repeating: 0xFF, count: 9) + [1], .negativeCount),
            ([0, 0, 0, 0, 0, 2], .short), ([0, 0, 0, 0, 0, 0, 0], .trailing),
        ] as [([UInt8], AvroFault)])
    func `Bytes that are no datum are said to be none`(bytes: [UInt8], fault: AvroFault) throws {
        let writer = record(
            #"""
            {"name":"i","type":"int"},{"name":"s","type":"string"},{"name":"u","type":["null","int"]},
            {"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},{"name":"b","type":"boolean"},
            {"name":"a","type":{"type":"array","items":"int"}}
            """#)
        let columns: [(String, DataType)] = [
            ("i", .int), ("s", .string), ("u", .int), ("e", .string), ("b", .boolean), ("a[0]", .int),
        ]
        let found = try decoded(writer, columns, [Datum(bytes: bytes)])
        #expect(reason(found.first) == fault && found.first?.kind == DecodedRecord.Kind.none)
        #expect(found.first?.values == [nil, nil, nil, nil, nil, nil])
        // As JSON the same bytes are none either.
        let parts = try decoded(writer, columns.map { ($0.0.replacing("[0]", with: ""), .json) }, [Datum(bytes: bytes)])
        #expect(parts.first?.kind == DecodedRecord.Kind.none)
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `No bytes break the decoder`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let writer = record(
            #"""
            {"name":"m","type":{"type":"map","values":["null","R","string"]}},{"name":"a","type":{"type":"array",
              "items":{"type":"record","name":"I","fields":[{"name":"x","type":["null","long"]},{"name":"y","type":"double"}]}}},
            {"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
            {"name":"z","type":{"type":"array","items":{"type":"record","name":"Z","fields":[]}}},{"name":"s","type":"string"}
            """#)
        let columns: [(String, DataType)] = [
            ("m.k", .json), ("m.k.s", .string), ("a[1].x", .long), ("a", .json), ("d", .double), ("s", .string),
            ("z[2]", .json),
        ]
        let item = Datum().long(1).long(5).double(1.5)
        let inner = Datum().items([]).items([item]).bytes([1]).long(3).long(0).text("inner")
        let good = Datum().items(
            [Datum().text("k").long(1).raw(inner.bytes), Datum().text("j").long(2).text("x")], sized: true
        )
        .items([item, item, item]).bytes([0x7B]).long(2).long(0).text("outer")
        let plain = try plan(
            AvroOptions(schema: try schema(writer), framing: .none), columns.map { ($0.0, $0.1, .usual) })
        let each = try plan(
            AvroOptions(schema: try schema(writer), framing: .none),
            [("each.x", .long, .usual), ("s", .string, .usual)], each: "a")
        #expect(decode(framed([good.bytes]), plain).first?.kind == .good)
        for _ in 0..<40 {
            let values = (0..<50).map { _ in
                var bytes = good.bytes
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let at = Int.random(in: 0..<max(1, bytes.count), using: &random)
                    guard at < bytes.count else { continue }
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: bytes.remove(at: at)
                    case 1: bytes.insert(.random(in: 0...255, using: &random), at: at)
                    case 2: bytes.removeSubrange(at...)
                    default: bytes[at] = .random(in: 0...255, using: &random)
                    }
                }
                return bytes
            }
            #expect(decode(framed(values), plain).count == 50)
            _ = decode(framed(values), each)
        }
    }

    // MARK: - Framing

    @Test func `Confluent's five bytes are passed over where the schema is given`() throws {
        let options = AvroOptions(schema: try schema(record(#"{"name":"a","type":"int"}"#)), framing: .confluent)
        let plan = try plan(options, [("a", .int, .usual)])
        let found = decode(
            framed([[0, 0, 0, 0, 9, 10], [1, 0, 0, 0, 9, 10], [0, 0, 0], [], [0, 1, 2, 3, 4, 12]]), plan)
        #expect(found.map(\.values) == [["5"], [nil], [nil], [nil], ["6"]])
        #expect(found.map { reason($0) } == [nil, .magic, .magic, nil, nil])
        #expect(found[3].fault == .empty)
    }

    @Test func `Writers' schemas by number are resolved with the reader's`() throws {
        let reader = record(
            #"{"name":"a","type":"long"},{"name":"b","type":"string","default":"none"},{"name":"c","aliases":["old"],"type":["null","int"],"default":null}"#
        )
        let first = RecordSchema(id: 1, writer: SchemaText(Array(record(#"{"name":"a","type":"int"}"#).utf8)))
        let second = RecordSchema(
            id: 258,
            writer: SchemaText(
                Array(
                    record(
                        #"{"name":"old","type":"int"},{"name":"b","type":"string"},{"name":"x","type":"double"},{"name":"a","type":"long"}"#
                    ).utf8)))
        let broken = RecordSchema(id: 3, writer: SchemaText(Array("{".utf8)))
        let plan = try plan(
            AvroOptions(schema: try schema(reader), framing: .confluent),
            [("a", .long, .usual), ("b", .string, .usual), ("c", .int, .usual), ("x", .double, .usual)])
        let values: [[UInt8]] = [
            [0, 0, 0, 0, 1] + Datum().long(5).bytes,
            [0, 0, 0, 1, 2] + Datum().long(8).text("b").double(2).long(7).bytes,
            [0, 0, 0, 0, 1] + Datum().long(6).bytes, [0, 0, 0, 0, 2, 2], [0, 0, 0, 0, 3, 2],
        ]
        let found = decode(framed(values, schemas: [first, second, broken]), plan)
        #expect(
            found.map(\.values) == [
                ["5", "none", nil, nil], ["7", "b", "8", shown(2)], ["6", "none", nil, nil], [nil, nil, nil, nil],
                [nil, nil, nil, nil],
            ])
        #expect(found.map { reason($0) } == [nil, nil, nil, .unknownSchema, .unreadableSchema])
    }

    @Test func `A block of a file has as many rows as it has data, and what is broken costs those behind it`() throws {
        let writer = record(#"{"name":"a","type":"string"}"#)
        let plan = try plan(AvroOptions(schema: nil, framing: .container), [("a", .string, .usual)])
        func block(_ count: UInt32, _ data: Datum) -> [UInt8] {
            let head = withUnsafeBytes(of: (UInt64(9), count, UInt32(data.bytes.count))) { Array($0) }
            return head + data.bytes
        }
        let three = Datum().text("x").text("y").text("z")
        var chunk = framed([
            block(3, three), block(2, three), block(4, three), block(3, Datum().text("x").long(-1).text("z")),
        ])
        chunk.header = Array(writer.utf8)
        let found = decode(chunk, plan)
        #expect(
            found.map(\.values) == [
                ["x"], ["y"], ["z"], ["x"], [nil], ["x"], ["y"], ["z"], [nil], ["x"], [nil], [nil],
            ])
        #expect(
            found.map { reason($0) } == [
                nil, nil, nil, nil, .block, nil, nil, nil, .short, nil, .negativeCount, .behindAnother,
            ])
    }
}

extension Datum {
    /// Without the length before a short text.
    fileprivate var dropFirst: Datum { Datum(bytes: Array(bytes.dropFirst())) }
}

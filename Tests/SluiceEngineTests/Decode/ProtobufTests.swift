// Messages of protobuf against rows that are known: Python's reading of random schemas and messages, and a case by hand
// for each rule. Bytes are written here by `Message`, which knows nothing of schemas.

import Foundation
import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceEngine

/// The bytes of a message, put together.
struct Message {
    var bytes: [UInt8] = []

    static func number(_ value: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    func raw(_ bytes: [UInt8]) -> Message { Message(bytes: self.bytes + bytes) }
    func tag(_ field: Int, _ wireType: Int) -> Message { raw(Self.number(UInt64(field << 3 | wireType))) }
    func int(_ field: Int, _ value: Int64) -> Message {
        tag(field, 0).raw(Self.number(UInt64(bitPattern: value)))
    }
    func bytes(_ field: Int, _ content: [UInt8]) -> Message {
        tag(field, 2).raw(Self.number(UInt64(content.count))).raw(content)
    }
    func text(_ field: Int, _ text: String) -> Message { bytes(field, Array(text.utf8)) }
    func message(_ field: Int, _ message: Message) -> Message { bytes(field, message.bytes) }
    func double(_ field: Int, _ value: Double) -> Message {
        tag(field, 1).raw(withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) })
    }
}

private func schema(_ text: String) throws -> ProtobufSchema {
    try ProtobufSchema(proto: Array(text.utf8), name: "test.proto") { _ in nil }
}

private func options(_ text: String, message: String? = nil) throws -> ProtobufOptions {
    let schema = try schema(text)
    let found = try message.map { try schema.message(named: $0) } ?? schema.topMessages[0]
    return ProtobufOptions(schema: schema, message: schema[found].fullName, framing: .none)
}

private func decoded(
    _ text: String, _ columns: [(String, DataType)], _ values: [Message], each: String? = nil, keepsEmpty: Bool = false
) throws -> [DecodedRecord] {
    let plan = try nestedPlan(
        .protobuf(try options(text)), columns.map { ($0.0, $0.1, .usual) }, each: each, keepsEmpty: keepsEmpty)
    return decode(framed(values.map(\.bytes)), plan)
}

private func reason(_ record: DecodedRecord?) -> ProtobufFault? {
    if case .protobuf(let fault)? = record?.fault { fault } else { nil }
}

@Suite struct ProtobufTests {
    // MARK: - The oracle

    @Test func `Random schemas and messages are read as Python reads them`() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Python/protobuf.json")
        guard case .array(let cases) = try JSONValue(report: Array(try Data(contentsOf: path))[...]) else { return }
        #expect(cases.count == 1000)
        var valueCount = 0
        for (number, one) in cases.enumerated() {
            guard case .array(let parts) = one, case .string(let proto) = parts[0], case .array(let columns) = parts[1],
                case .array(let records) = parts[2]
            else { return }
            let types = columns.map { column in
                guard case .array(let pair) = column, case .string(let path) = pair[0], case .string(let type) = pair[1]
                else { return (path: "", type: DataType.json, form: ColumnSpec.Form.usual) }
                return (path, DataType(type) ?? .json, .usual)
            }
            let plan = try nestedPlan(.protobuf(try options(proto)), types)
            var values: [[UInt8]] = []
            var rows: [[JSONValue]] = []
            for record in records {
                guard case .array(let pair) = record, case .string(let hex) = pair[0], case .array(let row) = pair[1]
                else { return }
                values.append(unhex(hex))
                rows.append(row)
            }
            let found = decode(framed(values), plan)
            #expect(found.count == rows.count)
            for (record, row) in zip(found, rows) {
                for (index, (value, wanted)) in zip(record.values, row).enumerated() {
                    valueCount += 1
                    let context =
                        "case \(number), `\(types[index].path)` \(types[index].type): \(value ?? "-") for \(wanted)"
                    guard case .string(let text) = wanted else {
                        #expect(value == nil, "\(context)")
                        continue
                    }
                    if types[index].type == .json, let value {
                        let json = try JSONValue(report: Array(value.utf8)[...])
                        #expect(isSameJSON(json, try JSONValue(report: Array(text.utf8)[...])), "\(context)")
                    } else if types[index].type == .string, let value, Double(value) != nil, value.contains("E") {
                        #expect(Double(value) == Double(text), "\(context)")
                    } else {
                        #expect(value == text, "\(context)")
                    }
                }
            }
        }
        #expect(valueCount > 10_000)
    }

    // MARK: - Types

    private static let all = """
        syntax = "proto3";
        import "google/protobuf/timestamp.proto";
        import "google/protobuf/duration.proto";
        import "google/protobuf/wrappers.proto";
        enum Color { NONE = 0; RED = 3; BLUE = -2; }
        message All {
          int64 before = 1;
          int32 i = 2; int64 l = 3; uint32 u = 4; uint64 ul = 5; sint32 z = 6; sint64 zl = 7;
          fixed32 f = 8; fixed64 fl = 9; sfixed32 sf = 10; sfixed64 sfl = 11;
          double d = 12; float g = 13; bool b = 14; string s = 15; bytes y = 16; Color c = 17;
          google.protobuf.Timestamp t = 18; google.protobuf.Duration p = 19; google.protobuf.Int64Value w = 20;
          Inner m = 21; repeated int32 r = 22; map<string, Inner> k = 23; repeated Inner ms = 24;
          optional int32 o = 25; oneof choice { string os = 26; Inner om = 27; }
          int64 behind = 2000;
        }
        message Inner { int32 n = 1; string s = 2; Inner next = 3; }
        """

    @Test(
        arguments: [
            ("i", .int, Message().int(2, -5), "-5"), ("i", .long, Message().int(2, 1 << 40 | 7), "7"),
            ("l", .long, Message().int(3, .min), "\(Int64.min)"), ("l", .int, Message().int(3, 1 << 31), nil),
            ("l", .timestamp, Message().int(3, -5), "-5000000"), ("l", .timestamp, Message().int(3, .max), nil),
            ("l", .string, Message().int(3, -5), "-5"), ("l", .json, Message().int(3, -5), #""-5""#),
            ("l", .decimal(precision: 5, scale: 2), Message().int(3, 12), "1200"),
            ("l", .decimal(precision: 3, scale: 2), Message().int(3, 12), nil),
            ("u", .long, Message().int(4, -1), "4294967295"), ("u", .json, Message().int(4, 7), "7"),
            ("ul", .long, Message().int(5, 7), "7"), ("ul", .long, Message().int(5, -1), nil),
            ("ul", .decimal(precision: 20, scale: 0), Message().int(5, -1), "18446744073709551615"),
            ("ul", .string, Message().int(5, -1), "18446744073709551615"),
            ("ul", .double, Message().int(5, -1), shown(Double(UInt64.max))),
            ("z", .int, Message().int(6, 9), "-5"), ("zl", .long, Message().int(7, 10), "5"),
            ("f", .long, Message().tag(8, 5).raw([1, 0, 0, 0x80]), "2147483649"),
            ("sf", .int, Message().tag(10, 5).raw([0xFF, 0xFF, 0xFF, 0xFF]), "-1"),
            ("fl", .long, Message().tag(9, 1).raw([2, 0, 0, 0, 0, 0, 0, 0]), "2"),
            ("fl", .long, Message().tag(9, 1).raw([2, 0, 0, 0, 0, 0, 0, 0x80]), nil),
            ("sfl", .long, Message().tag(11, 1).raw([UInt8](repeating: 0xFF, count: 8)), "-1"),
            ("d", .double, Message().double(12, 0.1), shown(0.1)), ("d", .string, Message().double(12, 1e10), "1.0E10"),
            ("d", .decimal(precision: 5, scale: 2), Message().double(12, 1.25), "125"),
            ("d", .json, Message().double(12, .nan), #""NaN""#),
            ("g", .double, Message().tag(13, 5).raw([0xCD, 0xCC, 0xCC, 0x3D]), shown(Double(Float(0.1)))),
            ("g", .string, Message().tag(13, 5).raw([0xCD, 0xCC, 0xCC, 0x3D]), "0.1"),
            ("b", .boolean, Message().int(14, 5), "true"), ("b", .string, Message().int(14, 1), "true"),
            ("s", .string, Message().text(15, "é"), "é"), ("s", .string, Message().bytes(15, [0x61, 0xFF]), nil),
            ("s", .json, Message().text(15, "a\""), #""a\"""#), ("s", .json, Message().bytes(15, [0xFF]), nil),
            ("s", .timestamp, Message().text(15, "1970-01-01T00:00:05Z"), "5000000"),
            ("s", .date, Message().text(15, "1970-01-03"), "2"), ("s", .date, Message().text(15, "x"), nil),
            ("y", .string, Message().text(16, "abc"), "abc"), ("y", .string, Message().bytes(16, [0xFF]), nil),
            ("y", .json, Message().bytes(16, [1, 2, 3, 4]), #""AQIDBA==""#),
            ("c", .string, Message().int(17, 3), "RED"), ("c", .string, Message().int(17, -2), "BLUE"),
            ("c", .string, Message().int(17, 7), "7"), ("c", .json, Message().int(17, 7), "7"),
            ("c", .int, Message().int(17, 7), "7"), ("c", .long, Message().int(17, -2), "-2"),
            ("t", .timestamp, Message().message(18, Message().int(1, 5).int(2, 1999)), "5000001"),
            ("t", .timestamp, Message().message(18, Message()), "0"),
            (
                "t", .timestamp, Message().message(18, Message().int(1, 5)).message(18, Message().int(2, 1000)),
                "5000001"
            ),
            ("t", .timestamp, Message().message(18, Message().int(1, .max)), nil),
            ("t", .string, Message().message(18, Message().int(1, 5)), "1970-01-01T00:00:05Z"),
            ("t", .json, Message().message(18, Message().int(2, 5)), #""1970-01-01T00:00:00.000000005Z""#),
            ("t", .json, Message().message(18, Message().int(1, .max)), nil),
            ("t.seconds", .long, Message().message(18, Message().int(1, 5)), "5"),
            ("p", .string, Message().message(19, Message().int(1, -1).int(2, -500_000_000)), "-1.500s"),
            ("p", .double, Message().message(19, Message().int(1, 1).int(2, 500_000_000)), shown(1.5)),
            (
                "p", .decimal(precision: 9, scale: 1), Message().message(19, Message().int(1, 1).int(2, 550_000_000)),
                "16"
            ),
            ("w", .long, Message().message(20, Message().int(1, 5)), "5"),
            ("w", .long, Message().message(20, Message()), "0"),
            ("w", .json, Message().message(20, Message().int(1, 5)), #""5""#),
            ("w.value", .string, Message().message(20, Message().int(1, 5)), "5"),
            ("m.s", .string, Message().message(21, Message().text(2, "x")), "x"),
            ("m.n", .int, Message().message(21, Message().text(2, "x")), "0"),
            ("m.next.n", .int, Message().message(21, Message().message(3, Message().int(1, 8))), "8"),
            ("m", .json, Message().message(21, Message().text(2, "x").int(1, 7).int(99, 1)), #"{"n":7,"s":"x"}"#),
            ("m", .string, Message().message(21, Message().int(1, 0)), "{}"),
            (
                "m", .json, Message().message(21, Message().int(1, 7).text(2, "a")).message(21, Message().text(2, "b")),
                #"{"n":7,"s":"b"}"#
            ),
            ("m.n", .int, Message().message(21, Message().int(1, 7)).message(21, Message().text(2, "b")), "7"),
            ("r", .json, Message().bytes(22, [1, 2]).int(22, 3), "[1,2,3]"),
            ("r[2]", .int, Message().bytes(22, [1, 2]).int(22, 3), "3"),
            ("r[0]", .int, Message().bytes(22, [1, 2]), "1"),
            (
                "k", .json, Message().message(23, Message().text(1, "a").message(2, Message().int(1, 1))),
                #"{"a":{"n":1}}"#
            ),
            ("k.a.n", .int, Message().message(23, Message().text(1, "a").message(2, Message().int(1, 1))), "1"),
            ("k.a.n", .int, Message().message(23, Message().message(2, Message().int(1, 1)).text(1, "a")), "1"),
            (
                "k.a.n", .int,
                Message().message(23, Message().text(1, "a").message(2, Message().int(1, 1)))
                    .message(23, Message().text(1, "a").message(2, Message().text(2, "x"))), "0"
            ),
            ("ms[1].n", .int, Message().message(24, Message().int(1, 1)).message(24, Message().int(1, 2)), "2"),
            ("ms[1]", .json, Message().message(24, Message().int(1, 1)).message(24, Message().int(1, 2)), #"{"n":2}"#),
            ("o", .int, Message().int(25, 0), "0"), ("os", .string, Message().text(26, ""), ""),
            ("om.n", .int, Message().text(26, "x").message(27, Message()), "0"),
        ] as [(String, DataType, Message, String?)])
    func `A value is read into a column, or does not fit`(
        path: String, column: DataType, value: Message, expected: String?
    ) throws {
        let message = Message().int(1, 66).raw(value.bytes).int(2000, 77)
        let columns: [(String, DataType)] = [(path, column), ("behind", .long), (path, column), ("before", .int)]
        let found = try decoded(Self.all, columns, [message])
        #expect(found.first?.values == [expected, "77", expected, "66"])
        #expect(found.first?.kind == (expected == nil ? .bad : .good))
        // Cut off anywhere nothing is read that is not there.
        for count in 0..<message.bytes.count {
            _ = try decoded(Self.all, columns, [Message(bytes: Array(message.bytes[..<count]))])
        }
    }

    @Test func `What a message lacks is its default, or null where it shows`() throws {
        let found = try decoded(
            Self.all,
            [
                ("i", .int), ("ul", .decimal(precision: 20, scale: 0)), ("d", .double), ("b", .boolean), ("s", .string),
                ("c", .string), ("y", .json), ("l", .json), ("r", .json), ("k", .json), ("f", .string),
                ("l", .timestamp),
                ("t", .timestamp), ("p", .string), ("w", .long), ("m.n", .int), ("m", .json), ("r[0]", .int),
                ("k.a.n", .int), ("o", .int), ("os", .string), ("om.n", .int),
            ], [Message(), Message().message(27, Message().int(1, 5)).text(26, "x")])
        let missing: [String?] = [
            "0", "0", "0", "false", "", "NONE", #""""#, #""0""#, "[]", "{}", "0", "0", nil, nil, nil, nil, nil, nil,
            nil,
            nil,
        ]
        #expect(found.map(\.values) == [missing + [nil, nil], missing + ["x", nil]])
        #expect(found.allSatisfy { $0.kind == .good })
    }

    @Test func `Defaults of proto2 are those that the schema declares`() throws {
        let text = """
            syntax = "proto2";
            enum E { FIRST = 5; SECOND = 6; }
            message M {
              optional int32 plain = 1; optional sint32 n = 2 [default = -7]; optional string s = 3 [default = "x\\"y"];
              optional E e = 4 [default = SECOND]; optional E none = 5; required bool b = 6;
              optional double d = 7 [default = inf]; optional string day = 8 [default = "1970-01-02"];
              optional group G = 9 { optional int32 n = 1; } repeated E es = 10; optional bytes y = 11 [default = "\\377"];
              optional float f = 12 [default = 0.5];
            }
            """
        let columns: [(String, DataType)] = [
            ("plain", .int), ("n", .int), ("n", .string), ("s", .string), ("s", .json), ("e", .string),
            ("none", .string),
            ("b", .boolean), ("d", .double), ("day", .date), ("es", .json), ("y", .json), ("f", .double),
        ]
        let group = Message().tag(9, 3).int(1, 5).tag(9, 4)
        let found = try decoded(
            text, columns,
            [Message(), group.int(1, 1).int(4, 9).int(5, 6).int(10, 5).int(10, 9), Message().int(4, 5).int(4, 9)])
        let missing: [String?] = [
            nil, "-7", "-7", #"x"y"#, #""x\"y""#, "SECOND", nil, nil, shown(.infinity), "1", "[]", #""/w==""#,
            shown(0.5),
        ]
        #expect(found[0].values == missing)
        // A number that a closed enum does not have is as if it were not there.
        #expect(found[1].values[0] == "1" && found[1].values[5] == "SECOND" && found[1].values[6] == "SECOND")
        #expect(found[1].values[10] == #"["FIRST"]"#)
        #expect(found[2].values[5] == "FIRST")
        #expect(throws: ProtobufProblem.self) { try checked(text, [("g", .json)]) }
    }

    private func checked(_ text: String, _ columns: [(String, DataType)]) throws {
        let schema = try schema(text)
        let place = SourcePosition(file: "test.yaml", line: 1, column: 1)
        for (path, type) in columns {
            let column = ColumnSpec(name: "c", type: type, origin: .field(try FieldPath(text: path)), position: place)
            if let problem = schema.problems(of: [column], each: nil, message: 0).first {
                throw ProtobufProblem(message: problem.message)
            }
        }
    }

    @Test(
        arguments: [
            (EpochUnit.milliseconds, "l", Message().int(3, -1500), "-1500000"),
            (.microseconds, "l", Message().int(3, 7), "7"), (.nanoseconds, "l", Message().int(3, -1), "-1"),
            (.milliseconds, "ul", Message().int(5, -1), nil),
            (.seconds, "d", Message().double(12, 1_704_096_000.123), "1704096000123000"),
        ] as [(EpochUnit, String, Message, String?)])
    func `A number is a time in the column's unit`(
        unit: EpochUnit, field: String, value: Message, expected: String?
    ) throws {
        let plan = try nestedPlan(.protobuf(try options(Self.all, message: "All")), [(field, .timestamp, .epoch(unit))])
        #expect(decode(framed([value.bytes]), plan).first?.values == [expected])
    }

    // MARK: - Elements that make rows

    @Test(arguments: [false, true])
    func `Each element makes a row`(keepsEmpty: Bool) throws {
        let text = """
            syntax = "proto3";
            message Order {
              string id = 1; message Item { string sku = 1; int64 n = 2; } repeated Item items = 2; int32 total = 3;
            }
            """
        let item = { (sku: String, n: Int64) in Message().text(1, sku).int(2, n) }
        let records = [
            Message().text(1, "a").message(2, item("s1", 1)).int(3, 7).message(2, Message()).message(
                2, item("s2", 1 << 40)),
            Message().text(1, "b").int(3, 8),
            Message().message(2, Message().raw([0x0A, 5])).message(2, item("s3", 3)),
        ]
        let found = try decoded(
            text,
            [
                ("id", .string), ("each.sku", .string), ("each.n", .int), ("each.#", .int), ("total", .int),
                ("each", .json),
            ], records, each: "items", keepsEmpty: keepsEmpty)
        var expected = [
            DecodedRecord(kind: .good, fault: nil, values: ["a", "s1", "1", "0", "7", #"{"sku":"s1","n":"1"}"#]),
            DecodedRecord(kind: .good, fault: nil, values: ["a", "", "0", "1", "7", "{}"]),
            DecodedRecord(
                kind: .bad, fault: .element(number: 2, slot: 2),
                values: ["a", "s2", nil, "2", "7", #"{"sku":"s2","n":"1099511627776"}"#]),
        ]
        if keepsEmpty {
            expected.append(DecodedRecord(kind: .good, fault: nil, values: ["b", nil, nil, nil, "8", nil]))
        }
        expected += [
            DecodedRecord(kind: .bad, fault: .element(number: 0, slot: 3), values: ["", nil, nil, "0", "0", nil]),
            DecodedRecord(kind: .good, fault: nil, values: ["", "s3", "3", "1", "0", #"{"sku":"s3","n":"3"}"#]),
        ]
        #expect(found == expected)
    }

    @Test func `Elements may stand in one piece`() throws {
        let text = #"syntax = "proto3"; message M { repeated sint32 a = 1; repeated string b = 2; M m = 3; }"#
        let found = try decoded(
            text, [("each", .int), ("each", .string), ("each.#", .int)],
            [Message().bytes(1, [2, 4]).int(1, 6), Message().bytes(1, [2, 0x80]), Message().bytes(1, [])], each: "a")
        #expect(found.map(\.values) == [["1", "1", "0"], ["2", "2", "1"], ["3", "3", "2"], [nil, nil, nil]])
        #expect(reason(found.last) == .elements)
        let texts = try decoded(
            text, [("each", .string)], [Message().message(3, Message().text(2, "x").text(2, ""))], each: "m.b")
        #expect(texts.map(\.values) == [["x"], [""]])
    }

    // MARK: - Framing

    @Test func `The framing says which message of which schema a value is`() throws {
        let first =
            #"syntax = "proto3"; package p; message Other { int32 n = 1; } message M { message In { int32 n = 1; } int64 n = 2; }"#
        let later =
            #"syntax = "proto3"; package p; message M { int64 m = 3; int64 n = 2; message In { int32 n = 1; } }"#
        func framedValue(_ id: UInt8, _ places: [UInt8], _ n: (Int, Int64)) -> [UInt8] {
            [0, 0, 0, 0, id] + places + Message().int(n.0, n.1).bytes
        }
        let reader = SchemaText(Array(later.utf8))
        let schemas = [
            RecordSchema(id: 1, writer: SchemaText(Array(first.utf8)), reader: reader),
            RecordSchema(id: 2, writer: reader, reader: reader),
            RecordSchema(id: 3, writer: SchemaText(Array("nonsense".utf8)), reader: reader),
        ]
        let values = [
            framedValue(1, [2, 2], (2, 10)), framedValue(2, [0], (2, 11)), framedValue(1, [0], (1, 12)),
            framedValue(1, [4, 2, 0], (1, 13)), framedValue(1, [2, 6], (1, 14)), framedValue(3, [0], (1, 15)),
            framedValue(4, [0], (1, 16)), framedValue(1, [1], (1, 17)), [0, 0, 0, 0, 1], [0, 0, 0, 1],
            framedValue(2, [2, 0], (2, 18)), [0, 0, 0, 0, 1, 0xFE],
        ]
        func rows(_ message: String?) throws -> [DecodedRecord] {
            let options = ProtobufOptions(schema: nil, message: message, framing: .confluent)
            return decode(framed(values, schemas: schemas), try nestedPlan(.protobuf(options), [("n", .long, .usual)]))
        }
        let all = try rows(nil)
        #expect(all.map { $0.values[0] } == ["10", "11", "12", "13", nil, nil, nil, nil, nil, nil, "18", nil])
        #expect(
            all.compactMap(reason) == [
                .unknownMessage, .unreadable, .unknownSchema, .indexes, .indexes, .magic, .indexes,
            ])
        let only = try rows("p.M")
        #expect(only.prefix(4).map { $0.values[0] } == ["10", "11", nil, nil])
        #expect(only.dropFirst(2).prefix(2).compactMap(reason) == [.otherMessage, .otherMessage])
        // With a schema of the spec's own they are passed over.
        let own = ProtobufOptions(schema: try schema(later), message: "p.M", framing: .confluent)
        let plain = decode(framed(values, schemas: []), try nestedPlan(.protobuf(own), [("n", .long, .usual)]))
        #expect(plain.prefix(2).map { $0.values[0] } == ["10", "11"])
    }

    // MARK: - Bytes that are none

    @Test(
        arguments: [
            ([0x80], .short), ([0x10], .short), ([0x10, 0x80], .short), ([0x7A, 2, 0x61], .short),
            ([0x10] + [UInt8](repeating: 0xFF, count: 10) + [1], .longNumber),
            ([0x18] + [UInt8](repeating: 0xFF, count: 9) + [2], .longNumber), ([0x00, 0x01], .tag), ([0x02, 0], .tag),
            ([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], .tag), ([0x0E], .wireType), ([0x0F], .wireType),
            ([0x0C], .group), ([0x0B, 0x14], .group), ([0x0B], .short), ([0x0B, 0x0E, 0x0C], .wireType),
            ([0x7A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], .short), ([0x61, 0, 0], .short),
            ([0xAA, 1, 2, 0x08], .short), ([0xAA, 1, 1, 0x08, 0x01], .short), ([0xB2, 1, 1, 0x80], .elements),
            ([UInt8](repeating: 0x0B, count: 101), .deep), ([0xBA, 1, 2, 0x0A, 5], .short),
        ] as [([UInt8], ProtobufFault)])
    func `Bytes that are no message are said to be none`(bytes: [UInt8], fault: ProtobufFault) throws {
        let columns: [(String, DataType)] = [
            ("i", .int), ("l", .long), ("s", .string), ("d", .double), ("m.n", .int), ("r[0]", .int), ("k.a.n", .int),
        ]
        let found = try decoded("\(Self.all)", columns, [Message(bytes: bytes)])
        #expect(reason(found.first) == fault)
        #expect(found.first?.kind == DecodedRecord.Kind.none && found.first?.values == columns.map { _ in nil })
    }

    @Test func `Messages in messages end somewhere`() throws {
        let text = #"syntax = "proto3"; message M { M m = 1; int32 n = 2; }"#
        func nested(_ depth: Int) -> Message {
            (0..<depth).reduce(Message().int(2, 7)) { inner, _ in Message().message(1, inner) }
        }
        let found = try decoded(text, [("m", .json)], [nested(90), nested(300)])
        #expect(found[0].kind == .good && reason(found[1]) == .deep)
        // What nobody looks into costs nothing.
        #expect(try decoded(text, [("n", .int)], [nested(300).int(2, 5)]).first?.values == ["5"])
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `No bytes break the decoder`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let columns: [(String, DataType)] = [
            ("m", .json), ("m.next.s", .string), ("r[1]", .int), ("r", .json), ("k.a.n", .long), ("k", .json),
            ("ms", .json),
            ("ms[1].n", .int), ("t", .timestamp), ("t", .json), ("p", .double), ("w", .long), ("os", .string),
            ("om.n", .int),
            ("om", .json), ("s", .string), ("c", .string), ("behind", .decimal(precision: 10, scale: 2)),
        ]
        let inner = Message().int(1, 5).text(2, "inner").message(3, Message().text(2, "next"))
        let good = Message().message(21, inner).bytes(22, [1, 2, 3]).int(22, 4)
            .message(23, Message().text(1, "a").message(2, inner)).message(24, inner).message(24, Message())
            .message(18, Message().int(1, 5).int(2, 6)).message(19, Message().int(1, 1)).message(
                20, Message().int(1, 9)
            )
            .text(26, "one").message(27, inner).text(15, "text").int(17, 3).tag(77, 3).int(1, 5).tag(77, 4).int(2000, 5)
        let plain = try nestedPlan(
            .protobuf(try options(Self.all, message: "All")), columns.map { ($0.0, $0.1, .usual) })
        let each = try nestedPlan(
            .protobuf(try options(Self.all, message: "All")),
            [("each.next.s", .string, .usual), ("each", .json, .usual), ("s", .string, .usual)], each: "ms")
        let packed = try nestedPlan(
            .protobuf(try options(Self.all, message: "All")), [("each", .int, .usual), ("r[2]", .int, .usual)],
            each: "r")
        #expect(decode(framed([good.bytes]), plain).first?.kind == .good)
        for _ in 0..<100 {
            let values = (0..<50).map { _ in
                var bytes = good.bytes
                for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                    let place = Int.random(in: 0..<bytes.count, using: &random)
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                    case 1: bytes.remove(at: place)
                    case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
                    default: bytes = Array(bytes[..<max(1, place)])
                    }
                }
                return bytes
            }
            for plan in [plain, each, packed] {
                let found = decode(framed(values), plan)
                if plan.each == nil { #expect(found.count == values.count) }
            }
        }
    }
}

// Samples whose schema is known: columns are the schema's, and the sample says which of them are times.

import SluiceDescribe
import SluiceEngine
import SluiceSpec
import Testing

@Suite struct SchemaTests {
    // MARK: Bytes

    private static func number(_ value: Int64) -> [UInt8] { sevenBitBytes(zigzag(value)) }
    private static func text(_ text: String) -> [UInt8] { number(Int64(text.utf8.count)) + Array(text.utf8) }
    private static func four(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

    /// A block as a source of container files hands it on.
    private static func block(_ data: [[UInt8]]) -> [UInt8] {
        let bytes = data.flatMap { $0 }
        return [UInt8](repeating: 0, count: 8) + four(data.count) + four(bytes.count) + bytes
    }

    private func containers(_ files: [(schema: String, blocks: [[UInt8]])], _ schemas: SampleSchemas = .none) -> Sample
    {
        let parts = files.enumerated().map { number, file in
            Sample.Part(
                place: "\(number).avro", content: .container(schema: Array(file.schema.utf8), blocks: file.blocks))
        }
        return Sample(
            target: .files("orders"), parts: parts, isAll: true, fileCount: files.count, schemas: schemas)
    }

    private func messages(_ values: [[UInt8]], _ schemas: SampleSchemas) -> Sample {
        Sample(
            target: .topic(brokers: "b:9092", name: "orders"),
            parts: [.init(place: "orders/0", content: .messages(values))], isAll: false, schemas: schemas)
    }

    // MARK: Avro

    private static let order = #"""
        {"type": "record", "name": "Order", "namespace": "shop", "fields": [
          {"name": "id", "type": "string"},
          {"name": "placed_at", "type": "long"},
          {"name": "seen_at", "type": "string"},
          {"name": "shipped_at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
          {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
          {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}},
          {"name": "buyer", "type": {"type": "record", "name": "Buyer", "fields": [
            {"name": "id", "type": "int"},
            {"name": "friend", "type": ["null", "Buyer"]}]}},
          {"name": "items", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [
            {"name": "sku", "type": "string"}]}}},
          {"name": "mixed", "type": ["int", "string"]},
          {"name": "nothing", "type": "null"}]}
        """#

    /// A second later each; every tenth two minutes back.
    private static func order(_ n: Int) -> [UInt8] {
        let millis = 1_780_000_000_000 + Int64(n) * 1000 - (n % 10 == 9 ? 120_000 : 0)
        let numbers = number(millis) + text("2026-05-28T10:00:0\(n % 10)Z") + number(0) + [2, UInt8(n & 0x7F)]
        let buyer = number(Int64(n)) + number(0)
        return text("o-\(n)") + numbers + number(Int64(n % 2)) + buyer + number(1) + text("sku") + number(0)
            + number(0) + number(7)
    }

    @Test func `A container's columns are its schema's, and its times those of the sample`() throws {
        let blocks = [Self.block((0..<30).map(Self.order)), Self.block((30..<50).map(Self.order))]
        let description = try containers([(Self.order, blocks)]).described(utcOnly)
        #expect(
            description.yaml == """
                # 50 records, all of orders: none of them is bad
                # `items` holds arrays of records: `each: items` makes a row of each element, \
                with columns such as `{ type: string, from: each.sku }`
                # `placed_at` is taken for the event time; `seen_at` is a time in every record, too
                sources:
                  orders:
                    file: { path: orders }
                    format: avro
                    columns:
                      id:         string
                      placed_at:  { type: timestamp, unit: ms }
                      seen_at:    timestamp
                      shipped_at: timestamp
                      total:      "decimal(9,2)"
                      state:      string   # NEW, PAID
                      buyer_id:   { type: int, from: buyer.id }
                      friend:     { type: json, from: buyer.friend }
                      items:      json
                      mixed:      json
                    # delay: 5 rows of the sample are behind one before, by up to 1 min 59 s; rounded up. \
                They do not come in the order of this time
                    watermark: { column: placed_at, delay: 2 minutes, max_ahead: 1 hour }

                """)
    }

    @Test func `What is broken in a block costs what is behind it, and is counted`() throws {
        let whole = Self.block((0..<20).map(Self.order))
        var broken = Self.block((0..<10).map(Self.order))
        broken.removeLast(40)
        let rest = Self.four(broken.count - 16)
        broken.replaceSubrange(12..<16, with: rest)
        let description = try containers([(Self.order, [whole, broken])]).described(utcOnly)
        #expect(description.recordCount > 20 && description.badCount == 1)
        #expect(description.yaml.contains("it ends before its last field does"), "\(description.yaml)")
    }

    @Test func `Of files with several schemas columns are what all have, or what a reader's schema says`() throws {
        @Sendable func schema(_ fields: String) -> String { #"{"type":"record","name":"R","fields":[\#(fields)]}"# }
        let id = #"{"name":"id","type":"long"}"#
        let note = #"{"name":"note","type":"string","default":"-"}"#
        let files = [
            (schema(id), [Self.block([Self.number(1)])]),
            (schema("\(id),\(note)"), [Self.block([Self.number(2) + Self.text("x")])]),
            (schema(#"{"name":"id","type":"long"},{"name":"note","type":"int"}"#), [Self.block([[6, 8]])]),
        ]
        let common = try containers(files).described(utcOnly)
        #expect(common.yaml.contains("# the files have 3 schemas: columns are what all of them have."))
        #expect(common.yaml.contains("      id: long\n") && !common.yaml.contains("note"), "\(common.yaml)")
        let reader = SampleReader(zones: TimeZones { _ in nil }, nowMillis: nowMillis) {
            $0 == "r.avsc"
                ? .success(Array(schema("\(id),\(note)").utf8)) : .failure(UnreadableFile(reason: "there is none"))
        }
        let named = try SampleSchemas(.file("r.avsc", message: nil), reader)
        let read = try containers(Array(files.prefix(2)), named).described(reader)
        #expect(read.yaml.contains("format: { avro: { schema: r.avsc } }"), "\(read.yaml)")
        #expect(read.yaml.contains("note: string") && read.badCount == 0)
    }

    @Test func `A schema that holds itself, has no fields or too many ends`() throws {
        let node =
            #"{"type":"record","name":"N","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","N"]}]}"#
        let chain = try containers([(node, [Self.block([[2, 2, 4, 0], [6, 0]])])]).described(utcOnly)
        #expect(chain.yaml.contains("v:    int\n") && chain.yaml.contains("next: json"), "\(chain.yaml)")
        let empty = #"{"type":"record","name":"E","fields":[]}"#
        #expect(throws: DescribeError("the schema of orders has no field that a column could be read from")) {
            try containers([(empty, [Self.block([[]])])]).described(utcOnly)
        }
        let fields = (0..<250).map { #"{"name":"f\#($0)","type":"int"}"# }.joined(separator: ",")
        let wide = #"{"type":"record","name":"W","fields":[\#(fields)]}"#
        let record = [UInt8](repeating: 2, count: 250)
        let described = try containers([(wide, [Self.block([record])])]).described(utcOnly)
        #expect(described.yaml.contains("more than 100 fields: 150 left out, the last (f100, f101"))
        #expect(described.badCount == 0)
    }

    // MARK: Protobuf

    private static let shop = """
        syntax = "proto3";
        package shop;
        import "google/protobuf/timestamp.proto";
        import "google/protobuf/duration.proto";
        import "google/protobuf/wrappers.proto";
        enum State { NEW = 0; PAID = 1; }
        message Buyer { int32 id = 1; Buyer friend = 2; }
        message Order {
          string id = 1;
          google.protobuf.Timestamp at = 2;
          int64 updated_ms = 3;
          State state = 4;
          Buyer buyer = 5;
          repeated Item items = 6;
          map<string, int32> counts = 7;
          google.protobuf.Duration took = 8;
          google.protobuf.Int64Value weight = 9;
          uint64 big = 10;
          message Item { string sku = 1; }
        }
        """

    /// Only every second has the number that may be a time.
    private static func message(_ n: Int) -> [UInt8] {
        let id = Array("o-\(n)".utf8)
        let at = [8] + sevenBitBytes(UInt64(1_780_000_000 + n))
        let updated = n % 2 == 0 ? [0x18] + sevenBitBytes(UInt64(1_780_000_000_000 + n)) : []
        return [0x0A, UInt8(id.count)] + id + [0x12, UInt8(at.count)] + at + updated + [0x2A, 2, 8, 5]
            + [0x50] + sevenBitBytes(UInt64.max - UInt64(n))
    }

    private var shopReader: SampleReader {
        SampleReader(zones: TimeZones { _ in nil }, nowMillis: nowMillis) {
            $0 == "shop.proto" ? .success(Array(Self.shop.utf8)) : .failure(UnreadableFile(reason: "there is none"))
        }
    }

    @Test func `A message's columns are its fields, also those that no record has`() throws {
        let schemas = try SampleSchemas(.file("shop.proto", message: "Order"), shopReader)
        let description = try messages((0..<40).map(Self.message), schemas).described(shopReader)
        #expect(
            description.yaml == """
                # 40 records, the latest of the topic orders (1 partition): none of them is bad
                # `items` holds arrays of records: `each: items` makes a row of each element, \
                with columns such as `{ type: string, from: each.sku }`
                sources:
                  orders:
                    kafka: { brokers: "b:9092", topic: orders, start: earliest }
                    format: { protobuf: { proto: shop.proto, message: shop.Order } }
                    columns:
                      id:         string
                      at:         timestamp
                      updated_ms: { type: timestamp, unit: ms }
                      state:      string   # NEW, PAID
                      buyer_id:   { type: int, from: buyer.id }
                      friend:     { type: json, from: buyer.friend }
                      items:      json
                      counts:     json
                      took:       double   # seconds
                      weight:     long
                      big:        "decimal(20,0)"
                    # delay: a guess, as no row of the sample is behind one before it
                    watermark: { column: at, delay: 10 seconds, max_ahead: 1 hour }

                """)
    }

    @Test func `A schema that does not say which message records are, or is none, is one error`() throws {
        let schemas = try SampleSchemas(.file("shop.proto", message: nil), shopReader)
        #expect {
            try messages([Self.message(1)], schemas).described(shopReader)
        } throws: {
            "\($0)".contains("has 2 messages: say which one records are, with `--message`: `shop.Buyer`, `shop.Order`")
        }
        #expect { try SampleSchemas(.file("other.proto", message: nil), shopReader) } throws: {
            "\($0)".contains("the schema other.proto cannot be read: there is none")
        }
        let reader = SampleReader(zones: TimeZones { _ in nil }, nowMillis: nowMillis) { _ in .success([0xFF, 1, 2]) }
        #expect { try SampleSchemas(.file("x.desc", message: nil), reader) } throws: {
            "\($0)".contains("x.desc cannot be read: ")
        }
    }

    @Test func `Files are no place for messages, and registries none for files`() throws {
        let schemas = try SampleSchemas(.file("shop.proto", message: "Order"), shopReader)
        var lines = sample("{\"a\":1}\n")
        lines.schemas = schemas
        #expect { try lines.described(shopReader) } throws: { "\($0)".contains("are read from topics") }
        #expect { try SampleSchemas(.registry(RegistryAddress(url: "http://r")), utcOnly) } throws: {
            "\($0)".contains("leave out `--registry`")
        }
    }
}

// Records with bytes changed, lost, doubled and put in, through every decoder: flat JSON, paths, rows of elements, CSV.
// Whatever stands in a record:
//   - decoding ends, and whoever is bad says why;
//   - the records before and behind it are what they are without it;
//   - however the text is cut into chunks, the rows are the same;
//   - both readers of JSON agree (for the grammar of flat records see DecodeAgreementTests).

import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceEngine

@Suite struct DamagedRecordTests {
    private static let columns: [(String, DataType, ColumnSpec.Form)] = [
        ("id", .string, .usual), ("user.id", .string, .usual), ("user.page.n", .int, .usual),
        ("items[0].sku", .string, .usual), ("items[2].tags[1]", .long, .usual), ("user", .json, .usual),
        ("ts", .timestamp, .epoch(.milliseconds)), ("meta.at", .timestamp, .usual),
        ("meta.price", .decimal(precision: 10, scale: 2), .usual), ("ok", .boolean, .usual), ("x", .double, .usual),
    ]

    private static let records = [
        #"{"id":"r1","user":{"id":"u1","page":{"n":3}},"items":[{"sku":"a","tags":[1,2]},{"sku":"b"},{"tags":[5,6]}]}"#,
        #"{ "ts" : 1700000000123, "meta": {"at":"2024-01-31T09:18:00Z","price":1.25}, "id":"r\"2\\é😀", "ok":true }"#,
        #"{"x":1.5e3,"items":[null,{},{"tags":[null,-7]}],"user":null,"other":{"deep":[[{"a":"]}"}]]},"id":"\u0041"}"#,
        #"{"items":[],"user":{"page":{"n":2147483648}},"ts":"1700000000","x":"NaN","meta":{"price":"12.5"},"id":""}"#,
    ]

    private func pathPlan() throws -> InputPlan {
        InputPlan(
            source: "source", format: .json(), timeZone: "Europe/Paris", badRows: .null, fieldCount: Self.columns.count,
            columns: try Self.columns.enumerated().map { index, column in
                InputColumn(
                    name: "c\(index)", type: column.1, origin: .field(try FieldPath(text: column.0)), form: column.2,
                    declaredIndex: index)
            })
    }

    private func eachPlan(keepsEmpty: Bool) throws -> InputPlan {
        let origins: [(ColumnSpec.Origin, DataType)] = [
            (.each(FieldPath(name: "sku")), .string), (.eachPlace, .int),
            (.each(try FieldPath(text: "tags[1]")), .long), (.each(nil), .json),
            (.field(FieldPath(name: "id")), .string),
            (.field(try FieldPath(text: "user.page.n")), .int),
        ]
        var plan = InputPlan(
            source: "source", format: .json(), timeZone: "UTC", badRows: .null, fieldCount: origins.count,
            columns: origins.enumerated().map {
                InputColumn(name: "c\($0)", type: $1.1, origin: $1.0, declaredIndex: $0)
            })
        plan.each = EachSpec(path: FieldPath(name: "items"), keepsEmpty: keepsEmpty)
        return plan
    }

    private static func damaged(_ record: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        var bytes = record
        let pieces = Array(#"{}[]:,"'\/ tfn019.eE+-NIu"#.utf8) + [0x00, 0x1F, 0x7F, 0x80, 0xC3, 0xED, 0xF0, 0xFF]
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            let end = min(bytes.count, place + Int.random(in: 1...9, using: &random))
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[place] = pieces.randomElement(using: &random) ?? 0
            case 1: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 2: bytes.insert(pieces.randomElement(using: &random) ?? 0, at: place)
            case 3: bytes.removeSubrange(place..<end)
            case 4: bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
            default: bytes.removeSubrange(place...)
            }
        }
        // A line end would make two records of it.
        bytes.removeAll { $0 == UInt8(ascii: "\n") }
        return bytes
    }

    /// Damaged records between good ones: the good ones' rows, and all rows however the text is cut, must be the same.
    private func check(_ seed: UInt64, records: [[UInt8]], decode: ([UInt8]) -> [DecodedRecord]) {
        var random = SplitMix64(seed: seed)
        var lines: [[UInt8]] = []
        for _ in 0..<40 {
            lines += [records, records].map { $0.randomElement(using: &random) ?? [] }
            lines.append(Self.damaged(lines[lines.count - 1], &random))
        }
        let whole = decode(Array(lines.joined(separator: "\n".utf8)) + Array("\n".utf8))
        let alone = lines.map { decode($0 + Array("\n".utf8)) }
        #expect(whole == Array(alone.joined()), "seed \(seed)")
        for row in whole where row.isBad { #expect(row.fault != nil, "seed \(seed): \(row)") }
        // Without the damaged ones the others give what they gave among them.
        let good = lines.indices.filter { $0 % 3 != 2 }
        let expected = good.flatMap { alone[$0] }
        #expect(decode(Array(good.map { lines[$0] }.joined(separator: "\n".utf8))) == expected, "seed \(seed)")
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func `A damaged record harms no other where columns go by path`(seed: UInt64) throws {
        let plan = try pathPlan()
        check(seed, records: Self.records.map { Array($0.utf8) }) { text in
            let rows = decode(text, plan)
            let lenient = decode(text, plan, path: .lenient)
            #expect(rows == lenient, "seed \(seed): \(String(decoding: text, as: UTF8.self).debugDescription)")
            return rows
        }
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func `A damaged record harms no other where elements make rows`(seed: UInt64) throws {
        let plan = try eachPlan(keepsEmpty: seed % 2 == 0)
        check(seed, records: Self.records.map { Array($0.utf8) }) { decodeEach($0, plan) }
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func `A damaged CSV line harms no other`(seed: UInt64) {
        let types: [DataType] = [.string, .timestamp, .decimal(precision: 10, scale: 2), .boolean, .date, .double]
        let options = [
            CSVOptions(), CSVOptions(escape: UInt8(ascii: "\\")), CSVOptions(quote: nil),
            CSVOptions(separator: UInt8(ascii: ";"), quote: UInt8(ascii: "'")),
        ][Int(seed % 4)]
        let plan = inputPlan(types.enumerated().map { ("c\($0)", $1) }, format: .csv(options))
        let lines = [
            #""a ""b"", c",2024-01-31T09:18:00Z,1.25,true,2024-02-29,1e3"#, "é😀,,,,,", #"'x;y';"2024";-7;false;;NaN"#,
        ]
        check(seed, records: lines.map { Array($0.utf8) }) { decode($0, plan) }
    }
}

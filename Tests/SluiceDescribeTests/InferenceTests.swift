// Which type a column gets, from what is at its place in all records.

import SluiceDescribe
import Testing

@Suite struct InferenceTests {
    private func type(_ values: [String], _ name: String = "f") throws -> String? {
        let text = values.map { "{\"k\":\"x\",\"\(name)\":\($0)}\n" }.joined()
        return try columns(text)[name]
    }

    @Test(
        arguments: [
            (["true", "false", "null"], "boolean"), (["1", "-5"], "int"), (["1", "1073741824"], "long"),
            (["1", "9223372036854775807"], "long"), (["1", "9223372036854775808"], "decimal(20,0)"),
            (["1", "1.5"], "double"), (["1e3"], "double"), (["1e400", "1"], "double"),
            (["0.12345678901234567891"], "decimal(23,20)"), (["12345678901234567.25", "1.5"], "decimal(21,2)"),
            (["\"a\"", "\"\""], "string"), (["\"a\"", "1"], "json"), (["true", "\"x\""], "json"),
            (["[1]", "[]"], "json"), (["{}"], "json"), (["{\"a\":1}", "3"], "json"), (["null"], "string"),
            (["1.5", "\"NaN\""], "double"), (["\"007\"", "\"012\""], "string"),
            (["\"2024-01-31\"", "\"2024-02-29\""], "date"), (["\"2024-02-30\""], "string"),
            (["\"2024-01-31T08:18:00Z\"", "\"2024-01-31T08:18:00.5+01:00\""], "timestamp"),
            (["\"2024-01-31 08:18:00\""], "timestamp"), (["\"2024\"", "\"2025\""], "string"),
            (["\"31/01/2024 08:18:00\""], "timestamp dd/MM/yyyy HH:mm:ss"),
            (["\"01/31/2024\"", "\"12/01/2024\""], "date MM/dd/yyyy"),
            (["\"1.2.2024\"", "\"11.12.2024\""], "date d.M.yyyy"),
            (["\"10/Oct/2024:13:55:36 +0200\""], "timestamp dd/MMM/yyyy:HH:mm:ss XX"),
            (["\"2024-01-31 08:18:00,123\""], "timestamp yyyy-MM-dd HH:mm:ss,SSS"),
            (["\"Jan 5, 2024 3:04:05 PM\"", "\"Feb 15, 2024 11:00:00 AM\""], "timestamp MMM d, yyyy h:mm:ss a"),
            (["\"1.2.10\"", "\"1.2.11\""], "string"), (["\"10.0.0.1\""], "string"),
        ] as [([String], String)])
    func `The narrowest type that reads every value`(values: [String], expected: String) throws {
        #expect(try type(values) == expected)
    }

    @Test(
        arguments: [
            ("event_ts", ["1700000000"], "timestamp s"), ("createdAt", ["1700000000123"], "timestamp ms"),
            ("time", ["1700000000123456"], "timestamp us"), ("t", ["1700000000123456789"], "timestamp ns"),
            ("timestamp", ["1700000000.25", "1700000001"], "timestamp s"),
            ("ts", ["\"1700000000123\""], "timestamp ms"),
            ("ts", ["1700000000123", "0"], "long"), ("ean", ["4006381333931"], "long"), ("duration_ms", ["350"], "int"),
            ("day", ["\"20240131\""], "date yyyyMMdd"), ("code", ["\"20240131\""], "string"),
        ] as [(String, [String], String)])
    func `A number is a time only under a name that says so`(name: String, values: [String], expected: String) throws {
        #expect(try type(values, name) == expected)
    }

    @Test func `Names are the last step where that is unique, else all steps`() throws {
        let found = try columns(
            #"{"user":{"id":1,"name":"a"},"repo":{"id":2},"a b":1,"x":{"a b":2},"9":{"z.z":3},"kafka":{"p":1},"each":1}"#
                + "\n")
        #expect(
            found == [
                "user_id": "int from user.id", "name": "string from user.name", "repo_id": "int from repo.id",
                "a_b": "int from a b", "x_a_b": "int from x.a b", "z_z": "int from 9['z.z']",
                "p": "int from ['kafka'].p", "each": "int",
            ])
    }

    @Test func `Records of many kinds have the fields of all`() throws {
        let found = try columns((0..<40).map { "{\"kind\":\"k\($0)\",\"f\($0)\":1}\n" }.joined())
        #expect(found.count == 41 && found["f7"] == "int")
    }

    @Test func `An object whose names are data is one column`() throws {
        let text = (0..<40).map { "{\"id\":\($0),\"by_user\":{\"u\($0)\":\($0)}}\n" }.joined()
        #expect(try columns(text) == ["id": "int", "by_user": "json"])
    }

    @Test func `Too many columns are left out, the rarest first, and named`() throws {
        let all = (0..<120).map { "\"f\($0)\":1" }
        let text = "{\(all.joined(separator: ","))}\n{\(all.dropFirst(30).joined(separator: ","))}\n"
        let description = try described(text)
        let found = try columns(text)
        #expect(found.count == 100 && found["f119"] == "int" && found["f29"] == nil)
        #expect(description.notes.contains { $0.hasPrefix("more than 100 fields: 20 left out, the rarest (f10") })
    }

    @Test func `The event time is in every record, and its delay comes from the sample`() throws {
        let rows = (0..<100).map { number in
            let time = 1_700_000_000 + number * 60 - (number % 10 == 9 ? 430 : 0)
            return
                "{\"updated_at\":\(1_700_000_000 + number),\"seen\":\(number > 0 ? "true" : "null"),\"created_ts\":\(time)"
                + (number == 5 ? "" : ",\"ts\":\(time)") + "}\n"
        }
        let description = try described(rows.joined())
        #expect(description.eventTimes.first?.column == "created_ts")
        #expect(description.eventTimes.first?.disorderMicros == 370_000_000)
        #expect(
            description.yaml.contains("watermark: { column: created_ts, delay: 10 minutes, max_ahead: 1 hour }"),
            "\(description.yaml)")
        #expect(description.yaml.contains("by up to 6 min 10 s; rounded up"))
        #expect(description.notes.contains { $0.contains("`updated_at` is a time in every record, too") })
    }

    @Test func `Of partitions each has its own order`() throws {
        let early = (0..<20).map { "{\"ts\":\(1_700_000_000 + $0)}" }
        let late = (0..<20).map { "{\"ts\":\(1_700_009_000 + $0)}" }
        let description = try messages([late, early]).described(utcOnly)
        #expect(description.eventTimes.first?.disorderMicros == 0)
        #expect(
            description.yaml.contains(#"kafka: { brokers: "localhost:9092", topic: visits, start: earliest }"#),
            "\(description.yaml)")
    }

    @Test func `Rows ahead of the clock stay good`() throws {
        let description = try described("{\"ts\":\(nowMillis + 3_700_000)}\n{\"ts\":\(nowMillis)}\n")
        #expect(description.badCount == 0 && !description.yaml.contains("max_ahead: 1 hour"))
        #expect(description.yaml.contains("no max_ahead: with it 1 of the sample"), "\(description.yaml)")
        #expect(try outcome(of: description, lines("{\"ts\":\(nowMillis + 3_700_000)}")).bad == [])
    }

    @Test func `Records that are none are counted, and do not change the columns`() throws {
        let text = "{\"a\":1}\nbroken\n{\"a\":2}\n[]\n{\"a\":3} x\n\n{\"a\":4}\n"
        let description = try described(text)
        #expect(description.recordCount == 6 && description.badCount == 3)
        #expect(try columns(text) == ["a": "int"])
        #expect(description.yaml.contains("3 of them bad, 50.0 %"), "\(description.yaml)")
    }
}

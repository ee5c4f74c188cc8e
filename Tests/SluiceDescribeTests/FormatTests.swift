// Which format a sample has, and what is said of those that have none.

import SluiceDescribe
import Testing

@Suite struct FormatTests {
    private func format(_ text: String) throws -> String {
        let line = try described(text, "sample.csv").yaml.split(separator: "\n").first { $0.contains("format:") }
        return line.map { String($0.drop { $0 == " " }.dropFirst(8)) } ?? ""
    }

    @Test(
        arguments: [
            ("id,name\n1,a\n2,b\n", "{ csv: { header: true } }"), ("1,a\n2,b\n", "csv"),
            ("id;name\n1;\"a;b\"\n", #"{ csv: { separator: ";", header: true } }"#),
            ("1\ta\n2\tb\n", #"{ csv: { separator: "\t" } }"#), ("1|a|b\n2|b|c\n", #"{ csv: { separator: "|" } }"#),
            ("1,'a,b'\n2,'c,d'\n", #"{ csv: { quote: "'" } }"#),
            ("1,\"a\\\"b,c\"\n2,\"d\\\",e\"\n", #"{ csv: { escape: "\\" } }"#),
            ("1,\"a\nb\"\n2,\"c\n\nd\"\n", "{ csv: { multiline: true } }"),
            ("1,\"a \"\"b\"\"\"\n2,\"c\"\n", "csv"), ("a,NULL\nb,3\n", #"{ csv: { null_value: "NULL" } }"#),
            ("n,v\nx,NA\ny,3\n", "{ csv: { header: true, null_value: NA } }"),
        ])
    func `Separators, quotes, escapes, headers and nulls of CSV are found`(text: String, expected: String) throws {
        #expect(try format(text) == expected)
    }

    @Test func `CSV has the narrowest types too`() throws {
        #expect(
            try columns("id,zip,ok,price,day,at,e\n1,01234,true,1.50,2024-01-31,31.12.2024 08:00,\n", "s.csv") == [
                "id": "int", "zip": "string", "ok": "boolean", "price": "double", "day": "date",
                "at": "timestamp dd.MM.yyyy HH:mm", "e": "string",
            ])
        #expect(
            try columns("a;Order Date;a;kafka.x\n1;2024-01-31;2;3\n", "s.csv") == ["Order_Date": "date from Order Date"]
        )
    }

    @Test func `Lines of CSV that are cut off are bad, and no column is`() throws {
        let description = try described(
            "id,name,day\n1,a,2024-01-01\n2\n3,\"x\n4,d,2024-01-02\n5,e,2024-01-02\n6,f,2024-01-02\n7,g,2024-01-02\n8,h,2024-01-02\n",
            "s.csv")
        #expect(description.badCount == 2 && description.recordCount == 8, "\(description.yaml)")
    }

    @Test func `Several files have the columns that all have`() throws {
        let parts = ["id,name\n1,a\n", "name,size,id\nb,3,2\n"].enumerated().map { number, text in
            Sample.Part(place: "\(number)", content: .text(Array(text.utf8)))
        }
        let sample = Sample(target: .files("in/*.csv"), parts: parts, isAll: true, fileCount: 2)
        let yaml = try sample.described(utcOnly).yaml
        #expect(yaml.contains("  in:\n") && yaml.contains("id:   int") && !yaml.contains("size"), "\(yaml)")
    }

    @Test(
        arguments: [
            ("{\n  \"a\": 1,\n  \"b\": 2\n}\n", "objects over several lines"), ("\n \n", "nothing but blank lines"),
            ("word\nother words\n", "neither JSON"),
            ("a b\nc d\n{\"a\":1}\ne f\n", "JSON objects in 1 of its first 4 lines"),
            ("{}\n{}\n", "nothing but empty objects"),
            ("\u{0}\u{1}\u{2}\n\u{0}\u{5}\n", "is no text"), ("id,name\n", "a header and no records"),
        ])
    func `What is no records is said in one sentence`(text: String, expected: String) {
        do {
            let description = try described(text)
            Issue.record("described as \(description.yaml)")
        } catch {
            #expect("\(error)".contains(expected), "\(error)")
        }
    }

    @Test func `Values in a registry's framing are said to be`() {
        let sample = messages([["\u{0}\u{0}\u{0}\u{0}\u{1}abcdef", "\u{0}\u{0}\u{0}\u{0}\u{1}xyzabc"]])
        #expect { try sample.described(utcOnly) } throws: { "\($0)".contains("registry") }
        #expect { try messages([]).described(utcOnly) } throws: { "\($0)".contains("has no records") }
    }

    @Test func `An array that is plainly the record makes the rows, and others are hinted at`() throws {
        let plain = #"{"Records":[{"id":1,"k":"a"},{"id":2,"k":"b"}]}"# + "\n"
        let description = try described(plain)
        #expect(description.yaml.contains("each: Records") && description.yaml.contains("{ type: int, from: each.id }"))
        #expect(try outcome(of: description, lines(plain)).bad == [])
        let other = try described(#"{"id":1,"user":{"a":1},"items":[{"sku":"x"}]}"# + "\n")
        #expect(!other.yaml.contains("\n    each:") && other.notes.contains { $0.contains("`each: items`") })
    }

    @Test(
        arguments: [
            ("visits.jsonl", "visits"), ("/data/2015-01-01-15.json.gz", "data"), ("in/*.jsonl", "in"),
            ("a b.csv", "a_b"),
            ("./x/", "x"), ("../é.csv", "records"), ("*", "records"), ("kafka://h:1/db.shop.orders", "orders"),
            ("KAFKA://h/visits.v1", "visits"), ("kafka://a:1,b:2/x-y", "x_y"),
        ])
    func `A source is called after its file, folder or topic`(target: String, name: String) throws {
        #expect(try SampleTarget(target).sourceName == name)
    }

    @Test(
        arguments: [
            "kafka://", "kafka://h", "kafka://h/", "kafka:///t", "kafka://h:1/a/b", "kafka://u:p@h:1/t", "kafka://,/t",
            "kafka://h:1/t t", "kafka://h:1/..", "kafka://:9092/t",
        ])
    func `An address that is none is refused`(text: String) {
        #expect(throws: BadAddress.self) { try SampleTarget(text) }
    }
}

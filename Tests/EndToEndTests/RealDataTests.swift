// Records as others write them, read by the real binary: nested fields, times in units and patterns, computed columns,
// parts kept as JSON. What comes out is compared as it stands.

import Foundation
import Testing

@Suite struct RealDataTests {
    /// What a query over one source puts out. Everything but the source's columns is the test's own.
    private func run(_ source: String, _ query: String, _ files: [String: String]) throws -> (String, String) {
        let folder = try TemporaryFolder()
        for (name, text) in files { try folder.write(name, text) }
        try folder.write(
            "spec.yaml",
            """
            sluice: 1
            sources:
            \(source)
            queries:
              q:
            \(query)
                trigger: available_now
                on_failure: stop
                to: out
            sinks:
              out: { stdout: {} }
            """)
        let check = try SluiceProcess.run(["check", "spec.yaml"], in: folder)
        #expect(check.exitCode == 0, "\(check.standardOutput)")
        let result = try SluiceProcess.run(["run", "spec.yaml"], in: folder)
        #expect(result.exitCode == 0, "\(result.standardError)")
        return (result.standardOutput, result.standardError)
    }

    @Test func `Clicks with nested times in milliseconds`() throws {
        let (output, log) = try run(
            """
              clicks:
                file: { path: clicks.jsonl }
                columns:
                  user: { type: string, from: user.id }
                  at: { type: timestamp, from: meta.ts, unit: ms }
                  sku: { type: string, from: "items[0].sku" }
                  meta: json
                watermark: { column: at, delay: 1 minute }
            """, "    from: clicks\n    select: [clicks.user, clicks.at, clicks.sku, clicks.meta]",
            [
                "clicks.jsonl": """
                {"user":{"id":"u1"},"meta":{"ts":1700000000123,"v":"2 b"},"items":[{"sku":"s1"},{"sku":"s2"}]}
                {"user":null,"meta":{"ts":"1700000001000"},"items":[]}
                {"user":{"id":"u3"},"meta":{"ts":"soon"},"items":{}}

                """
            ])
        #expect(
            output == #"""
                {"user":"u1","at":"2023-11-14T22:13:20.123Z","sku":"s1","meta":{"ts":1700000000123,"v":"2 b"}}
                {"at":"2023-11-14T22:13:21.000Z","meta":{"ts":"1700000001000"}}
                {"user":"u3","meta":{"ts":"soon"}}

                """#)
        #expect(log.contains("clicks: 3 read: 3 out, 0 late, 1 bad"))
    }

    /// Debezium's envelope: the row after the change, and when the database made it.
    @Test func `A change data envelope`() throws {
        let (output, _) = try run(
            """
              orders:
                file: { path: orders.jsonl }
                columns:
                  op: { type: string, from: payload.op }
                  id: { type: long, from: payload.after.id }
                  email: { type: string, from: payload.after.email }
                  key: { expr: lower(trim(email)) }
                  at: { type: timestamp, from: payload.source.ts_ms, unit: ms }
                  day: { expr: to_date(at) }
                watermark: { column: at, delay: 1 minute }
                where: op <> 'd'
                time_zone: America/New_York
            """, "    from: orders\n    select: [orders.id, orders.key, orders.day]",
            [
                "orders.jsonl": """
                {"schema":{"type":"struct"},"payload":{"before":null,"after":{"id":7,"email":" A@X "},\
                "source":{"ts_ms":1704070800000},"op":"c"}}
                {"schema":{"type":"struct"},"payload":{"before":{"id":7},"after":null,\
                "source":{"ts_ms":1704070800001},"op":"d"}}
                {"payload":{"after":{"id":8,"email":null},"source":{"ts_ms":1704085199999},"op":"u"}}

                """
            ])
        #expect(output == "{\"id\":7,\"key\":\"a@x\",\"day\":\"2023-12-31\"}\n{\"id\":8,\"day\":\"2023-12-31\"}\n")
    }

    /// Spark's explode and explode_outer.
    @Test(arguments: [false, true])
    func `Each element of an array makes a row`(keepsEmpty: Bool) throws {
        let (output, log) = try run(
            """
              orders:
                file: { path: orders.jsonl }
                each: { path: order.items, keep_empty: \(keepsEmpty) }
                columns:
                  id: { type: string, from: order.id }
                  sku: { type: string, from: each.sku }
                  qty: { type: int, from: each.qty }
                  number: { type: int, from: "each.#" }
                  whole: { type: json, from: each }
                  total: { expr: qty * 10 }
            """, "    from: orders\n    select: [orders.id, orders.number, orders.sku, orders.total, orders.whole]",
            [
                "orders.jsonl": """
                {"order":{"items":[{"sku":"a, ]b","qty":1},{"sku":"c","qty":"two"},null],"id":"o1"}}
                {"order":{"id":"o2","items":[]}}
                {"order":{"id":"o3"}}
                {"order":{"id":"o4","items":{"sku":"x"}}}
                {"order":{"id":"o5","items":[{"qty":5,"sub":[[1],{}]}]}}

                """
            ])
        let empty = keepsEmpty ? #"{"id":"o2"}"# + "\n" + #"{"id":"o3"}"# + "\n" : ""
        #expect(
            output == #"""
                {"id":"o1","number":0,"sku":"a, ]b","total":10,"whole":{"sku":"a, ]b","qty":1}}
                {"id":"o1","number":1,"sku":"c","whole":{"sku":"c","qty":"two"}}
                {"id":"o1","number":2}

                """# + empty + #"{"id":"o5","number":0,"total":50,"whole":{"qty":5,"sub":[[1],{}]}}"# + "\n")
        #expect(log.contains("each[1] cannot be read as int"))
        #expect(log.contains(keepsEmpty ? "orders: 7 read" : "orders: 5 read"))
        #expect(log.contains("2 records without rows") != keepsEmpty)
    }

    /// Where an object should be that the array lies in, there is something else: the record is bad, and no trap.
    @Test func `A record that hides its array is bad`() throws {
        for columns in ["{ id: string }", "{ id: string, sku: { type: string, from: each.sku } }"] {
            let (output, log) = try run(
                "  o: { file: { path: o.jsonl }, each: order.items, columns: \(columns) }",
                "    from: o\n    select: [o.id]",
                ["o.jsonl": "{\"id\":\"a\",\"order\":5}\n{\"id\":\"b\",\"order\":{\"items\":[{},{}]}}\n"])
            #expect(output == "{\"id\":\"b\"}\n{\"id\":\"b\"}\n")
            #expect(log.contains("`order.items` is no array"))
            #expect(log.contains("o: 3 read: 2 out, 0 late, 1 bad"))
        }
    }

    @Test func `Computed columns may be keys, times, and of one another, in any order`() throws {
        let (output, _) = try run(
            """
              l:
                file: { path: l.jsonl }
                columns:
                  k: { expr: "concat(a, '-', b)" }
                  b: { expr: cast(n as string) }
                  a: { type: string, from: x.a }
                  n: int
                  t: { expr: timestamp_seconds(s) }
                  s: { type: long, from: x.s }
                  part: json
                  city: { expr: "get_json_object(part, '$.city')" }
                watermark: { column: t, delay: 1 minute }
              r:
                file: { path: r.jsonl }
                columns: { k: string, t: timestamp, w: { expr: "length(k) * 2" } }
                watermark: { column: t, delay: 1 minute }
            """,
            """
                from: l
                join: [{ with: r, type: inner, keys: k, within: r.t between l.t and l.t + 1 minute }]
                select: { k: l.k, city: l.city, w: r.w, part: l.part }
            """,
            [
                "l.jsonl": """
                {"x":{"a":"p","s":1700000000},"n":3,"part":{"city":"Lyon"}}
                {"x":{"a":"q","s":1700000000},"n":3}

                """,
                "r.jsonl": "{\"k\":\"p-3\",\"t\":\"2023-11-14T22:13:30Z\"}\n",
            ])
        #expect(output == "{\"k\":\"p-3\",\"city\":\"Lyon\",\"w\":6,\"part\":{\"city\":\"Lyon\"}}\n")
    }

    // MARK: Times that cannot be right

    private static let ahead = [
        "a/0.jsonl": #"{"k":"x","t":"2024-01-01T00:00:00Z"}"# + "\n",
        "a/1.jsonl": #"{"k":"y","t":"2099-01-01T00:00:00Z"}"# + "\n" + #"{"k":"z","t":"2024-01-01T00:01:00Z"}"# + "\n",
        "a/2.jsonl": #"{"k":"w","t":"2024-01-01T00:01:30Z"}"# + "\n",
        "a/3.jsonl": #"{"k":"late?","t":"2024-01-01T00:02:00Z"}"# + "\n",
        "b/0.jsonl": #"{"k":"late?","t":"2024-01-01T00:02:30Z"}"# + "\n",
    ]

    private func joined(_ watermark: String, _ badRows: String = "null") throws -> (String, String) {
        try run(
            """
              a:
                file: { path: a, max_files_per_trigger: 1 }
                columns: { k: string, t: timestamp }
                watermark: { column: t, delay: 1 minute\(watermark) }
                bad_rows: \(badRows)
              b:
                file: { path: b }
                columns: { k: string, t: timestamp }
                watermark: { column: t, delay: 1 minute }
            """,
            """
                from: a
                join: [{ with: b, type: inner, keys: k, within: b.t between a.t and a.t + 1 minute }]
                watermark_policy: max
                select: { k: a.k }
            """, Self.ahead)
    }

    @Test func `One row of the year 2099 makes all others late, and is warned of`() throws {
        let (output, log) = try joined("")
        #expect(output.isEmpty)
        #expect(log.contains("One row moves the watermark by more than a day"))
        #expect(log.contains("a/1.jsonl:1"))
    }

    @Test(arguments: ["null", "permissive", "drop"])
    func `With max_ahead such a row is bad and moves nothing`(badRows: String) throws {
        let (output, log) = try joined(", max_ahead: 1 hour", badRows)
        #expect(output == "{\"k\":\"late?\"}\n")
        #expect(log.contains("further ahead of the clock than `max_ahead` allows"))
        #expect(log.contains("a/1.jsonl:1"))
        #expect(log.contains("a: 5 read") && log.contains("1 bad"), "\(log)")
    }

    @Test func `With max_ahead and bad_rows: fail such a row ends the query`() throws {
        let folder = try TemporaryFolder()
        try folder.write("a.jsonl", #"{"t":"2099-01-01T00:00:00Z"}"# + "\n")
        try folder.write(
            "spec.yaml",
            """
            sluice: 1
            sources:
              a:
                file: { path: a.jsonl }
                columns: { t: timestamp }
                watermark: { column: t, delay: 1 minute, max_ahead: 0s }
                bad_rows: fail
            queries:
              q: { from: a, trigger: available_now, on_failure: stop, to: out }
            sinks:
              out: { stdout: {} }
            """)
        let result = try SluiceProcess.run(["run", "spec.yaml"], in: folder)
        #expect(result.exitCode == 1)
        #expect(result.standardError.contains("a.jsonl:1"))
        #expect(result.standardError.contains("max_ahead"))
    }

    @Test func `Milliseconds that are read as seconds are said, with the unit`() throws {
        let (_, log) = try run(
            """
              a:
                file: { path: a.jsonl }
                columns: { t: timestamp }
                watermark: { column: t, delay: 1 minute }
            """, "    from: a", ["a.jsonl": "{\"t\":1700000000000}\n{\"t\":1700000000001}\n"])
        #expect(log.contains("Times are in the wrong unit"))
        #expect(log.contains("a number is read as seconds, so write `unit: ms`"))
    }

    /// What the log says of times of a column as it is declared, and of other columns beside it.
    private func said(_ column: String, _ times: [String], others: String = "") throws -> String {
        try run(
            """
              a:
                file: { path: a.jsonl }
                columns: { t: \(column)\(others) }
                watermark: { column: t, delay: 1 minute }
            """, "    from: a", ["a.jsonl": times.map { "{\"t\":\($0)}\n" }.joined()]
        ).1
    }

    @Test(arguments: [
        ("timestamp", "1700000000000", "read as seconds, so write `unit: ms`"),
        ("{ type: timestamp, unit: s }", "1700000000000", "read as seconds, so write `unit: ms`"),
        ("{ type: timestamp, unit: ms }", "1700000000", "read as milliseconds, so write `unit: s`"),
        ("{ type: timestamp, unit: ms }", "1700000000000000", "read as milliseconds, so write `unit: us`"),
        ("{ type: timestamp, unit: us }", "1700000000000", "read as microseconds, so write `unit: ms`"),
        ("{ type: timestamp, unit: us }", "1700000000000000000", "read as microseconds, so write `unit: ns`"),
    ])
    func `Times in another unit are said with the right one, though some row be right`(
        column: String, time: String, words: String
    ) throws {
        let times = [String](repeating: time, count: 20) + ["\"2024-01-01T00:00:00Z\""]
        let log = try said(column, times)
        #expect(log.contains("Times are in the wrong unit") && log.contains(words), "\(log)")
    }

    @Test(arguments: [
        ["\"1975-06-01T00:00:00Z\"", "\"1975-06-02T00:00:00Z\""], ["1700000000", "1700000001"],
    ])
    func `Times that make sense as they are read advise no other unit`(times: [String]) throws {
        #expect(try !said("timestamp", times).contains("so write `unit"))
    }

    @Test func `One row of the far future among the first is said`() throws {
        let times = (10..<60).map { "\"2024-01-01T00:00:\($0)Z\"" } + ["\"2099-01-01T00:00:00Z\""]
        let log = try said("timestamp", times)
        #expect(log.contains("One row moves the watermark by more than a day"))
        #expect(log.contains("2099-01-01T00:00:00.000Z is more than a day ahead of all others"))
        #expect(try !said("timestamp", Array(times.dropLast())).contains("One row moves"))
    }

    @Test func `A column whose path leads nowhere is said, with the path`() throws {
        let times = (0..<120).map { _ in "\"2024-01-01T00:00:00Z\"" }
        let others = ", user: { type: string, from: usr.id }, page: string, gone: { expr: lower(page) }"
        let log = try said("timestamp", times, others: others)
        #expect(log.contains("Some columns have no value in any row so far"))
        #expect(log.contains("sluice.column=\"user (usr.id), page\" sluice.count=120"), "\(log)")
        #expect(log.contains("never a value of user (usr.id) and page"))
        // Too few rows to warn; what the run prints at its end says it all the same.
        let few = try said("timestamp", Array(times.prefix(3)), others: ", page: string")
        #expect(!few.contains("Some columns") && few.contains("never a value of page"))
    }

    @Test func `A warning of bad rows names all columns at fault`() throws {
        let (_, log) = try run(
            "  a: { file: { path: a.jsonl }, columns: { n: int, m: long, s: string } }", "    from: a",
            ["a.jsonl": "{\"n\":1,\"m\":\"x\"}\n{\"n\":\"y\",\"m\":1}\n{\"n\":2,\"m\":\"z\"}\n{\"s\":\"t\"}\n"])
        #expect(log.contains("sluice.columns=\"m 2, n 1\""), "\(log)")
    }
}

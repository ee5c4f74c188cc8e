// The status page of a query with several stages: three streams, one of them a union and one without its duplicates.

import Foundation
import Testing

extension StatusPageTests {
    private static let chain = """
        sluice: 1
        sources:
          orders:
            file: { path: orders.jsonl, follow: true }
            columns: { id: long, at: timestamp }
            watermark: { column: at, delay: 10 minutes }
            deduplicate: id
          payments:
            file: { path: payments.jsonl, follow: true }
            columns: { id: long, paid_at: timestamp }
            watermark: { column: paid_at, delay: 10 minutes }
          east-side:
            file: { path: east.jsonl, follow: true }
            columns: { id: long, sent_at: timestamp }
          west:
            file: { path: west.jsonl, follow: true }
            columns: { id: long, sent_at: timestamp }
          shipments:
            union: [east-side, west]
            watermark: { column: sent_at, delay: 10 minutes }
        queries:
          status:
            from: orders
            join:
              - with: payments
                type: left outer
                keys: id
                within: payments.paid_at between orders.at and orders.at + 1 hour
              - with: shipments
                type: left outer
                keys: { orders.id: shipments.id }
                within: shipments.sent_at between orders.at and orders.at + 2 days
            trigger: 200ms
            select: { id: orders.id, paid_at: payments.paid_at, sent_at: shipments.sent_at }
            to: joined
        sinks:
          joined: { file: { path: out/joined }, format: json }
        """

    /// Order 1 is complete, 2 is paid, 3 comes twice; the watermark then lets 2 and 3 go on alone to the shipments.
    private static let rows: [(file: String, text: String)] = [
        ("orders.jsonl", #"{"id":1,"at":"2024-05-05T08:00:00Z"}"#),
        ("orders.jsonl", #"{"id":2,"at":"2024-05-05T08:01:00Z"}"#),
        ("orders.jsonl", #"{"id":3,"at":"2024-05-05T08:02:00Z"}"#),
        ("orders.jsonl", #"{"id":3,"at":"2024-05-05T08:02:00Z"}"#),
        ("payments.jsonl", #"{"id":1,"paid_at":"2024-05-05T08:05:00Z"}"#),
        ("payments.jsonl", #"{"id":2,"paid_at":"2024-05-05T08:06:00Z"}"#),
        ("east.jsonl", #"{"id":1,"sent_at":"2024-05-05T09:00:00Z"}"#),
        ("west.jsonl", #"{"id":9,"sent_at":"2024-05-05T08:30:00Z"}"#),
        ("orders.jsonl", #"{"id":4,"at":"2024-05-05T12:00:00Z"}"#),
        ("payments.jsonl", #"{"id":4,"paid_at":"2024-05-05T12:00:00Z"}"#),
        ("west.jsonl", #"{"id":4,"sent_at":"2024-05-05T11:30:00Z"}"#),
    ]

    private func visitChain() throws -> Visit {
        let files = Dictionary(grouping: Self.rows, by: \.file).mapValues { $0.map { $0.text + "\n" }.joined() }
        let visit = try Visit(spec: Self.chain, files: files, at: "/#/query/status")
        // The batch with the rows, and the one in which the watermark of 11:20 takes effect.
        try visit.served.waitUntil("two batches") { (visit.served.query("status")["batchId"] as? Int ?? -1) >= 1 }
        try visit.expect("#batch-title", contains: "Batch 1")
        try visit.expect(".plan", contains: "Union")
        return visit
    }

    @Test func `The plan of a chain is drawn as the tree it is, with the numbers of each stage`() throws {
        let visit = try visitChain()
        let browser = visit.browser
        func counts(_ operators: [String]) throws -> [Int] {
            try operators.map { try browser.count(".plan [data-operator=\($0)]") }
        }
        #expect(
            try counts(["SymmetricHashJoin", "State", "Deduplicate", "Union", "Source", "EventTimeWatermark"])
                == [2, 4, 1, 1, 4, 4])
        // What a join reads stands in the lanes above it: the join below on the left, the union on the right.
        #expect(
            try browser.count(
                ".lane > .lanes > .lane > .lanes + [data-operator=SymmetricHashJoin] + [data-operator=State]") == 1)
        #expect(try browser.count(".lanes .lane > .lanes + [data-operator=Union] + [data-operator=State]") == 1)
        let top = "[data-stage=\"orders+payments+shipments\"]"
        for (selector, words) in [
            ("[data-operator=Deduplicate]", "1 value in state"),
            ("[data-operator=Deduplicate]", "1 duplicate in "),
            ("[data-operator=SymmetricHashJoin][data-stage=\"orders+payments\"]", "2 rows in state"),
            ("[data-operator=State][data-stage=\"orders+payments\"][data-side=\"0\"]", "1 row, "),
            ("[data-operator=State]\(top)[data-side=\"0\"]", "4 rows, "),
            ("[data-operator=State]\(top)[data-side=\"1\"]", "1 row, "),
            // An hour and a millisecond behind the query's.
            ("[data-operator=SymmetricHashJoin]\(top)", "watermark 2024-05-05 10:19:59"),
            ("[data-operator=EventTimeWatermark][data-source=\"3\"]", "2024-05-05 11:20:00"),
        ] {
            try visit.expect(".plan \(selector)", contains: words)
        }
        #expect(try browser.text(".plan [data-operator=Source][data-source=\"2\"]")?.contains("`east-side`") == true)
        try visit.expect(
            ".keeps [data-stage=\"orders+payments\"][data-side=left]", contains: "Now: rows whose orders.at")
        try visit.expect(".keeps [data-stage=\"deduplicate orders\"]", contains: "Now: values whose first time")
        try browser.takeScreenshot("chain")
        try visit.expectNoComplaints()
    }

    @Test func `The state and the watermarks of a chain are shown by stage`() throws {
        let visit = try visitChain()
        let browser = visit.browser
        let legends = try browser.run(
            "return [...document.querySelectorAll('#charts figure')].map((figure) =>"
                + "[...figure.querySelectorAll('.key')].map((key) => key.firstChild.nextSibling.textContent.trim()))")
        let names = try #require(legends as? [[String]])
        #expect(
            names.contains([
                "values of orders", "orders for payments", "payments for orders", "orders+payments for shipments",
                "shipments for orders+payments", "left in the batch",
            ]), "\(names)")
        #expect(
            names.contains(["orders", "payments", "east-side", "west", "stage orders+payments+shipments"]), "\(names)")
        // Every line has a colour of its own, also the sixth.
        let colours = try browser.run(
            "return [...document.querySelectorAll('#charts .series > path:first-child')].map((path) =>"
                + "getComputedStyle(path).stroke)")
        #expect((colours as? [String])?.contains("none") == false)
        for words in [
            "orders+payments+shipments", "watermark 2024-05-05 10:19:59 UTC", "of orders+payments 4 rows",
            "of shipments 1 row", "of values of orders 1 row", "duplicates 0 dropped",
        ] {
            try visit.expect(".batch .facts", contains: words)
        }
        try visit.expect(".batch", contains: "east-side")
        try visit.expect(".numbers", contains: "deduplicate orders 1, orders+payments 2, orders+payments+shipments 5")
        try visit.expect(".numbers", contains: "of orders for payments: ")

        let status = try SluiceProcess.run(["status", "--to", visit.served.address], in: visit.folder)
        let fields = try #require(status.standardOutput.split(separator: "\n").last).split(separator: " ")
        #expect(fields.contains("8"), "rows of all stages: \(status.standardOutput)")
        try visit.expectNoComplaints()
    }

    @Test func `On a phone a wide plan moves by itself, and the page does not`() throws {
        let visit = try visitChain()
        try visit.browser.setSize(width: 360, height: 780)
        try visit.browser.open(visit.served.address + "/#/query/status")
        try visit.expect(".plan", contains: "Union")
        #expect(try visit.browser.run("return document.documentElement.scrollWidth") as? Int == 360)
        #expect(
            try visit.browser.run(
                "const plan = document.querySelector('.plan'); return plan.scrollWidth > plan.clientWidth") as? Bool
                == true)
        try visit.browser.takeScreenshot("phone-chain")
    }
}

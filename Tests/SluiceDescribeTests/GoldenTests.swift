// Samples as they come, beside what is printed for them. UPDATE_GOLDEN=1 rewrites the latter; the review is `git diff`.

import Foundation
import SluiceDescribe
import Testing

@Suite struct GoldenTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")

    static var names: [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { !$0.hasSuffix(".yaml") }.sorted()
    }

    @Test(arguments: names) func `A sample has the source beside it, which reads all of it`(name: String) throws {
        let bytes = try Array(Data(contentsOf: Self.folder.appending(path: name)))
        let description = try sample(bytes, name).described(utcOnly)
        let url = Self.folder.appending(path: "\(name).yaml")
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try description.yaml.write(to: url, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: url, encoding: .utf8) == description.yaml)
        let isTable = name.hasSuffix(".csv")
        let records = lines(String(decoding: bytes, as: UTF8.self))
        let outcome = try outcome(
            of: description, isTable ? Array(records.dropFirst()) : records, header: isTable ? records[0] : [])
        #expect(outcome.mistakes == [] && outcome.bad.count == description.badCount)
    }
}

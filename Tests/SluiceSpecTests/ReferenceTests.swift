// The reference and the schema are made from the keys that the reader uses; what is left to hold is that every key is
// described, that the page in the repository is the newest, and that names lead to what they should.

import Foundation
import Testing

@testable import SluiceSpec

@Suite struct ReferenceTests {
    @Test func `Every key has a sentence, and every map is reached from another`() {
        var reached: Set<String> = [SpecFileKeys.id, JSONFormatKeys.id, CSVFormatKeys.id, AvroFormatKeys.id]
        reached.formUnion([JSONOutputKeys.id, CSVOutputKeys.id, AvroOutputKeys.id, ProtobufFormatKeys.id])
        for map in SpecReference.maps {
            #expect(Set(map.names).count == map.names.count, "\(map.id)")
            for key in map.described {
                #expect(key.facts.sentence.hasSuffix("."), "\(map.id).\(key.facts.name)")
                #expect(!key.facts.words.isEmpty, "\(map.id).\(key.facts.name)")
                reached.formUnion(key.facts.inner.map { $0.id })
            }
        }
        #expect(Set(SpecReference.maps.map { $0.id }) == reached)
    }

    @Test func `The page of the keys is what the program says`() throws {
        try Golden.expect(SpecReference.page, in: "../../../Sources/SluiceSpec/SluiceSpec.docc/Keys.md")
    }

    @Test(arguments: [
        ("delay", "It must be there."), ("watermark.delay", "a duration such as `10 minutes`"),
        ("source.kafka", "max_offsets_per_trigger: a whole number"), ("kafka.start", "Without it: latest"),
        ("watermark_policy", "Without it: min"), ("join", "Keys of a join: with, type, keys"),
        ("functions", "get_json_object(json, path)"),
        ("split_part", "Example: "), ("each", "keep_empty"),
    ])
    func `A name leads to its keys`(name: String, part: String) throws {
        #expect(try #require(SpecReference.text(of: name)).contains(part))
    }

    @Test func `A name that is none leads to the nearest`() {
        #expect(SpecReference.text(of: "delai") == nil)
        #expect(SpecReference.nearestKey(to: "delai") == "delay")
        #expect(SpecReference.text(of: "sink.follow") == nil)
    }

    @Test func `A key with a default tells what the reader takes`() throws {
        let spec = try #require(readSpec(fileJob).spec)
        let query = try #require(spec.queries.first)
        #expect(StateKeys.set.keys.retainBatches.fallback == Int64(query.state.retainBatches))
        #expect(QueryKeys.set.keys.watermarkPolicy.facts.fallback == query.watermarkPolicy.rawValue)
    }
}

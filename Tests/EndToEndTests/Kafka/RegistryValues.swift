// Values of topics behind a schema registry, written and read by the libraries of others.

import Foundation
import KafkaTesting
import RegistryTesting
import Testing

/// The five bytes before a value.
func registryHead(_ id: Int) -> [UInt8] { [0] + (0..<4).reversed().map { UInt8(id >> ($0 * 8) & 0xFF) } }

/// What a script of Python writes, one value a line.
func writtenByPython(_ script: String, _ lines: [String]) throws -> [[UInt8]] {
    let folder = try TemporaryFolder()
    try folder.write("rows", lines.joined(separator: "\n") + "\n")
    let path = "\(repositoryRoot)/Tests/EndToEndTests/\(script)"
    return try folder.shell("/usr/bin/python3 '\(path)' rows").split(separator: "\n").map { line in
        let digits = Array(line.utf8)
        return try stride(from: 0, to: digits.count, by: 2).map { place in
            try #require(UInt8(String(decoding: digits[place..<place + 2], as: UTF8.self), radix: 16))
        }
    }
}

/// As JSON has it.
func orNull(_ value: (any Sendable)?) -> Any { value ?? NSNull() }

func jsonText(_ object: [String: Any]) throws -> String {
    String(decoding: try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys]), as: UTF8.self)
}

/// The committed rows of a topic of Avro as JSON, each read by the schema it names, by Apache's own reader.
func rowsByApache(_ topic: String, _ kafka: KafkaCluster, _ registry: TestRegistry) throws -> [String] {
    let script = "\(repositoryRoot)/Tests/EndToEndTests/Avro/read_topic.py"
    return try TemporaryFolder().shell("/usr/bin/python3 '\(script)' \(kafka.plain) \(topic) \(registry.url)")
        .split(separator: "\n").map(String.init)
}

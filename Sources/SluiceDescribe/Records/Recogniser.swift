// The seam for formats. A recogniser is a value that takes a sample for records of one format, or does not; the first
// that does has the word. To add a format write one, and put it into `all` where its turn is.

internal import SluiceEngine
internal import SluicePlan
internal import SluiceSpec

/// Why nothing can be described.
package struct DescribeError: Error, Hashable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

/// What a sample is, as far as its format says it.
struct Recognised {
    /// As a spec writes it.
    var format: JSONValue
    /// Records, bad ones among them, in their order.
    var records: [RawRecord]
    var columns: [ColumnDraft]
    /// The path of the array whose elements make rows.
    var each: String?
    /// Sentences for whoever reads the result.
    var notes: [String] = []
}

struct Recogniser: Sendable {
    let format: String
    /// nil for a sample of another format.
    let recognise: @Sendable (Sample, SampleReader) throws(DescribeError) -> Recognised?

    static let all = [Recogniser.avro, .protobuf, .json, .csv]
}

extension Sample {
    func recognised(_ reader: SampleReader) throws(DescribeError) -> Recognised {
        for recogniser in Recogniser.all {
            if let found = try recogniser.recognise(self, reader) { return found }
        }
        throw DescribeError(refusal)
    }

    /// In words, what it is instead.
    private var refusal: String {
        let lines = self.lines()
        if lines.isEmpty {
            return isFramed
                ? "\(target.shown) has no records: there is nothing to describe yet, try again when there are"
                : "\(target.shown) has nothing but blank lines: there is nothing to describe yet"
        }
        let bytes = lines.flatMap { $0.bytes.prefix(1000) }
        if isFramed, lines.nameSchemas {
            return "\(target.shown) has values with the id of a schema in a registry before them (Avro, Protobuf or "
                + "JSON Schema in Confluent's framing): name the registry with `--registry URL`"
        }
        let isBinary = bytes.contains(0) || bytes.count(where: { $0 < 9 || (14..<32).contains($0) }) * 10 > bytes.count
        if isBinary {
            return "\(target.shown) is no text: records are JSON objects or lines of CSV, in UTF-8"
                + (isFramed ? ", or what a schema says: name its file with `--schema FILE` (Avro, Protobuf)" : "")
        }
        if lines[0].bytes.drop(while: { $0 == 0x20 }).first == UInt8(ascii: "{") {
            return "\(target.shown) has objects over several lines, and records are JSON objects, one a line: convert "
                + "it (`jq -c .`)"
        }
        let objects = lines.count { JSONTree(record: $0.bytes) != nil }
        if objects > 0 {
            return
                "\(target.shown) has JSON objects in \(grouped(objects)) of its first \(grouped(lines.count)) lines "
                + "only: take the other lines out, or describe another file"
        }
        return "\(target.shown) is neither JSON, an object a line, nor CSV: no character separates its lines into "
            + "the same number of fields"
    }
}

// Up to five streams for chains of joins. Two rows of each stream have the same key and are within the bound of each
// other, so that every row matches two of each other stream; every tenth key is missing in one stream that is joined:
//
//     row i of stream j      id i, key i / 2, at i milliseconds, up to two seconds earlier
//     key k in stream j      missing where k % 10 = j
//     rows of a key          2 x 2 x … of a left outer chain, a missing stream as one null
//
// The answer follows from that, without any code of the product.

import Glibc

struct StreamRows {
    /// The first is the left side of all joins.
    static let names = ["a", "x", "y", "z", "w"]
    static let boundMillis = 5000
    static let delayMillis = 10_000
    private static let disorderMillis = 2000
    private static let startMillis = RowTemplate.dayMillis * 3 / 2

    let folder: String
    /// Rows a stream.
    let rows: Int
    let batches: Int
    /// One row in so many comes twice, one directly behind the other; none where nil.
    var repeatsEvery: Int?
    /// Keys come again after so many; a row's page is its key.
    var keyCount = 1_000_000

    /// One file a batch and stream, and one more with a row a day later, which lets all that waits come out.
    func write(_ streams: Int) {
        for stream in 0..<streams {
            let path = "\(folder)/\(Self.names[stream])"
            makeFolder(path)
            for batch in 0..<batches {
                var text: [UInt8] = []
                for row in rows * batch / batches..<rows * (batch + 1) / batches { append(row, stream, to: &text) }
                writeFile("\(path)/\(Workload.fileName(batch))", text)
            }
            var last: [UInt8] = []
            append(key: stream, "last", millis: RowTemplate.dayMillis * 3, row: rows, stream, to: &last)
            writeFile("\(path)/\(Workload.fileName(batches))", last)
        }
    }

    private func append(_ row: Int, _ stream: Int, to text: inout [UInt8]) {
        let early = Int(truncatingIfNeeded: SplitMix.mixed(UInt64(row * 5 + stream)) % UInt64(Self.disorderMillis))
        let isMissing = stream > 0 && row / 2 % 10 == stream
        for _ in 0..<count(of: row) {
            append(
                key: row / 2 % keyCount, isMissing ? "none" : "page", millis: Self.startMillis + row - early, row: row,
                stream,
                to: &text)
        }
    }

    private func append(
        key: Int, _ kind: String, millis: Int, row: Int, _ stream: Int, to text: inout [UInt8]
    ) {
        var values = RowValues()
        (values[.visit], values[.visitPage], values[.eventTime]) = (row, key, millis)
        Self.templates["\(stream)\(kind)"]?.append(values, to: &text)
        text.append(UInt8(ascii: "\n"))
    }

    private static let templates: [String: RowTemplate] = {
        var templates: [String: RowTemplate] = [:]
        for stream in names.indices {
            for kind in ["page", "none", "last"] {
                templates["\(stream)\(kind)"] = RowTemplate(
                    #"{"id":"\#(names[stream])-<visit>","page":"\#(kind)-<visitPage>","event_time":"<eventTime>"}"#)
            }
        }
        return templates
    }()

    // MARK: The answer

    /// How often a row comes.
    private func count(of row: Int) -> Int { repeatsEvery.map { row % $0 == 0 } ?? false ? 2 : 1 }

    /// What a left outer chain of so many streams puts out.
    /// - Parameter isDeduplicated: the first stream has each row once.
    func answer(_ streams: Int, isDeduplicated: Bool = false) -> StreamAnswer {
        var answer = StreamAnswer()
        var ids = [Int](repeating: 0, count: streams)
        for key in 0..<rows / 2 {
            // Each bit says which of the two rows of a stream it is.
            for choice in 0..<1 << streams {
                var copies = 1
                for stream in 0..<streams {
                    let second = choice >> stream & 1
                    ids[stream] = 2 * key + second
                    if stream > 0, key % 10 == stream {
                        ids[stream] = -1
                        copies *= 1 - second
                    } else if stream > 0 || !isDeduplicated {
                        copies *= count(of: ids[stream])
                    }
                }
                for _ in 0..<copies { answer.add(ids) }
            }
        }
        return answer
    }

    /// What the first stream puts out by itself, with the page of its row as the title.
    func titledAnswer(isDeduplicated: Bool) -> StreamAnswer {
        var answer = StreamAnswer()
        for row in 0..<rows {
            for _ in 0..<(isDeduplicated ? 1 : count(of: row)) { answer.add([row, row / 2 % keyCount]) }
        }
        // The row that comes last is of no page.
        answer.add([rows, -1])
        return answer
    }

    /// Rows that are `{"a":"a-000000001","x":"x-000000002"}`, streams that are missing left out; with a title, which
    /// counts as a stream, `{"a":"a-000000001","title":"page-000000"}`.
    func answer(in output: String, _ streams: Int, hasTitle: Bool = false, suffix: String = ".jsonl") -> StreamAnswer {
        let starts =
            Self.names.prefix(streams).map { Array("\"\($0)\":\"\($0)-".utf8) }
            + (hasTitle ? [Array("\"title\":\"page-".utf8)] : [])
        var answer = StreamAnswer()
        var ids = [Int](repeating: -1, count: starts.count)
        for name in list(output) where name.hasSuffix(suffix) {
            readFile("\(output)/\(name)").withUnsafeBytes { text in
                var place = 0
                while place < text.count {
                    for column in starts.indices { ids[column] = Self.read(starts[column], text, &place) }
                    answer.add(ids)
                    guard let end = text[place...].firstIndex(of: 10), ids[0] >= 0 else {
                        fail("a row that nobody expects in \(name), byte \(place)")
                    }
                    place = end + 1
                }
            }
        }
        return answer
    }

    /// The number behind `start`, where it is next in the row; -1 where it is not.
    private static func read(_ start: [UInt8], _ text: UnsafeRawBufferPointer, _ place: inout Int) -> Int {
        // The brace or the comma before it.
        let first = place + 1
        guard first + start.count < text.count, text[first..<first + start.count].elementsEqual(start) else {
            return -1
        }
        var number = 0
        place = first + start.count
        while place < text.count, case let digit = Int(text[place]) - 48, digit >= 0, digit <= 9 {
            number = number * 10 + digit
            place += 1
        }
        // The closing quote.
        place += 1
        return number
    }
}

/// Rows that must come out, or have: how many, and a checksum that does not depend on their order.
struct StreamAnswer: Equatable, CustomStringConvertible {
    var rowCount = 0
    var checksum: UInt64 = 0

    /// - Parameter ids: by stream, -1 for none.
    mutating func add(_ ids: [Int]) {
        rowCount += 1
        var hash: UInt64 = 0
        for id in ids { hash = SplitMix.mixed(hash &+ UInt64(truncatingIfNeeded: id)) }
        checksum &+= hash
    }

    var description: String { "\(grouped(rowCount)) rows, checksum \(String(checksum, radix: 16))" }
}

// The first line of a CSV file, where it names the fields. Who finds the columns in it need not read rows: `check` and
// the sources do so before a batch does.

package import SluiceSpec

/// The names of a file's fields, in their order.
package struct CSVHeader: Hashable, Sendable {
    package let names: [String]

    /// - Parameter line: without its line end. Names may be in quotes, as any field; what is wrong with them makes no
    ///   name that anybody asks for.
    package init(_ line: [UInt8], _ options: CSVOptions) {
        var names: [String] = []
        let quote = options.quote ?? 0
        var quoted = QuotedCSVField(separator: options.separator, quote: quote)
        var escaped = options.escape.map { SparkQuotedValue(separator: options.separator, quote: quote, escape: $0) }
        unsafe line.withUnsafeBytes { line in
            var start = 0
            while line.count > 0 {
                var end: Int
                if start < line.count, options.quote != nil, unsafe line[start] == quote {
                    if var reader = escaped.take() {
                        unsafe end = reader.read(line, from: start)
                        unsafe names.append(String(decoding: reader.value, as: UTF8.self))
                        escaped = consume reader
                    } else {
                        unsafe end = quoted.read(line, from: start).end
                        unsafe names.append(String(decoding: quoted.value, as: UTF8.self))
                    }
                } else {
                    end = unsafe findMark(options.separator, in: line, from: start)
                    unsafe names.append(String(decoding: line[start..<end], as: UTF8.self))
                }
                guard end < line.count else { break }
                start = end + 1
            }
        }
        self.names = names
    }
}

extension ColumnSpec.Origin {
    /// What the header calls the field that a column is read from; nil for one that is no field of the text.
    package var csvName: String? {
        if case .field(let path) = self, case .name(let name)? = path.steps.first { name } else { nil }
    }
}

// The names of a file sink's files: a batch a file, in the order of their batches when sorted.

/// The name of the file that a file sink writes a batch to: `batch-0000000007.jsonl`.
package struct BatchFileName: CustomStringConvertible {
    package var batch: Int64
    /// What follows the first dot: `jsonl`, `csv.gz`.
    package var fileExtension: String

    package init(batch: Int64, fileExtension: String) {
        self.batch = batch
        self.fileExtension = fileExtension
    }

    /// Reads a name; nil where it is none of a batch's file, whatever it ends with.
    package init?(_ name: String) {
        guard name.hasPrefix(Self.prefix), let dot = name.firstIndex(of: ".") else { return nil }
        let digits = name[..<dot].dropFirst(Self.prefix.count)
        guard digits.utf8.count >= Self.width, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let batch = Int64(digits)
        else { return nil }
        self.init(batch: batch, fileExtension: String(name[dot...].dropFirst()))
    }

    package var description: String { Self.prefix + zeroPadded(batch, Self.width) + "." + fileExtension }

    private static let prefix = "batch-"
    private static let width = 10
}

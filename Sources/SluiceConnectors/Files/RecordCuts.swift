// The seam for files whose records are not lines: where they may be cut, so that a batch takes a part of a file and
// workers read parts of that.

internal import SluiceSpec

/// Where files may be cut whose records are not lines.
protocol RecordCuts: Sendable {
    /// Parts of about a size that make up a range.
    func parts(
        of range: Range<Int64>, in file: TextFile, byteCount: Int64
    ) throws(ConnectorError) -> [FilePart]

    /// The same of a file that is not unpacked.
    func parts(
        ofFile file: TextFile, _ range: Range<Int64>, byteCount: Int64
    ) throws(ConnectorError) -> [FilePart]

    /// The end of the last record that ends before an offset, or of the first one where none does. nil where it does
    /// not show in the range, which is not all there is.
    func end(
        near offset: Int64, in file: TextFile, _ range: Range<Int64>, isWhole: Bool
    ) throws(ConnectorError) -> Int64?
}

extension RecordCuts {
    func parts(
        ofFile file: TextFile, _ range: Range<Int64>, byteCount: Int64
    ) throws(ConnectorError) -> [FilePart] {
        try parts(of: range, in: file, byteCount: byteCount)
    }
}

/// A part of a file that holds whole records.
struct FilePart {
    var range: Range<Int64>
    /// True when a line that is too long follows.
    var endsInLongLine = false
    /// True when it holds blocks that say themselves where they end.
    var isFramed = false
    /// The first of them where the file is not unpacked.
    var firstBlock: AvroBlockHead?
}

/// How the files of a format are cut; nil for one whose records are lines.
func recordCuts(_ format: RecordFormat, byteCountMax: Int64) -> (any RecordCuts)? {
    switch format {
    case .json, .protobuf: nil
    case .csv: RecordsOfLines(format, byteCountMax: byteCountMax)
    case .avro: AvroBlocks()
    }
}

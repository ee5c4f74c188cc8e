// Where a record stands in its source, as columns of its row. No spec names them; a join that gives a row one partner
// (`match`) keeps them with the rows to choose from, so that of rows with one time it always takes the same, however
// input was cut into batches. They are compared in this order: the part of a union, the partition, the path, the
// offset.

/// A part of a record's place.
package enum PlaceColumn: CaseIterable, Hashable, Sendable {
    /// The record's own offset in its partition, or that of its first byte in its file.
    case offset
    /// The partition's number, 0 in a file; above its 32 bits the number of the part of a union.
    case partition
    /// The file's path or the topic's name.
    case path

    /// As plans have it.
    package var name: String {
        switch self {
        case .offset: "(offset)"
        case .partition: "(partition)"
        case .path: "(path)"
        }
    }

    package var type: DataType { self == .path ? .string : .long }

    /// The column of that name; nil for every other name.
    package init?(named name: String) {
        guard let column = PlaceColumn.allCases.first(where: { $0.name == name }) else { return nil }
        self = column
    }
}

extension ColumnSpec {
    /// A part of the place of a source's records, as a column.
    package init(_ column: PlaceColumn, at position: SourcePosition) {
        self.init(name: column.name, type: column.type, origin: .place(column), position: position)
    }
}

// The fields of a message one after another, for those who have no program for it.

internal import SluiceSpec

/// Reads the fields of a message one after another.
@safe struct ProtobufReader {
    private var cursor: UnsafeRawPointer
    private let end: UnsafeRawPointer
    private var isBroken = false

    init(_ range: ProtobufJSON.Value) {
        unsafe cursor = unsafe range.start
        unsafe end = unsafe range.end
    }

    /// True when all of it was read.
    var isAtEnd: Bool { unsafe !isBroken && cursor == end }

    /// nil at the end, and where the bytes are none, which `isAtEnd` then says.
    mutating func next(_ fault: inout ProtobufFault) -> (number: Int, value: ProtobufJSON.Value)? {
        guard unsafe !isBroken && cursor < end else { return nil }
        guard let tag = unsafe readTag(&cursor), tag >= 8 else { return broken(.tag, &fault) }
        let wireType = UInt8(tag & 7)
        if wireType == 2 {
            guard let count = unsafe readByteCount(&cursor, end, &fault) else { return broken(fault, &fault) }
            let start = unsafe cursor
            unsafe cursor += count
            return unsafe (Int(tag >> 3), ProtobufJSON.Value(wireType: 2, start: start, end: cursor))
        }
        let start = unsafe cursor
        if let found = unsafe passValue(tag, &cursor, end) { return broken(found, &fault) }
        guard unsafe cursor <= end else { return broken(.short, &fault) }
        return unsafe (Int(tag >> 3), ProtobufJSON.Value(wireType: wireType, start: start, end: cursor))
    }

    private mutating func broken(
        _ reason: ProtobufFault, _ fault: inout ProtobufFault
    ) -> (number: Int, value: ProtobufJSON.Value)? {
        isBroken = true
        fault = reason
        return nil
    }
}

extension [ProtobufField] {
    /// The place of a number. O(log fields), at once where no number is left out.
    func place(number: Int) -> Int? {
        if indices.contains(number - 1), self[number - 1].number == number { return number - 1 }
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle].number < number { low = middle + 1 } else { high = middle }
        }
        return low < count && self[low].number == number ? low : nil
    }
}

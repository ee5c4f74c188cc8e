// The TZif format (RFC 9636), version 2 and later: a header and data with 32-bit times, which are skipped, then the
// same again with 64-bit times, then a footer with the rule for later years.

extension TimeZoneRules {
    /// Reads a compiled zone file; nil when it is not a well-formed TZif file of version 2 or later.
    convenience init?(tzif bytes: [UInt8]) {
        guard let first = Header(bytes, at: 0), first.version >= UInt8(ascii: "2"),
            let header = Header(bytes, at: first.end(timeByteCount: 4)),
            header.end(timeByteCount: 8) <= bytes.count, header.typeCount > 0
        else { return nil }
        let indexesStart = header.dataStart + header.timeCount * 8
        let typesStart = indexesStart + header.timeCount
        let typeOffsets = (0..<header.typeCount).map { type in
            Int64(Int32(truncatingIfNeeded: TimeZoneRules.bigEndian(bytes, at: typesStart + type * 6, byteCount: 4)))
        }
        var transitions: [Int64] = []
        var offsets = [typeOffsets[0]]
        for index in 0..<header.timeCount {
            let second = Int64(
                bitPattern: TimeZoneRules.bigEndian(bytes, at: header.dataStart + index * 8, byteCount: 8))
            let type = Int(bytes[indexesStart + index])
            guard type < header.typeCount, transitions.last.map({ $0 < second }) ?? true else { return nil }
            // A change of name or of the summer flag alone is no change of the clock.
            if typeOffsets[type] != offsets[offsets.count - 1] {
                transitions.append(second)
                offsets.append(typeOffsets[type])
            }
        }
        var footer = bytes[header.end(timeByteCount: 8)...]
        guard footer.popFirst() == UInt8(ascii: "\n"), footer.popLast() == UInt8(ascii: "\n") else { return nil }
        var rule: YearlyRule?
        if !footer.isEmpty {
            guard let parsed = YearlyRule(posix: footer) else { return nil }
            rule = parsed
        }
        self.init(transitions: transitions, offsets: offsets, yearlyRule: rule)
    }

    private struct Header {
        let version: UInt8
        let dataStart: Int
        let utcFlagCount: Int
        let standardFlagCount: Int
        let leapCount: Int
        let timeCount: Int
        let typeCount: Int
        let nameByteCount: Int

        init?(_ bytes: [UInt8], at start: Int) {
            guard start >= 0, bytes.count >= start + 44, bytes[start..<start + 4].elementsEqual("TZif".utf8) else {
                return nil
            }
            func count(_ index: Int) -> Int {
                Int(TimeZoneRules.bigEndian(bytes, at: start + 20 + index * 4, byteCount: 4))
            }
            version = bytes[start + 4]
            dataStart = start + 44
            utcFlagCount = count(0)
            standardFlagCount = count(1)
            leapCount = count(2)
            timeCount = count(3)
            typeCount = count(4)
            nameByteCount = count(5)
        }

        func end(timeByteCount: Int) -> Int {
            dataStart + timeCount * (timeByteCount + 1) + typeCount * 6 + nameByteCount
                + leapCount * (timeByteCount + 4) + standardFlagCount + utcFlagCount
        }
    }

    private static func bigEndian(_ bytes: [UInt8], at start: Int, byteCount: Int) -> UInt64 {
        bytes[start..<start + byteCount].reduce(0) { $0 << 8 | UInt64($1) }
    }
}

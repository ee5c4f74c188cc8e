// Time zones by name. The engine reads no files: whoever makes a `TimeZones` hands in a function from a zone's name to
// the bytes of its TZif file (what /usr/share/zoneinfo holds). UTC and fixed offsets need no file.

/// Finds the rules of zones and remembers them. A value: each decoder has its own.
package struct TimeZones: Sendable {
    /// The bytes of a zone's TZif file, nil when there is none. Names are checked before: letters, digits and `/._+-`,
    /// never a `..`.
    package typealias FileOfZone = @Sendable (_ name: String) -> [UInt8]?

    private let file: FileOfZone
    /// Names that are unknown are remembered as nil.
    private var known: [String: TimeZoneRules?] = [:]

    package init(file: @escaping FileOfZone) {
        self.file = file
    }

    /// True when `name` is a zone or an offset that text or a spec may name.
    package func contains(_ name: String) -> Bool {
        makeRules(named: name) != nil
    }

    /// The rules of a zone: a region (`Europe/Paris`), `UTC`, an offset (`+01:00`, `GMT+1`, `Z`), or one of Java's
    /// short names (`PST`). nil when there is no such zone. O(1) for a name seen before.
    /// Source: Spark's SparkDateTimeUtils.getZoneId and java.time.ZoneId.of.
    mutating func rules(named name: String) -> TimeZoneRules? {
        if let rules = known[name] { return rules }
        let rules = makeRules(named: name)
        if known.count >= 1000 { known.removeAll(keepingCapacity: true) }
        known[name] = .some(rules)
        return rules
    }

    /// The rules of a zone as text under a pattern's `VV` names it: regions and `Z`, offsets only as `+hh:mm`, and none
    /// of Java's short names.
    mutating func rules(namedInPattern name: String) -> TimeZoneRules? {
        if TimeZones.shortNames[name] != nil, !["EST", "MST", "HST"].contains(name) { return nil }
        if let sign = name.utf8.firstIndex(where: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") }),
            ["", "UTC", "GMT", "UT"].contains(name[..<sign])
        {
            let bytes = Array(name[sign...].utf8)
            guard bytes.count == 6 || bytes.count == 9, bytes[3] == UInt8(ascii: ":") else { return nil }
        }
        return rules(named: name)
    }

    private func makeRules(named name: String) -> TimeZoneRules? {
        let text = TimeZones.withTwoDigitFields(Array(name.utf8))
        if text == [UInt8(ascii: "Z")] { return .utc }
        if let first = text.first, first == UInt8(ascii: "+") || first == UInt8(ascii: "-") {
            return TimeZones.offsetSeconds(text[...]).map(TimeZoneRules.init(fixedOffsetSeconds:))
        }
        for prefix in ["UTC", "GMT", "UT"] where text.starts(with: prefix.utf8) {
            let rest = text.dropFirst(prefix.utf8.count)
            guard let sign = rest.first else { return .utc }
            if sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
                return TimeZones.offsetSeconds(rest).map(TimeZoneRules.init(fixedOffsetSeconds:))
            }
            break
        }
        let region = String(decoding: text, as: UTF8.self)
        switch TimeZones.shortNames[region] {
        case .offset(let hours)?: return TimeZoneRules(fixedOffsetSeconds: hours * 3600)
        case .region(let region)?: return regionRules(named: region)
        case nil: return regionRules(named: region)
        }
    }

    private func regionRules(named name: String) -> TimeZoneRules? {
        guard TimeZones.isRegionName(name), let bytes = file(name) else { return nil }
        return TimeZoneRules(tzif: bytes)
    }

    private static func isRegionName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard bytes.count >= 2, bytes.count <= 64, bytes[0].isLetter else { return false }
        let allowed = Array("/._+-~".utf8)
        guard bytes.allSatisfy({ $0.isLetter || $0.isDigit || allowed.contains($0) }) else { return false }
        // Folders of other clocks and files beside the zones, which are not names in Java.
        let first = name.split(separator: "/", omittingEmptySubsequences: false)[0]
        guard !["posix", "right", "posixrules", "localtime", "leapseconds", "tzdata.zi"].contains(first) else {
            return false
        }
        return !name.split(separator: "/", omittingEmptySubsequences: false).contains { $0.isEmpty || $0 == ".." }
    }

    /// `+h:mm` becomes `+0h:mm`, a final `+hh:m` becomes `+hh:0m`, as Spark has done since 3.0 for older texts.
    private static func withTwoDigitFields(_ name: [UInt8]) -> [UInt8] {
        var text = name
        let colon = UInt8(ascii: ":")
        let zero = UInt8(ascii: "0")
        func isSign(_ index: Int) -> Bool { text[index] == UInt8(ascii: "+") || text[index] == UInt8(ascii: "-") }
        var index = 0
        while index + 2 < text.count {
            if isSign(index), text[index + 1].isDigit, text[index + 2] == colon {
                text.insert(zero, at: index + 1)
                break
            }
            index += 1
        }
        let end = text.count
        if end >= 5, text[end - 1].isDigit, text[end - 2] == colon, text[end - 3].isDigit, text[end - 4].isDigit,
            isSign(end - 5)
        {
            text.insert(zero, at: end - 1)
        }
        return text
    }

    /// `±h ±hh ±hhmm ±hh:mm ±hhmmss ±hh:mm:ss` up to 18 hours, as java.time.ZoneOffset.of.
    static func offsetSeconds(_ text: ArraySlice<UInt8>) -> Int64? {
        guard let sign = text.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
        let body = Array(text.dropFirst())
        let colon = UInt8(ascii: ":")
        var digits: [UInt8]
        switch body.count {
        case 1: digits = [UInt8(ascii: "0"), body[0]]
        case 2, 4, 6: digits = body
        case 5 where body[2] == colon: digits = Array(body[0..<2] + body[3..<5])
        case 8 where body[2] == colon && body[5] == colon: digits = Array(body[0..<2] + body[3..<5] + body[6..<8])
        default: return nil
        }
        guard digits.allSatisfy(\.isDigit) else { return nil }
        while digits.count < 6 { digits.append(UInt8(ascii: "0")) }
        let numbers = digits.map { Int64($0 - UInt8(ascii: "0")) }
        let hours = numbers[0] * 10 + numbers[1]
        let minutes = numbers[2] * 10 + numbers[3]
        let seconds = numbers[4] * 10 + numbers[5]
        let total = hours * 3600 + minutes * 60 + seconds
        guard minutes < 60, seconds < 60, total <= 18 * 3600 else { return nil }
        return sign == UInt8(ascii: "-") ? -total : total
    }

    private enum ShortName {
        case offset(hours: Int64)
        case region(String)
    }

    /// java.time.ZoneId.SHORT_IDS of Java 17.
    private static let shortNames: [String: ShortName] = [
        "EST": .offset(hours: -5), "MST": .offset(hours: -7), "HST": .offset(hours: -10),
        "ACT": .region("Australia/Darwin"), "AET": .region("Australia/Sydney"),
        "AGT": .region("America/Argentina/Buenos_Aires"), "ART": .region("Africa/Cairo"),
        "AST": .region("America/Anchorage"), "BET": .region("America/Sao_Paulo"), "BST": .region("Asia/Dhaka"),
        "CAT": .region("Africa/Harare"), "CNT": .region("America/St_Johns"), "CST": .region("America/Chicago"),
        "CTT": .region("Asia/Shanghai"), "EAT": .region("Africa/Addis_Ababa"), "ECT": .region("Europe/Paris"),
        "IET": .region("America/Indiana/Indianapolis"), "IST": .region("Asia/Kolkata"), "JST": .region("Asia/Tokyo"),
        "MIT": .region("Pacific/Apia"), "NET": .region("Asia/Yerevan"), "NST": .region("Pacific/Auckland"),
        "PLT": .region("Asia/Karachi"), "PNT": .region("America/Phoenix"), "PRT": .region("America/Puerto_Rico"),
        "PST": .region("America/Los_Angeles"), "SST": .region("Pacific/Guadalcanal"),
        "VST": .region("Asia/Ho_Chi_Minh"),
    ]
}

extension UInt8 {
    @inline(__always)
    var isDigit: Bool { self &- 0x30 < 10 }
    @inline(__always)
    var isLetter: Bool { (self | 0x20) &- 0x61 < 26 }
}

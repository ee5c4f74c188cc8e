// Times that are numbers.

/// What a number counts that is a time.
package enum EpochUnit: String, Hashable, Sendable, CaseIterable {
    case seconds = "s"
    case milliseconds = "ms"
    case microseconds = "us"
    case nanoseconds = "ns"

    /// The unit smaller than a second that the name of a field ends with: `ts_ms`, `createdMillis`, `epoch-us`.
    init?(inName name: String) {
        let words: [(unit: EpochUnit, endings: [String])] = [
            (.milliseconds, ["ms", "millis", "milliseconds", "msec"]),
            (.microseconds, ["us", "micros", "microseconds", "usec"]),
            (.nanoseconds, ["ns", "nanos", "nanoseconds", "nsec"]),
        ]
        // The last word: what stands behind a sign that is no letter, or from the last capital on.
        let starts = [name.lastIndex { !$0.isLetter }, name.lastIndex { $0.isUppercase }]
        let last = starts.map { name[($0 ?? name.startIndex)...].drop { !$0.isLetter }.lowercased() }
        guard let unit = words.first(where: { $0.endings.contains(where: last.contains) })?.unit else { return nil }
        self = unit
    }

    /// As a sentence names it.
    package var noun: String {
        switch self {
        case .seconds: "seconds"
        case .milliseconds: "milliseconds"
        case .microseconds: "microseconds"
        case .nanoseconds: "nanoseconds"
        }
    }

    /// How many of them are in a second.
    @inlinable
    package var perSecond: Int64 {
        switch self {
        case .seconds: 1
        case .milliseconds: 1000
        case .microseconds: 1_000_000
        case .nanoseconds: 1_000_000_000
        }
    }

    /// What the time of a record is between, in seconds since 1970: the years 1980 and 3000. A number that is not was
    /// hardly read in its unit.
    package static let plausibleSeconds: Range<Int64> = 315_532_800..<32_503_680_000
}

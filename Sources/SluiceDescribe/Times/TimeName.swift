// What the name of a field says of whether it is a time, and of which: a number alone does not say it.

/// A name, cut into its words.
struct TimeName {
    private let words: [String]

    /// - Parameter name: such as `event_time`, `createdAt`, `tpep_pickup_datetime`, `@timestamp`.
    init(_ name: String) {
        var words: [String] = []
        var word = ""
        var isAfterLowercase = false
        for character in name {
            guard character.isLetter || character.isNumber else {
                if !word.isEmpty { words.append(word) }
                word = ""
                isAfterLowercase = false
                continue
            }
            if character.isUppercase, isAfterLowercase {
                words.append(word)
                word = ""
            }
            word += character.lowercased()
            isAfterLowercase = character.isLowercase
        }
        if !word.isEmpty { words.append(word) }
        self.words = words
    }

    private static let timeWords: Set<String> = [
        "ts", "time", "timestamp", "date", "datetime", "at", "when", "created", "updated", "modified", "occurred",
        "received", "published", "sent", "epoch", "millis", "micros", "nanos", "t", "day", "since", "until", "start",
        "end", "started", "ended", "expires", "expiry", "birthday", "dob", "instant", "tstamp", "logged",
    ]
    private static let timeEnds = ["time", "timestamp", "date", "datetime"]
    private static let others: Set<String> = ["candidate", "mandate", "runtime", "lifetime", "uptime", "downtime"]

    var isTime: Bool {
        words.contains { word in
            Self.timeWords.contains(word)
                || (Self.timeEnds.contains { word.hasSuffix($0) } && !Self.others.contains(word))
        }
    }

    /// How likely it is the time at which the record's event was, from 0 to 10.
    var eventRank: Int {
        let all = words.joined(separator: "_")
        if Self.secondary.contains(where: { words.contains($0) }) { return 1 }
        if ["event_time", "event_timestamp", "event_ts", "eventtime", "occurred_at"].contains(all) { return 10 }
        if ["timestamp", "ts", "time", "datetime", "ts_ms", "ts_us", "ts_ns"].contains(all) { return 9 }
        if words.contains("event") || words.contains("occurred") { return 8 }
        if words.contains("created") || words.contains("logged") || all == "at" || all == "when" { return 7 }
        if ["time", "ts", "timestamp", "at", "datetime"].contains(words.last ?? "") { return 6 }
        return isTime ? 4 : 2
    }

    /// What is later than the event, before it, or about something else.
    private static let secondary: Set<String> = [
        "updated", "modified", "expires", "expiry", "birthday", "dob", "birth", "due", "until", "end", "ended",
        "deleted", "valid", "ingested", "processed", "loaded", "pushed", "closed", "merged", "last", "next",
    ]
}

// Triggers as text, for the command line: the words and durations that a spec takes.

/// Why a text is no trigger.
package struct TriggerProblem: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

extension TriggerSpec {
    /// The triggers that are a word.
    static let words: KeyValuePairs<String, TriggerSpec> = [
        "as_fast_as_possible": .asFastAsPossible, "once": .once, "available_now": .availableNow,
    ]

    /// Reads `10s`, `2 minutes`, `as_fast_as_possible`, `once` or `available_now`.
    package init(text: String) throws(TriggerProblem) {
        if let word = TriggerSpec.words.first(where: { $0.key == text }) {
            self = word.value
            return
        }
        switch parseDuration(text) {
        case .success(let micros) where micros >= 1000: self = .interval(micros: micros)
        case .success: throw TriggerProblem("a trigger interval is at least 1ms, not `\(text)`")
        case .failure(let problem):
            let meant = nearest(to: text, in: TriggerSpec.words.map(\.key)).map { "did you mean `\($0)`?" }
            throw TriggerProblem(
                "`\(text)` is not a trigger; \(ForeignWords.trigger(text) ?? meant ?? problem.fix(for: text))")
        }
    }

    /// As a spec would write it.
    package var text: String {
        if case .interval(let micros) = self { return durationText(micros: micros) }
        return TriggerSpec.words.first { $0.value == self }?.key ?? ""
    }
}

// "Did you mean": the nearest of the names that would have been right.

/// The candidate nearest to `word`, if near enough to be a slip of the keyboard rather than another word.
package func nearest(to word: String, in candidates: some Sequence<String>) -> String? {
    let wanted = Array(word.lowercased().unicodeScalars)
    guard !wanted.isEmpty, wanted.count <= 64 else { return nil }
    let limit = max(1, min(3, wanted.count / 3))
    var best: (name: String, distance: Int)?
    for candidate in candidates where !candidate.isEmpty {
        let other = Array(candidate.lowercased().unicodeScalars)
        guard abs(other.count - wanted.count) <= limit else { continue }
        let distance = editDistance(wanted, other)
        if distance <= limit, distance < min(best?.distance ?? .max, max(wanted.count, other.count)) {
            best = (candidate, distance)
        }
    }
    return best?.name
}

/// ``did you mean `x`?``, or the list of what is possible when nothing is near and the list is short.
package func suggestion(for word: String, in candidates: [String], listing: String? = nil) -> String? {
    if let name = nearest(to: word, in: candidates) { return "did you mean `\(name)`?" }
    guard let listing, !candidates.isEmpty, candidates.count <= 16 else { return nil }
    return "\(listing) \(candidates.map { "`\($0)`" }.joined(separator: ", "))"
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other. O(n * m).
private func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in 0..<a.count {
        var row = [i + 1] + [Int](repeating: 0, count: b.count)
        for j in 0..<b.count {
            row[j + 1] = min(last[j] + (a[i] == b[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { row[j + 1] = min(row[j + 1], beforeLast[j - 1] + 1) }
        }
        (beforeLast, last) = (last, row)
    }
    return last[b.count]
}

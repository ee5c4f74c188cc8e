/// Quantiles of numbers that stand for more or fewer rows each.
struct WeightedQuantiles {
    private var values: [(value: Double, weight: Double)] = []

    var isEmpty: Bool { values.isEmpty }

    mutating func add(_ value: Double, weight: Double) {
        if weight > 0 { values.append((value, weight)) }
    }

    /// The values below which these shares of all weight lie; nil without values. O(n log n).
    func quantiles(_ shares: [Double]) -> [Double]? {
        let sorted = values.sorted { $0.value < $1.value }
        guard let last = sorted.last else { return nil }
        let total = sorted.reduce(0) { $0 + $1.weight }
        var cumulative = 0.0
        var results: [Double] = []
        var rest = shares[...]
        for item in sorted {
            cumulative += item.weight
            while let share = rest.first, cumulative >= share * total {
                results.append(item.value)
                rest.removeFirst()
            }
        }
        return results + rest.map { _ in last.value }
    }
}

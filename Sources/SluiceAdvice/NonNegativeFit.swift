// Least squares with coefficients that cannot be negative, what was believed before, and little weight for outliers.
//
//     minimize   sum over observations  w * ((y - x·c) / noise)^2   +   sum over beliefs  ((c_j - mean) / deviation)^2
//
// A query that has always run at one interval shows batches of one size, and no fit can tell from those what a batch
// costs without rows: the beliefs decide then, and where sizes vary the observations outweigh them. The noise is
// estimated from the residuals (median absolute deviation) together with the weights (Huber's), in a few rounds. There
// are at most a few coefficients, so which of them are zero is found by trying all choices.

/// What is believed of a coefficient before any batch was seen.
struct CoefficientBelief: Hashable, Sendable {
    var mean: Double
    var deviation: Double
}

/// Coefficients, and how sure they are.
struct NonNegativeFit: Hashable, Sendable {
    private(set) var coefficients: [Double]
    /// Of the coefficients that are not zero, with rows and columns of zeros for the others.
    private var covariance: [[Double]]
    private(set) var noise: Double

    /// O(rounds * observations). `inputs` are rows of as many numbers as there are beliefs.
    init(inputs: [[Double]], outputs: [Double], beliefs: [CoefficientBelief]) {
        coefficients = beliefs.map(\.mean)
        covariance = beliefs.indices.map { row in
            beliefs.indices.map { $0 == row ? beliefs[row].deviation * beliefs[row].deviation : 0 }
        }
        noise = 0
        guard !inputs.isEmpty else { return }
        var weights = [Double](repeating: 1, count: inputs.count)
        // Never zero: numbers of a clock are not better than this.
        let noiseMin = max(1e-6, 0.01 * median(outputs.map(abs)))
        noise = max(noiseMin, 0.3 * median(outputs.map(abs)))
        for _ in 0..<12 {
            let system = NormalEquations(inputs, outputs, weights, noise: noise, beliefs)
            (coefficients, covariance) = system.solveNonNegative()
            let residuals = zip(inputs, outputs).map { $1 - value(at: $0) }
            noise = max(noiseMin, 1.4826 * median(residuals.map(abs)))
            weights = residuals.map { min(1, 1.345 * noise / max(abs($0), 1e-12)) }
        }
    }

    /// The fitted value.
    func value(at inputs: [Double]) -> Double { zip(coefficients, inputs).reduce(0) { $0 + $1.0 * $1.1 } }

    /// The standard error of the fitted value.
    func error(at inputs: [Double]) -> Double {
        var sum = 0.0
        for (row, left) in zip(covariance, inputs) {
            sum += left * zip(row, inputs).reduce(0) { $0 + $1.0 * $1.1 }
        }
        return max(0, sum).squareRoot()
    }
}

/// `matrix · c = vector`, whose solution is the minimum.
private struct NormalEquations {
    private var matrix: [[Double]]
    private var vector: [Double]

    init(
        _ inputs: [[Double]], _ outputs: [Double], _ weights: [Double], noise: Double, _ beliefs: [CoefficientBelief]
    ) {
        matrix = beliefs.map { _ in [Double](repeating: 0, count: beliefs.count) }
        vector = [Double](repeating: 0, count: beliefs.count)
        for (index, belief) in beliefs.enumerated() {
            let precision = 1 / (belief.deviation * belief.deviation)
            matrix[index][index] = precision
            vector[index] = precision * belief.mean
        }
        for ((row, output), weight) in zip(zip(inputs, outputs), weights) {
            let precision = weight / (noise * noise)
            for i in row.indices {
                vector[i] += precision * row[i] * output
                for j in row.indices { matrix[i][j] += precision * row[i] * row[j] }
            }
        }
    }

    /// The best coefficients that are not negative, and their covariance.
    func solveNonNegative() -> (coefficients: [Double], covariance: [[Double]]) {
        var best: (cost: Double, coefficients: [Double], free: [Int])?
        for choice in 0..<(1 << vector.count) {
            let free = vector.indices.filter { choice & (1 << $0) != 0 }
            guard let solution = inverse(free).map({ multiply($0, free) }), solution.allSatisfy({ $0 >= 0 }) else {
                continue
            }
            var coefficients = [Double](repeating: 0, count: vector.count)
            for (index, value) in zip(free, solution) { coefficients[index] = value }
            // What is minimized, but for a constant.
            let cost = -zip(coefficients, vector).reduce(0) { $0 + $1.0 * $1.1 }
            if best.map({ cost < $0.cost }) ?? true { best = (cost, coefficients, free) }
        }
        let free = best?.free ?? []
        var covariance = vector.map { _ in [Double](repeating: 0, count: vector.count) }
        if let inverse = inverse(free) {
            for (row, i) in free.enumerated() {
                for (column, j) in free.enumerated() { covariance[i][j] = inverse[row][column] }
            }
        }
        return (best?.coefficients ?? vector.map { _ in 0 }, covariance)
    }

    private func multiply(_ inverse: [[Double]], _ free: [Int]) -> [Double] {
        inverse.map { row in zip(row, free).reduce(0) { $0 + $1.0 * vector[$1.1] } }
    }

    /// Of the part of the matrix that `free` names, by Gauss and Jordan; nil when there is none.
    private func inverse(_ free: [Int]) -> [[Double]]? {
        let count = free.count
        var rows = free.enumerated().map { index, i in
            free.map { matrix[i][$0] } + (0..<count).map { $0 == index ? 1 : 0 }
        }
        for column in 0..<count {
            let pivot = (column..<count).max { abs(rows[$0][column]) < abs(rows[$1][column]) } ?? column
            guard abs(rows[pivot][column]) > 1e-300 else { return nil }
            rows.swapAt(column, pivot)
            let scale = rows[column][column]
            for j in rows[column].indices { rows[column][j] /= scale }
            for other in 0..<count where other != column {
                let factor = rows[other][column]
                for j in rows[other].indices { rows[other][j] -= factor * rows[column][j] }
            }
        }
        return rows.map { Array($0[count...]) }
    }
}

/// The middle of some numbers; 0 for none. O(n log n).
func median(_ values: [Double]) -> Double { quantile(values.sorted(), 0.5) }

/// Of numbers in ascending order, between neighbours in proportion; 0 for none.
func quantile(_ sorted: [Double], _ share: Double) -> Double {
    guard let last = sorted.indices.last else { return 0 }
    let place = share * Double(last)
    let below = min(last, max(0, Int(place)))
    let above = min(last, below + 1)
    return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
}

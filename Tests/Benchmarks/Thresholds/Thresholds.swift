/// A committed number.
struct Threshold {
    let name: String
    let value: Double
    /// How far above the committed number a new one may be.
    var tolerance = 0.03
}

/// The file of them: one flat JSON object.
enum Thresholds {
    static func text(_ thresholds: [Threshold]) -> String {
        let members = thresholds.map { "  \(quoted($0.name)): \(decimal($0.value, digits: 1))" }
        return "{\n\(members.joined(separator: ",\n"))\n}\n"
    }

    static func read(_ path: String) -> [Threshold] {
        guard exists(path) else { fail("there is no \(path)") }
        return readText(path).split(separator: "\n").compactMap { line in
            // "name": 1.5,
            let parts = line.split(separator: "\"")
            guard parts.count == 3, let value = Double(parts[2].filter { !": ,".contains($0) }) else { return nil }
            return Threshold(name: String(parts[1]), value: value)
        }
    }
}

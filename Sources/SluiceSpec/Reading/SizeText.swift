// Sizes as text, for specs and the command line.

private let sizeUnits: [String: Int64] = [
    "": 1, "b": 1, "k": 1 << 10, "kib": 1 << 10, "m": 1 << 20, "mib": 1 << 20, "g": 1 << 30, "gib": 1 << 30,
    "t": 1 << 40, "tib": 1 << 40, "kb": 1000, "mb": 1_000_000, "gb": 1_000_000_000, "tb": 1_000_000_000_000,
]

/// Why a text is no size.
package enum SizeProblem: Error, Hashable, Sendable {
    case noSize
    /// Nothing, or more than 8 EiB.
    case outOfRange
}

/// Bytes of `64MiB`, `1 GB`, `4096`; above zero.
package func parseSize(_ text: String) throws(SizeProblem) -> Int64 {
    let digits = text.prefix { $0 == "_" || ($0.isASCII && $0.isNumber) }
    let unit = text.dropFirst(digits.count).drop { $0 == " " }.lowercased()
    guard let number = Int64(digits.filter { $0 != "_" }), let factor = sizeUnits[unit] else { throw .noSize }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: factor)
    guard !overflow, bytes > 0 else { throw .outOfRange }
    return bytes
}

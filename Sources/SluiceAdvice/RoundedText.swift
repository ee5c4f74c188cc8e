// Numbers as people say them: two or three digits and a unit.

internal import SluicePlan
internal import SluiceSpec

/// `0.85 ms`, `12 ms`, `1.3 s`, `4.2 min`, `3 h`.
func roundedDuration(micros: Double) -> String {
    let magnitude = abs(micros)
    switch magnitude {
    case ..<999_500: return "\(roundedNumber(micros / 1000)) ms"
    case ..<119_500_000: return "\(roundedNumber(micros / 1e6)) s"
    case ..<7_200_000_000: return "\(roundedNumber(micros / 60e6)) min"
    default: return "\(roundedNumber(micros / 3.6e9)) h"
    }
}

/// `850 B`, `12 KB`, `1.3 GB`, in powers of 1000.
func roundedBytes(_ bytes: Double) -> String {
    let units = ["B", "KB", "MB", "GB", "TB"]
    var (value, unit) = (bytes, 0)
    while abs(value) >= 999.5, unit < units.count - 1 { (value, unit) = (value / 1000, unit + 1) }
    return "\(roundedNumber(value)) \(units[unit])"
}

/// Two digits that count, three from 100 on; `12,000` with its groups; `0`.
func roundedNumber(_ value: Double) -> String {
    guard value.isFinite else { return "unknown" }
    let magnitude = abs(value)
    if magnitude < 0.005 { return "0" }
    if magnitude < 0.995 { return trimmed(value, digits: 2) }
    if magnitude < 9.95 { return trimmed(value, digits: 1) }
    if magnitude < 999.5 { return "\(Int64(value.rounded()))" }
    // Three digits that count.
    var step = 1.0
    while magnitude / step >= 999.5 { step *= 10 }
    return grouped(Int64(((value / step).rounded() * step).rounded()))
}

/// `3 %`, `0.4 %`.
func roundedPercent(_ share: Double) -> String { "\(roundedNumber(share * 100)) %" }

private func trimmed(_ value: Double, digits: Int) -> String {
    let scale = digits == 1 ? 10.0 : 100.0
    let number = Int64((value * scale).rounded())
    let (whole, rest) = number.magnitude.quotientAndRemainder(dividingBy: UInt64(scale))
    var fraction = zeroPadded(rest, digits)
    while fraction.last == "0" { fraction.removeLast() }
    return (number < 0 ? "-" : "") + "\(whole)" + (fraction.isEmpty ? "" : ".\(fraction)")
}

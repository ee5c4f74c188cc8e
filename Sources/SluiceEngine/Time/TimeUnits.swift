// The units that times are counted in.

/// Microseconds in one second, minute-free arithmetic's only unit besides the day.
let microsPerSecond: Int64 = 1_000_000
let secondsPerDay: Int64 = 86_400
let microsPerDay: Int64 = 86_400_000_000

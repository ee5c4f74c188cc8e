// Numbers of a fixed width, as times, names of files and identifiers are written.

/// A number that is not negative with zeros before it, at least `width` digits long.
/// - Parameter radix: 2 to 36; letters are small.
package func zeroPadded(_ number: some BinaryInteger, _ width: Int, radix: Int = 10) -> String {
    let digits = String(number, radix: radix)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}

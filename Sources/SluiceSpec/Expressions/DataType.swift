/// The type of a column or an expression.
package enum DataType: Hashable, Sendable {
    case string
    /// 32-bit integer (Spark's INT).
    case int
    /// 64-bit integer (Spark's BIGINT).
    case long
    case double
    case boolean
    /// UTC microseconds since the epoch.
    case timestamp
    /// Days since the epoch.
    case date
    /// Up to 38 digits, `scale` of them behind the point.
    case decimal(precision: Int, scale: Int)
    /// A part of a record, unparsed: JSON text that is written as JSON again.
    case json
    /// A length of time in microseconds; only inside expressions, never a column.
    case duration
    /// The type of the literal `null` before it takes the type its neighbours ask for.
    case null
}

/// A constant in an expression.
package enum Value: Hashable, Sendable {
    case null
    case string(String)
    /// int, long
    case integer(Int64)
    case double(Double)
    case boolean(Bool)
    /// Microseconds since the epoch.
    case timestamp(Int64)
    /// Days since the epoch.
    case date(Int64)
    /// The digits without the point; the scale is in the expression's type.
    case decimal(Int128)
    /// Microseconds.
    case duration(Int64)
}

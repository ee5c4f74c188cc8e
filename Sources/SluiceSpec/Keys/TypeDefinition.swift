// The types of columns, as the reference tells of them.

/// A type that a spec can name.
struct TypeDefinition: Sendable {
    /// As a spec names it.
    let usage: String
    /// Which values of a record it takes; any other is null and makes the row bad.
    let takes: String

    static let all: [TypeDefinition] = [
        TypeDefinition(usage: "string", takes: "any value: text as it is, a number or an object as it is written"),
        TypeDefinition(
            usage: "int", takes: "a whole number of 32 bits; in JSON no text of one: `cast(… as int)` reads that"),
        TypeDefinition(
            usage: "long", takes: "a whole number of 64 bits; in JSON no text of one: `cast(… as long)` reads that"),
        TypeDefinition(usage: "double", takes: "a number, and the words NaN, Infinity and -Infinity"),
        TypeDefinition(
            usage: "decimal(p,s)",
            takes: "a number, or text of one, rounded to `s` of its `p` digits behind the point; `decimal` is "
                + "`decimal(10,0)`"),
        TypeDefinition(usage: "boolean", takes: "`true` or `false`; in JSON no text, and never 0 or 1"),
        TypeDefinition(
            usage: "timestamp",
            takes: "text in ISO 8601 or in the column's `pattern`; a number of seconds, or of the column's `unit`, "
                + "since 1970"),
        TypeDefinition(
            usage: "date",
            takes: "text such as 2024-01-31, or in the column's `pattern`; a number of days is read as `long`, and is "
                + "`cast(timestamp_seconds(days * 86400) as date)`"),
        TypeDefinition(usage: "json", takes: "any part of a record that nests, which sinks write as JSON again"),
    ]
}

// Every function that a spec can call stands in one table: its name, what it takes and gives, a sentence, an example.
// The type checker checks calls by it, "did you mean" suggests from it, and a reference can print it.

/// A function that expressions can call.
package struct FunctionDefinition: Sendable {
    /// In lower case; specs may write it in any.
    package let name: String
    /// As a call is written: `lpad(text, length[, pad])`.
    package let usage: String
    /// The type of the result, in words where it depends on the arguments.
    package let result: String
    /// What it does, in one sentence.
    package let summary: String
    /// A call over constants and its value: `left('abc', 2) = 'ab'`.
    package let example: String
    let rule: Rule

    /// How the arguments of a call are checked.
    enum Rule: Sendable {
        /// Arguments of fixed kinds. `mayFail`: the result can be null although no argument is.
        case fixed(Function, [Parameter], DataType, mayFail: Bool)
        /// A rule of its own, for a number of arguments within bounds.
        case own(ClosedRange<Int>, @Sendable (TypeChecker, FunctionDefinition, [Syntax], Syntax) -> TypedExpression?)
    }

    /// What an argument must be.
    struct Parameter: Sendable {
        enum Kind: Sendable {
            case text, int, timestamp
            /// An int or a long, as a long.
            case integral
            /// A number, as a double.
            case double
            /// A timestamp or a date.
            case time
            /// A constant text of a kind.
            case regularExpression, timeUnit, jsonPath
        }
        let kind: Kind
        /// What stands for an argument that is left out; nil when it must be there.
        let omitted: Value?

        init(_ kind: Kind, omitted: Value? = nil) {
            self.kind = kind
            self.omitted = omitted
        }
    }

    private init(_ usage: String, _ result: String, _ summary: String, _ example: String, _ rule: Rule) {
        name = String(usage.prefix { $0 != "(" })
        self.usage = usage
        self.result = result
        self.summary = summary
        self.example = example
        self.rule = rule
    }

    private init(
        _ usage: String, _ function: Function, _ parameters: [Parameter], _ result: DataType, mayFail: Bool = false,
        _ summary: String, _ example: String
    ) {
        self.init(
            usage, "\(result)", summary, example, .fixed(function, parameters, result, mayFail: mayFail))
    }

    /// The function of that name, in any case; nil if there is none. O(1).
    static func named(_ name: String) -> FunctionDefinition? { byName[name.lowercased()] }

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    /// All functions, in the order of a reference.
    package static let all: [FunctionDefinition] = choices + texts + expressions + numbers + times + digests

    private static let text = Parameter(.text)
    private static let int = Parameter(.int)
    private static let time = Parameter(.time)

    private static let choices: [FunctionDefinition] = [
        .init(
            "coalesce(a, b, …)", "the common type", "The first argument that is not null.", "coalesce(null, 2) = 2",
            .own(1...100) { $0.coalesce($2, $3) }),
        .init(
            "nullif(a, b)", "the type of a", "Null where both are equal, else the first.", "nullif(0, 0) is null",
            .own(2...2) { $0.nullIf($2, $3) }),
        .init(
            "greatest(a, b, …)", "the common type",
            "The greatest argument; nulls are passed over, NaN is the greatest.",
            "greatest(1, null, 3) = 3", .own(2...100) { $0.extreme(.greatest, $2, $3) }),
        .init(
            "least(a, b, …)", "the common type", "The least argument; nulls are passed over, NaN is the greatest.",
            "least(1, null, 3) = 1", .own(2...100) { $0.extreme(.least, $2, $3) }),
        .init(
            "cast(x as type)", "the type", "The value as another type, null where it has none there.",
            "cast('12' as int) = 12", .own(1...1) { $0.castWithoutType($1, $2, $3) }),
    ]

    private static let texts: [FunctionDefinition] = [
        .init("lower(text)", .lower, [text], .string, "The text in lower case.", "lower('Ab') = 'ab'"),
        .init("upper(text)", .upper, [text], .string, "The text in upper case.", "upper('Ab') = 'AB'"),
        .init("trim(text)", .trim, [text], .string, "The text without spaces at its ends.", "trim(' a ') = 'a'"),
        .init("ltrim(text)", .ltrim, [text], .string, "The text without spaces before it.", "ltrim(' a ') = 'a '"),
        .init("rtrim(text)", .rtrim, [text], .string, "The text without spaces behind it.", "rtrim(' a ') = ' a'"),
        .init("length(text)", .length, [text], .int, "How many characters the text has.", "length('abc') = 3"),
        .init(
            "substring(text, position[, length])", "string",
            "The part that begins at a position: 1 is the first character, -1 the last.",
            "substring('abc', 2, 1) = 'b'", .own(2...3) { $0.substring($2, $3) }),
        .init(
            "left(text, length)", .left, [text, int], .string, "The first characters; none for a length below 1.",
            "left('abc', 2) = 'ab'"),
        .init(
            "right(text, length)", .right, [text, int], .string, "The last characters; none for a length below 1.",
            "right('abc', 2) = 'bc'"),
        .init(
            "lpad(text, length[, pad])", .lpad, [text, int, Parameter(.text, omitted: .string(" "))], .string,
            "The text brought to a length, filled up before it or cut behind.", "lpad('7', 3, '0') = '007'"),
        .init(
            "rpad(text, length[, pad])", .rpad, [text, int, Parameter(.text, omitted: .string(" "))], .string,
            "The text brought to a length, filled up or cut behind it.", "rpad('7', 3, '0') = '700'"),
        .init(
            "concat(a, b, …)", "string", "The arguments as texts, one behind the other; `a || b` is the same.",
            "concat('a', 1) = 'a1'", .own(1...100) { $0.concat($2, $3) }),
        .init(
            "replace(text, search[, replacement])", .replace, [text, text, Parameter(.text, omitted: .string(""))],
            .string, "Every occurrence of a text replaced, or taken out.", "replace('a-b', '-', '+') = 'a+b'"),
        .init(
            "split_part(text, delimiter, number)", .splitPart, [text, text, int], .string, mayFail: true,
            "A part between delimiters: 1 is the first, -1 the last; empty text where there is none, null for 0.",
            "split_part('a.b', '.', 2) = 'b'"),
        .init(
            "startswith(text, part)", .startsWith, [text, text], .boolean, "Whether the text begins with the other.",
            "startswith('abc', 'ab')"),
        .init(
            "endswith(text, part)", .endsWith, [text, text], .boolean, "Whether the text ends with the other.",
            "endswith('abc', 'bc')"),
        .init(
            "contains(text, part)", .contains, [text, text], .boolean, "Whether the other is somewhere in the text.",
            "contains('abc', 'b')"),
    ]

    private static let expressions: [FunctionDefinition] = [
        .init(
            "like(text, pattern)", .like, [text, text], .boolean, mayFail: true,
            "Whether the whole text fits: `%` stands for any characters, `_` for one; also `text like pattern`.",
            "like('abc', 'a%')"),
        .init(
            "rlike(text, pattern)", .rlike, [text, Parameter(.regularExpression)], .boolean, mayFail: true,
            "Whether a part of the text matches a regular expression; also `text rlike pattern`.",
            "rlike('abc', '^a.c$')"),
        .init(
            "regexp_extract(text, pattern[, group])", "string",
            "What a group of the first match holds (the first group; 0 is the whole), empty text without a match.",
            "regexp_extract('item/42', '/(\\d+)') = '42'", .own(2...3) { $0.regexpExtract($1, $2, $3) }),
        .init(
            "regexp_replace(text, pattern, replacement)", "string",
            "Every match replaced; `$1` is what the first group holds, `\\` takes the next character as it is.",
            "regexp_replace('a1', '[0-9]', '#') = 'a#'", .own(3...3) { $0.regexpReplace($1, $2, $3) }),
        .init(
            "get_json_object(json, path)", .getJSONObject, [text, Parameter(.jsonPath)], .string, mayFail: true,
            "What a path such as `$.a.b[0]` meets in JSON text: a string without its quotes, anything else as JSON.",
            "get_json_object('{\"a\":[1]}', '$.a[0]') = '1'"),
    ]

    private static let numbers: [FunctionDefinition] = [
        .init(
            "abs(number)", "the argument's type", "The number without its sign.", "abs(-2) = 2",
            .own(1...1) { $0.abs($2, $3) }),
        .init(
            "round(number[, digits])", "the argument's kind", "Rounded half up to digits behind the point.",
            "round(2.55, 1) = 2.6", .own(1...2) { $0.round($2, $3) }),
        .init(
            "floor(number)", "long, or decimal without places", "The greatest whole number that is not greater.",
            "floor(-2.5) = -3", .own(1...1) { $0.wholeNumber(.floor, $1, $2, $3) }),
        .init(
            "ceil(number)", "long, or decimal without places", "The least whole number that is not less.",
            "ceil(-2.5) = -2", .own(1...1) { $0.wholeNumber(.ceil, $1, $2, $3) }),
        .init(
            "sqrt(number)", .sqrt, [Parameter(.double)], .double, "The square root; NaN of a negative number.",
            "sqrt(16) = 4"),
        .init(
            "power(base, exponent)", .power, [Parameter(.double), Parameter(.double)], .double,
            "The base raised to a power.", "power(2, 10) = 1024"),
        .init("sign(number)", .sign, [Parameter(.double)], .double, "-1, 0 or 1, as a double.", "sign(-2) = -1"),
    ]

    private static let times: [FunctionDefinition] = [
        .init(
            "window_start(timestamp, duration)", "timestamp", "The start of the tumbling window that it falls into.",
            "window_start(timestamp '2024-01-01T08:18:00Z', 1h) = timestamp '2024-01-01T08:00:00Z'",
            .own(2...2) { $0.window(.windowStart, $1, $2, $3) }),
        .init(
            "window_end(timestamp, duration)", "timestamp", "The end of the tumbling window that it falls into.",
            "window_end(timestamp '2024-01-01T08:18:00Z', 1h) = timestamp '2024-01-01T09:00:00Z'",
            .own(2...2) { $0.window(.windowEnd, $1, $2, $3) }),
        .init(
            "timestamp_seconds(number)", "timestamp", "The time so many seconds after 1970.",
            "timestamp_seconds(1.5) = timestamp '1970-01-01T00:00:01.5Z'",
            .own(1...1) { $0.timestampSeconds($1, $2, $3) }),
        .init(
            "timestamp_millis(number)", .timestampMillis, [Parameter(.integral)], .timestamp, mayFail: true,
            "The time so many milliseconds after 1970.", "timestamp_millis(1500) = timestamp '1970-01-01T00:00:01.5Z'"),
        .init(
            "timestamp_micros(number)", .timestampMicros, [Parameter(.integral)], .timestamp,
            "The time so many microseconds after 1970.",
            "timestamp_micros(1500000) = timestamp '1970-01-01T00:00:01.5Z'"),
        .init(
            "unix_millis(timestamp)", .unixMillis, [Parameter(.timestamp)], .long,
            "Milliseconds since 1970, rounded down.",
            "unix_millis(timestamp '1970-01-01T00:00:01.5Z') = 1500"),
        .init(
            "to_timestamp(text[, pattern])", "timestamp",
            "Text read as a time, by a pattern such as `dd/MM/yyyy HH:mm`.",
            "to_timestamp('31/01/2024', 'dd/MM/yyyy') = timestamp '2024-01-31T00:00:00Z'",
            .own(1...2) { $0.readTime(.toTimestamp, $1, $2, $3) }),
        .init(
            "to_date(text[, pattern])", "date", "Text read as a date, by a pattern such as `dd/MM/yyyy`.",
            "to_date('31/01/2024', 'dd/MM/yyyy') = date '2024-01-31'",
            .own(1...2) { $0.readTime(.toDate, $1, $2, $3) }),
        .init(
            "date_trunc(unit, timestamp)", .dateTrunc, [Parameter(.timeUnit), time], .timestamp, mayFail: true,
            "The start of the year, quarter, month, week, day, hour, minute, second, millisecond or microsecond.",
            "date_trunc('hour', timestamp '2024-01-01T08:18:00Z') = timestamp '2024-01-01T08:00:00Z'"),
        .init("year(timestamp)", .year, [time], .int, "The year.", "year(date '2024-01-31') = 2024"),
        .init("month(timestamp)", .month, [time], .int, "The month, 1 to 12.", "month(date '2024-01-31') = 1"),
        .init("day(timestamp)", .day, [time], .int, "The day of the month.", "day(date '2024-01-31') = 31"),
        .init(
            "hour(timestamp)", .hour, [time], .int, "The hour, 0 to 23.", "hour(timestamp '2024-01-01T08:18:00Z') = 8"),
        .init(
            "minute(timestamp)", .minute, [time], .int, "The minute.",
            "minute(timestamp '2024-01-01T08:18:00Z') = 18"),
        .init(
            "second(timestamp)", .second, [time], .int, "The second.", "second(timestamp '2024-01-01T08:18:05Z') = 5"),
        .init(
            "dayofweek(timestamp)", .dayOfWeek, [time], .int, "The day of the week, 1 is Sunday.",
            "dayofweek(date '2024-01-31') = 4"),
    ]

    private static let digests: [FunctionDefinition] = [
        .init(
            "md5(text)", .md5, [text], .string, "The MD5 digest, in 32 hexadecimal digits.",
            "md5('a') = '0cc175b9c0f1b6a831c399e269772661'"),
        .init(
            "sha2(text, bits)", .sha2, [text, int], .string, mayFail: true,
            "The SHA-2 digest of 224, 256 (or 0), 384 or 512 bits, in hexadecimal digits.",
            "left(sha2('a', 256), 8) = 'ca978112'"),
        .init(
            "hash(a, b, …)", "int", "Spark's hash of all arguments; nulls change nothing.", "hash('a') = 1485273170",
            .own(1...100) { $0.hash($2, $3) }),
    ]
}

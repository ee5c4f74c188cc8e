// A typed expression tree. The spec builds it over names (`ColumnReference`), the planner maps the same tree onto
// positions in rows, and the engine compiles it: one tree, one set of functions, three users.

/// `source.column`, as a spec writes it and after its source has been looked up.
package struct ColumnReference: Hashable, Sendable {
    package var source: String
    package var column: String

    package init(source: String, column: String) {
        self.source = source
        self.column = column
    }
}

/// Everything an expression can compute from other expressions. Operators are functions.
package enum Function: String, Hashable, Sendable, CaseIterable {
    // Three-valued logic.
    case and, or, not
    // Comparisons of two operands of one type (the type checker has put in the casts).
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
    /// Spark's `<=>`: never null, null equals null.
    case nullSafeEqual
    case isNull, isNotNull
    /// First operand against the pattern in the second; `%`, `_`, escape `\`.
    case like
    /// First operand against all others.
    case `in`
    // Arithmetic, from left to right where there are more than two operands: each step gives a value of the result's
    // type. The operands share one type, which is the result's too, but for timestamp +/- duration,
    // timestamp - timestamp and duration * long. Decimal operands share precision and scale while the result has
    // those of Spark's DecimalPrecision, so its scale can differ from theirs.
    case add, subtract, multiply, divide, remainder, negate
    /// `||` and `concat`: null if any operand is null.
    case concat
    case coalesce, lower, upper, trim, length, substring, abs, round
    /// `window_start(t, d)`, `window_end(t, d)`: tumbling windows since the epoch.
    case windowStart = "window_start"
    case windowEnd = "window_end"

    // Texts.
    case replace
    case splitPart = "split_part"
    case startsWith = "startswith"
    case endsWith = "endswith"
    case contains, left, right, lpad, rpad, ltrim, rtrim
    // Regular expressions; the second operand is a constant.
    case rlike
    case regexpExtract = "regexp_extract"
    case regexpReplace = "regexp_replace"
    // Choices. `nullif` has operands of its result's type and of the type both are compared in.
    case nullif, greatest, least
    // Numbers.
    case floor, ceil, sqrt, power, sign
    // Times. Where a date stands for a timestamp it is that day's midnight in the zone of the calendar.
    case timestampSeconds = "timestamp_seconds"
    case timestampMillis = "timestamp_millis"
    case timestampMicros = "timestamp_micros"
    case toTimestamp = "to_timestamp"
    case toDate = "to_date"
    case unixMillis = "unix_millis"
    case dateTrunc = "date_trunc"
    case year, month, day, hour, minute, second
    case dayOfWeek = "dayofweek"
    // Digests.
    case md5, sha2, hash
    case getJSONObject = "get_json_object"
}

/// A typed expression whose leaves name columns by `Column`.
package struct Expression<Column: Hashable & Sendable>: Hashable, Sendable {
    package indirect enum Kind: Hashable, Sendable {
        case literal(Value)
        case column(Column)
        case call(Function, [Expression])
        /// `case when a then b … else c end`; the last value is null when there is no `else`.
        case caseWhen([(condition: Expression, value: Expression)], otherwise: Expression?)
        /// A conversion to `type`.
        case cast(Expression)
    }

    package var kind: Kind
    package var type: DataType
    package var isNullable: Bool
    package var position: SourcePosition
    /// True for a constant with characters from `${file:…}`; such a constant prints as `•••`.
    package var isSecret = false

    package init(_ kind: Kind, type: DataType, isNullable: Bool, at position: SourcePosition) {
        self.kind = kind
        self.type = type
        self.isNullable = isNullable
        self.position = position
    }
}

extension Expression.Kind {
    // Written by hand because tuples are not Hashable.
    package static func == (a: Self, b: Self) -> Bool {
        switch (a, b) {
        case (.literal(let x), .literal(let y)): x == y
        case (.column(let x), .column(let y)): x == y
        case (.call(let f, let x), .call(let g, let y)): f == g && x == y
        case (.cast(let x), .cast(let y)): x == y
        case (.caseWhen(let x, let otherwiseX), .caseWhen(let y, let otherwiseY)):
            x.elementsEqual(y) { $0.condition == $1.condition && $0.value == $1.value } && otherwiseX == otherwiseY
        default: false
        }
    }

    package func hash(into hasher: inout Hasher) {
        switch self {
        case .literal(let value): hasher.combine(value)
        case .column(let column): hasher.combine(column)
        case .call(let function, let operands):
            hasher.combine(function)
            hasher.combine(operands)
        case .cast(let operand): hasher.combine(operand)
        case .caseWhen(let branches, let otherwise):
            for branch in branches {
                hasher.combine(branch.condition)
                hasher.combine(branch.value)
            }
            hasher.combine(otherwise)
        }
    }
}

extension Expression {
    /// The same expression over other column names; `transform` runs once per column leaf.
    package func mapColumns<Other: Hashable & Sendable>(_ transform: (Column) -> Other) -> Expression<Other> {
        replacingColumns { column, leaf in leaf.with(.column(transform(column))) }
    }

    /// The same expression with something else of the same type in the place of each column leaf.
    package func replacingColumns<Other: Hashable & Sendable>(
        _ replacement: (_ column: Column, _ leaf: Expression) -> Expression<Other>
    ) -> Expression<Other> {
        switch kind {
        case .literal(let value): return with(.literal(value))
        case .column(let column): return replacement(column, self)
        case .call(let function, let operands):
            return with(.call(function, operands.map { $0.replacingColumns(replacement) }))
        case .cast(let operand): return with(.cast(operand.replacingColumns(replacement)))
        case .caseWhen(let branches, let otherwise):
            return with(
                .caseWhen(
                    branches.map {
                        ($0.condition.replacingColumns(replacement), $0.value.replacingColumns(replacement))
                    }, otherwise: otherwise?.replacingColumns(replacement)))
        }
    }

    /// Another kind with what this expression says besides.
    private func with<Other: Hashable & Sendable>(_ kind: Expression<Other>.Kind) -> Expression<Other> {
        var result = Expression<Other>(kind, type: type, isNullable: isNullable, at: position)
        result.isSecret = isSecret
        return result
    }

    /// Calls `body` for every column leaf, from left to right.
    package func forEachColumn(_ body: (Column) -> Void) {
        switch kind {
        case .literal: break
        case .column(let column): body(column)
        case .call(_, let operands): for operand in operands { operand.forEachColumn(body) }
        case .cast(let operand): operand.forEachColumn(body)
        case .caseWhen(let branches, let otherwise):
            for branch in branches {
                branch.condition.forEachColumn(body)
                branch.value.forEachColumn(body)
            }
            otherwise?.forEachColumn(body)
        }
    }
}

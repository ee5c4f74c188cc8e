// Where calls of functions are refused or answered otherwise than by Spark, each with the reason. The recording holds
// all of them (Spark/functions.json).

enum FunctionDifferences {
    /// Calls that the type checker refuses although Spark has an answer.
    static let refused: Set<String> = [
        // Texts do not turn into numbers or times by themselves, nor numbers into texts; a long is no int.
        "ceil('1.5')", "contains(i, '7')", "day('2024-02-29 10:20:30')", "dayofweek('2024-02-29 10:20:30')",
        "endswith(i, '7')", "floor('1.5')", "hour('2024-02-29 10:20:30')", "i rlike '7'", "left(i, 1)",
        "left(s, '2')", "left(s, d)", "left(s, nneg)", "lpad(i, 5, '0')", "lpad(s, nneg, '*')", "ltrim(i)",
        "minute('2024-02-29 10:20:30')", "month('2024-02-29 10:20:30')", "power('2', 3)",
        "regexp_extract(i, '7', 0)", "regexp_extract(s, '(l+)', 1L)", "replace(i, '7', '8')", "right(i, 1)",
        "right(s, '2')", "right(s, d)", "right(s, nneg)", "rpad(i, 5, '0')", "rpad(s, nneg, '*')", "rtrim(i)",
        "second('2024-02-29 10:20:30')", "sign('1.5')", "split_part(csv, ',', nneg)", "sqrt('1.5')",
        "startswith(i, '7')", "trim(i)", "year('2024-02-29 10:20:30')",
        // A unit that Spark does not know (and gives null), or no constant.
        "date_trunc('', ts)", "date_trunc('day', '2024-01-31 08:18:00')", "date_trunc('days', ts)",
        "date_trunc('decade', ts)", "date_trunc('microseconds', ts)", "date_trunc('minutes', ts)",
        "date_trunc('ms', ts)", "date_trunc(s, ts)", "date_trunc(sn, ts)",
        // A path that is none to Spark (and gives null), a wildcard over fields (which meets nothing), or no constant.
        "get_json_object(ja, ' $.a')", "get_json_object(ja, '$ .a')", "get_json_object(ja, '$.')",
        "get_json_object(ja, '$.*')", "get_json_object(ja, '$..a')", "get_json_object(ja, '$.b.c[-1]')",
        "get_json_object(ja, '$.b.c[0')", "get_json_object(ja, '$.b.c[x]')", "get_json_object(ja, '$.o.*')",
        "get_json_object(ja, '$.o.l[0,1]')", "get_json_object(ja, '$.o.l[0:1]')",
        "get_json_object(ja, '$.o.l[?(@.z)]')", "get_json_object(ja, '$.o[''*'']')",
        #"get_json_object(ja, '$["a"]')"#, "get_json_object(ja, '$[''''] ')", "get_json_object(ja, '$['''']')",
        "get_json_object(ja, '$[''a''')", "get_json_object(ja, '$a')", "get_json_object(ja, '')",
        "get_json_object(ja, 'a')", "get_json_object(js, ' $.a')", "get_json_object(js, '$ .a')",
        "get_json_object(js, '$.')", "get_json_object(js, '$.*')", "get_json_object(js, '$..a')",
        "get_json_object(js, '$.b.c[-1]')", "get_json_object(js, '$.b.c[0')", "get_json_object(js, '$.b.c[x]')",
        "get_json_object(js, '$.o.*')", "get_json_object(js, '$.o.l[0,1]')", "get_json_object(js, '$.o.l[0:1]')",
        "get_json_object(js, '$.o.l[?(@.z)]')", "get_json_object(js, '$.o[''*'']')",
        #"get_json_object(js, '$["a"]')"#, "get_json_object(js, '$[''''] ')", "get_json_object(js, '$['''']')",
        "get_json_object(js, '$[''a''')", "get_json_object(js, '$a')", "get_json_object(js, '')",
        "get_json_object(js, 'a')", "get_json_object(js, s)", "get_json_object(js, sn)",
        // `like` takes no escape character.
        "like('50%', '50/%', '/')", "like(i, '7')", "like(s, '%', '/')", "like(s, 'H/%', '/')",
        // No constant, a position to begin at, another name, or `${…}`, which a spec itself takes.
        #"regexp_extract(mail, '(\w+)', i0)"#, "regexp_extract(mail, '(jane)', inull)",
        "regexp_extract(mail, sn, 0)", "regexp_like(s, 'H')", "regexp_replace(s, '(?<x>o)', '${x}')",
        "regexp_replace(s, '(?<x>o)', '${y}')", "regexp_replace(s, '(o)', '${1}')",
        "regexp_replace(s, '^H', 'x', 2)", "regexp_replace(s, 'a', sn)", "regexp_replace(s, 'o', '0', 6)",
        "regexp_replace(s, 'o', i)", "regexp_replace(s, 'o', s)", "regexp_replace(s, sn, 'a')", "s rlike s",
        "s rlike sn",
        // A zone's short name can mean several zones.
        "to_date('2024-07-05 01:02 CET', 'yyyy-MM-dd HH:mm z')",
        "to_date('2024-07-05 01:02 PDT', 'yyyy-MM-dd HH:mm z')",
        "to_date('2024-07-05 01:02 UTC', 'yyyy-MM-dd HH:mm z')",
        "to_timestamp('2024-07-05 01:02 CET', 'yyyy-MM-dd HH:mm z')",
        "to_timestamp('2024-07-05 01:02 PDT', 'yyyy-MM-dd HH:mm z')",
        "to_timestamp('2024-07-05 01:02 UTC', 'yyyy-MM-dd HH:mm z')",
        // A pattern that is no constant, or one for what is no text.
        "to_date(dt, 'yyyy')", "to_date(ts, 'yyyy')", "to_timestamp(d1, sn)", "to_timestamp(dt, 'yyyy')",
        "to_timestamp(ts, 'yyyy')",
    ]

    /// Regular expressions that are refused although Java has them: the table in JavaRegularExpression says why.
    static let refusedPatterns = [
        #"(?U)\w+"#, "(?d)^two", "(?x) H e", "[[:alpha:]]", #"[\d-x]"#, #"[\p{L}&&\p{Lu}]"#, "[a&&]", "[a-c[x-z]]",
        "[a-z&&[^l]]+", #"\1"#, #"\p{InGreek}"#, #"\p{javaLowerCase}"#,
    ]

    /// Calls whose answer differs.
    static let answers: [String: String] = [
        "split_part(csv, ',', imin)": "no such part, where Spark's index overflows",
        "lpad(s, imin, '*')": "empty, where Spark's length overflows",
        "rpad(s, imin, '*')": "empty, where Spark's length overflows",
        "greatest(null, null)": "there is no type void",
        "least(null, null)": "there is no type void",
        "power(d, d)": "the last digit is the C library's",
        "date_trunc('second', tvery)": "null before all time, where Spark comes out at its other end",
        "date_trunc('millisecond', tvery)": "null before all time, where Spark comes out at its other end",
        "to_timestamp('2024-07-05 01:02 europe/paris', 'yyyy-MM-dd HH:mm VV')": "zones have names as they are written",
        "to_date('2024-07-05 01:02 europe/paris', 'yyyy-MM-dd HH:mm VV')": "zones have names as they are written",
        "hash(-pw)": "Spark's minus rounds a decimal of 38 digits to 34",
        "regexp_replace(u, '', '<$0>')": "Java cuts characters beyond U+FFFF in two",
        "regexp_replace(u, '', '-')": "Java cuts characters beyond U+FFFF in two",
        "regexp_replace(u, 'x{0}', '<$0>')": "Java cuts characters beyond U+FFFF in two",
        #"regexp_replace(u, '\b\w', '<$0>')"#: "from Java 19 on, \\b looks at ASCII letters; this is Java 17",
        #"regexp_replace(u, '\bn', '<$0>')"#: "from Java 19 on, \\b looks at ASCII letters; this is Java 17",
        "regexp_replace(u, '(?i)ÜNÏ', '<$0>')": "(?i) ignores the case of all letters",
        "like(u, '%😀%')": "Spark's pattern never finds a character beyond U+FFFF",
    ]
}

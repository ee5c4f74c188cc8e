"""Records what Spark answers for the expressions below, as functions.json beside this file, and which numbers of unlike
types meet as keys of a join, as keys.json.

    pip install pyspark==4.1.1        # and Java 17
    python3 record_functions.py [functions | keys]

Each expression runs over the one row of the columns that it names, with spark.sql.ansi.enabled true and false ('both'
where the answers agree). Texts are Sluice's: a backslash is itself, a quote is written twice; Spark gets its own form.
timestamp = epoch micros, date = epoch days, double and decimal as text. An error is Spark's error class.
"""

import json
import re
import sys
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

COLUMNS = {
    "s": ("string", "Hello, World"), "u": ("string", "Ünïcödé 😀 ß"), "em": ("string", ""), "sn": ("string", None),
    "b": ("string", "  padded\t "), "csv": ("string", "a,b,,c"), "mail": ("string", "jane.doe@Example.ORG"),
    "ml": ("string", "one\ntwo\r\nthree\n"), "path": ("string", "/shop/item/42?ref=a&x=%20"),
    "i": ("int", 7), "ineg": ("int", -7), "i0": ("int", 0), "inull": ("int", None), "imin": ("int", -2147483648),
    "n": ("long", 10000000000), "nneg": ("long", -3), "nmax": ("long", 9223372036854775807), "nnull": ("long", None),
    "nmin": ("long", -9223372036854775808),
    "d": ("double", 2.5), "dneg": ("double", -2.5), "dz": ("double", -0.0), "dp": ("double", 0.0),
    "dnan": ("double", float("nan")), "dinf": ("double", float("inf")), "dbig": ("double", 1e300),
    "dnull": ("double", None), "dsec": ("double", 1704097080.123456), "dtiny": ("double", 5e-324),
    "p": ("decimal(12,2)", "12.35"), "pneg": ("decimal(12,2)", "-12.35"), "pnull": ("decimal(12,2)", None),
    "pq": ("decimal(20,6)", "1704097080.123456"), "pw": ("decimal(38,10)", "1234567890123456789012345678.0123456789"),
    "p3": ("decimal(10,3)", "-0.500"), "p0": ("decimal(8,0)", "42"),
    "t": ("boolean", True), "f": ("boolean", False), "tn": ("boolean", None),
    "ts": ("timestamp", 1704097080123456), "tneg": ("timestamp", -1), "told": ("timestamp", -62135596800000001),
    "tfar": ("timestamp", 253402300800000000 + 86400000000 * 1000), "tnull": ("timestamp", None),
    "tsum": ("timestamp", 1719836999999999), "tgap": ("timestamp", 1711846800000000),
    "tlap": ("timestamp", 1729990800000000), "tny": ("timestamp", 1710054000000000),
    "tny2": ("timestamp", 1730610000000000), "tvery": ("timestamp", -9223372036854775808),
    "dt": ("date", 19723), "dneg1": ("date", -1), "dold": ("date", -719529), "dfar": ("date", 2932897), "dtn": ("date", None),
    "dleap": ("date", 19782), "dgap": ("date", 19813),
    "js": ("string", '{"a":1,"b":{"c":[1,2.50,{"d":"x\\"y"},null,true]},"e f":"é😀","n":null,"":"empty","a.b":[],"big":12345678901234567890,"exp":1e3,"o":{"k":"v","l":[{"z":1},{"z":2},{"y":3}]},"arr":[[1,2],[3],[]]}'),
    "ja": ("string", '[{"a":"x"},{"a":"y"},{"b":1}, 5, [7]]'), "jbad": ("string", '{"a":1,"b":'),
    "jtail": ("string", '{"a":1} trailing'), "jq": ("string", "{'a':'single'}"), "jdup": ("string", '{"a":1,"a":2}'),
    "jnum": ("string", "42"), "jstr": ("string", '"text"'), "jnull": ("string", "null"), "jblank": ("string", " \n"),
    "d1": ("string", "31/01/2024"), "d2": ("string", "29/02/2023"), "d3": ("string", "2024-03-31 02:30:00"),
    "d4": ("string", "20240131"), "d5": ("string", "Jan 5, 2024 3:07 PM"), "d6": ("string", "2024-01-31T08:18:00.123+02:00"),
}

CASES = []


def add(group, *expressions, zone=None):
    for expression in expressions:
        CASES.append((group, expression, zone))


# Texts.
add("replace", *[f"replace({a})" for a in (
    "s, 'l', 'L'", "s, 'l'", "s, '', 'x'", "em, '', 'x'", "em, 'a', 'x'", "sn, 'a', 'b'", "s, sn, 'b'", "s, 'l', sn",
    "u, '😀', ':)'", "u, 'ö', ''", "'aaa', 'aa', 'b'", "s, 'zzz', 'y'", "s, 'World', s", "'abab', 'ab', ''", "null, 'a'",
    "s, s, s", "i, '7', '8'")])
add("split_part", *[f"split_part({a})" for a in (
    "csv, ',', 1", "csv, ',', 2", "csv, ',', 3", "csv, ',', 4", "csv, ',', 5", "csv, ',', -1", "csv, ',', -4",
    "csv, ',', -5", "csv, ',', 0", "csv, '', 1", "csv, '', 2", "csv, '', -1", "em, ',', 1", "em, ',', 2", "em, '', 1",
    "sn, ',', 1", "csv, sn, 1", "csv, ',', inull", "'a.b.c', '.', 2", "'a||b', '||', 2", "u, ' ', 2", "u, '😀', -1",
    "s, 'zzz', 1", "s, 'zzz', -1", "s, 'zzz', 2", "'aaa', 'aa', 2", "csv, ',', i", "csv, ',', ineg", "csv, ',', imin",
    "csv, ',', 2147483647", "',a,', ',', 3", "',a,', ',', -3", "sn, ',', 0", "csv, ',', nneg")])
add("left and right", *[f"{f}({a})" for f in ("left", "right") for a in (
    "s, 3", "s, 0", "s, -1", "s, 100", "em, 2", "sn, 2", "s, inull", "u, 1", "u, 3", "u, 9", "u, imin", "s, 2147483647",
    "s, nneg", "s, d", "i, 1", "s, '2'")])
add("pad", *[f"{f}({a})" for f in ("lpad", "rpad") for a in (
    "s, 15, '*'", "s, 15", "s, 5, '*'", "s, 0, '*'", "s, -1, '*'", "s, 15, ''", "s, 5, ''", "s, 17, 'ab'", "em, 3, 'xyz'",
    "em, 5, 'xyz'", "u, 14, '😀ö'", "u, 3", "sn, 5, '*'", "s, inull, '*'", "s, 15, sn", "s, 12, '*'", "i, 5, '0'",
    "cast(i as string), 5, '0'", "s, nneg, '*'", "s, imin, '*'")])
add("trim", *[f"{f}({a})" for f in ("ltrim", "rtrim", "trim") for a in (
    "b", "em", "sn", "s", "'   '", "'\u00a0x\u00a0'", "'\tx\t'", "i")])
add("contains", *[f"{f}({a})" for f in ("startswith", "endswith", "contains") for a in (
    "s, 'Hello'", "s, 'World'", "s, 'o, W'", "s, ''", "em, ''", "em, 'a'", "sn, 'a'", "s, sn", "s, 'hello'", "u, 'ß'",
    "u, '😀'", "s, 'Hello, World!'", "u, 'Ü'", "null, 'a'", "i, '7'", "s, s")])
add("nullif", *[f"nullif({a})" for a in (
    "s, 'Hello, World'", "s, 'x'", "em, ''", "sn, 'x'", "s, sn", "i, 7", "i, 8", "i, 7.0", "i, d", "n, 10000000000", "n, i",
    "d, 2.5", "d, 2.50", "dz, 0.0", "dz, dp", "dnan, dnan", "p, 12.35", "p, 12.350", "p, d", "t, true", "t, f", "ts, ts", "ts, tneg",
    "dt, date '2024-01-01'", "dt, ts", "inull, 1", "p, i", "i, p", "1, 1.5", "1, 1.0", "s, i", "d, 2.5e0", "dinf, dinf")])
add("greatest and least", *[f"{f}({a})" for f in ("greatest", "least") for a in (
    "i, 8", "i, ineg, i0", "i, inull", "inull, i, inull", "inull, inull", "i, n", "i, d", "n, d", "i, p", "n, p", "d, p", "p, pneg",
    "p, pq", "p, p0", "pw, pq", "d, dneg, dnan", "dnan, dinf", "dz, dp", "dp, dz", "dz, 0", "s, u", "s, 'hello'", "s, sn", "em, s",
    "t, f", "t, tn", "f, f", "ts, tneg", "ts, tnull", "dt, ts", "dt, dneg1", "dt, dtn", "i, null", "null, null", "i", "s, i",
    "u, '😀', 'zzz'", "1, 2L, 3.5", "1, 2L, 3.5e0", "p, 12.355", "i, 1.5", "ineg, -7.5, 3", "t, i", "ts, 1", "sn, sn")])
# Numbers.
NUMBERS = ("i", "ineg", "i0", "inull", "imin", "n", "nneg", "nmax", "nmin", "nnull", "d", "dneg", "dz", "dp", "dnan", "dinf", "-dinf", "dbig",
           "-dbig", "dtiny", "dnull", "p", "pneg", "pnull", "pq", "pw", "p3", "p0", "0.5", "-0.5", "1.0", "9.99", "-9.99", "1e3", "2.4999999",
           "null", "-1", "cast(9.3e18 as double)", "'1.5'", "s", "t", "99999999999999999999999999999999999999",
           "cast(0.99 as decimal(2,2))", "cast(-99.5 as decimal(3,1))", "cast(99.5 as decimal(38,1))")
add("floor and ceil", *[f"{f}({a})" for f in ("floor", "ceil") for a in NUMBERS])
add("sqrt", *[f"sqrt({a})" for a in NUMBERS], "sqrt(2)", "sqrt(16)", "sqrt(1e-300)")
add("sign", *[f"sign({a})" for a in NUMBERS])
add("power", *[f"power({a})" for a in (
    "i, 2", "2, i", "i, 0.5", "ineg, 2", "ineg, 3", "ineg, 0.5", "i0, 0", "i0, -1", "d, d", "p, 2", "p, p", "dnan, 0", "1, dnan",
    "dinf, -1", "dinf, 0", "dbig, 2", "-dbig, 3", "dz, -1", "dz, -2", "inull, 2", "i, inull", "n, 2", "nmax, 1", "10, -3", "2, 1023", "2, 1024",
    "2, -1074", "2, -1075", "'2', 3", "null, 2", "1.1, 100", "0.1, 3")])
# Time.
add("epoch", *[f"{f}({a})" for f in ("timestamp_seconds", "timestamp_millis", "timestamp_micros") for a in (
    "i", "ineg", "n", "nneg", "nmax", "nmin", "nnull", "inull", "d", "dneg", "dnan", "dinf", "dbig", "dsec", "p", "pneg", "pq", "pw", "pnull",
    "0", "1.5", "-1.5", "1e10", "null", "'1'", "1704097080", "1704097080123", "cast('1.1234567' as decimal(12,7))",
    "9223372036854", "9223372036855", "-9223372036855", "9223372036854775", "9223372036854776", "ts", "p0", "1.1e0", "0.1234565e0",
    "1704067200.9999999e0", "-0.0000005e0")])
add("epoch", *[f"unix_millis({a})" for a in ("ts", "tneg", "told", "tfar", "tnull", "tsum", "tvery", "dt", "'2024-01-01'", "null", "i",
                                            "timestamp '1969-12-31T23:59:59.999999Z'")])
TIMES = ("ts", "tneg", "told", "tfar", "tnull", "tsum", "tgap", "tlap", "tny", "tny2", "dt", "dneg1", "dold", "dfar", "dtn", "dleap", "dgap")
PARTS = ("year", "month", "day", "hour", "minute", "second", "dayofweek")
for zone in (None, "Europe/Paris", "America/New_York"):
    add("calendar", *[f"{f}({a})" for f in PARTS for a in TIMES], zone=zone)
    add("date_trunc", *[f"date_trunc('{u}', {a})" for u in (
        "year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond") for a in (
        "ts", "tneg", "told", "tfar", "tsum", "tgap", "tlap", "tny", "tny2")], zone=zone)
    add("date_trunc", "date_trunc('day', dt)", "date_trunc('month', dneg1)", "date_trunc('hour', timestamp '2024-10-27T00:30:00Z')",
        "date_trunc('hour', timestamp '2024-10-27T01:30:00Z')", "date_trunc('day', timestamp '2024-10-27T12:30:00Z')",
        "date_trunc('day', timestamp '2024-03-31T12:30:00Z')", "date_trunc('hour', timestamp '2024-11-03T05:30:00Z')",
        "date_trunc('hour', timestamp '2024-11-03T06:30:00Z')", "date_trunc('minute', timestamp '1900-01-01T00:00:30Z')",
        "date_trunc('hour', timestamp '1900-01-01T00:00:30Z')", "hour(timestamp '2024-03-31T00:59:59Z')",
        "hour(timestamp '2024-03-31T01:00:00Z')", "hour(timestamp '2024-10-27T00:59:59Z')", "hour(timestamp '2024-10-27T01:00:00Z')",
        "minute(timestamp '1900-01-01T00:00:30Z')", "second(timestamp '1900-01-01T00:00:30Z')",
        "hour(timestamp '2150-07-01T12:00:00Z')", "day(timestamp '2024-12-31T23:30:00Z')", "year(timestamp '2024-12-31T23:30:00Z')", zone=zone)
    add("to_date", *[f"to_date({a})" for a in (
        "ts", "tneg", "told", "tfar", "tsum", "dt", "tnull", "'2024-01-31'", "'2024-01-31T23:59:59Z'", "'2024-1-5'", "'nope'", "d1", "d3", "em",
        "sn", "timestamp '2024-12-31T23:30:00Z'", "timestamp '2024-07-01T03:30:00Z'")], zone=zone)
    add("to_timestamp", *[f"to_timestamp({a})" for a in (
        "ts", "dt", "'2024-01-31 08:18:00'", "'2024-01-31'", "'2024-03-31 02:30:00'", "'2024-10-27 02:30:00'", "'2024-03-10 02:30:00'",
        "'2024-11-03 01:30:00'", "'2024-01-31T08:18:00.123456+05:30'", "'2024-01-31T08:18:00Z'", "'nope'", "em", "sn", "d3", "tnull")], zone=zone)
    add("to_timestamp pattern", *[f"to_timestamp({a})" for a in (
        "d3, 'yyyy-MM-dd HH:mm:ss'", "'2024-10-27 02:30', 'yyyy-MM-dd HH:mm'", "'2024-11-03 01:30', 'yyyy-MM-dd HH:mm'",
        "'2024-03-10 02:30', 'yyyy-MM-dd HH:mm'", "d1, 'dd/MM/yyyy'", "d6, 'yyyy-MM-dd''T''HH:mm:ss.SSSXXX'",
        "'2024-07-01 12:00 Asia/Tokyo', 'yyyy-MM-dd HH:mm VV'")], zone=zone)
    add("to_date pattern", *[f"to_date({a})" for a in (
        "d1, 'dd/MM/yyyy'", "'2024-01-31 23:30 +00:00', 'yyyy-MM-dd HH:mm XXX'", "'2024-01-31 00:30 +00:00', 'yyyy-MM-dd HH:mm XXX'")], zone=zone)
add("to_timestamp", "to_timestamp(1)", "to_timestamp(n)", "to_timestamp(d)", "to_timestamp(p)", "to_timestamp(null)", "to_timestamp(t)",
    "to_timestamp(inull)", "to_date(1)", "to_date(null)", "to_date(n)")
add("date_trunc", *[f"date_trunc('{u}', ts)" for u in (
    "YEAR", "yyyy", "yy", "mon", "mm", "MM", "dd", "DAY", "Week", "QUARTER", "minutes", "days", "decade", "", "microseconds", "ms")],
    "date_trunc('day', '2024-01-31 08:18:00')", "date_trunc(s, ts)", "date_trunc('day', tnull)", "date_trunc(null, ts)", "date_trunc(sn, ts)",
    "date_trunc('year', tvery)", "date_trunc('second', tvery)", "date_trunc('week', tvery)", "date_trunc('millisecond', tvery)",
    "date_trunc('day', i)")
add("calendar", *[f"{f}({a})" for f in PARTS for a in (
    "'2024-02-29 10:20:30'", "null", "i", "tvery", "timestamp '0001-01-01T00:00:00Z'", "timestamp '2000-02-29T23:59:59.999999Z'",
    "timestamp '1900-03-01T00:00:00Z'", "date '1999-12-31'")])

PATTERNS = [
    # texts, pattern
    (("2024-01-31", "2024-1-31", "24-01-31", "12024-01-31", "+12024-01-31", "-2024-01-31", "2024-13-01", "2024-02-30", "2024-01-31x",
      " 2024-01-31", "", "0000-01-01", "9999-12-31"), "yyyy-MM-dd"),
    (("20240131", "2024131", "202401311", "120240131", "+120240131", "00010101"), "yyyyMMdd"),
    (("20240131081800", "2024013108180"), "yyyyMMddHHmmss"),
    (("31/01/2024", "1/1/2024", "31/1/2024", "31/01/24", "29/02/2023", "29/02/2024"), "dd/MM/yyyy"),
    (("31/01/2024", "1/1/2024", "031/1/2024", "1/1/24", "1/01/2024", "-1/1/2024"), "d/M/yyyy"),
    (("31/01/24", "31/01/99", "31/01/00", "31/01/2024", "31/01/4"), "dd/MM/yy"),
    (("2024", "24", "12024", "-5", "0"), "y"), (("2024", "924", "12024", "1"), "yyy"), (("02024", "12024", "2024", "112024"), "yyyyy"),
    (("2024-01", "2024-1", "2024-13"), "yyyy-MM"), (("01/2024",), "MM/yyyy"), (("2024",), "yyyy"), (("12", "1", "13"), "MM"), (("31", "29"), "dd"),
    (("2024-060", "2024-60", "2024-366", "2023-366", "2024-001"), "yyyy-DDD"), (("2024-60", "2024-366"), "yyyy-D"),
    (("2024 Jan 05", "2024 jan 05", "2024 JAN 05", "2024 January 05", "2024 Sep 05", "2024 Sept 05", "2024 May 05", "2024 Xyz 05"), "yyyy MMM dd"),
    (("5 January 2024", "5 Jan 2024", "5 september 2024", "5 May 2024", "15 Marchx 2024"), "d MMMM yyyy"),
    (("2024 Jan 05",), "yyyy LLL dd"), (("5 January 2024",), "d LLLL yyyy"),
    (("Jan 5, 2024 3:07 PM", "Jan 5, 2024 12:07 AM", "Jan 5, 2024 12:07 pm", "Jan 5, 2024 13:07 PM", "Jan 5, 2024 0:07 PM"), "MMM d, yyyy h:mm a"),
    (("2024-01-05 03:07", "2024-01-05 12:07", "2024-01-05 13:07"), "yyyy-MM-dd hh:mm"),
    (("2024-01-05 11 PM", "2024-01-05 0 AM", "2024-01-05 12 AM"), "yyyy-MM-dd K a"), (("2024-01-05 24", "2024-01-05 0", "2024-01-05 13"), "yyyy-MM-dd k"),
    (("2024-01-05 PM", "2024-01-05 am"), "yyyy-MM-dd a"),
    (("2024-01-05 23:59:59", "2024-01-05 24:00:00", "2024-01-05 23:60:00", "2024-01-05 23:59:60", "2024-01-05 1:02:03", "2024-01-05T01:02:03"), "yyyy-MM-dd HH:mm:ss"),
    (("2024-01-05 1:2:3", "2024-01-05 01:02:03", "2024-01-05 001:2:3"), "yyyy-MM-dd H:m:s"),
    (("01:02:03.5", "23:59:59.999999"), "HH:mm:ss.SSSSSS"), (("08:18",), "HH:mm"),
    (("2024-01-05 01:02:03.1", "2024-01-05 01:02:03.123", "2024-01-05 01:02:03.1234", "2024-01-05 01:02:03.", "2024-01-05 01:02:03"), "yyyy-MM-dd HH:mm:ss.SSS"),
    (("2024-01-05 01:02:03.123456789", "2024-01-05 01:02:03.1234567", "2024-01-05 01:02:03.000000999"), "yyyy-MM-dd HH:mm:ss.SSSSSSSSS"),
    (("2024-01-05 01:02:03.5", "2024-01-05 01:02:03.55"), "yyyy-MM-dd HH:mm:ss.S"), (("20240105010203123", "2024010501020312"), "yyyyMMddHHmmssSSS"),
    (("2024-01-05 01:02:03", "2024-01-05 01:02:03.25", "2024-01-05"), "yyyy-MM-dd[ HH:mm:ss[.SSS]]"),
    (("2024-01-05T01:02Z", "2024-01-05T01:02+01", "2024-01-05T01:02+0130", "2024-01-05T01:02+01:30"), "yyyy-MM-dd''T''HH:mmX"),
    (("2024-01-05T01:02Z", "2024-01-05T01:02+0130", "2024-01-05T01:02+01:30", "2024-01-05T01:02-0800", "2024-01-05T01:02z"), "yyyy-MM-dd''T''HH:mmXX"),
    (("2024-01-05T01:02Z", "2024-01-05T01:02+01:30", "2024-01-05T01:02+0130", "2024-01-05T01:02-18:00", "2024-01-05T01:02-18:01", "2024-01-05T01:02+01:60"), "yyyy-MM-dd''T''HH:mmXXX"),
    (("2024-01-05T01:02+013015", "2024-01-05T01:02+0130", "2024-01-05T01:02Z"), "yyyy-MM-dd''T''HH:mmXXXX"),
    (("2024-01-05T01:02+01:30:15", "2024-01-05T01:02+01:30", "2024-01-05T01:02Z"), "yyyy-MM-dd''T''HH:mmXXXXX"),
    (("2024-01-05T01:02+00", "2024-01-05T01:02Z", "2024-01-05T01:02-08", "2024-01-05T01:02+0130"), "yyyy-MM-dd''T''HH:mmx"),
    (("2024-01-05T01:02+00:00", "2024-01-05T01:02Z", "2024-01-05T01:02-08:00"), "yyyy-MM-dd''T''HH:mmxxx"), (("2024-01-05T01:02+0000",), "yyyy-MM-dd''T''HH:mmxx"),
    (("2024-01-05T01:02+0000", "2024-01-05T01:02-0800", "2024-01-05T01:02Z", "2024-01-05T01:02+01:00"), "yyyy-MM-dd''T''HH:mmZ"),
    (("2024-01-05T01:02GMT+01:00", "2024-01-05T01:02GMT", "2024-01-05T01:02+01:00"), "yyyy-MM-dd''T''HH:mmZZZZ"),
    (("2024-01-05T01:02+01:00", "2024-01-05T01:02Z", "2024-01-05T01:02+01:00:30"), "yyyy-MM-dd''T''HH:mmZZZZZ"),
    (("2024-01-05T01:02GMT+8", "2024-01-05T01:02GMT", "2024-01-05T01:02GMT+08:30", "2024-01-05T01:02GMT+8:30", "2024-01-05T01:02GMT-11"), "yyyy-MM-dd''T''HH:mmO"),
    (("2024-01-05T01:02GMT+08:00", "2024-01-05T01:02GMT", "2024-01-05T01:02GMT+8"), "yyyy-MM-dd''T''HH:mmOOOO"),
    (("2024-07-05 01:02 Europe/Paris", "2024-07-05 01:02 UTC", "2024-07-05 01:02 +02:00", "2024-07-05 01:02 Z", "2024-07-05 01:02 PST", "2024-07-05 01:02 europe/paris", "2024-07-05 01:02 GMT+2", "2024-07-05 01:02 UTC+02:00", "2024-07-05 01:02 Nowhere/Here"), "yyyy-MM-dd HH:mm VV"),
    (("2024-07-05 01:02 PDT", "2024-07-05 01:02 UTC", "2024-07-05 01:02 CET"), "yyyy-MM-dd HH:mm z"),
    (("2024-01-05 AD", "2024-01-05 BC", "0001-01-05 BC", "0000-01-05 AD", "2024-01-05 ad"), "yyyy-MM-dd G"), (("2024-01-05 Anno Domini",), "yyyy-MM-dd GGGG"),
    (("Fri 2024-01-05",), "E yyyy-MM-dd"), (("2024-W01-5",), "YYYY-''W''ww-u"), (("2024 1",), "yyyy Q"), (("2024 1",), "yyyy q"), (("2024-01-05",), "yyyy-MM-dd''"),
    (("2024''01", "2024x01"), "yyyy''''''''MM"), (("2024 o''clock",), "yyyy ''o''''''''clock''"), (("2024",), "yyyy#"), (("2024",), "yyyy{"),
    (("2024",), "yyyyyyy"), (("2024 1",), "yyyy MMMMM"), (("2024-01-05 PM",), "yyyy-MM-dd aa"), (("1",), "ddd"), (("1",), "HHH"), (("1",), "n"), (("1",), "A"), (("1",), "B"),
    (("1",), "c"), (("1",), "F"), (("1",), "u"), (("1",), "S"), (("1",), "SSSSSSSSSS"), (("1",), "V"), (("1",), "VVV"), (("1",), "zzzzz"), (("1",), "OO"), (("1",), "XXXXXX"), (("1",), "DDDD"),
    (("1",), "LLLLL"), (("1",), "T"), (("1",), "''x"), (("1",), "[yyyy"), (("1",), "yyyy]"), (("", "x"), ""), (("1",), "ppd"), (("2024é01",), "yyyyéMM"), (("1",), "GGGGG"),
    (("2024-01-05 1:02",), "yyyy-MM-dd H:mm"), (("10:20 2024-01-05",), "HH:mm yyyy-MM-dd"), (("2024-01-05 10",), "yyyy-MM-dd mm"), (("2024-01-05 10",), "yyyy-MM-dd ss"),
    (("2024-06-2024", "2024-06-2025"), "yyyy-MM-yyyy"), (("5 3 2024", "5 03 2024"), "d M y"), (("12024131",), "yMMdd"), (("1112024",), "dMMyyyy"), (("2024-01-31 PM 03", "2024-01-31 AM 12"), "yyyy-MM-dd a hh"),
    (("2024-01-31 15 PM", "2024-01-31 15 AM"), "yyyy-MM-dd HH a"), (("2024-01-31  08",), "yyyy-MM-dd HH"), (("99999-01-01", "+99999-01-01", "+294247-01-10", "+294248-01-10", "+999999-01-01"), "yyyy-MM-dd"),
]
for texts, pattern in PATTERNS:
    for text in texts:
        add("to_timestamp pattern", f"to_timestamp('{text}', '{pattern}')")
        add("to_date pattern", f"to_date('{text}', '{pattern}')")
add("to_timestamp pattern", "to_timestamp(sn, 'yyyy')", "to_timestamp(d1, sn)", "to_timestamp(d1, s)", "to_timestamp(ts, 'yyyy')", "to_timestamp(dt, 'yyyy')",
    "to_timestamp(i, 'yyyy')", "to_date(ts, 'yyyy')", "to_date(dt, 'yyyy')", "to_timestamp(d1, null)", "to_timestamp(d5, 'MMM d, yyyy h:mm a')", "to_date(d4, 'yyyyMMdd')")

# Hashes.
HASHED = ("s", "u", "em", "sn", "i", "ineg", "i0", "inull", "imin", "n", "nneg", "nmax", "nnull", "d", "dneg", "dz", "dp", "dnan", "dinf", "dnull", "p", "pneg", "pnull", "pq", "pw",
          "p3", "p0", "t", "f", "tn", "ts", "tneg", "told", "tnull", "dt", "dneg1", "dtn", "'a'", "'ab'", "'abc'", "'abcd'", "'abcde'", "'abcdefgh'", "'é'", "null", "1.5", "1e0",
          "-pw", "cast(0 as decimal(38,0))", "cast(-1 as decimal(38,0))", "cast(127 as decimal(38,0))", "cast(128 as decimal(38,0))", "cast(-129 as decimal(38,0))", "cast(255 as decimal(20,0))",
          "cast(-128 as decimal(19,0))", "cast(99 as decimal(18,0))", "cast(-99 as decimal(18,0))")
add("hash", *[f"hash({a})" for a in HASHED], "hash(s, i)", "hash(i, s)", "hash(sn, i)", "hash(i, n, d, s, t, ts, dt, p)", "hash(i, inull, d)", "hash(null, null)", "hash()")
add("md5", *[f"md5({a})" for a in ("s", "u", "em", "sn", "null", "'The quick brown fox jumps over the lazy dog'", "i")])
add("sha2", *[f"sha2({a}, {b})" for a in ("s", "u", "em", "sn") for b in ("0", "224", "256", "384", "512", "1", "-1", "inull", "i")], "sha2(i, 256)", "sha2(s, n)")

# Regular expressions.
REGEXES = ("Hello", "^Hello", "World$", "o.*o", "[A-Z]\\w+", "\\d+", "(\\w+)@(\\w+)\\.(com|org)", "(?i)(\\w+)@(\\w+)\\.(com|org)", "^$", "", ".", "^.$", "three$", "^two", "(?m)^two", "(?m)^two$",
           "one.two", "(?s)one.two", "three\\Z", "three\\z", "\\R", "\\h", "\\v", "\\s+", "\\S+$", "a|b|c", "[^a-z]+", "\\p{L}+", "\\p{Lu}", "\\p{IsAlphabetic}", "\\p{Alpha}+", "\\p{Punct}", "\\p{InGreek}",
           "\\p{IsLatin}+", "\\x48", "\\u0048", "\\x{1F600}", "\\Q.\\E", "(?<user>\\w+)@", "(l)\\1", "l{2}", "l{2,}", "l{1,2}?o", "l++o", "[a-z]*+z", "(?:l|o)+", "(?=W)", "(?<=, )W", "(?<!l)o", "(?>l+)o",
           "[a-z&&[^l]]+", "[a-c[x-z]]", "[\\w.]+", "[.]", "[]a]", "[a\\]]", "[a-]", "\\b\\w", "\\Bo", "\\bn", "(?i)HELLO", "(?i)ÜNÏ", "(?iu)ÜNÏ", "h(?i)ELLO", "\\G.", "\\AHello", "(?x) H e", "(", ")", "[", "a{", "{", "*a",
           "a**", "\\", "\\q", "(?P<x>a)", "(?#x)a", "(?<a", "a{2,1}", "\\p{Nope}", "[z-a]", "(*ACCEPT)", "\\K", "\\N", "\\C", "\\1", "\\07", "\\08", "\\cA", "\\e", "\\a", "\\X", "(?U)\\w+", "(?d)^two", "[[:alpha:]]", "\\z", "\\Z", "$",
           "😀", "[😀]", "^.{11}$", "é 😀 ß$", "(a)|(H)", "(x)?H", "%20", "\\?ref=(\\w)&", "(/[^/?]+)+", "\\pL+", "\\P{L}+", "[\\p{L}&&\\p{Lu}]", "[^\\d\\s]+", "\\D", "\\W", "(?-i)Hello", "(?i:hello), W", "}", "]", "a{,3}", "[\\h]", "[\\R]", "x{0}", "\\t", "[\\t ]+",
           "(?=.*o)(?=.*W).+", "(\\w)(\\w)\\2", "[a-z-9]", "[\\d-x]", "[!-/]", "[--/]", "\\-", "\\_", "\\é", "\\<", "[a&&]", "[a&b]", "(?<n>l)\\k<n>", "\\k<x>", "\\p{javaLowerCase}", "\\p{IsLu}", "\\p{Lower}", "\\p{general_category=Lu}", "\\p{script=Latin}", "[^]a]", "[^\\n]+", "(a", "a)", "[a", "\\x4", "\\u12")
for pattern in REGEXES:
    for subject in ("s", "u", "mail", "ml"):
        add("regexp_replace", f"regexp_replace({subject}, '{pattern}', '<$0>')")
    add("regexp_extract", f"regexp_extract(path, '{pattern}', 0)")
    add("rlike", f"rlike(s, '{pattern}')", f"rlike(em, '{pattern}')")
add("rlike", "s rlike 'World'", "not s rlike 'World'", "s not rlike 'World'", "s rlike sn", "sn rlike 'a'", "s rlike null", "s rlike s", "s rlike 'a' or t", "regexp_like(s, 'H')", "i rlike '7'")
add("regexp_extract", *[f"regexp_extract({a})" for a in (
    "mail, '(\\w+)\\.(\\w+)@(\\w+)'", "mail, '(\\w+)\\.(\\w+)@(\\w+)', 1", "mail, '(\\w+)\\.(\\w+)@(\\w+)', 2", "mail, '(\\w+)\\.(\\w+)@(\\w+)', 3", "mail, '(\\w+)\\.(\\w+)@(\\w+)', 4",
    "mail, '(\\w+)\\.(\\w+)@(\\w+)', -1", "mail, 'nope(x)', 1", "mail, '(x)?jane', 1", "sn, 'a', 0", "mail, sn, 0", "mail, 'jane'", "mail, '(jane)', inull", "path, 'item/(\\d+)', 1", "u, '(\\S+) (\\S+)', 2",
    "path, 'ref=([^&]*)', 1", "em, '(.*)', 1", "mail, '(?<u>[^@]+)@(?<d>.+)', 2", "i, '7', 0", "s, '(o)(?!.*o)', 1", "mail, '(\\w+)', i0", "s, '(l+)', 1L")])
add("regexp_replace", *[f"regexp_replace({a})" for a in (
    "s, 'o', '0'", "s, '(\\w+), (\\w+)', '$2, $1'", "s, 'l', ''", "s, 'x*', '-'", "em, 'x*', '-'", "em, '^', '-'", "sn, 'a', 'b'", "s, 'a', sn", "s, sn, 'a'", "s, 'o', '$'", "s, 'o', '\\$'", "s, 'o', '\\\\'", "s, 'o', 'a\\'",
    "s, 'o', '$1'", "s, '(o)', '$1$1'", "s, '(o)', '$11'", "s, '(o)', '${1}'", "s, '(?<x>o)', '${x}'", "s, '(?<x>o)', '${y}'", "s, 'o', '$x'", "s, '(z)?o', '[$1]'", "u, '\\s', '_'", "u, '.', 'x'", "u, '', '-'", "s, 'l*', 'X'", "ml, '$', '!'",
    "ml, '(?m)$', '!'", "ml, '(?m)^', '> '", "mail, '@.*', ''", "mail, '[aeiou]', '*'", "s, '\\b', '|'", "s, '(?=l)', '|'", "path, '(\\d)(\\d)', '$2$1'", "s, 'o', i", "s, 'o', s", "s, 'Hello, World', 'x'", "csv, ',+', ';'", "s, 'o', '0', 6", "s, '^H', 'x', 2", "s, 'o', '0', 0")])
add("like", "like(s, 'Hello%')", "like(s, 'hello%')", "like(s, '_ello%')", "like(sn, 'a')", "like(s, sn)", "like(s, '%', '/')", "like(s, 'H/%', '/')", "like('50%', '50/%', '/')", "like(u, '%😀%')", "like(s, s)", "like(i, '7')")

# JSON.
PATHS = ("$", "$.a", "$.b", "$.b.c", "$.b.c[0]", "$.b.c[1]", "$.b.c[2]", "$.b.c[2].d", "$.b.c[3]", "$.b.c[4]", "$.b.c[5]", "$.b.c[-1]", "$.b.c[*]", "$['a']", "$['e f']", "$.e f", "$[''] ", "$['']", "$['a.b']", "$.n", "$.x", "$.x.y", "$.a.b", "$.big",
         "$.exp", "$.o.l[*].z", "$.o.l[*]", "$.o.l.z", "$.o.*", "$.*", "$.o[*]", "$.arr[*]", "$.arr[*][0]", "$.arr[0][*]", "$.arr[*][*]", "$.arr[0]", "$[0]", "$[0].a", "$[*].a", "$[*]", "$[3]", "$[4][0]", "$[9]", "$..a", "a", "", "$.", "$a", "$.b.c[x]", "$.b.c[0", "$['a'", "$[\"a\"]",
         " $.a", "$.a ", "$ .a", "$.b['c'][2]['d']", "$.o['k']", "$.o.l[0,1]", "$.o.l[0:1]", "$.o.l[?(@.z)]", "$.A", "$.o['*']", "$.b.c[00]", "$.b.c[99999999999]")
for subject in ("js", "ja"):
    add("get_json_object", *[f"get_json_object({subject}, '{path.replace(chr(39), chr(39) * 2)}')" for path in PATHS])
add("get_json_object", *[f"get_json_object({subject}, '{path}')" for subject in ("jbad", "jtail", "jq", "jdup", "jnum", "jstr", "jnull", "jblank", "em", "sn", "s") for path in ("$", "$.a", "$.b", "$[0]")],
    "get_json_object(js, sn)", "get_json_object(js, s)", "get_json_object(i, '$')", "get_json_object(js, null)", "get_json_object('{\"a\":\"\\u00e9\\n\"}', '$.a')", "get_json_object('{\"a\":1.0}', '$.a')", "get_json_object('{\"a\":1.50}', '$')",
    "get_json_object('{\"a\": 1 , \"b\" : [ ] }', '$')", "get_json_object('{\"a\":NaN}', '$.a')", "get_json_object('{\"a\":-0}', '$.a')", "get_json_object('{\"a\":1e400}', '$.a')", "get_json_object('[1,2,3]', '$[1]')", "get_json_object('[[1,2],[3,4]]', '$[*][1]')",
    "get_json_object('[[1,2],[3,4]]', '$[1][*]')", "get_json_object('[{\"a\":[1]},{\"a\":[2,3]}]', '$[*].a[*]')", "get_json_object('[{\"a\":[1]},{\"a\":[2,3]}]', '$[*].a')", "get_json_object('[{\"a\":\"x\"}]', '$[*].a')", "get_json_object('[{\"a\":null}]', '$[*].a')",
    "get_json_object('{\"a\":true}', '$.a')", "get_json_object('{\"a\":[{\"b\":1},{\"b\":2}]}', '$.a.b')", "get_json_object('{\"a\":[{\"b\":\"x\"}]}', '$.a.b')", "get_json_object('{\"a\":{\"a\":5}}', '$.a.a')", "get_json_object('{\"a\":null,\"a\":3}', '$.a')", "get_json_object('[]', '$[*]')", "get_json_object('[5]', '$[*]')",
    "get_json_object('[\"x\"]', '$[*]')", "get_json_object('[\"x\"]', '$[0]')", "get_json_object('[[\"x\"]]', '$[0]')", "get_json_object('{\"a\":\"\\ud83d\\ude00\"}', '$.a')", "get_json_object('{\"a\":\"\\ud83d\\ude00\"}', '$')", "get_json_object('{\"a\":1,}', '$.a')", "get_json_object('{\"a\":\"x', '$.a')")

# Keys of joins: which of the left values meet which of the right ones.
KEYS = {
    "int": ["0", "1", "-1", "12", "100", "2147483647", "-2147483648", None],
    "long": ["0", "1", "12", "100", "2147483648", "9007199254740992", "9007199254740993", "9223372036854775807",
             "-9223372036854775808", None],
    "double": ["0.0", "-0.0", "1.0", "12.0", "12.5", "12.35", "0.1", "100.0", "2147483647.0", "9007199254740992.0",
               "9.223372036854775807E18", "-9.223372036854775808E18", "1.0E38", "NaN", "Infinity", "-Infinity", None],
    "decimal(10,2)": ["0.00", "1.00", "12.00", "12.35", "12.50", "0.10", "100.00", "99999999.99", None],
    "decimal(12,4)": ["0.0000", "1.0000", "12.3500", "12.3501", "12.5000", "0.1000", "100.0000", None],
    "decimal(20,0)": ["0", "1", "12", "100", "9007199254740993", "9223372036854775807", "99999999999999999999", None],
    "decimal(38,0)": ["0", "1", "12", "100", "9223372036854775807", "99999999999999999999999999999999999999", None],
    "decimal(38,18)": ["0.000000000000000000", "12.350000000000000000", "12.350000000000000001", "0.500000000000000000",
                       "99999999999999999999.999999999999999999", None],
    "decimal(38,37)": ["0E-37", "1.0000000000000000000000000000000000000", "0.5000000000000000000000000000000000000",
                       "0.4999999999999999999999999999999999999", None],
}


SPARK_TYPES = {"long": "bigint"}


def spark_text(expression):
    """The expression with its texts in Spark's form."""

    def literal(match):
        text = match.group(0)[1:-1].replace("''", "'")
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    return re.sub(r"'(?:[^']|'')*'", literal, expression)


def outcome(spark, expression, columns):
    select = []
    for name in columns:
        kind, value = COLUMNS[name]
        spark_type = SPARK_TYPES.get(kind, kind)
        if value is None:
            text = f"cast(null as {spark_type})"
        elif kind == "string":
            text = None
        elif kind == "double":
            text = f"cast('{value!r}' as double)"
        elif kind == "timestamp":
            text = f"timestamp_micros({value if value > -2**63 else '-9223372036854775807L - 1L'})"
        elif kind == "date":
            text = f"date_from_unix_date({value})"
        else:
            text = f"cast('{value}' as {spark_type})" if kind != "boolean" else str(value).lower()
        select.append((name, text, value))
    from pyspark.sql import functions as F

    frame = spark.range(1).select(*[(F.lit(value) if text is None else F.expr(text)).alias(name) for name, text, value in select]) if select else spark.range(1)
    try:
        result = frame.select(F.expr(spark_text(expression)).alias("v"))
        kind = result.schema["v"].dataType.simpleString()
        form = {"timestamp": "unix_micros(v)", "date": "unix_date(v)", "double": "cast(v as string)", "float": "cast(v as string)"}.get(kind, "v")
        if kind.startswith("decimal"):
            form = "cast(v as string)"
        value = result.selectExpr(form + " as v").collect()[0][0]
        return {"result": value, "resultType": {"bigint": "long"}.get(kind, kind)}
    except PySparkException as error:
        name = (error.getCondition() if hasattr(error, "getCondition") else error.getErrorClass()) or type(error).__name__
        return {"error": name}
    except Exception as error:  # An exception of Java that Spark does not wrap.
        found = re.search(r"(java[\w.]+Exception)", str(error))
        return {"error": found.group(1) if found else type(error).__name__}


def record_keys(spark):
    """Every pair of unlike types: the places of the values that an inner join brings together, by `=` and by `<=>`."""
    lines = []
    spark.conf.set("spark.sql.ansi.enabled", "true")
    for left, lefts in KEYS.items():
        for right, rights in KEYS.items():
            if left == right:
                continue
            frames = []
            for side, kind, values in (("l", left, lefts), ("r", right, rights)):
                rows = ", ".join(f"({n}, " + ("null" if v is None else f"'{v}'") + ")" for n, v in enumerate(values))
                spark.sql(f"select n, cast(v as {SPARK_TYPES.get(kind, kind)}) as k from values {rows} as t(n, v)").createOrReplaceTempView(side)
            case = {"left": left, "right": right}
            for name, operator in (("pairs", "="), ("nullSafePairs", "<=>")):
                try:
                    met = spark.sql(f"select l.n, r.n from l join r on l.k {operator} r.k order by 1, 2").collect()
                    case[name] = [list(row) for row in met]
                except PySparkException as error:
                    case["error"] = error.getCondition()
            lines.append("  " + json.dumps(case))
    text = '{\n "spark": "' + spark.version + '",\n "values": ' + json.dumps(KEYS) + ',\n "cases": [\n' + ",\n".join(lines) + "\n ]\n}\n"
    Path(__file__).with_name("keys.json").write_text(text, encoding="utf-8")


def main():
    spark = (
        SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC").getOrCreate())
    spark.sparkContext.setLogLevel("OFF")
    if "functions" in sys.argv[1:] or len(sys.argv) == 1:
        record_functions(spark)
    if "keys" in sys.argv[1:] or len(sys.argv) == 1:
        record_keys(spark)


def record_functions(spark):
    words = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
    lines = []
    for group, expression, zone in CASES:
        bare = re.sub(r"'(?:[^']|'')*'", "''", expression)
        names = sorted({word for word in words.findall(bare) if word in COLUMNS})
        spark.conf.set("spark.sql.session.timeZone", zone or "UTC")
        answers = {}
        for mode in ("ansi", "nonAnsi"):
            spark.conf.set("spark.sql.ansi.enabled", "true" if mode == "ansi" else "false")
            answers[mode] = outcome(spark, expression, names)
        case = {"group": group, "expr": expression}
        if zone:
            case["timeZone"] = zone
        case["columns"] = {
            name: {"type": COLUMNS[name][0], "value": repr(COLUMNS[name][1]) if COLUMNS[name][0] == "double" and COLUMNS[name][1] is not None else COLUMNS[name][1]} for name in names}
        for name in names:
            if COLUMNS[name][0] == "double" and case["columns"][name]["value"] in ("nan", "inf"):
                case["columns"][name]["value"] = {"nan": "NaN", "inf": "Infinity"}[case["columns"][name]["value"]]
        if answers["ansi"] == answers["nonAnsi"]:
            case["both"] = answers["ansi"]
        else:
            case.update(answers)
        lines.append("  " + json.dumps(case, ensure_ascii=False))
        if len(lines) % 200 == 0:
            print(len(lines), "of", len(CASES), flush=True)
    text = '{\n "spark": "' + spark.version + '",\n "cases": [\n' + ",\n".join(lines) + "\n ]\n}\n"
    Path(__file__).with_name("functions.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

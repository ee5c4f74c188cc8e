"""Records what Spark's from_json makes of records that nest, as nested.json beside this file.

    pip install pyspark==4.1.1        # and Java 17
    python3 record_nested.py

A case is a list of columns, each a path as a spec writes it and a type, and records under them: the text, whether Spark
called it corrupt, and what it read at each path (null, or text: times in microseconds, dates in days). The schema given
to Spark is the one that the paths lead through; elements are taken by get(), the session's zone is Europe/Paris. Cases
are written by hand for each rule, and then at random; the seed is fixed.

Spark judges an array as a whole: one element of another kind makes all of it null, also one that nobody asks for. Of a
record where that decides, flag and values stand twice: what Spark made of it, and what it made of the same record with
null in place of such elements and of those that no path leads to, which is what elements read one by one would give.
"""

import json
import random
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as f
from pyspark.sql import types as t

# A schema is a leaf's type, a list of its one element, or a dictionary of fields.
TYPES = {
    "string": t.StringType(), "int": t.IntegerType(), "long": t.LongType(), "double": t.DoubleType(),
    "boolean": t.BooleanType(), "timestamp": t.TimestampType(), "date": t.DateType(), "decimal(10,2)": t.DecimalType(10, 2),
}
USER = {"user": {"id": "string", "page": {"n": "int"}}, "x": "long"}
ITEMS = {"items": [{"sku": "string", "n": "int"}], "tags": ["long"], "x": "long"}
DEEP = {"a": {"b": {"c": {"d": "timestamp", "e": "decimal(10,2)"}}}}
ODD = {"a.b": {"c d": "string", "é": "int"}, "a": {"b": {"c d": "string"}}, "x": "long"}
GRID = {"rows": [["int"]], "o": {"rows": [{"cells": [{"v": "double"}]}]}}
HAND = [
    (USER, """{"user":{"id":"a","page":{"n":3}},"x":1}
{"x":1,"user" : { "other":[1,{"id":"no"}], "page":{"m":2,"n":3}, "id":"a"}}
{"user":null,"x":1}
{"user":{},"x":1}
{}
{"x":1}
{"user":{"page":null,"id":null},"x":1}
{"user":{"page":{},"id":"a"},"x":1}
{"user":5,"x":1}
{"user":"a","x":1}
{"user":"","x":1}
{"user":"{}","x":1}
{"user":true,"x":1}
{"user":[],"x":1}
{"user":[{"id":"a"}],"x":1}
{"user":[{"id":"a"},{"id":"b"}],"x":1}
{"user":[5,{"id":"b"}],"x":1}
{"user":{"id":"a","page":[3]},"x":1}
{"user":{"id":"a","page":"p"},"x":1}
{"user":{"id":"a","page":{"n":"three"}},"x":1}
{"user":{"id":"a","page":{"n":3.5}},"x":1}
{"user":{"page":{"n":[3]},"id":"a"},"x":1}
{"user":{"page":{"n":{"n":3}},"id":"a"},"x":1}
{"user":{"id":{"a":1, "b":[ ]},"page":{"n":3}},"x":1}
{"user":{"id":[1, 2],"page":{"n":3}},"x":1}
{"user":{"id":1.50,"page":{"n":3}},"x":1}
{"user":{"id":"a","page":{"n":3}},"user":{"id":"b"},"x":1}
{"user":{"id":"b"},"user":{"id":"a","page":{"n":3}},"x":1}
{"user":{"id":"a"},"user":null,"x":1}
{"user":null,"user":{"id":"a"},"x":1}
{"user":{"id":"a"},"user":5,"x":1}
{"user":5,"user":{"id":"a"},"x":1}
{"user":{"id":"a"},"user":[1],"x":1}
{"user":{"id":"a","page":{"n":3}},"user":{"page":{"n":"x"}},"x":1}
{"user":{"id":"a","id":"b","page":{"n":3,"n":4}},"x":1}
{"user":{"id":"a","page":{"n":3,"n":"x"}},"x":1}
{"user":{"id":"a","page":{"n":"x","n":3}},"x":1}
{"user":{"page":{"n":3},"page":7,"id":"a"},"x":1}
{"user":{"page":{"n":3},"page":{},"id":"a"},"x":1}
{"us\\u0065r":{"i\\u0064":"a","page":{"n":3}},"x":1}
{"User":{"id":"a"},"x":1}
{"user":{"ID":"a"},"x":1}
{"user.id":"a","x":1}
{'user':{'id':'a','page':{'n':3}},'x':1}
{"user":{"id":"a","page":{"n":3}} "x":1}
{"user":{"id":"a","page":{"n":3},"x":1}
{"user":{"id":"a","page":{"n":3}}},"x":1}
{"user":{"id":"a","page":{"n":3]},"x":1}
{"user":{"id":"a","page":{"n":03}},"x":1}
{"user":{"id":"a","page":{"n":3,}},"x":1}
{"user":{"id":"a","page":{n:3}},"x":1}
{"user":{"id":"a
{"user":{"id":"a","page":{"n":tru}},"x":1}
{"user":{"id":"a"},"user":{"id":"b","page":{n:3}},"x":1}
{"user":{"id":"\\q","page":{"n":3}},"x":1}
{"user":{"id":"a","page":{"n":NaN}},"x":1}
{"user":{"id":NaN,"page":{"n":3}},"x":1}
{"user":{"other":"\\q","id":"a"},"x":1}
{"user":{"other":01,"id":"a"},"x":1}
{"user":{"other":{"deep":[1,{]},"id":"a"},"x":1}
{\t"user"\t:\t{ "id" :\r"a" , "page" : { "n" : 3 } } , "x" : 1 }
{"user":{"id":"a"}}{"user":{"id":"b"}}
[{"user":{"id":"a"}}]
"user"
null"""),
    (ITEMS, """{"items":[{"sku":"s0","n":0},{"sku":"s1","n":1},{"sku":"s2","n":2}],"tags":[1,2,3],"x":1}
{"items":[{"sku":"s0"}],"tags":[1],"x":1}
{"items":[],"tags":[],"x":1}
{"items":[ ],"tags":[ ],"x":1}
{"items":null,"tags":null,"x":1}
{"x":1}
{"items":[null,{"sku":"s1"},null],"tags":[null,2,null],"x":1}
{"items":[{"sku":"s0","n":"x"},{"sku":"s1","n":1}],"x":1}
{"items":[{"sku":"s0","n":0},{"sku":"s1","n":"x"}],"x":1}
{"items":[{"sku":"s0"},7],"x":1}
{"items":[7,{"sku":"s1"}],"x":1}
{"items":[7,{"sku":"s1"},{"sku":"s2"}],"tags":[1,2],"x":1}
{"items":["s0"],"x":1}
{"items":[[{"sku":"s0"}]],"x":1}
{"items":[[],{"sku":"s1"}],"x":1}
{"items":{"sku":"s0"},"x":1}
{"items":{"0":{"sku":"s0"}},"x":1}
{"items":{},"tags":{},"x":1}
{"items":5,"tags":5,"x":1}
{"items":"[]","tags":"1","x":1}
{"tags":[1,"x",3],"x":1}
{"tags":[1,2,"x"],"x":1}
{"tags":[1,2,3.5],"x":1}
{"tags":[[1],2],"x":1}
{"tags":[{"a":1},2],"x":1}
{"items":[{"sku":"s0"}],"items":[{"sku":"t0"},{"sku":"t1"}],"x":1}
{"items":[{"sku":"s0"},{"sku":"s1"}],"items":[{"sku":"t0"}],"x":1}
{"items":[{"sku":"s0"}],"items":null,"x":1}
{"items":[{"sku":"s0"}],"items":5,"x":1}
{"items":[{"sku":"s0"}],"items":[5],"x":1}
{"tags":[1,2],"tags":["x"],"x":1}
{"items":[{"sku":"s0","sku":"t0"}],"x":1}
{"items":[{"sku":"s0","n":1,"n":"x"}],"x":1}
{"items":[{"sku":"s0"},{"sku":"s1"]},"x":1}
{"items":[{"sku":"s0"},{"sku":"s1",}],"x":1}
{"items":[{"sku":"s0"},],"x":1}
{"items":[{"sku":"s0"} {"sku":"s1"}],"x":1}
{"items":[{"sku":"s0"},{"sku":"s1"}
{"items":[{"sku":"s0"},{"sku":"s1"}]"x":1}
{"items":[{"sku":"s0"},{"sku":"s1"}}
{"tags":[1,2,tru],"x":1}
{"tags":[1,,2],"x":1}
{"tags":[1,2,],"x":1}
{"tags":[1,02],"x":1}
{"items":[{"sku":1},{"sku":[1]},{"sku":{"a":null}}],"x":1}"""),
    (DEEP, """{"a":{"b":{"c":{"d":"2024-01-31T09:18:00","e":1.25}}}}
{"a":{"b":{"c":{"d":"2024-01-31T09:18:00Z","e":"1.25"}}}}
{"a":{"b":{"c":{"d":1700000000,"e":"1,000.255"}}}}
{"a":{"b":{"c":{"d":"never","e":1.25}}}}
{"a":{"b":{"c":{"d":"2024-01-31 09:18:00.5","e":123456789.5}}}}
{"a":{"b":{"c":[{"d":"2024-01-31","e":1}]}}}
{"a":{"b":[{"c":{"d":"2024-01-31","e":1}}]}}
{"a":[{"b":{"c":{"d":"2024-01-31","e":1}}}]}
{"a":{"b":{"c":null}}}
{"a":{"b":null}}
{"a":{"b":{"c":{"e":1}}},"a":{"b":{"c":{"d":"2024-01-31"}}}}
{"a":{"b":{"c":{"e":1}},"b":{"c":{"d":"2024-01-31"}}}}
{"a":{"b":{"c":{"e":1},"c":{"d":"2024-01-31"}}}}
{"a":{"b":{"c":{"e":1},"c":7}}}
{"a":{"b":{"c":{"e":1}},"b":7}}
{"a":{"b":{"c":{"e":1}}},"a":7}
{"a":{"b":7,"b":{"c":{"e":1}}}}
{"a":{"b":{"c":{"e":"x","d":"2024-01-31"}}}}"""),
    (ODD, """{"a.b":{"c d":"s","é":3},"a":{"b":{"c d":"t"}},"x":1}
{"a":{"b":{"c d":"t"},"é":5},"x":1}
{"a.b":{"c d":"s","\\u00e9":3},"x":1}
{"a\\u002eb":{"c\\u0020d":"s"},"x":1}
{"a.b":5,"a":{"b.c d":"t"},"x":1}
{"a.b.c d":"s","a.b":{"c d":"\\ud83d\\ude00","é":null}}
{"a.b":{"c d":"\\ud83d","é":3}}
{"a.b":null,"a":null,"x":null}"""),
    (GRID, """{"rows":[[1,2],[3,4]],"o":{"rows":[{"cells":[{"v":1.5},{"v":2}]},{"cells":[{"v":3}]}]}}
{"rows":[[],[3]],"o":{"rows":[{"cells":[]},{"cells":null}]}}
{"rows":[null,[3]],"o":{"rows":[null,{}]}}
{"rows":[[1,"x"],[3]],"o":{"rows":[]}}
{"rows":[[1],7],"o":{"rows":[{"cells":[{"v":1.5}]}]}}
{"rows":[[[1]],[2]],"o":{"rows":[{"cells":[[{"v":1.5}]]}]}}
{"rows":[{"a":1},[2]],"o":{"rows":[{"cells":{"v":1.5}}]}}
{"rows":[],"o":{"rows":[{"cells":[{"v":"NaN"},{"v":"x"}]},{"cells":[{"v":1}]}]}}
{"rows":[[1,2,3,4]],"o":[{"rows":[]}]}"""),
]
NAMES = ["a", "b", "c", "id", "user_id", "a.b", "x y", "é", "a name of more than twenty bytes", "q'q"]
LEAVES = {
    "string": ['"x"', '""', '"two words"', '"{[,:]}"', '"\\u0041\\n"', '"\\ud83d\\ude00"', '"é€"', '"a longer text of more than 32 bytes"'],
    "int": ["0", "-5", "2147483647", "17"], "long": ["0", "-5", "9223372036854775807", "17"],
    "double": ["0", "-0.0", "1.5", "1e3", '"NaN"', "12", "-Infinity"], "boolean": ["true", "false"],
    "timestamp": ['"2024-01-31T09:18:00.123Z"', '"2024-07-31 09:18:00"', '"2024-01-31"', "1700000000", '"1890-01-01T00:00:00+01:00"'],
    "date": ['"2024-01-31"', '"2024-02-29"', '"0001-01-01"'], "decimal(10,2)": ["1", "-1.25", "1.255", '"12.5"', "12345678.99"],
}
WRONG = ["5", "-1.5", "true", '"x"', '""', "[]", "{}", "[1,[2]]", '{"a":{"b":1}}', "2147483648", "1e400", "[null]", '"2024-13-01"']


def schema(source, depth):
    fields = {}
    for name in source.sample(NAMES, source.randrange(1, 4)):
        fields[name] = inner(source, depth)
    return fields


def inner(source, depth):
    kind = source.randrange(5)
    if depth > 0 and kind < 2:
        return schema(source, depth - 1)
    if depth > 0 and kind == 2:
        return [inner(source, depth - 1) if source.randrange(3) == 0 else schema(source, depth - 1)]
    return source.choice(list(LEAVES))


def text(source, kind, odd):
    """A value of a schema as text; `odd` in a hundred are of another kind at each level."""
    blank = source.choice(["", "", "", "", " ", "\t", "  "])
    chance = source.randrange(100)
    if chance < odd:
        return source.choice(WRONG) + blank
    if chance < odd + 5:
        return "null" + blank
    if isinstance(kind, str):
        return source.choice(LEAVES[kind]) + blank
    if isinstance(kind, list):
        return "[" + blank + ("," + blank).join(text(source, kind[0], odd) for _ in range(source.randrange(4))) + "]"
    members = [(name, text(source, part, odd)) for name, part in kind.items() if source.randrange(12)]
    if source.randrange(8) == 0:
        members.append((source.choice(NAMES + ["other"]), source.choice(WRONG)))
    if source.randrange(14) == 0:
        name = source.choice(list(kind))
        members.append((name, text(source, kind[name], odd * 2)))
    if source.randrange(2):
        source.shuffle(members)
    return "{" + blank + ("," + blank).join(named(source, name) + ":" + blank + value for name, value in members) + "}" + blank


def named(source, name):
    if source.randrange(15) == 0:
        place = source.randrange(len(name))
        name = name[:place] + f"\\u{ord(name[place]):04x}" + name[place + 1:]
    return f'"{name}"'


def damaged(source, record):
    place = source.randrange(len(record))
    piece = source.choice(list('{}[]:,"\'\\ tfn019.eE+-NIu'))
    return source.choice([record[:place] + record[place + 1:], record[:place] + piece + record[place:],
                          record[:place] + piece + record[place + 1:], record[:place]])


def records(source, kind):
    for _ in range(10):
        record = "{" + ",".join(
            named(source, name) + ":" + text(source, part, source.choice([0, 3, 8])) for name, part in kind.items()
            if source.randrange(12)) + "}"
        if source.randrange(3) == 0:
            record = text(source, kind, source.choice([0, 3, 8]))
        yield damaged(source, record) if source.randrange(10) == 0 else record


def cases():
    for kind, lines in HAND:
        yield kind, lines.split("\n"), 3
    source = random.Random(6)
    for _ in range(200):
        kind = schema(source, 3)
        yield kind, list(records(source, kind)), source.choice([1, 2, 3])


def leaves(kind, value, path, elements):
    """The columns of a schema: path, type, and what Spark is asked for; of each array the first `elements` elements."""
    if isinstance(kind, str):
        yield path, kind, value
    elif isinstance(kind, list):
        for element in range(elements):
            yield from leaves(kind[0], f.get(value, f.lit(element)), f"{path}[{element}]", min(elements, 2))
    else:
        for name, part in kind.items():
            quoted = f'["{name}"]' if "'" in name else f"['{name}']"
            plain = quoted if any(c in name for c in ".'") else ("." if path else "") + name
            yield from leaves(part, value.getField(name), path + plain, elements)


def spark_type(kind):
    if isinstance(kind, str):
        return TYPES[kind]
    if isinstance(kind, list):
        return t.ArrayType(spark_type(kind[0]))
    return t.StructType([t.StructField(name, spark_type(part)) for name, part in kind.items()])


def shown(kind, value):
    if kind == "timestamp":
        value = f.unix_micros(value)
    elif kind == "date":
        value = f.unix_date(value)
    return value.cast("string")


def session():
    spark = (
        SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.codegen.wholeStage", "false").config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
        .config("spark.sql.session.timeZone", "Europe/Paris").config("spark.sql.caseSensitive", "true")
        # Otherwise from_json reads only what is selected.
        .config("spark.sql.optimizer.enableJsonExpressionOptimization", "false").getOrCreate())
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def parsed(spark, kind, lines):
    """Of each line its number, `v` as Spark has read it, and `bad` for what it calls corrupt."""
    whole = t.StructType(spark_type(kind).fields + [t.StructField("_corrupt_record", t.StringType())])
    frame = spark.createDataFrame(list(enumerate(lines)), "number int, line string")
    frame = frame.select("number", f.from_json("line", whole, {"mode": "PERMISSIVE"}).alias("v"))
    return frame.select("number", "v", f.col("v._corrupt_record").isNotNull().alias("bad"))


class Members(list):
    """The fields of an object, in order and with those of one name."""


class Number(str):
    """A number as it stands."""


def read(line):
    """A record as a tree, or None where Python reads none."""
    try:
        value = json.loads(line, object_pairs_hook=Members, parse_int=Number, parse_float=Number, parse_constant=Number)
    except ValueError:
        return None
    return value if isinstance(value, Members) else None


def written(value):
    if isinstance(value, Members):
        return "{" + ",".join(json.dumps(name) + ":" + written(part) for name, part in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(part) for part in value) + "]"
    return value if isinstance(value, Number) else json.dumps(value)


def one_by_one(kind, value, elements, fits):
    """The value without the elements that Spark would reject an array for, and whether one of these was asked for."""
    if isinstance(kind, dict) and isinstance(value, Members):
        parts = [(name, one_by_one(kind.get(name), part, elements, fits)) for name, part in value]
        return Members((name, part) for name, (part, _) in parts), any(unfit for _, (_, unfit) in parts)
    if not isinstance(kind, list) or not isinstance(value, list) or isinstance(value, Members):
        return value, False
    made, found = [], False
    for place, part in enumerate(value):
        element, unfit = None, False
        if part is not None and place < elements:
            unfit = not fits[kind[0] if isinstance(kind[0], str) else type(kind[0]), written(part)]
            if not unfit:
                element, unfit = one_by_one(kind[0], part, min(elements, 2), fits)
        made.append(element)
        found = found or unfit
    return made, found


class Fits(dict):
    """Whether a text is a value of a type, as far as Spark was asked; of objects and arrays by their brackets."""

    def __init__(self):
        self.unknown = set()

    def __missing__(self, key):
        kind, text = key
        if kind in (dict, list):
            return text[0] == ("{" if kind is dict else "[")
        self.unknown.add(key)
        return True

    def ask(self, spark):
        unknown, self.unknown = self.unknown, set()
        for kind in sorted({leaf for leaf, _ in unknown}):
            texts = sorted(text for leaf, text in unknown if leaf == kind)
            rows = parsed(spark, {"v": kind}, ['{"v":' + text + "}" for text in texts]).select("number", "bad").collect()
            self.update({(kind, texts[row.number]): not row.bad for row in rows})


def main():
    spark = session()
    fits = Fits()
    made = []
    asked_for = list(cases())
    for kind, lines, elements in asked_for:
        for line in lines:
            one_by_one(kind, read(line), elements, fits)
    fits.ask(spark)
    for kind, lines, elements in asked_for:
        columns = list(leaves(kind, f.col("v"), "", elements))
        asked = [shown(leaf, value).alias(f"c{index}") for index, (_, leaf, value) in enumerate(columns)]
        count = len(lines)
        alone = {}
        for number, line in enumerate(lines):
            value, unfit = one_by_one(kind, read(line), elements, fits)
            if value != read(line):
                alone[number] = (len(lines), unfit)
                lines = lines + [written(value)]
        rows = parsed(spark, kind, lines).select("number", "bad", *asked).orderBy("number").collect()
        records = []
        for number, line in enumerate(lines[:count]):
            found = [rows[number].bad, list(rows[number][2:])]
            if number in alone:
                other, unfit = alone[number]
                found += [rows[other].bad or unfit, list(rows[other][2:])]
            records.append([line, *(found[:2] if found[:2] == found[2:] else found)])
        made.append({"columns": [[path, leaf] for path, leaf, _ in columns], "records": records})
    lines = ",\n".join(json.dumps(case, ensure_ascii=True, separators=(",", ":")) for case in made)
    Path(__file__).with_name("nested.json").write_text('{"cases":[\n' + lines + "\n]}\n")
    print(len(made), "cases,", sum(len(case["records"]) for case in made), "records")


if __name__ == "__main__":
    main()

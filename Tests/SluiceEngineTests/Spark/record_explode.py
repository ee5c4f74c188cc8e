"""Records what Spark's explode, posexplode and their outer forms make of arrays in records, as explode.json beside this
file.

    pip install pyspark==4.1.1        # and Java 17
    python3 record_explode.py

A case is the array's path, columns as a spec of `each` writes them (`each.sku`, `each`, `each.#`, or a path outside of
the array) and records: the text, whether Spark called it corrupt, the rows of posexplode, and whether posexplode_outer
gave these, or one of nulls in their place. That explode and explode_outer give the same rows without the position is
checked here. Values are shown as in nested.json; cases are by hand and then random, with a fixed seed.

Spark judges an array as a whole, and calls all rows of a record corrupt that has one element at fault. Where that
decides, the rows stand a third time, each with its own flag: what Spark makes of each element by itself, `{"each": …}`,
beside what it makes of the record without the array.
"""

import json
import random
from pathlib import Path

from pyspark.sql import functions as f

from record_nested import (
    LEAVES, Fits, Members, damaged, leaves, one_by_one, parsed, read, schema, session, shown, text, written)

ITEMS = {"id": "string", "items": [{"sku": "string", "n": "int", "deep": {"at": "timestamp"}, "tags": ["long"]}]}
PLAIN = {"id": "string", "items": ["long"]}
WORDS = {"id": "string", "items": ["string"]}
NESTED = {"id": "string", "payload": {"op": "string", "after": {"items": [{"sku": "string", "n": "int"}]}}}
FIRST = {"id": "string", "rows": [[{"v": "double"}]]}
HAND = [
    (ITEMS, "items", """{"id":"r","items":[{"sku":"s0","n":0,"deep":{"at":"2024-01-31T09:18:00"},"tags":[1,2]},{"sku":"s1","n":1}]}
{"items":[{"sku":"s0"},{"sku":"s1"}],"id":"r"}
{"id":"r","items":[{}]}
{"id":"r","items":[{},null,{"sku":"s2"}]}
{"id":"r","items":[null]}
{"id":"r","items":[]}
{"id":"r","items":[ ]}
{"id":"r","items":null}
{"id":"r"}
{}
{"id":"r","items":5}
{"id":"r","items":"[]"}
{"id":"r","items":{"sku":"s0"}}
{"id":"r","items":{}}
{"id":"r","items":true}
{"id":"r","items":[7]}
{"id":"r","items":[{"sku":"s0"},7,{"sku":"s2"}]}
{"id":"r","items":[{"sku":"s0"},"x"]}
{"id":"r","items":[[{"sku":"s0"}]]}
{"id":"r","items":[{"sku":"s0","n":"x"},{"sku":"s1","n":1}]}
{"id":"r","items":[{"sku":"s0"},{"sku":"s1","n":2147483648}]}
{"id":"r","items":[{"sku":"s0","deep":5},{"sku":"s1","deep":{"at":"never"}},{"sku":"s2"}]}
{"id":"r","items":[{"sku":"s0","tags":[1,"x"]},{"sku":"s1","tags":[2]}]}
{"id":"r","items":[{"sku":"s0"}],"items":[{"sku":"t0"},{"sku":"t1"}]}
{"id":"r","items":[{"sku":"s0"}],"items":null}
{"id":"r","items":[{"sku":"s0"}],"items":5}
{"id":5,"items":[{"sku":5}]}
{"id":{"a":1},"items":[{"sku":{"b":[1, 2]}}]}
{"id":"r","items":[{"sku":"a,b]}"},{"sku":"\\"],[\\""},{"sku":"\\\\"}]}
{"id":"r","\\u0069tems":[{"s\\u006bu":"s0"}]}
{'id':'r','items':[{'sku':'s0'}]}
{"id":"r","items":[{"sku":NaN}]}
{"id":"r" , "items" : [ { "sku" : "s0" } , null , { "n" : 3 } ] }
{"id":"r","items":[{"sku":"s0"},]}
{"id":"r","items":[{"sku":"s0"}
{"id":"r","items":[{"sku":"s0"}]
{"id":"r","items":[{"sku":"s0"}]]}
[{"id":"r","items":[{"sku":"s0"}]}]
null"""),
    (PLAIN, "items", """{"id":"r","items":[1,2,3]}
{"id":"r","items":[1,null,3]}
{"id":"r","items":[null]}
{"id":"r","items":[]}
{"id":"r","items":null}
{"id":"r"}
{"id":"r","items":5}
{"id":"r","items":[1,"2",3]}
{"id":"r","items":[1.5]}
{"id":"r","items":[[1]]}
{"id":"r","items":[{"a":1}]}"""),
    (WORDS, "items", """{"id":"r","items":["a","","b,c]","\\u00e9"]}
{"id":"r","items":["a",null]}
{"id":"r","items":[1,true,{"a": 1},[1, 2]]}
{"id":"r","items":"a"}
{"id":"r","items":[NaN,1.50]}"""),
    (NESTED, "payload.after.items", """{"id":"r","payload":{"op":"u","after":{"items":[{"sku":"s0","n":0},{"sku":"s1"}]}}}
{"id":"r","payload":{"after":{"items":[{"sku":"s0"}]},"op":"u"}}
{"id":"r","payload":{"op":"u","after":{"items":[]}}}
{"id":"r","payload":{"op":"u","after":{}}}
{"id":"r","payload":{"op":"d","after":null}}
{"id":"r","payload":{}}
{"id":"r","payload":null}
{"id":"r"}
{"id":"r","payload":5}
{"id":"r","payload":{"op":"u","after":5}}
{"id":"r","payload":{"op":"u","after":[{"items":[{"sku":"s0"}]}]}}
{"id":"r","payload":{"op":"u","after":{"items":[{"sku":"s0"}]},"after":{}}}
{"id":"r","payload":{"op":"u","after":{"items":[{"sku":"s0"}]},"after":5}}
{"id":"r","payload":{"op":{"x":1},"after":{"items":[{"sku":"s0","n":"x"}]}}}"""),
    (FIRST, "rows[0]", """{"id":"r","rows":[[{"v":1},{"v":2}],[{"v":3}]]}
{"id":"r","rows":[]}
{"id":"r","rows":[null,[{"v":3}]]}
{"id":"r","rows":[[],[{"v":3}]]}
{"id":"r","rows":[[{"v":"x"},{"v":2}]]}
{"id":"r","rows":[5]}"""),
]


def cases():
    for kind, path, lines in HAND:
        yield kind, path, lines.split("\n")
    source = random.Random(8)
    for _ in range(60):
        element = source.choice([source.choice(list(LEAVES)), schema(source, 1), schema(source, 2)])
        kind = source.choice([{"id": "string", "items": [element]}, {"items": [element], "o": {"n": "int"}}])
        path = "items"
        if source.randrange(3) == 0:
            kind, path = {"p": kind, "k": "long"}, "p.items"
        lines = [text(source, kind, source.choice([0, 4, 10])) for _ in range(10)]
        yield kind, path, [damaged(source, line) if source.randrange(12) == 0 else line for line in lines]


def outside(kind, path):
    """The schema without the array that makes the rows, and that array's element."""
    name, _, rest = path.partition(".")
    if name == "rows[0]":
        return {"id": kind["id"]}, kind["rows"][0][0]
    if rest:
        inner, element = outside(kind[name], rest)
        return {**kind, name: inner}, element
    return {key: part for key, part in kind.items() if key != name}, kind[name][0]


def array(path):
    value = f.col("v")
    for step in path.replace("[0]", ".0").split("."):
        value = f.get(value, f.lit(0)) if step == "0" else value.getField(step)
    return value


def values(frame, columns):
    rows = frame.select("number", "bad", "pos", *[
        shown(leaf, value).alias(f"c{index}") for index, (_, leaf, value) in enumerate(columns)]).collect()
    found = {}
    for row in sorted(rows, key=lambda row: (row.number, -1 if row.pos is None else row.pos)):
        found.setdefault(row.number, []).append([None if row.pos is None else str(row.pos), *row[3:]])
    return found


def split(value, steps):
    """The tree with null in the place of the array at a path, and the array; None where it is not to be found, or twice."""
    if not steps:
        return None, value if isinstance(value, list) and not isinstance(value, Members) else None
    step, *rest = steps
    if step == "0" and isinstance(value, list) and not isinstance(value, Members) and value:
        inner, found = split(value[0], rest)
        return [inner, *value[1:]], found
    places = [place for place, part in enumerate(value) if part[0] == step] if isinstance(value, Members) else []
    if len(places) != 1:
        return value, None
    inner, found = split(value[places[0]][1], rest)
    return Members([*value[:places[0]], (step, inner), *value[places[0] + 1:]]), found


def apart(spark, kind, path, lines, fits):
    """Of each line whose array is to be found its rows by element, each with its flag."""
    outer, element = outside(kind, path)
    inner_columns = list(leaves(element, f.col("v").getField("each"), "each", 2))
    outer_columns = list(leaves(outer, f.col("v"), "", 1))
    for _ in range(2):
        # The first round asks which elements of arrays further in fit.
        records, elements, shape = [], [], []
        for number, line in enumerate(lines):
            rest, array = split(read(line), path.replace("[0]", ".0").split("."))
            if array is None:
                continue
            value, unfit = one_by_one(outer, rest, 1, fits)
            shape.append((number, len(array)))
            records.append((written(value), unfit))
            for part in array:
                value, unfit = one_by_one(element, part, 2, fits)
                elements.append((written(Members([("each", value)])), unfit))
        fits.ask(spark)
    outers, inners = [
        [(row.bad or unfit, list(row[2:])) for row, (_, unfit) in zip(
            parsed(spark, tree, [text for text, _ in texts]).select("number", "bad", *[
                shown(leaf, value).alias(f"c{index}") for index, (_, leaf, value) in enumerate(columns)
            ]).orderBy("number").collect(), texts)]
        for tree, texts, columns in [(outer, records, outer_columns), ({"each": element}, elements, inner_columns)]]
    found, place = {}, 0
    for (number, count), (bad, values) in zip(shape, outers):
        found[number] = [
            [bad or wrong, [str(index), *made, *values]] for index, (wrong, made) in enumerate(inners[place:place + count])]
        place += count
    return found


def record(spark, kind, path, lines, fits):
    outer, element = outside(kind, path)
    inner = list(leaves(element, f.col("e"), "each", 2))
    columns = inner + list(leaves(outer, f.col("v"), "", 1))
    frame = parsed(spark, kind, lines)
    bad = {row.number: row.bad for row in frame.select("number", "bad").collect()}
    shape = ["number", "bad", "v"]
    rows = values(frame.select(*shape, f.posexplode(array(path)).alias("pos", "e")), columns)
    kept = values(frame.select(*shape, f.posexplode_outer(array(path)).alias("pos", "e")), columns)
    for made, form in [(rows, f.explode), (kept, f.explode_outer)]:
        plain = values(frame.select(*shape, f.lit(0).alias("pos"), form(array(path)).alias("e")), columns)
        # The order of the rows is the array's, so sorting by an equal position keeps it.
        assert {n: [row[1:] for row in found] for n, found in plain.items()} == {
            n: [row[1:] for row in found] for n, found in made.items()}
    by_element = apart(spark, kind, path, lines, fits)
    records = []
    for number, line in enumerate(lines):
        given = rows.get(number, [])
        assert kept[number] == given if given else len(kept[number]) == 1 and kept[number][0][0] is None
        found = by_element.get(number)
        same = found is None or found == [[bad[number], row] for row in given]
        records.append([line, bad[number], given, kept[number], *([] if same else [found])])
    return {"each": path, "columns": [["each.#", "int"]] + [[name, leaf] for name, leaf, _ in columns], "records": records}


def main():
    spark = session()
    fits = Fits()
    made = [record(spark, *case, fits) for case in cases()]
    lines = ",\n".join(json.dumps(case, ensure_ascii=True, separators=(",", ":")) for case in made)
    Path(__file__).with_name("explode.json").write_text('{"cases":[\n' + lines + "\n]}\n")
    print(len(made), "cases,", sum(len(case["records"]) for case in made), "records")


main()

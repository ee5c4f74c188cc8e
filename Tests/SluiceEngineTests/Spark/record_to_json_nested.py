"""Records what Spark's to_json writes of structs in structs, and of parts of a record, as to_json_nested.json beside this
file.

    pip install pyspark==4.1.1        # and Java 17
    python3 record_to_json_nested.py

A case of `structs` is a list of columns, each the names of the structs that it stands in, its own name and its type, and
rows: values (null, or text: times in microseconds, dates in days), and what to_json wrote without and with nulls. The
values of an object named `right` have come through a left outer join, and are null where it found nothing. A case of
`parts` is a record and what to_json wrote of it, read as `from_json(record, 'meta variant')`. The session's zone is
Europe/Paris; the seed is fixed.
"""

import json
import random
from pathlib import Path

from pyspark.sql import functions as f

from record_nested import TYPES, session

VALUES = {
    "string": ["x", "", "two words", "q\"b\\s/", "line\nend\t\u0001", "é€😀", "{\"a\":1}", "a text of more than thirty-two bytes"],
    "int": ["0", "-5", "2147483647"], "long": ["0", "-5", "9223372036854775807"],
    "double": ["0.0", "-0.0", "1.5", "1000.0", "1.0E7", "NaN", "-Infinity"], "boolean": ["true", "false"],
    "timestamp": ["0", "1706689080123000", "1720000000000000", "-1"], "date": ["0", "19753", "-719162"],
    "decimal(10,2)": ["1.00", "-1.25", "12345678.99", "0.00"],
}
NAMES = ["a", "b", "id", "user_id", "a.b", "x y", "é", "q\"q", "b\\b", "n\nn", "a name of more than thirty-two bytes!", "right"]
HAND = [
    {"user": {"id": "string", "page": "string"}},
    {"id": "string", "user": {"id": "string", "page": {"n": "int", "at": "timestamp"}}, "z": "double"},
    {"right": {"page": "string", "at": "timestamp"}}, {"id": "long", "right": {"page": "string", "deep": {"n": "long"}}},
    {"a": {"b": {"c": {"d": {"e": "date"}}}}}, {"a": {"x": "int"}, "b": {"x": "int"}, "c": {"x": "int"}},
    {"q\"q": {"b\\b": {"n\nn": "string"}}, "é": {"": "string"}}, {"a": {"b": "string"}, "c": "string", "d": {"b": "string"}},
]
PARTS = [
    '{"meta":{"a":1,"b":[1,2,{"c":null}]}}', '{"meta":[]}', '{"meta":{}}', '{"meta":"text"}', '{"meta":"q\\"\\\\ \\u00e9\\n"}',
    '{"meta":5}', '{"meta":-1.50}', '{"meta":1e3}', '{"meta":12345678901234567890123}', '{"meta":true}', '{"meta":null}', '{}',
    '{"meta": { "b" : 1 , "a" : [ true , "x y" ] } }', '{"meta":{"a":{"a":{"a":{}}}}}', '{"meta":["\\ud83d\\ude00","€"]}',
    '{"meta":{"a":"\\u0041","\\u0062":1}}', '{"meta":{"a":1.0,"b":100000000000000000000.5,"c":0.1}}', '{"meta":{"":1}}',
]


def shape(source, depth):
    made = {}
    for name in source.sample(NAMES, source.randrange(1, 5)):
        made[name] = shape(source, depth - 1) if depth and source.randrange(5) < 2 else source.choice(list(TYPES))
    return made


def columns_of(tree, objects=()):
    for name, part in tree.items():
        if isinstance(part, dict):
            yield from columns_of(part, (*objects, name))
        else:
            yield objects, name, part


def typed(column, kind):
    if kind == "timestamp":
        return f.timestamp_micros(column.cast("long"))
    if kind == "date":
        return f.date_from_unix_date(column.cast("int"))
    return column.cast(kind)


def struct_of(tree, leaves):
    """The tree as a struct; its leaves come from an iterator in the order of `columns_of`."""
    return f.struct(*[
        (struct_of(part, leaves) if isinstance(part, dict) else next(leaves)).alias(name) for name, part in tree.items()])


def case(spark, source, tree):
    columns = list(columns_of(tree))
    rows = [[None] * len(columns)]
    for _ in range(5):
        rows.append([None if source.randrange(3) == 0 else source.choice(VALUES[kind]) for _, _, kind in columns])
    names = [f"c{index}" for index in range(len(columns))]
    right = [index for index, (objects, _, _) in enumerate(columns) if objects[:1] == ("right",)]
    for row in rows[:3]:
        for index in right:
            row[index] = None
    frame = spark.createDataFrame([(number, *row) for number, row in enumerate(rows)],
                                  ", ".join(["number int", *[f"{name} string" for name in names]]))
    if right:
        # The first three rows find no partner.
        taken = frame.where("number >= 3").select("number", *[names[index] for index in right])
        frame = frame.select("number", *[name for index, name in enumerate(names) if index not in right])
        frame = frame.join(taken, "number", "left_outer")
    leaves = [typed(f.col(name), kind) for name, (_, _, kind) in zip(names, columns)]
    texts = [f.to_json(struct_of(tree, iter(leaves)), options) for options in ({}, {"ignoreNullFields": "false"})]
    found = frame.select("number", *texts).orderBy("number").collect()
    return {
        "columns": [[list(objects), name, kind] for objects, name, kind in columns],
        "rows": [[row, *written[1:]] for row, written in zip(rows, found)]}


def main():
    spark = session()
    source = random.Random(12)
    structs = [case(spark, source, tree) for tree in HAND + [shape(source, 3) for _ in range(40)]]
    frame = spark.createDataFrame(list(enumerate(PARTS)), "number int, line string")
    read = f.from_json("line", "meta variant").alias("v")
    rows = frame.select("number", "line", read).select("line", f.to_json(f.struct("v.meta"))).collect()
    target = Path(__file__).with_name("to_json_nested.json")
    text = ",\n".join(json.dumps(made, separators=(",", ":")) for made in structs)
    parts = ",\n".join(json.dumps(list(row)) for row in rows)
    target.write_text('{"structs":[\n' + text + '\n],"parts":[\n' + parts + "\n]}\n")
    print(len(structs), "structs,", len(rows), "parts")


main()

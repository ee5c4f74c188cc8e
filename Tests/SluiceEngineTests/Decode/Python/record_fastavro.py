"""Random Avro schemas, what a later schema makes of them, and data: what fastavro reads is what must be read here.
fastavro.json beside this file holds cases [writer, reader or null, columns, data]; a column is [name, type], a datum
[bytes in hexadecimal, values], values as the tests show them. The seed is fixed.

    python3 record_fastavro.py          needs fastavro
"""

import base64
import copy
import datetime
import decimal
import io
import json
import random
import struct
import uuid
from pathlib import Path

import fastavro

source = random.Random(1112)
UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
LOGICAL = [
    {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 3},
    {"type": "string", "logicalType": "uuid"},
    {"type": "int", "logicalType": "date"},
    {"type": "int", "logicalType": "time-millis"},
    {"type": "long", "logicalType": "time-micros"},
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "long", "logicalType": "timestamp-micros"},
    {"type": "long", "logicalType": "local-timestamp-millis"},
    {"type": "long", "logicalType": "local-timestamp-micros"},
    {"type": "long", "logicalType": "nobody-knows-this"},
]
names = 0


def name():
    global names
    names += 1
    return f"N{names}"


def field_name(index):
    return source.choice("abcdefgh") + str(index)


def random_type(depth, known):
    """`known` are the named types so far, for references."""
    kind = source.randrange(14 if depth < 3 else 8)
    if kind < 4:
        return source.choice(PRIMITIVES[1:])
    if kind < 6:
        return dict(source.choice(LOGICAL))
    if kind == 6:
        return {"type": "enum", "name": name(), "symbols": [f"Sym{i}" for i in range(source.randrange(1, 6))]}
    if kind == 7:
        size = source.randrange(1, 9)
        made = {"type": "fixed", "name": name(), "size": size}
        if source.randrange(3) == 0:
            made |= {"logicalType": "decimal", "precision": max(1, int((size * 8 - 1) * 0.301)), "scale": 1}
            if made["precision"] < 1:
                del made["logicalType"]
        return made
    if kind < 10:
        return random_record(depth + 1, known)
    if kind == 10:
        return {"type": "array", "items": random_type(depth + 1, known)}
    if kind == 11:
        return {"type": "map", "values": random_type(depth + 1, known)}
    if kind == 12 and known and source.randrange(2):
        return source.choice(known)["name"]
    branches = ["null"]
    for _ in range(source.randrange(1, 4)):
        branch = random_type(depth + 1, known)
        word = union_word(branch)
        if word != "union" and word not in [union_word(b) for b in branches]:
            branches.append(branch)
    if source.randrange(3) == 0:
        source.shuffle(branches)
    return branches


def union_word(schema):
    if isinstance(schema, list):
        return "union"
    if isinstance(schema, str):
        return schema
    # Numbers of several kinds in one union leave open which of them a value is of.
    if schema["type"] in ("int", "long"):
        return "long"
    return schema.get("name", schema["type"])


def random_record(depth, known):
    made = {"type": "record", "name": name(), "fields": []}
    for index in range(source.randrange(1, 6)):
        # A record may hold itself where a union or an array lets it end.
        if source.randrange(12) == 0:
            held = source.choice([["null", made["name"]], {"type": "array", "items": made["name"]}])
        else:
            held = random_type(depth, known)
        made["fields"].append({"name": field_name(index), "type": held})
    known.append(made)
    return made


# ---- Values


def named_types(schema, table):
    if isinstance(schema, list):
        for branch in schema:
            named_types(branch, table)
    elif isinstance(schema, dict):
        if "name" in schema:
            table[schema["name"]] = schema
        for part in ("items", "values"):
            if part in schema:
                named_types(schema[part], table)
        for field in schema.get("fields", []):
            named_types(field["type"], table)
    return table


def value(schema, table, depth=0):
    if isinstance(schema, list):
        branches = schema if depth < 6 else (["null"] if "null" in schema else schema)
        return value(source.choice(branches), table, depth + 1)
    if isinstance(schema, str) and schema in table:
        return value(table[schema], table, depth)
    kind = schema if isinstance(schema, str) else schema["type"]
    logical = None if isinstance(schema, str) else schema.get("logicalType")
    if kind == "null":
        return None
    if kind == "boolean":
        return source.random() < 0.5
    if logical == "date":
        return datetime.date(1970, 1, 1) + datetime.timedelta(days=source.randrange(-20000, 30000))
    if logical == "time-millis":
        return datetime.time(source.randrange(24), source.randrange(60), source.randrange(60), source.randrange(1000) * 1000)
    if logical == "time-micros":
        return datetime.time(source.randrange(24), source.randrange(60), source.randrange(60), source.randrange(10**6))
    if logical in ("timestamp-millis", "timestamp-micros", "local-timestamp-millis", "local-timestamp-micros"):
        micros = source.randrange(-(10**15), 2 * 10**15)
        if logical.endswith("millis"):
            micros -= micros % 1000
        moment = EPOCH + datetime.timedelta(microseconds=micros)
        return moment if logical.startswith("t") else moment.replace(tzinfo=None)
    if logical == "decimal":
        digits = source.randrange(-(10 ** schema["precision"]) + 1, 10 ** schema["precision"])
        return decimal.Decimal(digits).scaleb(-schema["scale"])
    if logical == "uuid":
        return uuid.UUID(int=source.getrandbits(128))
    if kind == "int":
        return source.choice([0, 1, -1, 63, 64, -65, 2**31 - 1, -(2**31), source.randrange(-(2**31), 2**31)])
    if kind == "long":
        return source.choice([0, -1, 2**63 - 1, -(2**63), source.randrange(-(2**63), 2**63), source.randrange(10**6)])
    if kind in ("float", "double"):
        return source.choice([0.0, 0.125, -2.5, 1024.75, float(source.randrange(-(2**20), 2**20)) / 8])
    if kind == "bytes":
        return source.randbytes(source.choice([0, 1, 5, 20]))
    if kind == "string":
        return "".join(source.choice('ab"\\é😀\n/xyz ') for _ in range(source.choice([0, 1, 7, 8, 9, 16, 17, 40])))
    if kind == "enum":
        return source.choice(schema["symbols"])
    if kind == "fixed":
        return source.randbytes(schema["size"])
    if kind == "array":
        return [value(schema["items"], table, depth + 1) for _ in range(source.choice([0, 1, 3]) if depth < 6 else 0)]
    if kind == "map":
        return {f"k{i}": value(schema["values"], table, depth + 1) for i in range(source.choice([0, 1, 3]) if depth < 6 else 0)}
    if kind == "record":
        return {field["name"]: value(field["type"], table, depth + 1) for field in schema["fields"]}
    raise ValueError(schema)


# ---- What a later version of a schema looks like


# fastavro does not round whole numbers that are read as floats.
PROMOTED = {"int": ["long", "double"], "long": ["double"], "float": ["double"], "string": ["bytes"], "bytes": ["string"]}


def evolved(schema):
    schema = copy.deepcopy(schema)
    if isinstance(schema, list):
        return [evolved(branch) for branch in schema]
    if isinstance(schema, str):
        # bytes become text only where they are text, which random ones are not.
        if schema in PROMOTED and schema != "bytes" and source.randrange(5) == 0:
            return source.choice(PROMOTED[schema])
        return schema
    if schema["type"] == "enum" and source.randrange(3) == 0 and len(schema["symbols"]) > 1:
        schema["symbols"] = source.sample(schema["symbols"], len(schema["symbols"]) - 1) + ["other"]
        schema["default"] = "other"
    for part in ("items", "values"):
        if part in schema:
            schema[part] = evolved(schema[part])
    if schema["type"] == "record":
        fields = []
        for field in schema["fields"]:
            if source.randrange(7) == 0 and len(schema["fields"]) > 1:
                continue
            field["type"] = evolved(field["type"])
            if source.randrange(6) == 0:
                field["aliases"] = ["nobody", field["name"]]
                field["name"] = "new_" + field["name"]
            if source.randrange(8) == 0 and isinstance(field["type"], str) and field["type"] in PRIMITIVES[1:]:
                field["type"] = ["null", field["type"]]
            fields.append(field)
        # fastavro takes a default as it stands, without the defaults of what is in it.
        for index in range(source.choice([0, 0, 1, 2])):
            held, fallback = source.choice([
                ("string", "é\"x"), ("long", -7), (["null", "int"], None), ("double", 2.5), ("boolean", True),
                ({"type": "array", "items": "int"}, [1, 2]), ({"type": "map", "values": "string"}, {"a": "b"}),
                ({"type": "record", "name": name(), "fields": [{"name": "x", "type": "int", "default": 4}, {"name": "y", "type": "string"}]}, {"x": 5, "y": "z"}),
                ({"type": "enum", "name": name(), "symbols": ["A", "B"]}, "B"),
            ])
            fields.append({"name": f"added{index}", "type": held, "default": fallback})
        if source.randrange(2):
            source.shuffle(fields)
        schema["fields"] = fields
    return schema


# ---- What is expected


def column_type(schema):
    if isinstance(schema, list):
        rest = [branch for branch in schema if branch != "null"]
        return column_type(rest[0]) if len(rest) == 1 else "json"
    kind = schema if isinstance(schema, str) else schema["type"]
    logical = None if isinstance(schema, str) else schema.get("logicalType")
    if logical == "decimal":
        return f"decimal({schema['precision']},{schema['scale']})"
    if logical == "date":
        return "date"
    if logical and "timestamp" in logical:
        return "timestamp"
    words = {"boolean": "boolean", "int": "int", "long": "long", "float": "double", "double": "double", "string": "string", "enum": "string"}
    return words.get(kind, "json")


def micros(moment):
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


def plain(value):
    """As JSON."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime.datetime):
        text = value.replace(tzinfo=None).isoformat(timespec="milliseconds" if value.microsecond % 1000 == 0 else "microseconds")
        return text + ("Z" if value.tzinfo else "")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def shown(value, type):
    if value is None:
        return None
    if type == "json":
        return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))
    if type == "boolean":
        return "true" if value else "false"
    if type == "double":
        return format(struct.unpack(">Q", struct.pack(">d", float(value)))[0], "x")
    if type == "timestamp":
        return str(micros(value))
    if type == "date":
        return str((value - datetime.date(1970, 1, 1)).days)
    if type.startswith("decimal"):
        return str(int(value.scaleb(int(type[:-1].split(",")[1]))))
    return str(value)


def without_times(schema):
    """Times of day are numbers here."""
    return json.loads(json.dumps(schema), object_hook=without_time)


def without_time(part):
    return part["type"] if str(part.get("logicalType")).startswith("time-") else part


def check_types(schema):
    """fastavro takes unions with two of a kind, which the specification does not allow."""
    if isinstance(schema, list):
        words = [branch if isinstance(branch, str) else branch.get("name", branch["type"]) for branch in schema]
        if len(set(words)) < len(words):
            raise ValueError("two of a kind in a union")
        for branch in schema:
            check_types(branch)
    elif isinstance(schema, dict):
        for part in ("items", "values"):
            if part in schema:
                check_types(schema[part])
        for field in schema.get("fields", []):
            check_types(field["type"])


cases = []
failures = 0
while len(cases) < 400:
    names = 0
    writer = random_record(0, [])
    reader = evolved(writer) if source.randrange(4) else None
    table = named_types(writer, {})
    try:
        check_types(reader or writer)
        parsed = fastavro.parse_schema(copy.deepcopy(writer))
        # What is read is compared as numbers where it is a time of day.
        read_as = without_times(reader or writer)
        parsed_reader = fastavro.parse_schema(copy.deepcopy(read_as))
        data = []
        columns = []
        for field in (reader or writer)["fields"]:
            columns.append([field["name"], "json"])
            if column_type(field["type"]) != "json":
                columns.append([field["name"], column_type(field["type"])])
        for _ in range(3):
            out = io.BytesIO()
            fastavro.schemaless_writer(out, parsed, value(writer, table))
            out.seek(0)
            found = fastavro.schemaless_reader(out, fastavro.parse_schema(without_times(writer)), parsed_reader)
            data.append([out.getvalue().hex(), [shown(found[name], type) for name, type in columns]])
    except Exception as error:
        failures += 1
        if failures < 5:
            print("left out:", repr(error)[:200])
        continue
    if sum(len(datum[0]) for datum in data) > 3000:
        continue
    cases.append([json.dumps(writer, separators=(",", ":")), reader and json.dumps(reader, separators=(",", ":")), columns, data])
print(len(cases), "cases,", failures, "left out")
lines = ",\n".join(json.dumps(case, separators=(",", ":"), ensure_ascii=False) for case in cases)
Path(__file__).with_name("fastavro.json").write_text("[\n" + lines + "\n]\n")

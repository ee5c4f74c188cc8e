"""Random schemas of protobuf, a later version of each, and messages: what Python's protobuf reads is what must be read
here. protobuf.json beside this file holds cases [schema, columns, records]: the schema that records are read as, columns
[path, type], and records [bytes in hexadecimal, values], values as the tests show them and null where there is none. A
record whose values are just "bad" is one that protobuf refuses. The seed is fixed.

    python3 record_protobuf.py          needs protobuf, and protoc
"""

import copy
import json
import math
import random
import struct
import subprocess
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message, message_factory

source = random.Random(1130)
INTEGERS = ["int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64"]
SCALARS = INTEGERS + ["double", "float", "bool", "string", "bytes"]
KEYS = INTEGERS + ["bool", "string", "string", "string", "string"]
WELL_KNOWN = ["Timestamp", "Duration", "Struct", "Value", "ListValue", "FieldMask", "Empty"] + [
    kind + "Value" for kind in ["Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"]]
FILES = {"Timestamp": "timestamp", "Duration": "duration", "FieldMask": "field_mask", "Empty": "empty"}
TEXTS = ["", "a", "é€😀", "some longer text of more than sixteen bytes", 'quo"te\\ \n', "1"]


# Schemas: {"syntax", "messages": {name: [field]}, "enums": {name: [(name, number)]}}, the first message is the record's.

def random_schema():
    schema = {"syntax": source.choice(["proto2", "proto3", "proto3"]), "messages": {}, "enums": {}}
    for index in range(source.randrange(1, 3)):
        numbers = [0] + source.sample(range(-5, 300), source.randrange(1, 5))
        numbers = sorted(set(numbers), key=lambda number: (number != 0, number))
        schema["enums"][f"E{index}"] = [(f"E{index}_{place}", number) for place, number in enumerate(numbers)]
    names = [f"M{index}" for index in range(source.randrange(1, 4))]
    for name in names:
        schema["messages"][name] = []
        numbers = source.sample(list(range(1, 40)) + [1000, 1023, 1024, 5000, 536870911], source.randrange(1, 9))
        for index, number in enumerate(numbers):
            schema["messages"][name].append(random_field(schema, names, f"{source.choice('abcxyz')}_{index}", number))
    return schema


def random_field(schema, names, name, number):
    label = source.choice(["", "", "", "optional", "optional", "repeated", "repeated", "map", "oneof"])
    kind = source.choices(["scalar", "enum", "message", "known"], [6, 1, 2, 2])[0]
    kind = {"scalar": lambda: source.choice(SCALARS), "enum": lambda: source.choice(list(schema["enums"])),
            "message": lambda: source.choice(names),
            "known": lambda: "google.protobuf." + source.choice(WELL_KNOWN)}[kind]()
    field = {"name": name, "number": number, "label": label, "type": kind}
    if label == "map":
        field["key"] = source.choice(KEYS)
    if label == "" and schema["syntax"] == "proto2":
        field["label"] = "optional"
    if field["label"] == "repeated" and kind in SCALARS[:-2]:
        field["packed"] = source.choice([True, False])
    if field["label"] == "optional" and schema["syntax"] == "proto2" and source.random() < 0.5:
        if kind in INTEGERS:
            field["default"] = str(source.choice([0, 1, 77]))
        elif kind in ["double", "float"]:
            field["default"] = source.choice(["1.5", "-0.25", "1e10"])
        elif kind == "bool":
            field["default"] = "true"
        elif kind == "string":
            field["default"] = '"some text"'
        elif kind in schema["enums"]:
            field["default"] = schema["enums"][kind][-1][0]
    return field


def later(schema):
    """A version that lacks some fields, has new ones, other names, and enums with fewer numbers."""
    schema = copy.deepcopy(schema)
    names = list(schema["messages"])
    for fields in schema["messages"].values():
        before = {field["number"] for field in fields}
        for field in list(fields):
            chance = source.random()
            if chance < 0.15 and len(fields) > 1:
                fields.remove(field)
            elif chance < 0.25:
                field["name"] = "renamed_" + field["name"]
            elif chance < 0.3 and field["type"] in ["int32", "int64", "uint32", "uint64", "bool"] and field["label"] != "map":
                field["type"] = source.choice(["int32", "int64", "uint32", "uint64", "bool"])
                field.pop("default", None)
        taken = {field["number"] for field in fields}
        for index in range(source.randrange(3)):
            number = source.choice([number for number in range(1, 60) if number not in taken])
            taken.add(number)
            fields.append(random_field(schema, names, f"new_{index}", number))
            # Python leaves out pairs with anything unknown in them, which others do not, and nobody says must be.
            if fields[-1]["label"] == "map" and number in before:
                fields[-1]["label"] = "repeated"
    for name, values in schema["enums"].items():
        used = {field.get("default") for fields in schema["messages"].values() for field in fields}
        if source.random() < 0.4 and len(values) > 1 and values[-1][0] not in used:
            values.pop()
    return schema


def text(schema):
    lines = [f'syntax = "{schema["syntax"]}";', "package p;"]
    kinds = {field["type"] for fields in schema["messages"].values() for field in fields}
    files = set()
    for kind in kinds:
        if kind.startswith("google"):
            name = kind.split(".")[-1]
            files.add(FILES.get(name) or ("struct" if name in ["Struct", "Value", "ListValue"] else "wrappers"))
    lines += [f'import "google/protobuf/{name}.proto";' for name in sorted(files)]
    for name, values in schema["enums"].items():
        lines.append(f"enum {name} {{ " + " ".join(f"{word} = {number};" for word, number in values) + " }")
    for name, fields in schema["messages"].items():
        lines.append(f"message {name} {{")
        for field in fields:
            options = []
            if "packed" in field:
                options.append(f"packed = {str(field['packed']).lower()}")
            if "default" in field:
                options.append(f"default = {field['default']}")
            tail = f"{field['name']} = {field['number']}" + (f" [{', '.join(options)}]" if options else "") + ";"
            if field["label"] == "map":
                lines.append(f"map<{field['key']}, {field['type']}> {tail}")
            elif field["label"] != "oneof":
                lines.append(f"{field['label']} {field['type']} {tail}".strip())
        members = [field for field in fields if field["label"] == "oneof"]
        if members:
            lines.append("oneof choice { " + " ".join(
                f"{field['type']} {field['name']} = {field['number']};" for field in members) + " }")
        lines.append("}")
    return "\n".join(lines)


def message_class(proto):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "case.proto").write_text(proto)
        subprocess.run(
            ["protoc", "-I", folder, "--include_imports", f"--descriptor_set_out={folder}/out", "case.proto"], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(folder, "out").read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("p.M0"))


# Values.

def bounds(kind):
    bits = 64 if kind.endswith("64") else 32
    return (0, 2**bits - 1) if kind.startswith(("u", "fixed")) else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def random_scalar(field):
    kind = {getattr(field, "TYPE_" + name.upper()): name for name in SCALARS + ["enum"]}[field.type]
    if kind == "enum":
        numbers = [value.number for value in field.enum_type.values]
        return source.choice(numbers if field.enum_type.is_closed or source.random() < 0.9 else [12345])
    if kind in INTEGERS:
        low, high = bounds(kind)
        return source.choice([low, high, 0, 1, 77, source.randint(low, high)])
    if kind == "bool":
        return source.random() < 0.5
    if kind == "string":
        return source.choice(TEXTS)
    if kind == "bytes":
        return source.choice([b"", b"abc", bytes([0xFF, 0, 0x80]), bytes(range(20))])
    value = source.choice([0.0, 1.5, -0.1, 1e10, 1e-7, math.nan, math.inf, -math.inf, source.uniform(-1e6, 1e6)])
    return struct.unpack("<f", struct.pack("<f", value))[0] if kind == "float" else value


def fill(target, depth=0):
    name = target.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        target.seconds = source.choice([0, -1, 1704096000, 253402300799, -62135596800, source.randrange(2**31)])
        target.nanos = source.choice([0, 0, 1_000_000, 123_000, 999_999_999, 1])
        return
    if name == "google.protobuf.Duration":
        sign = source.choice([-1, 1])
        target.seconds = sign * source.choice([0, 1, 90, 10**11])
        target.nanos = sign * source.choice([0, 500_000_000, 1, 1000])
        return
    if name == "google.protobuf.FieldMask":
        target.paths.extend(source.sample(["a", "some_field.inner", "b_c"], source.randrange(4)))
        return
    if name == "google.protobuf.Value":
        kind = source.randrange(6 if depth < 3 else 4)
        if kind == 0:
            target.null_value = 0
        elif kind == 1:
            target.number_value = source.choice([0, 1.5, -3e20])
        elif kind == 2:
            target.string_value = source.choice(TEXTS)
        elif kind == 3:
            target.bool_value = source.random() < 0.5
        elif kind == 4:
            fill(target.struct_value, depth + 1)
            target.struct_value.SetInParent()
        else:
            fill(target.list_value, depth + 1)
            target.list_value.SetInParent()
        return
    for field in target.DESCRIPTOR.fields:
        if source.random() < 0.3:
            continue
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        if is_map:
            key, item = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
            for _ in range(source.randrange(3)):
                word = source.choice(["k", "a.b", ""]) if key.type == key.TYPE_STRING else random_scalar(key)
                if item.message_type is None:
                    getattr(target, field.name)[word] = random_scalar(item)
                else:
                    inner = getattr(target, field.name)[word]
                    if depth < 3 or item.message_type.full_name == "google.protobuf.Value":
                        fill(inner, depth + 1)
        elif field.message_type is not None:
            if depth >= 3:
                continue
            if field.is_repeated:
                for _ in range(source.randrange(3)):
                    fill(getattr(target, field.name).add(), depth + 1)
            else:
                fill(getattr(target, field.name), depth + 1)
                getattr(target, field.name).SetInParent()
        elif field.is_repeated:
            getattr(target, field.name).extend(random_scalar(field) for _ in range(source.randrange(4)))
        else:
            setattr(target, field.name, random_scalar(field))


# Columns: [path, type, how to get the value from a message].

WRAPPERS = {kind + "Value" for kind in ["Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"]}


def known(field):
    if field.message_type is None or not field.message_type.full_name.startswith("google.protobuf."):
        return None
    return field.message_type.name


def scalar_types(field):
    kind = {getattr(field, "TYPE_" + name.upper()): name for name in SCALARS + ["enum"]}[field.type]
    if kind in INTEGERS:
        return ["long", "string", "json", "double", "decimal(20,0)", "int"]
    return {"bool": ["boolean", "string", "json"], "string": ["string", "json"], "bytes": ["json"],
            "enum": ["string", "json", "int"]}.get(kind, ["double", "json"])


def types(field, is_element=False):
    if field.is_repeated and not is_element:
        return ["json"]
    name = known(field)
    if name == "Timestamp":
        return ["timestamp", "string", "json"]
    if name == "Duration":
        return ["string", "json", "decimal(38,9)"]
    if name in WRAPPERS:
        return scalar_types(field.message_type.fields_by_name["value"])
    return ["json"] if field.message_type is not None else scalar_types(field)


def columns_of(descriptor, depth=0):
    result = []
    for field in descriptor.fields:
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        result.append(([field.name], source.choice(types(field))))
        if is_map:
            key, item = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
            word = "k" if key.type == key.TYPE_STRING else "true" if key.type == key.TYPE_BOOL else "77"
            result.append(([field.name, ("key", word)], source.choice(types(item))))
        elif field.is_repeated:
            result.append(([field.name, 1], source.choice(types(field, True))))
        elif field.message_type is not None and known(field) is None and depth < 3:
            result += [([field.name] + path, kind) for path, kind in columns_of(field.message_type, depth + 1)]
    return source.sample(result, min(len(result), 8 if depth == 0 else 3))


def path_text(path):
    words = []
    for step in path:
        if isinstance(step, int):
            words.append(f"[{step}]")
        elif isinstance(step, tuple):
            words.append(f"['{step[1]}']")
        else:
            words.append(("." if words else "") + step)
    return "".join(words)


MISSING = object()


def value(target, path):
    """The field that a path leads to, and its value."""
    field = target.DESCRIPTOR.fields_by_name[path[0]]
    is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
    content = getattr(target, field.name)
    if is_map and len(path) > 1:
        item = field.message_type.fields_by_name["value"]
        key = field.message_type.fields_by_name["key"]
        word = path[1][1]
        word = word if key.type == key.TYPE_STRING else word == "true" if key.type == key.TYPE_BOOL else int(word)
        return item, content[word] if word in content else MISSING
    if field.is_repeated:
        if len(path) == 1:
            return field, content
        return field, content[path[1]] if path[1] < len(content) else MISSING
    if field.has_presence and not target.HasField(field.name):
        if len(path) == 1 and field.has_default_value:
            return field, field.default_value
        return field, MISSING
    return (field, content) if len(path) == 1 else value(content, path[1:])


def bits(number):
    return "NaN" if math.isnan(number) else format(struct.unpack("<Q", struct.pack("<d", number))[0], "x")


def as_json(field, content):
    """The value as it stands in JSON, by way of a message that has nothing else."""
    if field.message_type is not None and not (field.is_repeated and not isinstance(content, message.Message)):
        return json_format.MessageToDict(content, preserving_proto_field_name=True)
    holder = message_factory.GetMessageClass(field.containing_type)()
    if field.is_repeated and hasattr(content, "items"):
        if not content:
            return {}
        for key, item in content.items():
            if field.message_type.fields_by_name["value"].message_type is not None:
                getattr(holder, field.name)[key].CopyFrom(item)
            else:
                getattr(holder, field.name)[key] = item
    elif field.is_repeated:
        many = content if hasattr(content, "append") else [content]
        if field.message_type is not None:
            for item in many:
                getattr(holder, field.name).add().CopyFrom(item)
        else:
            getattr(holder, field.name).extend(many)
        if not many:
            return []
    else:
        setattr(holder, field.name, content)
    found = json_format.MessageToDict(
        holder, preserving_proto_field_name=True,
        always_print_fields_with_no_presence=not field.is_repeated)[field.name]
    return found[0] if field.is_repeated and not hasattr(content, "append") and not hasattr(content, "items") else found


def shown(field, content, kind):
    if content is MISSING:
        return None
    name = known(field)
    if name in WRAPPERS and isinstance(content, message.Message):
        found = json_format.MessageToDict(content)
        if kind == "json":
            return json.dumps(found, ensure_ascii=False)
        if kind == "string":
            return found if isinstance(found, str) else json.dumps(found)
        field, content = field.message_type.fields_by_name["value"], content.value
    if kind == "json":
        return json.dumps(as_json(field, content), ensure_ascii=False)
    if name == "Timestamp" and kind == "timestamp":
        return str(content.seconds * 1_000_000 + content.nanos // 1000)
    if name == "Duration" and kind.startswith("decimal"):
        return str(content.seconds * 10**9 + content.nanos)
    if kind == "string":
        found = as_json(field, content)
        return found if isinstance(found, str) else json.dumps(found)
    if kind == "double":
        return bits(float(content))
    if kind == "boolean":
        return str(content).lower()
    if kind == "int":
        return str(content) if -(2**31) <= content < 2**31 else None
    if kind == "long":
        return str(content) if -(2**63) <= content < 2**63 else None
    return str(int(content))


# Records.

def number(value):
    result = b""
    while value >= 0x80:
        result += bytes([value & 0x7F | 0x80])
        value >>= 7
    return result + bytes([value])


def unknown_field():
    place = source.choice([41, 77, 900, 2000, 1 << 28])
    return source.choice([
        number(place << 3) + number(source.randrange(2**60)), number(place << 3 | 1) + bytes(8),
        number(place << 3 | 2) + number(3) + b"abc", number(place << 3 | 5) + bytes(4),
        number(place << 3 | 3) + number(1 << 3) + number(5) + number(2 << 3 | 3) + number(2 << 3 | 4) + number(place << 3 | 4)])


def random_record(writer):
    parts = []
    for _ in range(source.choice([1, 1, 1, 2, 3])):
        target = writer()
        fill(target)
        parts.append(target.SerializePartialToString())
        if source.random() < 0.2:
            parts.append(unknown_field())
    return b"".join(parts)


def main():
    cases, refused = [], 0
    while len(cases) < 1000:
        first = random_schema()
        second = later(first) if source.random() < 0.6 else first
        writer, proto = message_class(text(first)), text(second)
        reader = message_class(proto)
        columns = columns_of(reader.DESCRIPTOR)
        records = []
        for _ in range(3):
            data = random_record(writer)
            if len(data) > 400:
                continue
            try:
                target = reader.FromString(data)
                row = [shown(*value(target, path), kind) for path, kind in columns]
            except (json_format.Error, message.DecodeError, ValueError) as error:
                refused += 1
                if refused < 5:
                    print("left out:", repr(error)[:200])
                continue
            records.append([data.hex(), row])
        if records:
            cases.append([proto, [[path_text(path), kind] for path, kind in columns], records])
    print(len(cases), "cases,", sum(len(case[2]) for case in cases), "records,", refused, "left out")
    lines = ",\n".join(json.dumps(case, separators=(",", ":"), ensure_ascii=False) for case in cases)
    Path(__file__).with_name("protobuf.json").write_text("[\n" + lines + "\n]\n")


main()

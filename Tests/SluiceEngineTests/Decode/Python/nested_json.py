"""What the law of nested columns gives, by Python's json module and a walk of its own.

    python3 nested_json.py SEED COUNT

Prints COUNT random schemas, a line of JSON each: columns as a spec writes them, perhaps an array whose elements make
rows, and records with the rows that they give. A row is its values (null, or text: times in microseconds, dates in
days, decimals as digits) and, where it is bad, the number of the element at fault, or -1. Of a record that is none the
rows are null. What is not strict JSON is left to other tests, but for records that are cut off or have text behind them.
"""

import json
import math
import random
import re
import sys
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
PATTERNS = {"dd/MM/yyyy": "%d/%m/%Y", "dd.MM.yyyy HH:mm": "%d.%m.%Y %H:%M", "yyyyMMdd": "%Y%m%d"}


class Members(list):
    """The fields of an object, in order and with those of one name."""


class Number(str):
    """A number as it stands."""


class Bad(Exception):
    """A value of another kind than the column's."""


# Values of columns.

def compact(value, numbers=str):
    """A value as JSON without blanks."""
    if isinstance(value, Members):
        return "{" + ",".join(json.dumps(name, ensure_ascii=False) + ":" + compact(part, numbers) for name, part in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(compact(part, numbers) for part in value) + "]"
    return numbers(value) if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)


# Those that Java prints otherwise than they stand here.
JAVA = {
    "1.50": "1.5", "1e3": "1000.0", "9e99": "9.0E99", "1.7e9": "1.7E9", "12345678.99": "1.234567899E7",
    "1700000000.5": "1.7000000005E9", "-0.0000000015": "-1.5E-9",
}


def java_text(number):
    """A number that stands in a column of text."""
    return JAVA.get(number, str(number))


def whole(value):
    if not isinstance(value, Number) or any(c in value for c in ".eE"):
        raise Bad
    return int(value)


def number_of(value):
    """A number, which text may say as well."""
    try:
        number = Decimal(value if isinstance(value, str) else "none")
    except InvalidOperation:
        raise Bad from None
    if not number.is_finite():
        raise Bad
    return number


def within(value, bits):
    if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        raise Bad
    return value


def text_in(value, form):
    """The text of a string in a form."""
    if not isinstance(value, str) or isinstance(value, Number) or not re.fullmatch(form, value):
        raise Bad
    return value


def moment(text, form):
    try:
        return datetime.strptime(text, form).replace(tzinfo=timezone.utc)
    except ValueError:
        raise Bad from None


def micros(value, column):
    if "unit" in column:
        # What a microsecond does not hold is cut off, towards the past.
        return within(math.floor(number_of(value) * NANOSECONDS[column["unit"]] / 1000), 64)
    if "pattern" in column:
        found = moment(text_in(value, ".*"), PATTERNS[column["pattern"]])
    elif isinstance(value, Number):
        # Seconds; what 64 bits of microseconds do not hold wraps around, as in Spark.
        return (within(whole(value), 64) * 10**6 + 2**63) % 2**64 - 2**63
    else:
        text = text_in(value, r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d+)?Z?)?").rstrip("Z").replace("T", " ")
        found = moment(text, "%Y-%m-%d %H:%M:%S.%f"[:8 if len(text) == 10 else 20 if "." in text else 17])
    return (found - EPOCH) // timedelta(microseconds=1)


def days(value, column):
    if "pattern" in column:
        return (moment(text_in(value, ".*"), PATTERNS[column["pattern"]]) - EPOCH).days
    text = text_in(value, r"\d{4}-\d\d-\d\d([T ].*)?|\d+")
    # Spark 1.5 wrote dates as numbers of days, and they are read still.
    return within(int(text), 32) if text.isdigit() else (moment(text[:10], "%Y-%m-%d") - EPOCH).days


def converted(value, column):
    """The text of a value in a column, None for null; Bad where it is of another kind."""
    kind = column["type"]
    if value is None:
        return None
    if kind == "json":
        return compact(value)
    if kind == "string":
        return str(value) if isinstance(value, str) and not isinstance(value, Number) else compact(value, java_text)
    if kind in ("int", "long"):
        return str(within(whole(value), 32 if kind == "int" else 64))
    if kind == "boolean":
        if not isinstance(value, bool):
            raise Bad
        return "true" if value else "false"
    if kind == "timestamp":
        return str(micros(value, column))
    if kind == "date":
        return str(days(value, column))
    if kind == "double":
        if isinstance(value, Number):
            return "0.0" if value == "-0" else repr(float(value))
        if value in ("NaN", "Infinity", "-Infinity"):
            return value
        raise Bad
    number = number_of(value)
    if abs(number) >= 10**8:
        raise Bad
    return str(int(number.quantize(Decimal("0.01"), ROUND_HALF_UP) * 100))


# Paths.

class Walk:
    """One reading of a record or element: fields in their order, so that of two of one name the last counts, unless it
    is of another kind."""

    def __init__(self, columns):
        self.columns = columns
        self.values = [None] * len(columns)
        self.is_bad = False

    def enter(self, value, reached):
        """Reads a value that `reached` lead to: pairs of a column's place and the steps that are left."""
        for place in (place for place, steps in reached if not steps):
            try:
                self.values[place] = converted(value, self.columns[place])
            except Bad:
                self.is_bad = True
        for kind, holder in ((str, Members), (int, list)):
            below = [(place, steps) for place, steps in reached if steps and isinstance(steps[0], kind)]
            if not below:
                continue
            is_held = type(value) is holder
            if value is None or is_held:
                for place, _ in below:
                    self.values[place] = None
            if is_held:
                for step, part in value if kind is str else enumerate(value):
                    self.enter(part, [(place, steps[1:]) for place, steps in below if steps[0] == step])
            elif value is not None:
                self.is_bad = True


def read(text):
    return json.JSONDecoder(
        object_pairs_hook=Members, parse_int=Number, parse_float=Number, parse_constant=lambda _: 1 / 0).raw_decode(text)


def rows_of(text, schema):
    """The rows of a record, None where it is no record."""
    try:
        record, end = read(text.strip(" \t\r"))
    except ValueError:
        return None
    if not isinstance(record, Members):
        return None
    columns = schema["columns"]
    outside = [column for column in columns if column["in"] == "record"]
    walk = Walk(outside + [{"type": "json"}])
    reached = [(place, column["steps"]) for place, column in enumerate(outside)]
    each = schema.get("each")
    if each:
        reached.append((len(outside), each["steps"]))
    walk.enter(record, reached)
    outer = dict(zip((column["name"] for column in outside), walk.values))
    fault = -1 if walk.is_bad or end < len(text.strip(" \t\r")) else None
    if not each:
        return [[fault, [outer[column["name"]] for column in columns]]]
    return rows_of_elements(columns, outer, fault, walk.values[-1], each["keep_empty"])


def rows_of_elements(columns, outer, fault, array, keeps_empty):
    elements = read(array)[0] if array else []
    if type(elements) is not list:
        return None
    inside = [column for column in columns if column["in"] == "each"]
    rows = []
    for number, element in enumerate(elements):
        walk = Walk(inside)
        walk.enter(element, [(place, column["steps"]) for place, column in enumerate(inside)])
        values = {**outer, **dict(zip((column["name"] for column in inside), walk.values))}
        row = [values.get(column["name"], str(number)) for column in columns]
        rows.append([number if walk.is_bad else fault, row])
    if rows:
        return rows
    if keeps_empty:
        return [[fault, [outer.get(column["name"]) for column in columns]]]
    # Perhaps the array is what could not be reached.
    return None if fault is not None else []


# Random schemas and records.

NAMES = ["a", "b", "id", "user_id", "a.b", "x y", "é", "a name of more than twenty bytes", "a\"b", "a\\b"]
GOOD = {
    "string": ['"x"', '""', '"two words"', '"{[,:]}"', '"é€"', '"\\u0041b"', '"a longer text of more than 32 bytes"', "5", "true"],
    "int": ["0", "-5", "2147483647", "17"], "long": ["0", "-5", "9223372036854775807"],
    "double": ["0", "-0.0", "1.50", "1e3", '"NaN"', "12", '"-Infinity"'], "boolean": ["true", "false"],
    "timestamp": ['"2024-01-31T09:18:00.123Z"', '"2024-07-31 09:18:00"', '"2024-01-31"', "1700000000"],
    "date": ['"2024-01-31"', '"2024-02-29"', '"0001-01-01"'], "decimal(10,2)": ["1", "-1.25", "1.255", '"12.5"', "12345678.99"],
    "json": ['"x"', "1.50", "true", '{ "k" : [ 1.50, null , "x y" ] }', "[]", "{}", '"\\u0041"', '[{"a":"\\u0042 b"}]'],
    "unit": ["1700000000", "1700000000.5", "-1", '"1700000000"', "1.7e9", '"-0.0015"', "0", "-0.0000000015"],
    "dd/MM/yyyy": ['"31/01/2024"', '"29/02/2024"'], "dd.MM.yyyy HH:mm": ['"31.01.2024 09:18"'], "yyyyMMdd": ['"20240131"'],
}
WRONG = ["5", "-1.5", "true", '"x"', '""', "[]", "{}", "[1,[2]]", '{"a":{"b":1}}', "2147483648", "[null]", '"2024-13-01"', "9e99"]
PLACES = ["other", "a", "id", "é"]


def schema_tree(source, depth):
    """Objects are dictionaries, arrays lists of their one element, a leaf a column without its name."""
    return {name: part_tree(source, depth) for name in source.sample(NAMES, source.randrange(1, 4))}


def part_tree(source, depth):
    kind = source.randrange(5)
    if depth > 0 and kind < 2:
        return schema_tree(source, depth - 1)
    if depth > 0 and kind == 2:
        return [part_tree(source, depth - 1)]
    return (source.choice(list(GOOD)),)


def column_of(leaf):
    if leaf == "unit":
        return lambda source: {"type": "timestamp", "unit": source.choice(list(NANOSECONDS))}
    if leaf in PATTERNS:
        return lambda source: {"type": "timestamp" if "H" in leaf else "date", "pattern": leaf}
    return lambda source: {"type": leaf}


def columns_of(source, tree, steps, where):
    """Columns for what lies below; some nodes are parts of JSON themselves, of arrays a few elements are asked for."""
    if isinstance(tree, tuple):
        yield {"in": where, "steps": steps, **column_of(tree[0])(source)}
        return
    if steps and source.randrange(6) == 0:
        yield {"in": where, "steps": steps, "type": source.choice(["json", "string"])}
    if isinstance(tree, dict):
        for name, part in tree.items():
            if source.randrange(6):
                yield from columns_of(source, part, steps + [name], where)
    else:
        for element in source.sample(range(4), source.randrange(1, 3)):
            yield from columns_of(source, tree[0], steps + [element], where)


def text_of(source, tree, odd):
    blank = source.choice(["", "", "", "", " ", "\t", "  "])
    chance = source.randrange(100)
    if chance < odd:
        return source.choice(WRONG) + blank
    if chance < odd + 5:
        return "null" + blank
    if isinstance(tree, tuple):
        return source.choice(GOOD[tree[0]]) + blank
    if isinstance(tree, list):
        return "[" + blank + ("," + blank).join(text_of(source, tree[0], odd) for _ in range(source.randrange(5))) + "]" + blank
    return object_of(source, tree, odd) + blank


def object_of(source, tree, odd):
    members = [(name, part) for name, part in tree.items() if source.randrange(12)]
    members += [(source.choice(PLACES), (source.choice(list(GOOD)),)) for _ in range(source.randrange(3) // 2)]
    if source.randrange(12) == 0:
        members.append(source.choice(list(tree.items())))
    if source.randrange(2):
        source.shuffle(members)
    blank = source.choice(["", "", " "])
    fields = (name_of(source, name) + blank + ":" + blank + text_of(source, part, odd) for name, part in members)
    return "{" + blank + ("," + blank).join(fields) + "}"


def name_of(source, name):
    if source.randrange(20) == 0 and name.isascii():
        return '"' + "".join(f"\\u{ord(c):04x}" for c in name) + '"'
    return json.dumps(name, ensure_ascii=False)


def record_of(source, tree):
    text = object_of(source, tree, source.choice([0, 0, 3, 8]))
    kind = source.randrange(60)
    if kind == 0:
        return source.choice(["null", "[]", "3", '"x"', "[" + text + "]", "tru"])
    if kind == 1:
        return text + source.choice([" x", "{}", ","])
    if kind == 2:
        return text[: source.randrange(1, len(text))].rstrip() or "{"
    return text


def made_schema(source):
    tree = schema_tree(source, 3)
    schema = {"columns": list(columns_of(source, tree, [], "record"))}
    if source.randrange(3) == 0:
        element = part_tree(source, 2)
        steps = [source.choice(["items", "rows"])] + source.choice([[], ["after"], [0], ["after", "rows"]])
        inner = [element]
        for step in reversed(steps[1:]):
            inner = {step: inner} if isinstance(step, str) else [inner]
        tree = {**tree, steps[0]: inner}
        schema["each"] = {"steps": steps, "keep_empty": source.randrange(2) == 0}
        schema["columns"] += columns_of(source, element, [], "each")
        if source.randrange(2):
            schema["columns"].append({"in": "place", "steps": [], "type": "int"})
        source.shuffle(schema["columns"])
    if not schema["columns"] or all(column["in"] == "place" for column in schema["columns"]):
        schema["columns"].append({"in": "record", "steps": ["id"], "type": "string"})
    for number, column in enumerate(schema["columns"]):
        column["name"] = f"c{number}"
    return tree, schema


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    for number in range(count):
        source = random.Random(seed * 1_000_003 + number)
        tree, schema = made_schema(source)
        records = [record_of(source, tree) for _ in range(8)]
        schema["records"] = [{"text": text, "rows": rows_of(text, schema)} for text in records]
        print(json.dumps(schema))


main()

"""Holds the rows of container files against the same rows as JSON, by Apache's own reader of Avro.

    python3 compare.py AVRO_FOLDER JSON_FOLDER [NAMES]

NAMES: a JSON object of field names, each with what the field must be in every Avro row; those fields are not compared.
Prints how many rows are equal; says the first that is not, and ends with 1.
"""
import datetime
import decimal
import glob
import json
import sys

import avro.datafile
import avro.io


def equal(found, wanted):
    """Whether a value is what a text or number of JSON says; a field that JSON leaves out is null."""
    if isinstance(found, dict):
        names = set(found) | set(wanted or {})
        return all(equal(found.get(name), (wanted or {}).get(name)) for name in names)
    if found is None or wanted is None:
        return found is wanted
    if isinstance(found, datetime.datetime):
        wanted = datetime.datetime.fromisoformat(wanted)
        # JSON has milliseconds, rounded down.
        return wanted <= found < wanted + resolution
    if isinstance(found, datetime.date):
        return found == datetime.date.fromisoformat(wanted)
    if isinstance(found, decimal.Decimal):
        return found == decimal.Decimal(str(wanted))
    if isinstance(found, float):
        return repr(found) == repr(float(wanted))
    if isinstance(found, str) and not isinstance(wanted, str):
        return json.loads(found, parse_float=Number) == wanted
    return type(found) is type(wanted) and found == wanted


class Number(str):
    """A number with a fraction, as it stands."""


resolution = datetime.timedelta(milliseconds=1)
constants = {}
if len(sys.argv) > 3:
    constants = json.loads(sys.argv[3])
wanted = []
for path in sorted(glob.glob(sys.argv[2] + "/*.jsonl")):
    with open(path, encoding="utf-8") as lines:
        wanted += [json.loads(line, parse_float=Number) for line in lines]

count = 0
for path in sorted(glob.glob(sys.argv[1] + "/*.avro")):
    with avro.datafile.DataFileReader(open(path, "rb"), avro.io.DatumReader()) as reader:
        for row in reader:
            for name, value in constants.items():
                if row.pop(name) != value:
                    sys.exit(f"row {count}: {name} is not {value}")
            if count >= len(wanted) or not equal(row, wanted[count]):
                sys.exit(f"row {count}: {row} is not {wanted[count] if count < len(wanted) else 'there'}")
            count += 1
if count != len(wanted):
    sys.exit(f"{count} rows of {len(wanted)}")
print(count)

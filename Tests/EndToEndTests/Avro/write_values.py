"""Writes rows as values of Avro, by Apache's own writer.

    python3 write_values.py FILE

FILE: a line with the schemas by their names, then a line {"schema": NAME, "row": {…}} for each row, times as
milliseconds and decimals as text. Prints each datum in hexadecimal digits, one a line.
"""
import datetime
import decimal
import io
import json
import sys

import avro.io
import avro.schema

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def given(field, value):
    """A value as Apache's writer takes it."""
    logical = field.type.props.get("logicalType")
    if logical == "timestamp-millis":
        return EPOCH + datetime.timedelta(milliseconds=value)
    return decimal.Decimal(value) if logical == "decimal" else value


with open(sys.argv[1], encoding="utf-8") as lines:
    schemas = {name: avro.schema.parse(json.dumps(schema)) for name, schema in json.loads(next(lines)).items()}
    for line in lines:
        entry = json.loads(line)
        schema = schemas[entry["schema"]]
        datum = io.BytesIO()
        row = {field.name: given(field, entry["row"][field.name]) for field in schema.fields}
        avro.io.DatumWriter(schema).write(row, avro.io.BinaryEncoder(datum))
        print(datum.getvalue().hex())

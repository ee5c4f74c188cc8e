"""Prints the committed values of a topic as JSON, one a line, each read by the schema it names, by Apache's own reader of
Avro; kcat brings them.

    python3 read_topic.py BROKERS TOPIC REGISTRY_URL
"""
import io
import json
import subprocess
import sys
import urllib.request

import avro.io
import avro.schema

brokers, topic, url = sys.argv[1:]
options = ["-X", "isolation.level=read_committed", "-X", "fetch.wait.max.ms=10"]
values = subprocess.run(
    ["kcat", "-C", "-q", "-e", "-b", brokers, "-t", topic, "-o", "beginning", "-f", "%R%s", *options],
    check=True, capture_output=True).stdout
schemas = {}
place = 0
while place < len(values):
    end = place + 4 + int.from_bytes(values[place:place + 4], "big")
    value = values[place + 4:end]
    place = end
    if value[0] != 0:
        sys.exit(f"a value begins with {value[:5]!r}")
    number = int.from_bytes(value[1:5], "big")
    if number not in schemas:
        with urllib.request.urlopen(f"{url}/schemas/ids/{number}") as answer:
            schemas[number] = avro.schema.parse(json.load(answer)["schema"])
    datum = io.BytesIO(value[5:])
    row = avro.io.DatumReader(schemas[number]).read(avro.io.BinaryDecoder(datum))
    if datum.read():
        sys.exit("bytes are left behind a datum")
    print(json.dumps(row, default=str))

"""Container files as fastavro writes them, one for each codec, and one of a later schema: containers.json beside this
file has them in base64 by name. Row i is { visit_id: "v<i>", event_time: 1704096000000 + i s, page: null where i is a
multiple of 5, else "page<i % 7>", n: i }.

    python3 record_containers.py          needs fastavro, cramjam, backports.zstd
"""

import base64
import io
import json
from pathlib import Path

import fastavro

schema = {
    "type": "record", "name": "Visit", "fields": [
        {"name": "visit_id", "type": "string"},
        {"name": "event_time", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "page", "type": ["null", "string"]},
        {"name": "n", "type": "int"},
    ]}
later = {
    "type": "record", "name": "Visit", "fields": [
        {"name": "n", "type": "long"},
        {"name": "site", "type": "string"},
        {"name": "id", "type": "string"},
        {"name": "event_time", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    ]}


def row(i):
    return {"visit_id": f"v{i}", "event_time": 1704096000000 + i * 1000, "page": f"page{i % 7}" if i % 5 else None, "n": i}


def container(schema, rows, codec):
    out = io.BytesIO()
    fastavro.writer(out, schema, rows, codec=codec, sync_interval=400, sync_marker=bytes(range(16)))
    return base64.b64encode(out.getvalue()).decode()


files = {codec: container(schema, map(row, range(200)), codec) for codec in ["null", "deflate", "snappy", "zstandard", "bzip2"]}
files["later"] = container(later, [{"n": i, "site": "a", "id": f"v{i}", "event_time": (1704096000000 + i * 1000) * 1000} for i in range(200, 250)], "deflate")
files["empty"] = container(schema, [], "null")
Path(__file__).with_name("containers.json").write_text(json.dumps(files, indent=1) + "\n")

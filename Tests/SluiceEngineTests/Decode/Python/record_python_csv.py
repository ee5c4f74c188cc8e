"""Files that RFC 4180 allows, written at random, and what Python's csv module reads in them: python_csv.json beside this
file. A case is [separator, quote, file in hexadecimal, rows]; the seed is fixed.

    python3 record_python_csv.py
"""

import csv
import io
import json
import random
from pathlib import Path

source = random.Random(4180)
cases = []
for _ in range(400):
    separator = source.choice([",", ",", ";", "\t", "|", " "])
    quote = source.choice(['"', '"', '"', "'"])
    end = source.choice(["\n", "\r\n"])
    text = ""
    for _ in range(source.randrange(1, 6)):
        fields = []
        for place in range(3):
            value = "".join(
                source.choice(["a", "b", "é", "😀", " ", "\\", separator, quote, quote, "\n", "\r\n", "\r", "#", "1"])
                for _ in range(source.randrange(6)))
            plain = not any(byte in value for byte in (separator, quote, "\n", "\r"))
            if plain and source.randrange(2):
                fields.append(value)
            else:
                fields.append(quote + value.replace(quote, quote * 2) + quote)
        text += separator.join(fields) + end
    if source.randrange(3) == 0:
        text = text[: -len(end)]
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, quotechar=quote, strict=True))
    cases.append([separator, quote, text.encode().hex(), rows])
lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
Path(__file__).with_name("python_csv.json").write_text("[\n" + lines + "\n]\n")

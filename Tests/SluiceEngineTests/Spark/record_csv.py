"""Records what Spark's CSV reader makes of whole files, as read_csv.json beside this file.

    pip install pyspark==4.1.1        # and Java 17
    python3 record_csv.py

A case is a file (hexadecimal), the reader's options beside the schema `a string, n int, b string`, and its rows: each
the three values (null where there is none) and whether Spark called the row corrupt. Files hold what is easy to get
wrong, written by hand and then at random; the seed is fixed.
"""

import json
import random
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession

HAND = [
    'x,1,y', ',,', '"","",""', '" ",1," "', ' x , 1 , y ', '"a""b",1,"c"', '"a""",1,""""', '"""a",1,""""""', '"a,b",1,"c,d"',
    '"a\\"b",1,c', 'a\\b,1,c\\', '"a\\",1,"b\\"', '"a\\\\",1,b', 'a"b,1,c"', 'a""b,1,"c"', '"a"b,1,c', '"a" ,1,"c" ', '"a"  b,1,c',
    '"a', '"a,1,b', 'x,1,"b', 'x,1,"', 'x,1,""', 'x,1,"""', 'x,"1",y', 'x," 1",y', 'x,"",y', 'x,NULL,NULL', '"NULL","NULL","NULL"',
    'NULL,1,NULL', 'null,1,null', 'x', 'x,1', 'x,1,y,', 'x,1,y,z', 'x,one,y', 'x,1.5,y', 'x,2147483648,y', "'a,b',1,'c''d'",
    "'a,b',1,\"c\"", 'a;1;b', '"a;b";1;c', 'a\t1\tb', '"é","1","日本"', '#x,1,y', 'x,1,#y', '"x",-5,"-"', '"a"",1,b', '"a"""b,1,c',
    '""a,1,b', '"" ,1,b', '"a"\t,1,b', 'x,1,"b" "c"', ',1,', '"a","1","b","c"', '"a""b""c""",1,""', '"\\"",1,"\\\\"',
]
MULTI = [
    '"a\nb",1,c\n', '"a\r\nb",1,c\r\nx,2,y\r\n', '"\n",1,"\n\n"\nz,3,w\n', '"a""\n""b",1,c\n', 'x,1,y\n\n\nz,2,w\n', '"a\nb',
    'x,1,"y\nz,2,w\nq,3,r\n', '"a"\n', '"a\n",1,"b,\n"\n"c",2,"d"\n', 'a"b\nc",1,d\n', '\n"a",1,"b\nc"', '"a\\"\nb",1,c\n',
    'x,1,y\r\n"p\r\nq",2,r\r\n', '"a\nb" ,1,c\n', '"a\nb"c,1,d\n',
]
SCHEMA = "a string, n int, b string, _corrupt_record string"
LINES = [
    {"escape": '"'}, {"escape": '"', "nullValue": "NULL"}, {"escape": '"', "quote": "'"}, {"escape": '"', "sep": ";"},
    {"escape": '"', "sep": "\t"}, {}, {"nullValue": "NULL"}, {"quote": ""}, {"escape": "!"}, {"quote": "'", "escape": "'"},
]


def files(seed):
    source = random.Random(seed)
    lines = [options for options in LINES]
    for options in lines:
        quote = options.get("quote", '"') or '"'
        separator = options.get("sep", ",")
        escape = options.get("escape", "\\")
        yield options, "\n".join(HAND) + "\n"
        for _ in range(12):
            made = []
            for _ in range(30):
                fields = []
                for _ in range(source.choice([3, 3, 3, 3, 3, 2, 4])):
                    inner = "".join(
                        source.choice(["a", "b", "1", " ", quote, quote * 2, separator, escape, "é", "NULL", "#"])
                        for _ in range(source.randrange(5)))
                    kind = source.randrange(6)
                    if kind < 2:
                        inner = quote + inner.replace(quote, quote * 2) + quote
                    elif kind == 2:
                        inner = inner.replace(quote, "").replace(separator, "")
                    elif kind == 3:
                        inner = quote + inner
                    fields.append(inner)
                made.append(separator.join(fields))
            yield options, "\n".join(line for line in made if line) + "\n"
    for options in ({"escape": '"'}, {}, {"escape": '"', "quote": "'"}):
        quote = options.get("quote", '"')
        for text in MULTI:
            yield dict(options, multiLine="true"), text.replace('"', quote)
        for _ in range(100):
            rows = []
            for _ in range(source.randrange(1, 5)):
                fields = []
                for _ in range(3):
                    inner = "".join(
                        source.choice(["a", "1", " ", quote, ",", "\\", "é", "\n", "\r\n"]) for _ in range(source.randrange(5)))
                    if source.randrange(2):
                        inner = quote + inner.replace(quote, quote * 2) + quote
                    else:
                        inner = "".join(c for c in inner if c not in quote + ",\n\r\\")
                    fields.append(inner)
                rows.append(",".join(fields))
            yield dict(options, multiLine="true"), source.choice(["\n", "\r\n"]).join(rows) + source.choice(["\n", ""])


def main():
    spark = (
        SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC").getOrCreate())
    spark.sparkContext.setLogLevel("ERROR")
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (options, text) in enumerate(files(27)):
            path = Path(folder) / f"{number}.csv"
            path.write_bytes(text.encode())
            rows = spark.read.schema(SCHEMA).options(**options).csv(str(path)).collect()
            cases.append({
                "options": options, "file": text.encode().hex(),
                "rows": [[row.a, None if row.n is None else str(row.n), row.b, row._corrupt_record is not None] for row in rows]})
    target = Path(__file__).with_name("read_csv.json")
    lines = ",\n".join(json.dumps(case, ensure_ascii=True, separators=(",", ":")) for case in cases)
    target.write_text('{"cases":[\n' + lines + "\n]}\n")
    print(len(cases), "cases,", sum(len(case["rows"]) for case in cases), "rows")


main()

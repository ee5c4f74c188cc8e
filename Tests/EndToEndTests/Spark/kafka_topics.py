"""Records what Spark 4.1.1 reads of several topics in one source: Spark/kafka-topics.json.

    python3 kafka_topics.py KAFKA BROKERS JARS > kafka-topics.json

KAFKA is a program with Kafka's tools as words (`KAFKA topics --bootstrap-server …`), BROKERS a broker's address, JARS the
files of Spark's connector, separated by commas. Each case makes topics of its own, with a random prefix that the
recording leaves out; a step is one line of the recording and done in the same order by the test.
"""

import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

from pyspark.sql import SparkSession

kafka, brokers, jars = sys.argv[1:4]

# name, claim, source (Sluice's words), options (Spark's), steps before and between runs
CASES = [
    ("subscribe", "two topics from their beginnings", "topics: [a, b], start: earliest",
     {"subscribe": "a,b", "startingOffsets": "earliest"},
     [("make", "a", 2), ("make", "b", 1), ("produce", "a", 0, 3), ("produce", "b", 0, 2), ("run",),
      ("produce", "a", 1, 2), ("produce", "b", 0, 1), ("run",)]),
    ("latest", "a new query at the latest offsets of two topics", "topics: [a, b]", {"subscribe": "a,b"},
     [("make", "a", 2), ("make", "b", 1), ("produce", "a", 0, 3), ("produce", "b", 0, 2), ("run",),
      ("produce", "a", 0, 1), ("produce", "b", 0, 2), ("run",)]),
    ("offsets", "starts by topic and partition", "topics: [a, b], start: { a/0: 2, a/1: earliest, b/0: latest }",
     {"subscribe": "a,b", "startingOffsets": {"a": {"0": 2, "1": -2}, "b": {"0": -1}}},
     [("make", "a", 2), ("make", "b", 1), ("produce", "a", 0, 5), ("produce", "a", 1, 2), ("produce", "b", 0, 3),
      ("run",), ("produce", "b", 0, 1), ("run",)]),
    ("limit", "a limit is shared over the partitions of all topics",
     "topics: [a, b], start: earliest, max_offsets_per_trigger: 10",
     {"subscribe": "a,b", "startingOffsets": "earliest", "maxOffsetsPerTrigger": "10"},
     [("make", "a", 2), ("make", "b", 1), ("produce", "a", 0, 12), ("produce", "a", 1, 4), ("produce", "b", 0, 20),
      ("run",)]),
    ("limit-small", "a limit below the number of partitions",
     "topics: [a, b], start: earliest, max_offsets_per_trigger: 2",
     {"subscribe": "a,b", "startingOffsets": "earliest", "maxOffsetsPerTrigger": "2"},
     [("make", "a", 2), ("make", "b", 2), ("produce", "a", 0, 3), ("produce", "a", 1, 1), ("produce", "b", 1, 2),
      ("run",)]),
    ("minimum", "a minimum counts all topics", "topics: [a, b], start: earliest, min_offsets_per_trigger: 5",
     {"subscribe": "a,b", "startingOffsets": "earliest", "minOffsetsPerTrigger": "5"},
     [("make", "a", 1), ("make", "b", 1), ("produce", "a", 0, 2), ("produce", "b", 0, 2), ("run",),
      ("produce", "a", 0, 1), ("produce", "b", 0, 3), ("run",)]),
    ("pattern", "a pattern, and a topic that is new to it", "topic_pattern: \"a.*\"", {"subscribePattern": "a.*"},
     [("make", "a", 1), ("make", "b", 1), ("produce", "a", 0, 2), ("produce", "b", 0, 2), ("run",), ("make", "a2", 2),
      ("produce", "a2", 1, 3), ("produce", "a", 0, 1), ("run",)]),
    ("pattern-later", "a pattern that matches nothing at first", "topic_pattern: \"a.*\"",
     {"subscribePattern": "a.*"},
     [("make", "b", 1), ("run",), ("make", "a", 1), ("produce", "a", 0, 2), ("run",), ("produce", "a", 0, 1), ("run",)]),
    ("pattern-whole", "a pattern matches the whole name", "topic_pattern: \"a\", start: earliest",
     {"subscribePattern": "a", "startingOffsets": "earliest"},
     [("make", "a", 1), ("make", "a2", 1), ("produce", "a", 0, 1), ("produce", "a2", 0, 1), ("run",)]),
    ("added", "a topic that is added to the list of a query that has run", "topics: [a], start: latest",
     {"subscribe": "a"},
     [("make", "a", 1), ("make", "b", 1), ("produce", "a", 0, 2), ("produce", "b", 0, 2), ("run",),
      ("source", "topics: [a, b]", {"subscribe": "a,b"}), ("produce", "a", 0, 1), ("run",)]),
    ("one-to-two", "one topic becomes two", "topic: a, start: earliest",
     {"subscribe": "a", "startingOffsets": "earliest"},
     [("make", "a", 2), ("make", "b", 1), ("produce", "a", 1, 2), ("produce", "b", 0, 2), ("run",),
      ("source", "topics: [a, b]", {"subscribe": "a,b"}), ("produce", "a", 0, 1), ("run",)]),
    ("added-trimmed", "a topic is added whose first records are gone already", "topics: [a], start: earliest",
     {"subscribe": "a", "startingOffsets": "earliest"},
     [("make", "a", 1), ("make", "b", 1), ("produce", "a", 0, 2), ("produce", "b", 0, 3), ("delete", "b", 0, 2), ("run",),
      ("source", "topics: [a, b]", {"subscribe": "a,b"}), ("produce", "a", 0, 1), ("run",)]),
    ("removed", "a topic is taken from the list of a query that has run", "topics: [a, b], start: earliest",
     {"subscribe": "a,b", "startingOffsets": "earliest"},
     [("make", "a", 1), ("make", "b", 1), ("produce", "a", 0, 2), ("produce", "b", 0, 2), ("run",),
      ("source", "topics: [a]", {"subscribe": "a"}), ("produce", "a", 0, 1), ("run",)]),
    ("partition-added", "a partition that is added to one of two topics", "topics: [a, b]", {"subscribe": "a,b"},
     [("make", "a", 1), ("make", "b", 1), ("produce", "a", 0, 2), ("run",), ("partitions", "b", 2),
      ("produce", "b", 1, 2), ("run",)]),
]


def tool(*arguments):
    subprocess.run([kafka, arguments[0], "--bootstrap-server", brokers, *arguments[1:]], check=True,
                   stdout=subprocess.DEVNULL)


def renamed(value, names, prefix):
    """Names of the recording to those of this run."""
    if isinstance(value, dict):
        return json.dumps({prefix + key: inner for key, inner in value.items()})
    if names == "subscribe":
        return ",".join(prefix + name for name in value.split(","))
    return prefix + value if names == "subscribePattern" else value


def query(spark, options, prefix, folder):
    reader = spark.readStream.format("kafka").option("kafka.bootstrap.servers", brokers)
    for name, value in options.items():
        reader = reader.option(name, renamed(value, name, prefix))
    columns = ["topic", "partition", "offset", "cast(value as string) value"]
    return (reader.load().selectExpr(*columns).writeStream.format("json").option("path", f"{folder}/out")
            .option("checkpointLocation", f"{folder}/checkpoint"))


def offsets(text, prefix):
    if text in (None, "", "null", "None"):
        return None
    found = ast.literal_eval(text) if isinstance(text, str) else text
    return {name.removeprefix(prefix): at for name, at in found.items()}


def run(spark, options, prefix, folder, seen):
    """One run to the end of what is there: the offsets of each batch, and the rows that came out."""
    running = query(spark, options, prefix, folder).trigger(availableNow=True).start()
    failure = None
    try:
        running.awaitTermination()
    except Exception as error:
        failure = str(error).split("exception: ")[-1].split(".")[0]
    batches = []
    for progress in running.recentProgress:
        source = progress.sources[0]
        batches.append({"start": offsets(source.startOffset, prefix), "end": offsets(source.endOffset, prefix),
                        "rows": source.numInputRows})
    rows = []
    for name in sorted(os.listdir(f"{folder}/out")) if os.path.isdir(f"{folder}/out") else []:
        if name.endswith(".json") and name not in seen:
            seen.add(name)
            for line in open(f"{folder}/out/{name}"):
                row = json.loads(line)
                rows.append([row["topic"].removeprefix(prefix), row["partition"], row["offset"], row["value"]])
    step = {"do": "run", "batches": batches, "values": sorted(rows)}
    return step if failure is None else step | {"fails": failure}


def record(spark, case):
    name, claim, source, options, steps = case
    prefix = f"t{random.randrange(10**9)}-"
    folder, seen, next_value, done = tempfile.mkdtemp(), set(), {}, []
    for step in steps:
        if step[0] == "make":
            tool("topics", "--create", "--topic", prefix + step[1], "--partitions", str(step[2]))
            done.append({"do": "make", "topic": step[1], "count": step[2]})
        elif step[0] == "partitions":
            tool("topics", "--alter", "--topic", prefix + step[1], "--partitions", str(step[2]))
            done.append({"do": "partitions", "topic": step[1], "count": step[2]})
        elif step[0] == "produce":
            _, topic, partition, count = step
            first = next_value.get((topic, partition), 0)
            next_value[topic, partition] = first + count
            lines = "".join(f"{topic}-{partition}-{n}\n" for n in range(first, first + count))
            subprocess.run(["kcat", "-P", "-b", brokers, "-t", prefix + topic, "-p", str(partition)],
                           input=lines.encode(), check=True)
            done.append({"do": "produce", "topic": topic, "partition": partition, "count": count})
        elif step[0] == "delete":
            _, topic, partition, before = step
            place = {"topic": prefix + topic, "partition": partition, "offset": before}
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                json.dump({"partitions": [place], "version": 1}, file)
                file.flush()
                tool("delete-records", "--offset-json-file", file.name)
            done.append({"do": "delete", "topic": topic, "partition": partition, "before": before})
        elif step[0] == "source":
            options = step[2]
            done.append({"do": "source", "source": step[1]})
        else:
            done.append(run(spark, options, prefix, folder, seen))
    shutil.rmtree(folder)
    return {"name": name, "claim": claim, "source": source, "steps": done}


def main():
    spark = (SparkSession.builder.master("local[2]").config("spark.jars", jars).config("spark.ui.enabled", "false")
             .config("spark.sql.shuffle.partitions", "1").getOrCreate())
    spark.sparkContext.setLogLevel("ERROR")
    cases = []
    for case in CASES:
        print(case[0], file=sys.stderr)
        cases.append(record(spark, case))
    text = ",\n  ".join(
        json.dumps({key: value for key, value in case.items() if key != "steps"})[:-1] + ', "steps": [\n   '
        + ",\n   ".join(json.dumps(step) for step in case["steps"]) + "\n  ]}" for case in cases)
    print('{\n "spark": "4.1.1",\n "claim": "what Spark\'s Kafka source read of several topics, batch by batch: offsets,'
          ' and the rows of each run: topic, partition, offset, value",\n "cases": [\n  ' + text + "\n ]\n}")


main()

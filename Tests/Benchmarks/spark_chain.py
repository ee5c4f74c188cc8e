"""A left outer chain of three streams in Spark Structured Streaming, for `Benchmarks --with-spark`.

spark_chain.py INPUT PLACE CORES DELAY_MS BOUND_MS: as spark_join.py, of INPUT/a, INPUT/x and INPUT/y.
"""

import os
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

source, place, cores, delay, bound = sys.argv[1:6]

spark = (
    SparkSession.builder.master(f"local[{cores}]")
    .appName("chain")
    .config("spark.driver.memory", "5g")
    .config("spark.sql.shuffle.partitions", cores)
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.jsonGenerator.ignoreNullFields", "true")
    .config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false")
    .config("spark.sql.streaming.numRecentProgressUpdates", "100000")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")


def stream(name):
    rows = spark.readStream.schema("id string, page string, event_time timestamp")
    rows = rows.option("maxFilesPerTrigger", 1).json(f"{source}/{name}")
    return rows.withWatermark("event_time", f"{delay} milliseconds").select(
        f.col("id").alias(name), f.col("page").alias(f"{name}_page"), f.col("event_time").alias(f"{name}_time")
    )


joined = stream("a")
for name in ["x", "y"]:
    right = stream(name)
    if name == "y":
        # Two columns with a mark are one too many for the second join: the bound names that of `a`.
        joined = joined.withColumn("x_time", f.expr("x_time + interval 0 seconds"))
    seconds = int(bound) / 1000
    joined = joined.join(
        right,
        f.expr(
            f"a_page = {name}_page and {name}_time >= a_time - interval {seconds} seconds"
            f" and {name}_time <= a_time + interval {seconds} seconds"
        ),
        "left_outer",
    )
written = joined.select(f.to_json(f.struct("a", "x", "y")).alias("value"))

query = (
    written.writeStream.format("text")
    .option("path", f"{place}/out")
    .option("checkpointLocation", f"{place}/checkpoint")
    .trigger(availableNow=True)
    .start()
)
query.awaitTermination()
batches = query.recentProgress
# Spark's virtual machine is a process of its own.
process = spark.sparkContext._gateway.proc.pid
with open(f"/proc/{process}/stat") as stat:
    ticks = sum(int(number) for number in stat.read().rpartition(")")[2].split()[11:13])
with open(f"/proc/{process}/status") as status:
    peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
seconds = sum(batch["batchDuration"] for batch in batches) / 1000
with open(f"{place}/figures", "w") as figures:
    print(seconds, len(batches), ticks / os.sysconf("SC_CLK_TCK"), peak, file=figures)

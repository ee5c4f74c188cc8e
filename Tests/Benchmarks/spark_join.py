"""Joins in Spark Structured Streaming, for `Benchmarks --with-spark`.

spark_join.py JOB INPUT PLACE CORES DELAY_MS BOUND_MS: reads the streams of JOB below INPUT, one file of each a batch,
writes JSON to PLACE/out, keeps its checkpoint in PLACE/checkpoint, and leaves in PLACE/figures: seconds in batches,
batches, seconds of CPU of the virtual machine, its peak memory in bytes. JOB is `visits-ads` (visits and ads) or
`chain` (a, x and y).
"""

import os
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

job, source, place, cores, delay, bound = sys.argv[1:7]
seconds = int(bound) / 1000

spark = (
    SparkSession.builder.master(f"local[{cores}]")
    .appName(job)
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


def stream(name, schema, time):
    rows = spark.readStream.schema(schema).option("maxFilesPerTrigger", 1).json(f"{source}/{name}")
    return rows.withWatermark(time, f"{delay} milliseconds").alias(name)


def visits_ads():
    visits = stream("visits", "visit_id string, event_time timestamp, page string", "event_time")
    ads = stream("ads", "page string, display_time timestamp, campaign_name string", "display_time")
    bounds = f.expr(
        "visits.page = ads.page and display_time >= event_time"
        f" and display_time <= event_time + interval {seconds} seconds"
    )
    return visits.join(ads, bounds, "left_outer").select(
        "visit_id", "event_time", f.col("visits.page").alias("visit_page"),
        f.col("ads.page").alias("page"), "display_time", "campaign_name",
    )


def chain():
    def renamed(name):
        rows = stream(name, "id string, page string, event_time timestamp", "event_time")
        return rows.select(
            f.col("id").alias(name), f.col("page").alias(f"{name}_page"), f.col("event_time").alias(f"{name}_time")
        )

    def joined(left, name):
        bounds = f.expr(
            f"a_page = {name}_page and {name}_time >= a_time - interval {seconds} seconds"
            f" and {name}_time <= a_time + interval {seconds} seconds"
        )
        return left.join(renamed(name), bounds, "left_outer")

    # Two columns with a mark are one too many for the second join, whose bound names that of `a`.
    pairs = joined(renamed("a"), "x").withColumn("x_time", f.expr("x_time + interval 0 seconds"))
    return joined(pairs, "y").select("a", "x", "y")


rows = {"visits-ads": visits_ads, "chain": chain}[job]()
# Text, so that a row has the bytes that Sluice's has.
written = rows.select(
    f.to_json(f.struct("*"), {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"}).alias("value")
)

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
batch_seconds = sum(batch["batchDuration"] for batch in batches) / 1000
with open(f"{place}/figures", "w") as figures:
    print(batch_seconds, len(batches), ticks / os.sysconf("SC_CLK_TCK"), peak, file=figures)

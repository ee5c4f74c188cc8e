"""The visits-ads join in Spark Structured Streaming, for `Benchmarks --with-spark`.

spark_join.py INPUT PLACE CORES DELAY_MS BOUND_MS: reads INPUT/visits and INPUT/ads, one file of each a batch, writes
JSON to PLACE/out, keeps its checkpoint in PLACE/checkpoint, and leaves in PLACE/figures: seconds in
batches, batches, seconds of CPU of the virtual machine, its peak memory in bytes.
"""

import os
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

source, place, cores, delay, bound = sys.argv[1:6]

spark = (
    SparkSession.builder.master(f"local[{cores}]")
    .appName("visits-ads")
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


visits = stream("visits", "visit_id string, event_time timestamp, page string", "event_time")
ads = stream("ads", "page string, display_time timestamp, campaign_name string", "display_time")
bounds = f.expr(
    "visits.page = ads.page and display_time >= event_time"
    f" and display_time <= event_time + interval {int(bound) / 1000} seconds"
)
joined = visits.join(ads, bounds, "left_outer").select(
    "visit_id", "event_time", f.col("visits.page").alias("visit_page"),
    f.col("ads.page").alias("page"), "display_time", "campaign_name",
)
# Text, so that a row has the bytes that Sluice's has.
written = joined.select(
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
seconds = sum(batch["batchDuration"] for batch in batches) / 1000
with open(f"{place}/figures", "w") as figures:
    print(seconds, len(batches), ticks / os.sysconf("SC_CLK_TCK"), peak, file=figures)

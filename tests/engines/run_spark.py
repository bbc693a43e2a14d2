"""Runs statements, then queries, in Spark: cases of both as JSON in, rows of the queries as JSON out."""
import json
import sys
import tempfile

from pyspark.sql import SparkSession

cases = json.load(sys.stdin)
with tempfile.TemporaryDirectory() as folder:
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.warehouse.dir", folder)
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    answers = []
    for case in cases:
        for statement in case["statements"]:
            spark.sql(statement)
        answers.append({name: [list(row) for row in spark.sql(query).collect()] for name, query in case["queries"].items()})
    json.dump(answers, sys.stdout)
    spark.stop()

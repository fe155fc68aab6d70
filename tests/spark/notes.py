"""Reads a dataset of an archive with Spark and with DuckDB and compares what they see.

    python tests/spark/notes.py ARCHIVE DATASET

Wants Java 17 and, in its Python, pyspark and duckdb. Counts rows, adds up every column of numbers,
counts the values of every other one, and takes the newest version of each key. Ends with 1 when the
two differ.
"""

import glob
import sys

import duckdb
from pyspark.sql import SparkSession, Window, functions as F


def spark_frame(files):
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    # A column that was whole and is real is read file by file: Spark widens no column by itself.
    frames = []
    for file in files:
        frame = spark.read.parquet("file://" + file)
        for name, kind in frame.dtypes:
            if kind == "bigint":
                frame = frame.withColumn(name, F.col(name).cast("double"))
        frames.append(frame.withColumn("pipeline", F.lit(file.split("/")[-4])))
    whole = frames[0]
    for frame in frames[1:]:
        whole = whole.unionByName(frame, allowMissingColumns=True)
    return whole


def of_spark(frame, numbers, others):
    sums = [F.sum(F.col(name)) for name in numbers] + [F.count(F.col(name)) for name in others]
    return [frame.count()] + list(frame.agg(*sums).first())


def of_duckdb(db, table, numbers, others):
    sums = [f'sum("{name}"::DOUBLE)' for name in numbers] + [f'count("{name}")' for name in others]
    return list(db.execute(f"SELECT count(*), {', '.join(sums)} FROM {table}").fetchone())


def main(archive, dataset):
    files = sorted(glob.glob(f"{archive}/{dataset}/*/dt=*/run=*/*.parquet"))
    if not files:
        sys.exit(f"{archive} has no Parquet files of {dataset}")
    frame = spark_frame(files)
    numbers = sorted(name for name, kind in frame.dtypes if kind == "double")
    others = sorted(name for name, kind in frame.dtypes if kind != "double")
    db = duckdb.connect()
    db.execute(
        f"""CREATE VIEW found AS SELECT *, regexp_extract(filename, '{dataset}/([^/]+)/dt=', 1) AS pipeline
        FROM read_parquet('{archive}/{dataset}/*/dt=*/run=*/*.parquet', union_by_name=true, filename=true)"""
    )
    db.execute(
        """CREATE VIEW newest AS SELECT * FROM found
        QUALIFY row_number() OVER (PARTITION BY pipeline, _key ORDER BY _run DESC) = 1"""
    )
    order = Window.partitionBy("pipeline", "_key").orderBy(F.col("_run").desc())
    newest = frame.withColumn("nth", F.row_number().over(order)).where("nth = 1").drop("nth")
    same = True
    for name, ours, table in [("all rows", frame, "found"), ("newest versions", newest, "newest")]:
        spark, duck = of_spark(ours, numbers, others), of_duckdb(db, table, numbers, others)
        same = same and spark == duck
        print(f"{name}: {spark[0]} rows; {'the same' if spark == duck else f'Spark {spark}, DuckDB {duck}'}")
    print("columns:", ", ".join(f"{name} {kind}" for name, kind in frame.dtypes))
    sys.exit(0 if same else 1)


main(sys.argv[1].rstrip("/"), sys.argv[2])

"""Asks DuckDB the queries on stdin, one a line, of an archive's dataset; prints the best seconds of three each."""

import sys
import time

import duckdb

files = f"read_parquet('{sys.argv[1]}/llm_summaries/*/dt=*/run=*/*.parquet', hive_partitioning=true, union_by_name=true)"
newest = "SELECT * FROM llm_summaries QUALIFY row_number() OVER (PARTITION BY _key ORDER BY _run DESC) = 1"


def seconds(query):
    begun = time.monotonic()
    db = duckdb.connect()
    db.execute(f"CREATE VIEW llm_summaries AS SELECT * FROM {files}")
    db.execute(f"CREATE VIEW llm_summaries_newest AS {newest}")
    rows = len(db.execute(query).fetchall())
    return time.monotonic() - begun, rows


for query in sys.stdin.read().splitlines():
    best, rows = min(seconds(query) for _ in range(3))
    print(best, rows, flush=True)

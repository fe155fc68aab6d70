"""Asks DuckDB what it makes of an archive's dataset, and of files that were exported from it."""

import json
import sys
import duckdb

nas, exported = sys.argv[1], sys.argv[2]
db = duckdb.connect()
files = f"read_parquet('{nas}/notes/*/dt=*/run=*/*.parquet', union_by_name=true, hive_partitioning=true, filename=true)"
db.execute(f"CREATE VIEW notes AS SELECT *, regexp_extract(filename, 'notes/([^/]+)/dt=', 1) AS pipeline FROM {files}")


def rows(sql):
    return [list(row) for row in db.execute(sql).fetchall()]


def told(table):
    sums = f"""SELECT pipeline, count(*), sum(score), count(DISTINCT title), count(language), count(draft),
        count(*) FILTER (WHERE draft), CAST(min(dt) AS VARCHAR), CAST(max(dt) AS VARCHAR)
        FROM {table} GROUP BY pipeline ORDER BY pipeline"""
    return rows(sums)


newest = """(SELECT * FROM notes QUALIFY row_number() OVER (PARTITION BY pipeline, _key ORDER BY _run DESC) = 1)"""
schema = {row[0]: row[1] for row in db.execute("DESCRIBE notes").fetchall() if row[0] != "filename"}
single = f"read_parquet('{exported}')"
print(json.dumps({
    "schema": schema,
    "all": told("notes"),
    "newest": told(newest),
    "exported": told(single),
    "exported_schema": {row[0]: row[1] for row in db.execute(f"DESCRIBE SELECT * FROM {single}").fetchall()},
    "keys": rows(f"SELECT pipeline, _key, _run FROM {newest} ORDER BY 1, 2"),
}))

-- Ledger, version 1. Times are milliseconds since 1970 (UTC) unless a column says otherwise.
CREATE TABLE tm_meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The schema versions of stages that keep tables of their own in this file.
CREATE TABLE tm_schemas (
  component TEXT PRIMARY KEY,
  version   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tm_pipelines (
  pipeline_no INTEGER PRIMARY KEY,
  name        TEXT NOT NULL UNIQUE,
  archive     TEXT,            -- JSON: root and retention, as the pipeline's code said last
  tables      TEXT NOT NULL DEFAULT '[]'  -- JSON: names of the published tables
) STRICT;

-- What a pipeline chose once and keeps: the model that `auto` found.
CREATE TABLE tm_choices (
  pipeline_no INTEGER NOT NULL,
  name        TEXT NOT NULL,
  value       TEXT NOT NULL,
  PRIMARY KEY (pipeline_no, name)
) STRICT, WITHOUT ROWID;

-- Chains of steps as they were: one row per distinct chain of a pipeline.
CREATE TABLE tm_plans (
  plan_no     INTEGER PRIMARY KEY,
  pipeline_no INTEGER NOT NULL,
  hash        BLOB NOT NULL,
  body        TEXT NOT NULL,
  UNIQUE (pipeline_no, hash)
) STRICT;

CREATE TABLE tm_runs (
  run_no        INTEGER PRIMARY KEY,
  id            TEXT NOT NULL UNIQUE,
  pipeline_no   INTEGER NOT NULL,
  plan_no       INTEGER NOT NULL,
  source        BLOB NOT NULL,     -- fingerprint of the source and its arguments
  trigger       TEXT NOT NULL,
  scheduled_for TEXT NOT NULL,     -- nominal local time
  attempt       INTEGER NOT NULL,
  dt            TEXT NOT NULL,     -- local date of scheduled_for
  state         TEXT NOT NULL CHECK (state IN ('running', 'halted', 'abandoned', 'published', 'finished')),
  source_done   INTEGER NOT NULL DEFAULT 0,
  cursor        TEXT,              -- the source's, within this run
  started_at    INTEGER NOT NULL,
  ended_at      INTEGER,
  changed_rows  INTEGER NOT NULL DEFAULT 0,
  report        TEXT
) STRICT;
CREATE INDEX tm_runs_by_pipeline ON tm_runs (pipeline_no, run_no);

-- What a source yielded, recorded before it is worked on.
CREATE TABLE tm_items (
  run_no  INTEGER NOT NULL,
  seq     INTEGER NOT NULL,
  key     TEXT NOT NULL,
  item    BLOB,               -- NULL when the source could not read it
  content BLOB,
  note    TEXT,
  state   INTEGER NOT NULL DEFAULT 0,   -- 0 open, 1 done, 2 waiting, 3 parked, 4 unchanged, 5 carried
  stage   TEXT,
  reason  TEXT,
  message TEXT,
  help    TEXT,
  PRIMARY KEY (run_no, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX tm_items_by_key ON tm_items (run_no, key);
CREATE INDEX tm_items_waiting ON tm_items (run_no, seq) WHERE state = 2;

-- Run memory: each remembered step's output within its run.
CREATE TABLE tm_steps (
  run_no      INTEGER NOT NULL,
  seq         INTEGER NOT NULL,
  stage_no    INTEGER NOT NULL,
  fingerprint BLOB NOT NULL,
  input       BLOB NOT NULL,
  output      BLOB NOT NULL,
  PRIMARY KEY (run_no, seq, stage_no)
) STRICT, WITHOUT ROWID;

-- Call memory: answers that were paid for, kept across runs.
CREATE TABLE tm_calls (
  key     BLOB PRIMARY KEY,
  answer  BLOB NOT NULL,
  run_no  INTEGER NOT NULL,
  made_at INTEGER NOT NULL,
  ms      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Item memory: what the last published run knew of a key.
CREATE TABLE tm_memory (
  pipeline_no INTEGER NOT NULL,
  key         TEXT NOT NULL,
  content     BLOB,
  note        TEXT,
  outcome     INTEGER NOT NULL,    -- 1 done, 3 parked
  plan_no     INTEGER NOT NULL,
  run_no      INTEGER NOT NULL,
  PRIMARY KEY (pipeline_no, key)
) STRICT, WITHOUT ROWID;

-- A key that was looked at and found as it was.
CREATE TABLE tm_observations (
  run_no  INTEGER NOT NULL,
  key     TEXT NOT NULL,
  note    TEXT,               -- what its source wants to find next time, when that is new
  at      INTEGER NOT NULL,
  PRIMARY KEY (run_no, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE tm_parked (
  pipeline_no INTEGER NOT NULL,
  key         TEXT NOT NULL,
  run_no      INTEGER NOT NULL,
  seq         INTEGER NOT NULL,
  stage       TEXT NOT NULL,
  reason      TEXT NOT NULL,
  message     TEXT NOT NULL,
  help        TEXT,
  at          INTEGER NOT NULL,
  PRIMARY KEY (pipeline_no, key)
) STRICT, WITHOUT ROWID;

-- Where a pipeline's source stands after its last published run.
CREATE TABLE tm_cursors (
  pipeline_no INTEGER NOT NULL,
  source      TEXT NOT NULL,
  cursor      TEXT NOT NULL,
  PRIMARY KEY (pipeline_no, source)
) STRICT, WITHOUT ROWID;

-- What file sinks get back when the run is sealed.
CREATE TABLE tm_spool (
  run_no INTEGER NOT NULL,
  sink   INTEGER NOT NULL,
  seq    INTEGER NOT NULL,
  item   BLOB NOT NULL,
  PRIMARY KEY (run_no, sink, seq)
) STRICT, WITHOUT ROWID;

-- Archives this mill has met: the guard against a wrong disk.
CREATE TABLE tm_archives (
  root    TEXT PRIMARY KEY,
  id      TEXT NOT NULL,
  label   TEXT,
  seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The files of runs, and how far their way to the archive is.
CREATE TABLE tm_artifacts (
  run_no  INTEGER NOT NULL,
  dataset TEXT NOT NULL,
  name    TEXT NOT NULL,
  PRIMARY KEY (run_no, dataset, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE tm_offloads (
  run_no   INTEGER NOT NULL,
  dataset  TEXT NOT NULL,
  state    TEXT NOT NULL CHECK (state IN ('sealed', 'planned', 'committed', 'retiring', 'retired', 'done', 'pruned')),
  archive  TEXT,                  -- the archive's id, once planned
  root     TEXT,                  -- where that archive was mounted
  folder   TEXT,                  -- relative to the root, once committed
  bytes    INTEGER NOT NULL DEFAULT 0,
  files    INTEGER NOT NULL DEFAULT 0,
  note     TEXT,                  -- why it waits
  PRIMARY KEY (run_no, dataset)
) STRICT, WITHOUT ROWID;

-- Which earlier runs' bodies a run refers to instead of storing them again: retention keeps them.
CREATE TABLE tm_references (
  run_no  INTEGER NOT NULL,
  dataset TEXT NOT NULL,
  run     TEXT NOT NULL,          -- the id of the run that holds the bodies
  PRIMARY KEY (run_no, dataset, run)
) STRICT, WITHOUT ROWID;

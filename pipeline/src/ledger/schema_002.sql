-- Ledger, version 2: runs name their owner and their progress; what a run made known (item memory,
-- parked items, cursor) is kept by run and counts once that run is published, so that it can be
-- written before the publish and taken back by a rollback; items may enter behind the source.
CREATE TABLE tm_runs_2 (
  run_no        INTEGER PRIMARY KEY,
  id            TEXT NOT NULL UNIQUE,
  pipeline_no   INTEGER NOT NULL,
  plan_no       INTEGER NOT NULL,
  source        BLOB NOT NULL,     -- fingerprint of the source and its arguments
  source_name   TEXT NOT NULL,
  trigger       TEXT NOT NULL,
  scheduled_for TEXT NOT NULL,     -- nominal local time
  attempt       INTEGER NOT NULL,
  dt            TEXT NOT NULL,     -- local date of scheduled_for
  state         TEXT NOT NULL CHECK (state IN
    ('running', 'interrupted', 'halted', 'abandoned', 'trial', 'published', 'finished', 'rolled_back')),
  source_done   INTEGER NOT NULL DEFAULT 0,
  cursor        TEXT,              -- the source's; counts for later runs once this one is published
  started_at    INTEGER NOT NULL,
  ended_at      INTEGER,
  changed_rows  INTEGER NOT NULL DEFAULT 0,
  repeated_keys INTEGER NOT NULL DEFAULT 0,
  report        TEXT,
  boot          TEXT,              -- the owner at work: boot id, process, last sign of life
  pid           INTEGER,
  beat_at       INTEGER,
  progress      TEXT,              -- JSON: how far it is
  memory        INTEGER NOT NULL DEFAULT 0,  -- 1 when rows of tm_memory were written for it
  cleaned       INTEGER NOT NULL DEFAULT 0   -- 1 spool, steps and staging are gone; 2 items and undo are going, 3 gone
) STRICT;
INSERT INTO tm_runs_2 (run_no, id, pipeline_no, plan_no, source, source_name, trigger, scheduled_for,
    attempt, dt, state, source_done, cursor, started_at, ended_at, changed_rows, report, memory)
  SELECT r.run_no, r.id, r.pipeline_no, r.plan_no, r.source, coalesce(json_extract(p.body, '$[0].name'), ''),
         r.trigger, r.scheduled_for, r.attempt, r.dt, r.state, r.source_done, r.cursor, r.started_at,
         r.ended_at, r.changed_rows, r.report, r.state IN ('published', 'finished')
    FROM tm_runs r LEFT JOIN tm_plans p USING (plan_no);
DROP TABLE tm_runs;
ALTER TABLE tm_runs_2 RENAME TO tm_runs;
CREATE INDEX tm_runs_by_pipeline ON tm_runs (pipeline_no, run_no);
DROP TABLE tm_cursors;

-- States: 0 open, 1 done, 2 waiting, 3 parked, 4 unchanged, 6 split into others, 7 merged into another.
ALTER TABLE tm_items ADD COLUMN entry INTEGER NOT NULL DEFAULT 0;  -- the step behind which it enters: 0 the source
ALTER TABLE tm_items ADD COLUMN passing INTEGER NOT NULL DEFAULT 0;  -- parked, but not for its content
ALTER TABLE tm_items ADD COLUMN taken_by INTEGER;  -- the run that took a waiting item over
DELETE FROM tm_items WHERE state = 5;
DROP INDEX tm_items_by_key;
DROP INDEX tm_items_waiting;
-- Open, waiting, parked: what is not at its end. Not written as IN (0, 2, 3), for which SQLite would make a
-- table in memory at each write.
CREATE INDEX tm_items_open ON tm_items (run_no, seq) WHERE state < 4 AND state <> 1;

-- A key that was looked at and found as it was is an item row too.
INSERT INTO tm_items (run_no, seq, key, note, state)
  SELECT o.run_no,
         row_number() OVER (PARTITION BY o.run_no ORDER BY o.at, o.key)
           + (SELECT coalesce(max(seq), 0) FROM tm_items i WHERE i.run_no = o.run_no),
         o.key, o.note, 4
    FROM tm_observations o
   WHERE o.key NOT IN (SELECT key FROM tm_items i WHERE i.run_no = o.run_no AND i.state = 4);
DROP TABLE tm_observations;

CREATE TABLE tm_memory_2 (
  pipeline_no INTEGER NOT NULL,
  key         TEXT NOT NULL,
  run_no      INTEGER NOT NULL,    -- the newest published one counts
  content     BLOB,
  note        TEXT,
  outcome     INTEGER NOT NULL,    -- 1 done, 3 parked
  plan_no     INTEGER NOT NULL,
  PRIMARY KEY (pipeline_no, key, run_no)
) STRICT, WITHOUT ROWID;
INSERT INTO tm_memory_2 (pipeline_no, key, run_no, content, note, outcome, plan_no)
  SELECT pipeline_no, key, run_no, content, note, outcome, plan_no FROM tm_memory ORDER BY 1, 2, 3;
DROP TABLE tm_memory;
ALTER TABLE tm_memory_2 RENAME TO tm_memory;

CREATE TABLE tm_parked_2 (
  pipeline_no INTEGER NOT NULL,
  key         TEXT NOT NULL,
  run_no      INTEGER NOT NULL,
  seq         INTEGER NOT NULL,
  stage       TEXT NOT NULL,
  reason      TEXT NOT NULL,
  message     TEXT NOT NULL,
  help        TEXT,
  at          INTEGER NOT NULL,
  PRIMARY KEY (pipeline_no, key, run_no)
) STRICT, WITHOUT ROWID;
INSERT INTO tm_parked_2 SELECT pipeline_no, key, run_no, seq, stage, reason, message, help, at FROM tm_parked;
DROP TABLE tm_parked;
ALTER TABLE tm_parked_2 RENAME TO tm_parked;

-- What is parked now: published, and neither through nor parked again since. What a source could
-- not read counts until a run of the same source has tried it again.
CREATE VIEW tm_parked_now AS
  SELECT k.* FROM tm_parked k JOIN tm_runs r USING (run_no)
   WHERE r.state IN ('published', 'finished')
     AND NOT EXISTS (SELECT 1 FROM tm_parked l JOIN tm_runs s USING (run_no)
           WHERE l.pipeline_no = k.pipeline_no AND l.key = k.key AND l.run_no > k.run_no
             AND s.state IN ('published', 'finished'))
     AND NOT EXISTS (SELECT 1 FROM tm_memory m JOIN tm_runs s USING (run_no)
           WHERE m.pipeline_no = k.pipeline_no AND m.key = k.key AND m.run_no > k.run_no
             AND m.outcome = 1 AND s.state IN ('published', 'finished'))
     AND (EXISTS (SELECT 1 FROM tm_items i WHERE i.run_no = k.run_no AND i.seq = k.seq AND i.item IS NOT NULL)
       OR NOT EXISTS (SELECT 1 FROM tm_runs n
           WHERE n.pipeline_no = k.pipeline_no AND n.run_no > k.run_no AND n.source = r.source
             AND n.state IN ('published', 'finished')));

-- What a person took off that list for good: when it fails for the same reason again, nobody is told.
CREATE TABLE tm_dropped (
  pipeline_no INTEGER NOT NULL,
  key         TEXT NOT NULL,
  reason      TEXT NOT NULL,
  PRIMARY KEY (pipeline_no, key)
) STRICT, WITHOUT ROWID;

-- What waits now: in a published run, and not taken over by one that is published too.
CREATE VIEW tm_waiting_now AS
  SELECT r.pipeline_no, i.run_no, i.seq, i.key, i.reason
    FROM tm_runs r JOIN tm_items i USING (run_no) LEFT JOIN tm_runs t ON t.run_no = i.taken_by
   WHERE r.state IN ('published', 'finished') AND i.state < 4 AND i.state <> 1 AND i.state = 2
     AND (t.run_no IS NULL OR t.state NOT IN ('published', 'finished'));

CREATE INDEX tm_calls_by_age ON tm_calls (made_at);

-- What other programs ask of the one that owns the home.
CREATE TABLE tm_requests (
  request_no INTEGER PRIMARY KEY,
  verb       TEXT NOT NULL,
  body       TEXT NOT NULL,        -- JSON: its arguments
  made_at    INTEGER NOT NULL,
  taken_at   INTEGER,
  done_at    INTEGER,
  answer     TEXT                  -- JSON
) STRICT;

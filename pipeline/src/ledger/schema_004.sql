-- Ledger, version 4: runs that work on archived items again, and what answers cost.
ALTER TABLE tm_runs ADD COLUMN replay TEXT;  -- JSON: which archived items it works on; NULL: its source yields

-- Of an archived item: the date that it is filed under, and its files too.
ALTER TABLE tm_items ADD COLUMN dt TEXT;

-- 1: the key was found as it was, and only what its source wants to find next time is new.
ALTER TABLE tm_memory ADD COLUMN renewed INTEGER NOT NULL DEFAULT 0;

-- What a step's answer for a key cost, by the step as it was prepared: a replay is foreseen from it.
CREATE TABLE tm_costs (
  pipeline_no   INTEGER NOT NULL,
  key           TEXT NOT NULL,
  step          TEXT NOT NULL,     -- its name; from the second of this name on with its number
  fingerprint   BLOB NOT NULL,
  run_no        INTEGER NOT NULL,
  calls         INTEGER NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  measure       TEXT,              -- JSON: what the step tells its calls from
  PRIMARY KEY (pipeline_no, key, step, fingerprint)
) STRICT, WITHOUT ROWID;

-- What waits now. What a replay left is not taken over: the same replay finds it again.
DROP VIEW tm_waiting_now;
CREATE VIEW tm_waiting_now AS
  SELECT r.pipeline_no, i.run_no, i.seq, i.key, i.reason
    FROM tm_runs r JOIN tm_items i USING (run_no) LEFT JOIN tm_runs t ON t.run_no = i.taken_by
   WHERE r.state IN ('published', 'finished') AND r.replay IS NULL
     AND i.state < 4 AND i.state <> 1 AND i.state = 2
     AND (t.run_no IS NULL OR t.state NOT IN ('published', 'finished'));

-- Ledger, version 3: schedules, what was decided at each of their times, jobs that the home itself
-- remembers, and notices on their way to a person.
CREATE TABLE tm_schedules (
  schedule_no INTEGER PRIMARY KEY,
  pipeline    TEXT NOT NULL UNIQUE,  -- a schedule has the name of its pipeline
  origin      TEXT NOT NULL CHECK (origin IN ('code', 'home')),
  timing      TEXT NOT NULL,         -- JSON: schedule, zone, policy
  anchor      INTEGER NOT NULL,      -- since when it is as it is, ms since 1970: `every` counts from here
  decided_to  INTEGER NOT NULL,      -- its times up to this one are decided, ms since 1970
  upstream_no INTEGER NOT NULL DEFAULT 0,  -- of `after`: runs of the other pipeline up to this one are
  paused_at   INTEGER,
  gone        INTEGER NOT NULL DEFAULT 0   -- 1: neither in the code nor remembered any more
) STRICT;

CREATE TABLE tm_firings (
  firing_no     INTEGER PRIMARY KEY,
  schedule_no   INTEGER NOT NULL,
  scheduled_for TEXT NOT NULL,             -- nominal local time
  cause         TEXT NOT NULL DEFAULT '',  -- of `after`: the run that it comes after
  fire_at       INTEGER NOT NULL,          -- when that is, ms since 1970
  decided_at    INTEGER NOT NULL,
  decision      TEXT NOT NULL CHECK (decision IN ('fired', 'queued', 'skipped', 'missed', 'coalesced')),
  reason        TEXT NOT NULL,
  times         INTEGER,                   -- how many times up to this one it stands for; NULL: not counted
  tries         INTEGER NOT NULL DEFAULT 0,  -- how often its run was begun
  failures      INTEGER NOT NULL DEFAULT 0,  -- how often it failed; a kill is no failure
  next_try_at   INTEGER,
  ended_at      INTEGER,
  outcome       TEXT,
  UNIQUE (schedule_no, scheduled_for, cause)
) STRICT;
CREATE INDEX tm_firings_open ON tm_firings (schedule_no, firing_no)
  WHERE ended_at IS NULL AND decision IN ('fired', 'queued');

-- What is at work for a request: a run's id.
ALTER TABLE tm_requests ADD COLUMN note TEXT;

-- Which decision a run carries out.
ALTER TABLE tm_runs ADD COLUMN firing_no INTEGER;
CREATE INDEX tm_runs_by_firing ON tm_runs (firing_no) WHERE firing_no IS NOT NULL;

-- Jobs without a program: what they are made from, by the program that knows how.
CREATE TABLE tm_jobs (
  pipeline TEXT PRIMARY KEY,
  kind     TEXT NOT NULL,
  body     TEXT NOT NULL,             -- JSON
  archive  TEXT,
  made_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tm_notices (
  notice_no   INTEGER PRIMARY KEY,
  target      TEXT NOT NULL,
  kind        TEXT NOT NULL,
  subject     TEXT NOT NULL,          -- what it is about: who was told lately is not told again
  body        TEXT NOT NULL,          -- JSON
  made_at     INTEGER NOT NULL,
  tries       INTEGER NOT NULL DEFAULT 0,
  next_try_at INTEGER NOT NULL,
  sent_at     INTEGER,
  given_up_at INTEGER,
  error       TEXT
) STRICT;
CREATE INDEX tm_notices_open ON tm_notices (next_try_at) WHERE sent_at IS NULL AND given_up_at IS NULL;
CREATE INDEX tm_notices_by_kind ON tm_notices (kind, subject, made_at);

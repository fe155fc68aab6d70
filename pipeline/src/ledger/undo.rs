//! Undo: what a publish replaced, kept for the last runs, and the way back to it.
//!
//! A published table has a primary key and a column `_run` with the id of the run that wrote the
//! row. What a run replaced lies in `tm_undo_<table>`, with the same columns; what it added is
//! recognised by its `_run`.

use super::{Read, RunRow, RunState, Tx, memory, quoted, runs};
use crate::{Error, Result, crash};
use rusqlite::params;

/// So many of a pipeline's published runs can be taken back.
pub(crate) const KEPT_RUNS: u32 = 3;

fn undo_of(table: &str) -> String {
    format!("tm_undo_{table}")
}

impl Tx<'_> {
    /// Runs `work`, and keeps each row of a published table that it changes or replaces, so that
    /// the run can be taken back. A run whose `work` deletes rows for good cannot.
    ///
    /// # Errors
    /// With the error of `work`; when the table is not there.
    pub fn keeping_replaced<T>(
        &self,
        table: &str,
        run_no: i64,
        work: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        let columns = follow(self, table)?;
        let all: Vec<_> = columns.iter().map(|column| quoted(&column.name)).collect();
        let (names, old) = (all.join(", "), format!("OLD.{}", all.join(", OLD.")));
        let (target, undo) = (quoted(table), quoted(&undo_of(table)));
        // Of a row that is replaced twice in a run, the first one is the former one. Not OR IGNORE:
        // the conflict rule of the statement that fires a trigger overrules that of the trigger.
        let keys = columns.iter().filter(|column| column.key > 0);
        let same = keys.map(|column| format!("k.{0} IS OLD.{0}", quoted(&column.name)));
        let same = same.collect::<Vec<_>>().join(" AND ");
        let keep = format!(
            "INSERT INTO main.{undo} (tm_run, {names}) SELECT {run_no}, {old} WHERE NOT EXISTS
               (SELECT 1 FROM main.{undo} k WHERE k.tm_run = {run_no} AND {same})"
        );
        self.batch(&format!(
            "CREATE TEMP TRIGGER tm_keep_update BEFORE UPDATE ON main.{target} BEGIN {keep}; END;
             CREATE TEMP TRIGGER tm_keep_delete BEFORE DELETE ON main.{target} BEGIN {keep}; END;"
        ))?;
        let worked = work(self);
        self.batch("DROP TRIGGER temp.tm_keep_update; DROP TRIGGER temp.tm_keep_delete;")?;
        worked
    }
}

/// Makes the undo table of a published one, or gives it the columns that are new; returns them all.
fn follow(tx: &Tx<'_>, table: &str) -> Result<Vec<Column>> {
    let columns = columns(tx, table)?;
    if columns.is_empty() {
        return Err(Error::halt(format!("there is no table `{table}` to publish into")));
    }
    let keys: Vec<_> = columns.iter().filter(|c| c.key > 0).map(|c| quoted(&c.name)).collect();
    let all: Vec<_> = columns.iter().map(|c| format!("{} {}", quoted(&c.name), c.kind)).collect();
    let undo = quoted(&undo_of(table));
    tx.batch(&format!(
        "CREATE TABLE IF NOT EXISTS {undo} (tm_run INTEGER NOT NULL, {}, PRIMARY KEY (tm_run, {})) STRICT, WITHOUT ROWID",
        all.join(", "),
        keys.join(", ")
    ))?;
    let there = self::columns(tx, &undo_of(table))?;
    for column in columns.iter().filter(|c| !there.iter().any(|t| t.name == c.name)) {
        let sql = format!("ALTER TABLE {undo} ADD COLUMN {} {}", quoted(&column.name), column.kind);
        tx.batch(&sql)?;
    }
    Ok(columns)
}

struct Column {
    name: String,
    kind: String,
    key: i64,
}

fn columns(read: &Read<'_>, table: &str) -> Result<Vec<Column>> {
    let sql = "SELECT name, type, pk FROM pragma_table_info(?1)";
    read.all(sql, [table], |row| {
        Ok(Column { name: row.get(0)?, kind: row.get(1)?, key: row.get(2)? })
    })
}

/// What a rollback did.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RolledBack {
    /// The run that was taken back.
    pub run: String,
    /// Rows that it had replaced and that are as they were before.
    pub restored: u64,
    /// Rows that it had added and that are gone.
    pub removed: u64,
    /// Whether it was a replay.
    pub replayed: bool,
}

/// Takes a published run back: its tables hold what they held before, its items are unknown again,
/// its source stands where it stood. Its files stay in the archive.
pub(crate) fn rollback(tx: &Tx<'_>, id: &str, now: i64) -> Result<RolledBack> {
    let run = RunRow::by_id(tx, id)?.ok_or_else(|| {
        Error::halt(format!("there is no run {id}")).because("usage").help("`runs` lists them")
    })?;
    if !matches!(run.state, RunState::Published | RunState::Finished) {
        let what = run.state.as_str().replace('_', " ");
        return Err(Error::halt(format!("run {id} is {what}: there is nothing to take back"))
            .because("not_published"));
    }
    // Later ones may have been taken back: then an older run is among the last three again, but what
    // it replaced was swept long ago.
    let swept = "SELECT 1 FROM tm_runs WHERE run_no = ?1 AND cleaned >= 2";
    let swept = tx.one(swept, params![run.no], |_| Ok(()))?.is_some();
    if swept || run.no < oldest_kept(tx, run.pipeline_no)? {
        return Err(Error::halt(format!("run {id} is too old to be taken back"))
            .because("undo_gone")
            .help(format!("only the last {KEPT_RUNS} runs of a pipeline can be; older rows are in the archive's sqlite/ folder")));
    }
    check_cursor(tx, &run)?;
    let mut done =
        RolledBack { run: run.id.clone(), restored: 0, removed: 0, replayed: run.replay.is_some() };
    for table in tables(tx, &run)? {
        check_untouched(tx, &run, &table)?;
        restore(tx, &run, &table, &mut done)?;
        crash::point("rollback.inside");
    }
    // What is under way was built on it, and begins anew.
    for replays in [false, true] {
        runs::abandon(tx, run.pipeline_no, replays, now)?;
    }
    // Later runs that found these keys as they were, or did them again to the same end, relied on it.
    tx.execute(
        "DELETE FROM tm_memory WHERE pipeline_no = ?1 AND run_no > ?2 AND key IN
           (SELECT key FROM tm_memory WHERE pipeline_no = ?1 AND run_no = ?2)",
        params![run.pipeline_no, run.no],
    )?;
    // What it took over and had to leave waiting may be with a later run by now.
    tx.execute(
        "UPDATE tm_items SET taken_by = (SELECT own.taken_by FROM tm_items own
              WHERE own.run_no = ?1 AND own.key = tm_items.key AND own.taken_by IS NOT NULL LIMIT 1)
          WHERE taken_by = ?1 AND EXISTS (SELECT 1 FROM tm_items own
              WHERE own.run_no = ?1 AND own.key = tm_items.key AND own.taken_by IS NOT NULL)",
        params![run.no],
    )?;
    memory::forget(tx, &run)?;
    tx.execute("DELETE FROM tm_steps WHERE run_no = ?1", params![run.no])?;
    runs::set_state(tx, run.no, RunState::RolledBack, run.ended_at.unwrap_or(now), None)?;
    Ok(done)
}

/// The tables that the run filled: as its own plan says, whatever the pipeline fills today.
fn tables(read: &Read<'_>, run: &RunRow) -> Result<Vec<String>> {
    let sql = "SELECT DISTINCT step.value ->> 'fills' FROM tm_plans, json_each(body) step
                WHERE plan_no = ?1 AND step.value ->> 'verb' = 'store'";
    read.all(sql, params![run.plan_no], |row| row.get(0))
}

/// The number of the oldest run of a pipeline that can be taken back.
pub(crate) fn oldest_kept(read: &Read<'_>, pipeline_no: i64) -> Result<i64> {
    let sql = "SELECT min(run_no) FROM (SELECT run_no FROM tm_runs
                WHERE pipeline_no = ?1 AND state IN ('published', 'finished')
                ORDER BY run_no DESC LIMIT ?2)";
    Ok(read
        .one(sql, params![pipeline_no, KEPT_RUNS], |row| row.get::<_, Option<i64>>(0))?
        .flatten()
        .unwrap_or(0))
}

/// Refuses when the source has moved on since: what the run took from it would never come again.
fn check_cursor(read: &Read<'_>, run: &RunRow) -> Result<()> {
    let later = read.one(
        "SELECT l.id FROM tm_runs l JOIN tm_runs r ON r.run_no = ?1
          WHERE l.pipeline_no = r.pipeline_no AND l.run_no > r.run_no AND l.source_name = r.source_name
            AND r.cursor IS NOT NULL AND l.cursor IS NOT NULL
            AND l.state IN ('published', 'finished') ORDER BY l.run_no DESC LIMIT 1",
        params![run.no],
        |row| row.get::<_, String>(0),
    )?;
    let Some(later) = later else { return Ok(()) };
    Err(Error::halt(format!(
        "run {} cannot be taken back: the source has moved on since, in run {later}",
        run.id
    ))
    .because("touched_since")
    .help(format!("take the later runs back first, newest first: {later} is the newest")))
}

/// Refuses when a row that the run wrote is not as it left it.
fn check_untouched(read: &Read<'_>, run: &RunRow, table: &str) -> Result<()> {
    let (name, undo) = (quoted(table), quoted(&undo_of(table)));
    let columns = columns(read, &undo_of(table))?;
    if columns.is_empty() {
        return Err(Error::halt(format!(
            "the table `{table}` keeps no undo: its sink does not ask for it"
        ))
        .because("undo_gone")
        .help("a sink keeps it by publishing inside `Tx::keeping_replaced`"));
    }
    let keys: Vec<_> = columns.iter().filter(|c| c.key > 1).map(|c| quoted(&c.name)).collect();
    let same: Vec<_> = keys.iter().map(|key| format!("t.{key} = u.{key}")).collect();
    let shown = format!("u.{}", keys.join(" || ' ' || u."));
    // A later run has replaced a row of this one; or the row that this one put in another's place
    // is not there any more.
    let touched = [
        format!("SELECT {shown} FROM {undo} u WHERE tm_run > ?1 AND _run = ?2 LIMIT 3"),
        format!(
            "SELECT {shown} FROM {undo} u LEFT JOIN {name} t ON {}
              WHERE u.tm_run = ?1 AND t._run IS NOT ?2 LIMIT 3",
            same.join(" AND ")
        ),
    ];
    let mut found: Vec<String> = Vec::new();
    for sql in &touched {
        found.extend(read.all(sql, params![run.no, run.id], |row| {
            row.get_ref(0).map(|value| match value {
                rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                rusqlite::types::ValueRef::Integer(n) => n.to_string(),
                other => format!("{other:?}"),
            })
        })?);
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(Error::halt(format!(
        "run {} cannot be taken back: a later run or another program has written over rows of `{table}`, for instance {}",
        run.id,
        found.join(", ")
    ))
    .because("touched_since")
    .help("take the later runs back first, newest first: `runs` lists them"))
}

fn restore(tx: &Tx<'_>, run: &RunRow, table: &str, done: &mut RolledBack) -> Result<()> {
    let (name, undo) = (quoted(table), quoted(&undo_of(table)));
    let kept: Vec<_> = columns(tx, &undo_of(table))?
        .into_iter()
        .filter(|c| c.name != "tm_run")
        .map(|c| quoted(&c.name))
        .collect();
    let names = kept.join(", ");
    let gone = tx.execute(&format!("DELETE FROM {name} WHERE _run = ?1"), params![run.id])?;
    let back = tx.execute(
        &format!("INSERT INTO {name} ({names}) SELECT {names} FROM {undo} WHERE tm_run = ?1"),
        params![run.no],
    )?;
    tx.execute(&format!("DELETE FROM {undo} WHERE tm_run = ?1"), params![run.no])?;
    done.restored += back as u64;
    done.removed += gone.saturating_sub(back) as u64;
    Ok(())
}

//! A shelf of jars that stores well, or breaks one rule of ledger sinks.

use super::{all_are_broken, names};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use tidemill_pipeline::ledger::{Read, Tx, params};
use tidemill_pipeline::sink::{Origin, Write};
use tidemill_pipeline::testing::{LedgerSinkSuite, Rig};
use tidemill_pipeline::{Context, Error, Fingerprint, LedgerSink, Result, Step};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    OddName,
    OtherName,
    OtherVersion,
    OtherFingerprint,
    ReservedTable,
    RefusesAll,
    RefusesItsOwn,
    RefusesARow,
    StoresAtOnce,
    OtherTable,
    LeavesOneOut,
    TakesOneTwice,
    CountsOneMore,
    WritesTheSame,
    TakesParked,
    TakesStrays,
    StagesOnce,
    StagesTwice,
    KeepsTheOld,
    FirstWins,
    LastStagedWins,
    KeepsNothing,
    ForgetsItsRun,
    FailsInTheWrite,
    TakesAnything,
    OneRow,
}

const BROKEN: [(Fault, &str); 25] = [
    (Fault::OddName, "name_unusable"),
    (Fault::OtherName, "name_changes"),
    (Fault::OtherVersion, "version_changes"),
    (Fault::OtherFingerprint, "fingerprint_changes"),
    (Fault::ReservedTable, "table_unusable"),
    (Fault::RefusesAll, "check_refuses"),
    (Fault::RefusesItsOwn, "check_refuses"),
    (Fault::RefusesARow, "row_refused"),
    (Fault::StoresAtOnce, "rows_early"),
    (Fault::OtherTable, "table_missing"),
    (Fault::LeavesOneOut, "rows_missing"),
    (Fault::TakesOneTwice, "rows_doubled"),
    (Fault::CountsOneMore, "miscounted"),
    (Fault::WritesTheSame, "same_rows_change"),
    (Fault::TakesParked, "parked_row_published"),
    (Fault::TakesStrays, "stray_row_published"),
    (Fault::StagesOnce, "not_repeatable"),
    (Fault::StagesTwice, "resume_doubles"),
    (Fault::KeepsTheOld, "newer_ignored"),
    (Fault::FirstWins, "later_loses"),
    (Fault::LastStagedWins, "later_loses"),
    (Fault::ForgetsItsRun, "rollback_differs"),
    (Fault::FailsInTheWrite, "refusal_spreads"),
    (Fault::TakesAnything, "bad_row_taken"),
    (Fault::OneRow, "too_few"),
];

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Jar {
    name: String,
    grams: u32,
}

fn jar(name: &str, grams: u32) -> Jar {
    Jar { name: name.into(), grams }
}

struct Shelf {
    fault: Fault,
    made: u32,
}

impl Shelf {
    fn with(fault: Fault) -> impl Fn() -> Self {
        let made = AtomicU32::new(0);
        move || Self { fault, made: made.fetch_add(1, SeqCst) }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }
}

impl Step for Shelf {
    fn name(&self) -> &str {
        match self.fault {
            Fault::OddName => "shelf/1",
            Fault::OtherName if self.made > 0 => "board",
            _ => "shelf",
        }
    }

    fn version(&self) -> u32 {
        if self.is(Fault::OtherVersion) { self.made } else { 1 }
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&if self.is(Fault::OtherFingerprint) { self.made } else { 0 })
    }

    async fn prepare(&self, cx: &Context) -> Result<Fingerprint> {
        let (key, unique) = match self.fault {
            Fault::StagesTwice => ("", ""),
            _ => (" PRIMARY KEY", ", UNIQUE (run_no, seq)"),
        };
        let fits = if self.is(Fault::TakesAnything) { "" } else { " CHECK (grams < 1000)" };
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS shelf (name TEXT{key}, grams INTEGER, _run TEXT);
             CREATE TABLE IF NOT EXISTS staged (run_no, seq, name, grams{fits}{unique});"
        );
        cx.ledger().transaction(move |tx| tx.batch(&sql)).await?;
        Ok(self.fingerprint())
    }
}

impl LedgerSink<Jar> for Shelf {
    fn check(&self, read: &Read<'_>) -> Result<()> {
        let sql = "SELECT 1 FROM sqlite_schema WHERE name = 'shelf'";
        let there = read.one(sql, [], |_| Ok(()))?.is_some();
        if self.is(Fault::RefusesAll) || there && self.is(Fault::RefusesItsOwn) {
            return Err(Error::halt("there is no room for a shelf"));
        }
        Ok(())
    }

    fn stage(&self, jar: &Jar, origin: Origin) -> Result<Write> {
        let heavy = jar.grams >= 1000 && !self.is(Fault::FailsInTheWrite);
        if heavy && !self.is(Fault::TakesAnything) || jar.grams == 2 && self.is(Fault::RefusesARow)
        {
            return Err(Error::park("too heavy for the shelf"));
        }
        let or = if self.is(Fault::StagesOnce) { "" } else { "OR REPLACE" };
        let (jar, at_once) = (jar.clone(), self.is(Fault::StoresAtOnce));
        Ok(Box::new(move |tx| {
            let sql = format!("INSERT {or} INTO staged VALUES (?1, ?2, ?3, ?4)");
            tx.execute(&sql, params![origin.run_no, origin.seq, jar.name, jar.grams])?;
            if at_once {
                let sql = "INSERT OR REPLACE INTO shelf VALUES (?1, ?2, '')";
                tx.execute(sql, params![jar.name, jar.grams])?;
            }
            Ok(())
        }))
    }

    fn publish(&self, tx: &Tx<'_>, origin: &Origin) -> Result<u64> {
        if !self.is(Fault::TakesParked) {
            let sql = "DELETE FROM staged WHERE run_no = ?1 AND seq IN
                         (SELECT seq FROM tm_items WHERE run_no = ?1 AND state IN (0, 2, 3))";
            tx.execute(sql, params![origin.run_no])?;
        }
        let run = if self.is(Fault::ForgetsItsRun) { "" } else { &origin.run };
        let publish = |tx: &Tx<'_>| tx.execute(&self.publishing(), params![origin.run_no, run]);
        let changed = match self.fault {
            // A table without a key cannot be kept; nor need any be.
            Fault::StagesTwice | Fault::KeepsNothing => publish(tx)?,
            _ => tx.keeping_replaced("shelf", origin.run_no, publish)?,
        };
        if self.is(Fault::TakesOneTwice) {
            tx.batch("INSERT OR IGNORE INTO shelf VALUES ('one more', 1, '')")?;
        }
        tx.execute("DELETE FROM staged WHERE run_no = ?1", params![origin.run_no])?;
        Ok(changed as u64 + u64::from(self.is(Fault::CountsOneMore)))
    }

    fn table(&self) -> &str {
        match self.fault {
            Fault::ReservedTable => "tm_shelf",
            Fault::OtherTable => "shelves",
            _ => "shelf",
        }
    }
}

impl Shelf {
    /// The statement that moves staged rows over; `?1` is the run's number, `?2` its id.
    fn publishing(&self) -> String {
        if self.is(Fault::StagesTwice) {
            // A shelf without a key, to which everything is added that is not there yet.
            return "INSERT INTO shelf SELECT name, grams, ?2 FROM staged WHERE run_no = ?1
                      AND (name, grams) NOT IN (SELECT name, grams FROM shelf)"
                .into();
        }
        let winner = match self.fault {
            Fault::FirstWins => "min(seq)",
            Fault::LastStagedWins => "max(rowid)",
            _ => "max(seq)",
        };
        let of = if self.is(Fault::TakesStrays) { "run_no <= ?1" } else { "run_no = ?1" };
        let few = if self.is(Fault::LeavesOneOut) { "LIMIT 1" } else { "" };
        let conflict = match self.fault {
            Fault::KeepsTheOld => "NOTHING",
            Fault::WritesTheSame => "UPDATE SET grams = excluded.grams, _run = excluded._run",
            _ => {
                "UPDATE SET grams = excluded.grams, _run = excluded._run
                  WHERE grams <> excluded.grams"
            }
        };
        format!(
            "INSERT INTO shelf SELECT name, grams, ?2 FROM
               (SELECT name, grams, {winner} FROM staged WHERE {of} GROUP BY name {few})
              WHERE true ON CONFLICT DO {conflict}"
        )
    }
}

fn suite<F: Fn() -> Shelf>(make: F, rows: usize) -> LedgerSinkSuite<F, Jar> {
    let jars = [jar("barley", 1), jar("oats", 2), jar("rye", 3)];
    LedgerSinkSuite::of(make, jars.into_iter().take(rows), jar("barley", 10))
        .refuses(jar("flour", 5000))
}

#[tokio::test]
async fn a_good_shelf_passes_and_so_does_one_that_keeps_nothing() {
    for fault in [Fault::None, Fault::KeepsNothing] {
        suite(Shelf::with(fault), 3).check(&Rig::new().unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_broken_ledger_sink_is_told_which_rule_it_breaks() {
    for (fault, rule) in BROKEN {
        let rows = if fault == Fault::OneRow { 1 } else { 3 };
        names(rule, suite(Shelf::with(fault), rows).check(&Rig::new().unwrap()).await);
    }
    all_are_broken("ledger_sink.rs", BROKEN.into_iter().map(|(_, rule)| rule));
}

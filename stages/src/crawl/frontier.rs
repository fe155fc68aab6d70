//! The frontier: the addresses of a crawl, in the ledger, each asked for once per run.

use tidemill_pipeline::ledger::{Ledger, Read, Tx, params};
use tidemill_pipeline::{Fingerprint, Result};

const SCRIPTS: &[&str] = &["
CREATE TABLE tm_crawl_frontier (
  run_no   INTEGER NOT NULL,
  url      TEXT NOT NULL,
  ord      INTEGER NOT NULL,   -- the order of discovery
  depth    INTEGER NOT NULL,   -- links away from the seed
  role     TEXT NOT NULL,      -- seed, entry (of a feed or sitemap), link
  found_on TEXT,
  entry    BLOB,               -- the feed entry's hash
  outcome  TEXT,               -- NULL while it is to be asked for
  PRIMARY KEY (run_no, url)
) STRICT, WITHOUT ROWID;
CREATE INDEX tm_crawl_queue ON tm_crawl_frontier (run_no, ord) WHERE outcome IS NULL;
"];

/// How an address came into the frontier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A person named it.
    Seed,
    /// A feed or a sitemap lists it.
    Entry,
    /// A page links to it.
    Link,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Role::Seed => "seed",
            Role::Entry => "entry",
            Role::Link => "link",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "seed" => Role::Seed,
            "entry" => Role::Entry,
            _ => Role::Link,
        }
    }
}

/// An address of the frontier.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) url: String,
    pub(super) depth: u32,
    pub(super) role: Role,
    pub(super) found_on: Option<String>,
    pub(super) entry: Option<Fingerprint>,
}

pub(super) async fn ensure(ledger: &Ledger) -> Result<()> {
    ledger.schema("crawl", SCRIPTS).await
}

/// Adds addresses that the run does not have yet, in their order.
pub(super) fn add(tx: &Tx<'_>, run_no: i64, spots: &[Spot]) -> Result<()> {
    let last = "SELECT coalesce(max(ord), 0) FROM tm_crawl_frontier WHERE run_no = ?1";
    let mut ord = tx.one(last, params![run_no], |row| row.get::<_, i64>(0))?.unwrap_or(0);
    for spot in spots {
        ord += 1;
        tx.execute(
            "INSERT OR IGNORE INTO tm_crawl_frontier (run_no, url, ord, depth, role, found_on, entry)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                run_no,
                spot.url,
                ord,
                spot.depth,
                spot.role.as_str(),
                spot.found_on,
                spot.entry.as_ref().map(Fingerprint::as_bytes)
            ],
        )?;
    }
    Ok(())
}

/// An address is done, with what became of it.
pub(super) fn settle(tx: &Tx<'_>, run_no: i64, url: &str, outcome: &str) -> Result<()> {
    tx.execute(
        "UPDATE tm_crawl_frontier SET outcome = ?3 WHERE run_no = ?1 AND url = ?2",
        params![run_no, url, outcome],
    )
    .map(|_| ())
}

/// What a person or a feed named and could not be read is asked for again in a resumed run.
pub(super) fn ask_again(tx: &Tx<'_>, run_no: i64) -> Result<()> {
    tx.execute(
        "UPDATE tm_crawl_frontier SET outcome = NULL WHERE run_no = ?1 AND role <> 'link'
            AND outcome NOT IN ('page', 'unchanged', 'feed', 'sitemap', 'unchanged_feed')",
        params![run_no],
    )
    .map(|_| ())
}

/// The next addresses to ask for, with their order, behind `after`.
pub(super) fn next(
    read: &Read<'_>,
    run_no: i64,
    after: i64,
    count: u32,
) -> Result<Vec<(i64, Spot)>> {
    read.all(
        "SELECT ord, url, depth, role, found_on, entry FROM tm_crawl_frontier
          WHERE run_no = ?1 AND ord > ?2 AND outcome IS NULL ORDER BY ord LIMIT ?3",
        params![run_no, after, count],
        |row| {
            let role: String = row.get(3)?;
            let entry: Option<Vec<u8>> = row.get(5)?;
            let spot = Spot {
                url: row.get(1)?,
                depth: row.get(2)?,
                role: Role::parse(&role),
                found_on: row.get(4)?,
                entry: entry.and_then(|bytes| Fingerprint::from_slice(&bytes)),
            };
            Ok((row.get(0)?, spot))
        },
    )
}

/// How many pages the run has taken so far: those that count against the page budget.
pub(super) fn pages(read: &Read<'_>, run_no: i64) -> Result<u64> {
    let sql = "SELECT count(*) FROM tm_crawl_frontier WHERE run_no = ?1 AND outcome IN ('page', 'unchanged')";
    Ok(read.one(sql, params![run_no], |row| row.get(0))?.unwrap_or(0))
}

//! Requests: what other programs ask of the one that owns the home, and its answers.

use super::RunRow;
use super::tx::{Read, Tx, refused};
use crate::{Error, Result};
use rusqlite::{Connection, OpenFlags, params};
use serde_json::Value;
use std::path::Path;

/// Something that another program asks of the owner.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Its number.
    pub(crate) no: i64,
    /// What is to be done, for instance `parked retry`.
    pub(crate) verb: String,
    /// The arguments.
    pub(crate) body: Value,
}

/// How far a request is.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Nobody has looked at it yet.
    Unseen,
    /// The owner works on it.
    Taken,
    /// It was carried out, with this answer.
    Done(Value),
    /// It was refused or failed.
    Failed(Error),
}

/// A request that was made, as its maker follows it: a connection of its own to the owner's ledger.
#[derive(Debug)]
pub(crate) struct Asked {
    connection: Connection,
    no: i64,
}

impl Asked {
    /// Writes a request into the ledger of a home that another program owns.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub(crate) fn of(ledger: &Path, verb: &str, body: &Value, now: i64) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(ledger, flags).map_err(|e| refused("open", e))?;
        connection
            .execute_batch("PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL")
            .map_err(|e| refused("PRAGMA", e))?;
        let sql = "INSERT INTO tm_requests (verb, body, made_at) VALUES (?1, ?2, ?3)";
        Tx(Read(&connection)).execute(sql, params![verb, body.to_string(), now])?;
        let no = connection.last_insert_rowid();
        Ok(Self { connection, no })
    }

    /// The run that is at work for it, and how far it is; `None` while there is none.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub(crate) fn run(&self) -> Result<Option<RunRow>> {
        let sql = "SELECT note FROM tm_requests WHERE request_no = ?1";
        let read = Read(&self.connection);
        let id = read.one(sql, params![self.no], |row| row.get::<_, Option<String>>(0))?.flatten();
        id.map_or(Ok(None), |id| RunRow::by_id(&read, &id))
    }

    /// How far it is.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub(crate) fn reply(&self) -> Result<Reply> {
        let sql = "SELECT taken_at IS NOT NULL, answer FROM tm_requests WHERE request_no = ?1";
        let row = Read(&self.connection).one(sql, params![self.no], |row| {
            Ok((row.get::<_, bool>(0)?, row.get::<_, Option<String>>(1)?))
        })?;
        match row {
            Some((_, Some(answer))) => reply_of(&answer),
            Some((true, None)) => Ok(Reply::Taken),
            Some((false, None)) => Ok(Reply::Unseen),
            // The next owner found it taken and never answered.
            None => Ok(Reply::Failed(owner_gone())),
        }
    }

    /// Takes the request back unless the owner has seen it; true when it is gone.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub(crate) fn withdraw(&self) -> Result<bool> {
        let sql = "DELETE FROM tm_requests WHERE request_no = ?1 AND taken_at IS NULL";
        Ok(Tx(Read(&self.connection)).execute(sql, params![self.no])? > 0)
    }
}

/// What the maker of an order is told whose taker is gone.
pub(crate) fn owner_gone() -> Error {
    Error::halt("the program that had the order ended before it answered")
        .because("owner_gone")
        .help("look with `status` whether it was carried out, then give it again")
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done(Value),
    Failed { reason: String, message: String, help: Option<String> },
}

fn reply_of(text: &str) -> Result<Reply> {
    Ok(match serde_json::from_str(text)? {
        Answer::Done(value) => Reply::Done(value),
        Answer::Failed { reason, message, help } => {
            let error = Error::halt(message).because(reason);
            Reply::Failed(match help {
                Some(help) => error.help(help),
                None => error,
            })
        }
    })
}

/// Who asks waits for seconds and then takes the request back; an older one has nobody who waits for
/// it, and is not carried out a day later. Milliseconds.
const EXPIRED: i64 = 120_000;

/// Takes the oldest request that nobody has taken.
pub(crate) fn take(tx: &Tx<'_>, now: i64) -> Result<Option<Request>> {
    let expired = "DELETE FROM tm_requests WHERE taken_at IS NULL AND abs(?1 - made_at) > ?2";
    tx.execute(expired, params![now, EXPIRED])?;
    let found = tx.one(
        "SELECT request_no, verb, body FROM tm_requests WHERE taken_at IS NULL ORDER BY request_no LIMIT 1",
        [],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)),
    )?;
    let Some((no, verb, body)) = found else { return Ok(None) };
    tx.execute("UPDATE tm_requests SET taken_at = ?2 WHERE request_no = ?1", params![no, now])?;
    Ok(Some(Request { no, verb, body: serde_json::from_str(&body)? }))
}

/// Whether a request that was taken has no answer yet.
pub(crate) fn in_hand(read: &Read<'_>) -> Result<bool> {
    let sql = "SELECT 1 FROM tm_requests WHERE taken_at IS NOT NULL AND done_at IS NULL LIMIT 1";
    Ok(read.one(sql, [], |_| Ok(()))?.is_some())
}

/// Notes which run is at work for a request.
pub(crate) fn note(tx: &Tx<'_>, no: i64, run: &str) -> Result<()> {
    tx.execute("UPDATE tm_requests SET note = ?2 WHERE request_no = ?1", params![no, run])
        .map(|_| ())
}

/// Whether somebody asks for something.
pub(crate) fn any(read: &Read<'_>) -> Result<bool> {
    let sql = "SELECT 1 FROM tm_requests WHERE taken_at IS NULL LIMIT 1";
    Ok(read.one(sql, [], |_| Ok(()))?.is_some())
}

/// Writes the answer to a request.
pub(crate) fn answer(tx: &Tx<'_>, no: i64, result: &Result<Value>, now: i64) -> Result<()> {
    let answer = match result {
        Ok(value) => Answer::Done(value.clone()),
        Err(error) => Answer::Failed {
            reason: error.reason().to_string(),
            message: error.message(),
            help: error.guidance().map(str::to_string),
        },
    };
    tx.execute(
        "UPDATE tm_requests SET done_at = ?2, answer = ?3 WHERE request_no = ?1",
        params![no, now, serde_json::to_string(&answer)?],
    )
    .map(|_| ())
}

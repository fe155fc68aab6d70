//! `doctor`: is everything in order, and what is to be mended?

use super::flags::Flags;
use super::{home, out};
use crate::Outcome;
use crate::notify::Targets;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidemill_pipeline::clock::Zone;
use tidemill_pipeline::ledger::{self, ScheduleRow};
use tidemill_pipeline::mill::Home;
use tidemill_pipeline::serve::{NoticeKind, Notify as _};
use tidemill_pipeline::tier::{self, Presence, guard};
use tidemill_pipeline::{Error, Mill, Result};
use tidemill_stages::llm::OllamaServer;

#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    what: &'static str,
    /// `ok`, `note` (works, but should be known) or `bad`.
    verdict: &'static str,
    found: String,
    help: Option<String>,
}

impl Check {
    fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, verdict: "ok", found: found.into(), help: None }
    }

    fn note(what: &'static str, found: impl Into<String>, help: &str) -> Self {
        Self { what, verdict: "note", found: found.into(), help: Some(help.into()) }
    }

    fn bad(what: &'static str, error: &Error) -> Self {
        Self {
            what,
            verdict: "bad",
            found: error.message(),
            help: error.guidance().map(Into::into),
        }
    }
}

/// Who runs what is scheduled, and who is told.
async fn by_itself(flags: &Flags, mill: Option<&Mill>) -> Vec<Check> {
    let Ok(home) = home::peek(flags, mill) else { return vec![] }; // said already
    let known =
        home.ledger().read(|read| Ok((ScheduleRow::all(read)?, ledger::server(read)?))).await;
    let (schedules, server) = match known {
        Ok(known) => known,
        Err(error) => return vec![Check::bad("serve", &error)],
    };
    if schedules.is_empty() && server.is_none() {
        return vec![];
    }
    let count = out::count(schedules.len() as u64, "schedule");
    let serve = match server {
        Some(owner) => Check::ok("serve", format!("{count}, served by process {}", owner.pid)),
        None => Check::note(
            "serve",
            format!("{count}, and nobody serves"),
            "run `serve`; `service print` makes a service of it",
        ),
    };
    let told = match Targets::of(home.root()) {
        Err(error) => Check::bad("notify", &error),
        Ok(targets) if targets.targets(NoticeKind::Failed).is_empty() => {
            Check::note("notify", "nobody is told when a run fails", "`notify add` names a place")
        }
        Ok(targets) => Check::ok("notify", targets.targets(NoticeKind::Failed).join(", ")),
    };
    vec![serve, told].into_iter().chain(failing(&home).await).collect()
}

/// Schedules whose last run failed, and notices that do not arrive.
async fn failing(home: &Home) -> Vec<Check> {
    let last =
        "SELECT s.pipeline, f.outcome FROM tm_firings f JOIN tm_schedules s USING (schedule_no)
                 WHERE s.gone = 0 AND f.outcome IS NOT NULL AND f.outcome <> 'published'
                   AND f.firing_no = (SELECT max(firing_no) FROM tm_firings g
                         WHERE g.schedule_no = f.schedule_no AND g.outcome IS NOT NULL)";
    let late = "SELECT target, error FROM tm_notices
                 WHERE sent_at IS NULL AND error IS NOT NULL AND given_up_at IS NULL
                 GROUP BY target ORDER BY target";
    let pair = |row: &ledger::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    let read =
        home.ledger().read(move |read| Ok((read.all(last, [], pair)?, read.all(late, [], pair)?)));
    let (failed, late) = match read.await {
        Ok(found) => found,
        Err(error) => return vec![Check::bad("serve", &error)],
    };
    let failed = failed.into_iter().map(|(name, why)| {
        let found = format!("the last scheduled run of {name} failed: {}", out::short(&why, 120));
        Check::note("serve", found, "`schedule log` and `runs` say more")
    });
    let late = late.into_iter().map(|(place, why)| {
        let found = format!("notices to {place} do not arrive: {}", out::short(&why, 120));
        Check::note("notify", found, "`notify test` tries it")
    });
    failed.chain(late).collect()
}

pub(super) async fn run(flags: &Flags, _args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    let place = std::path::absolute(home::place(flags, mill)?)?;
    let mut checks = vec![disk(&place), space(&place), ledger(flags, mill)];
    checks.push(archive(flags, &place, mill));
    checks.push(model().await);
    checks.push(Check::ok("clock", format!("time zone {}", Zone::of_system().name())));
    checks.extend(by_itself(flags, mill).await);
    for check in &checks {
        out::result(
            flags,
            format!("{:<5} {:<8} {}", check.verdict, check.what, out::plain(&check.found)),
        );
        if let Some(help) = &check.help {
            out::result(flags, format!("               → {help}"));
        }
    }
    out::json(flags, &checks)?;
    let bad = checks.iter().any(|check| check.verdict == "bad");
    Ok(if bad { Outcome::Failed } else { Outcome::Done })
}

/// The nearest folder above that is there: what the home would lie in.
fn existing(place: &Path) -> PathBuf {
    place.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/")).to_path_buf()
}

fn disk(place: &Path) -> Check {
    match guard::file_system(&existing(place)) {
        Ok(kind) if kind.supports_sqlite => {
            Check::ok("home", format!("{} on {kind}", place.display()))
        }
        Ok(kind) => Check::bad(
            "home",
            &Error::halt(format!(
                "{} lies on {kind}, where a live database gets damaged",
                place.display()
            ))
            .help("put the home on a local disk and the archive on this one"),
        ),
        Err(error) => Check::bad("home", &error),
    }
}

fn space(place: &Path) -> Check {
    const LOW: u64 = 2 << 30;
    match guard::free_bytes(&existing(place)) {
        Ok(free) if free < LOW => Check::note(
            "space",
            format!("{} free for the home", out::bytes(free)),
            "pages wait on scratch until they are archived: make some room",
        ),
        Ok(free) => Check::ok("space", format!("{} free for the home", out::bytes(free))),
        Err(error) => Check::bad("space", &error),
    }
}

fn ledger(flags: &Flags, mill: Option<&Mill>) -> Check {
    match home::look(&Flags { quiet: true, ..flags.clone() }, mill) {
        Ok(home) => {
            let checked = home.ledger().read_now(|read| {
                read.one("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
            });
            match checked {
                Ok(Some(ok)) if ok == "ok" => Check::ok("ledger", format!("sound, mill {}", home.mill())),
                Ok(found) => Check::bad("ledger", &Error::halt(format!("not sound: {found:?}"))
                    .help("keep the file; a new home can use the same archive, and the tables are in its sqlite/ folder")),
                Err(error) => Check::bad("ledger", &error),
            }
        }
        Err(error) if error.reason() == "home_missing" => Check::note(
            "ledger",
            "there is none yet",
            "the first `run`, `digest` or `demo` makes it",
        ),
        Err(error) => Check::bad("ledger", &error),
    }
}

fn archive(flags: &Flags, place: &Path, mill: Option<&Mill>) -> Check {
    let code = mill.and_then(|mill| mill.planned().first()?.job.archive().cloned());
    let at = match (&flags.archive, code) {
        (Some(archive), _) => archive.clone(),
        (None, Some(archive)) => place.join(archive.place()),
        (None, None) => place.join("archive"),
    };
    let known = known(flags, &at, mill);
    match tier::look(&at, known.as_deref()) {
        Presence::Here(tier) => match guard::same_disk(&at, &existing(place)) {
            Ok(true) => Check::note(
                "archive",
                format!("{} (id {}), on the same disk as the home", at.display(), tier.id),
                "that is not a backup: use another disk or a NAS with --archive DIR",
            ),
            Ok(false) => Check::ok("archive", format!("{} (id {})", at.display(), tier.id)),
            Err(error) => Check::bad("archive", &error),
        },
        Presence::NeverInitialised if at.starts_with(place) => Check::note(
            "archive",
            format!("{} is made at the first run", at.display()),
            "that is on the same disk: for a backup use another one with --archive DIR",
        ),
        Presence::NeverInitialised => Check::bad(
            "archive",
            &Error::halt(format!("{} is no archive", at.display()))
                .help(format!("if it is the right disk: tidemill archive init {}", at.display())),
        ),
        Presence::Away { why } => Check::note(
            "archive",
            format!("away: {why}"),
            "mount it; runs go on meanwhile, the files wait on scratch",
        ),
        Presence::Foreign { found, known } => Check::bad(
            "archive",
            &Error::halt(format!(
                "at {} lies the archive {}, this mill knows {known} there",
                at.display(),
                found.id
            ))
            .help("mount the right disk: runs are refused until then"),
        ),
    }
}

/// The id of the archive that the home knows at a place.
fn known(flags: &Flags, at: &Path, mill: Option<&Mill>) -> Option<String> {
    let home = home::look(&Flags { quiet: true, ..flags.clone() }, mill).ok()?;
    let root = std::path::absolute(at).ok()?.to_string_lossy().into_owned();
    let sql = "SELECT id FROM tm_archives WHERE root = ?1";
    home.ledger().read_now(|read| read.one(sql, [root], |row| row.get(0))).ok().flatten()
}

async fn model() -> Check {
    let address = std::env::var("OLLAMA_HOST").ok().filter(|host| !host.trim().is_empty());
    let address = address.unwrap_or_else(|| "127.0.0.1:11434".into());
    let server = match OllamaServer::at(&address) {
        Ok(server) => server,
        Err(error) => return Check::bad("model", &error),
    };
    match tokio::time::timeout(Duration::from_secs(3), server.tags()).await {
        Ok(Ok(tags)) if !tags.is_empty() => {
            let names: Vec<_> = tags.iter().take(5).map(|tag| tag.name.as_str()).collect();
            Check::ok("model", format!("Ollama at {} with {}", server.address(), names.join(", ")))
        }
        Ok(Ok(_)) => Check::note(
            "model",
            format!("Ollama at {address} has no model"),
            "pull one: ollama pull qwen3:8b",
        ),
        _ => Check::note(
            "model",
            format!("no Ollama at {address}; summaries are the page's own key sentences"),
            "start Ollama, or point OLLAMA_HOST at the machine that has it",
        ),
    }
}

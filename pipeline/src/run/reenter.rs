//! Where archived items enter a replay: behind the step that once made them, each with the date that
//! it is filed under.

use super::begin::Prepared;
use super::entry::{self, take_seq};
use super::execute::RunOptions;
use super::finish;
use super::flow::{Flow, Out, pass};
use super::gate::Gate;
use super::keys::Had;
use super::live::{Live, Scene};
use super::offload;
use super::progress::Event;
use super::stop::Urgency;
use super::tier_thread;
use crate::build::{Blueprint, Node, Reentry};
use crate::ledger::items::{self, Recorded};
use crate::ledger::{ItemState, replays, runs};
use crate::mill::{Home, blobs};
use crate::replay::pick::{Pick, hash};
use crate::replay::{Filter, Known, Picked, Replay, Selection, Shelf, pick};
use crate::tier::{ArchivedRun, Tier};
use crate::{Blob, Envelope, Error, Item, Result, Verdict};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Items that are read and recorded at once.
const TOGETHER: usize = 512;

/// A replay's archive, and what of it is meant.
pub(crate) struct Replaying {
    pub(crate) selection: Selection,
    pub(crate) reentry: Reentry,
    pub(crate) tier: Tier,
    pub(crate) shelf: Arc<Shelf>,
    /// The steps as they are prepared now.
    pub(crate) today: Vec<Node>,
    /// What is worked on, until the reading task takes it.
    picked: Mutex<Option<Picked>>,
    folders: BTreeMap<String, PathBuf>,
}

/// Refuses a replay that its archive cannot serve, before anything is written.
///
/// # Errors
/// When the archive is away, or has not what is asked for.
pub(super) async fn check(
    home: &Arc<Home>,
    blueprint: &Blueprint,
    gate: Option<&Gate>,
    options: &RunOptions,
) -> Result<()> {
    let Some(selection) = &options.replay else { return Ok(()) };
    let Some(gate) = gate else { return Err(no_archive(&blueprint.name)) };
    let tier = archive_of(gate)?;
    let (name, from) = (blueprint.name.clone(), selection.from.clone());
    let coming = home.ledger().read(move |read| replays::on_the_way(read, &name, &from)).await?;
    if !coming.is_empty() {
        return Ok(()); // what waits on scratch goes to the archive first, and then it is looked at
    }
    let shelf = shelf(home, &blueprint.name, selection.clone(), tier).await?;
    let (reader, asked) =
        (Arc::clone(&blueprint.reentry(&selection.from)?.reader), selection.clone());
    tier_thread::run(move |_| Filter::of(&asked, &*reader, &shelf).map(|_| ())).await
}

/// Looks at the archive of a replay, once the steps are prepared; nothing for another run.
///
/// # Errors
/// As [`check`], which went before; `nothing_to_replay` when nothing is meant.
pub(super) async fn open(
    scene: &Arc<Scene>,
    blueprint: &Blueprint,
    gate: Option<&Gate>,
    options: &RunOptions,
    prepared: &Prepared,
) -> Result<Option<Arc<Replaying>>> {
    let Some(selection) = options.replay.clone() else { return Ok(None) };
    let reentry = blueprint.reentry(&selection.from)?.clone();
    let Some(gate) = gate else { return Err(no_archive(&scene.pipeline)) };
    let tier = archive_of(gate)?;
    // What still waits on scratch is part of what may be replayed.
    offload::catch_up(scene, gate).await?;
    let replaying = look(scene, (selection, reentry, tier), &prepared.nodes).await?;
    if replaying.shelf.uncommitted > 0 {
        scene.say(format!(
            "{} run folders in the archive were never committed and are passed over; `verify` names them",
            replaying.shelf.uncommitted
        ));
    }
    let replaying = Arc::new(replaying);
    let (name, no, from) =
        (scene.pipeline.clone(), scene.pipeline_no, replaying.selection.from.clone());
    let source = replaying.selection.fingerprint();
    let (known, unfinished) = scene
        .home
        .ledger()
        .read(move |read| {
            let unfinished = replays::unfinished(read, no, &source)?;
            Ok((Known::read(read, &name, no, &from)?, unfinished))
        })
        .await?;
    let picked = replaying.pick(Arc::new(known)).await?;
    if picked.count() == 0 && unfinished.is_none() {
        // The last one may have been killed behind its publish.
        finish::clean(scene).await;
        return Err(nothing());
    }
    *replaying.picked.lock().unwrap_or_else(PoisonError::into_inner) = Some(picked);
    Ok(Some(replaying))
}

/// Nothing is to be done: no failure, but no run either.
pub(super) const NOTHING: &str = "nothing_to_replay";

fn nothing() -> Error {
    Error::halt("there is nothing to replay").because(NOTHING)
}

/// The archive behind a gate; a replay reads from it.
pub(crate) fn archive_of(gate: &Gate) -> Result<Tier> {
    gate.tier.clone().ok_or_else(|| {
        let why = gate.away.clone().unwrap_or_else(|| "it does not answer".into());
        Error::halt(format!("the archive {} is away: {why}", gate.root.display()))
            .because("archive_away")
            .help("mount it and give the same command again; nothing was changed")
    })
}

pub(crate) fn no_archive(pipeline: &str) -> Error {
    Error::halt(format!("`{pipeline}` has no archive to replay from"))
        .because("no_archive")
        .help("end the pipeline with `.offload(Archive::at(\"…\"))`")
}

/// Looks at what is asked for, on a thread of its own.
pub(crate) async fn look(
    scene: &Scene,
    (selection, reentry, tier): (Selection, Reentry, Tier),
    today: &[Node],
) -> Result<Replaying> {
    let shelf = shelf(&scene.home, &scene.pipeline, selection.clone(), tier.clone()).await?;
    Ok(Replaying::new(selection, reentry, tier, shelf, today.to_vec()))
}

async fn shelf(home: &Home, pipeline: &str, selection: Selection, tier: Tier) -> Result<Shelf> {
    let name = pipeline.to_string();
    let gone = home.ledger().read(move |read| replays::taken_back(read, &name)).await?;
    let (pipeline, gone) = (pipeline.to_string(), gone.into_iter().collect());
    tier_thread::run(move |_| Shelf::open(&tier, &pipeline, &selection, &gone)).await
}

/// A file of the archive that holds a body.
pub(crate) struct Shelved {
    path: PathBuf,
    tier: Tier,
}

impl Replaying {
    pub(crate) fn new(
        selection: Selection,
        reentry: Reentry,
        tier: Tier,
        shelf: Shelf,
        today: Vec<Node>,
    ) -> Self {
        let folders = shelf.folders();
        let (shelf, picked) = (Arc::new(shelf), Mutex::default());
        Self { selection, reentry, tier, shelf, today, picked, folders }
    }

    /// The file that holds a body, when it is one of those that are replayed.
    pub(crate) fn place_of(&self, blob: &Blob) -> Option<Shelved> {
        let folder =
            self.folders.get(&blob.run).filter(|_| blob.dataset == self.reentry.dataset)?;
        Some(Shelved { path: folder.join(&blob.part), tier: self.tier.clone() })
    }

    /// Chooses what is worked on; on a thread of its own, since the archive may hang.
    pub(crate) async fn pick(self: &Arc<Self>, known: Arc<Known>) -> Result<Picked> {
        let own = Arc::clone(self);
        tier_thread::run(move |beat| {
            pick(&own.shelf, &own.reentry, &own.selection, &known, &own.today, beat)
        })
        .await
    }
}

/// Reads a body from the archive that is replayed.
pub(crate) async fn read_blob(shelved: Shelved, blob: &Blob) -> Result<Vec<u8>> {
    let (blob, Shelved { path, tier }) = (blob.clone(), shelved);
    tier_thread::run(move |_| blobs::read_first(&[path], &blob, Some((tier.root, tier.id))))
        .await
        // Nothing of a replay can wait for its own archive.
        .map_err(|error| match error.verdict() {
            Verdict::Wait => error.with_verdict(Verdict::Halt),
            _ => error,
        })
}

/// Starts the reading task.
pub(crate) fn start<T: Item>(live: &Arc<Live>, reader: Arc<dyn Replay<T>>) -> Flow<T> {
    let (out, flow) = live.lane(live.entry);
    let shared = Arc::clone(live);
    live.spawn(async move {
        let read = read(&shared, &reader, &out).await;
        shared.scene.progress.event(&Event::SourceDone);
        let what = shared.replaying.as_ref().map_or("", |replaying| &replaying.selection.from);
        read.map_err(|error| {
            error.with_verdict(Verdict::Halt).context(format!("replay from {what}"))
        })
    });
    flow
}

async fn read<T: Item>(live: &Arc<Live>, reader: &Arc<dyn Replay<T>>, out: &Out<T>) -> Result<()> {
    if !entry::again(live, live.entry, out).await? || live.run.source_done {
        return Ok(());
    }
    let Some(replaying) = &live.replaying else { return Ok(()) };
    let picked = replaying.picked.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(picked) = picked else { return Ok(()) };
    for (run, picks) in picked.runs {
        if !one_run(live, replaying, reader, (run, picks), out).await? {
            return Ok(());
        }
    }
    let run_no = live.run.no;
    live.ledger().write(64, move |tx| runs::set_source_done(tx, run_no)).await
}

/// Enters the items of one archived run. False when the replay is to stop.
async fn one_run<T: Item>(
    live: &Arc<Live>,
    replaying: &Arc<Replaying>,
    reader: &Arc<dyn Replay<T>>,
    (run, picks): (usize, Vec<Pick>),
    out: &Out<T>,
) -> Result<bool> {
    let chosen = chosen(replaying, run, picks).await?;
    let keys = live.keys().await?;
    let left: Vec<_> =
        chosen.into_iter().filter(|one| keys.had(&one.key, None) == Had::Nothing).collect();
    for some in left.chunks(TOGETHER) {
        if live.scene.stop.urgency() > Urgency::Go {
            return Ok(false);
        }
        let places: Vec<u64> = some.iter().map(|one| one.place).collect();
        let (shelf, own) = (Arc::clone(&replaying.shelf), Arc::clone(reader));
        let items = tier_thread::run(move |_| own.items(on(&shelf, run)?, &places)).await?;
        if items.len() != some.len() {
            return Err(Error::halt(format!(
                "{} items were asked for, {} came",
                some.len(),
                items.len()
            ))
            .because("reader")
            .help("this is a defect in the reader of the dataset"));
        }
        if !enter(live, on(&replaying.shelf, run)?, some, items, out).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn on(shelf: &Shelf, run: usize) -> Result<&ArchivedRun> {
    shelf.runs.get(run).ok_or_else(|| Error::halt("the archived run is not on the shelf"))
}

/// The picked items of a run with their keys.
async fn chosen(
    replaying: &Arc<Replaying>,
    run: usize,
    picks: Vec<Pick>,
) -> Result<Vec<crate::replay::Indexed>> {
    let own = Arc::clone(replaying);
    tier_thread::run(move |_| {
        let mut index = own.reentry.reader.index(on(&own.shelf, run)?, &[])?;
        let places: BTreeMap<u64, u128> = picks.iter().map(|pick| (pick.place, pick.key)).collect();
        index.retain(|item| places.get(&item.place) == Some(&hash(&item.key)));
        index.sort_unstable_by_key(|item| item.place);
        Ok(index)
    })
    .await
}

/// Records items in one write and passes them on. False when nobody takes them: they come again.
async fn enter<T: Item>(
    live: &Arc<Live>,
    run: &ArchivedRun,
    some: &[crate::replay::Indexed],
    items: Vec<T>,
    out: &Out<T>,
) -> Result<bool> {
    let mut rows = Vec::with_capacity(items.len());
    for (indexed, item) in some.iter().zip(&items) {
        rows.push(Recorded {
            seq: take_seq(live),
            key: indexed.key.clone(),
            item: Some(serde_json::to_vec(item)?),
            content: indexed.content,
            note: None,
            state: ItemState::Open,
            dt: Some(run.dt.to_string()),
        });
    }
    let size = |row: &Recorded| row.item.as_ref().map_or(0, Vec::len);
    let (run_no, entry, bytes) =
        (live.run.no, live.entry, rows.iter().map(|r| size(r) + 256).sum());
    let ahead: Vec<(u64, String, usize)> =
        rows.iter().map(|row| (row.seq, row.key.clone(), size(row))).collect();
    live.ledger()
        .write(bytes, move |tx| {
            rows.iter().try_for_each(|row| items::record(tx, run_no, entry, row))
        })
        .await?;
    for ((seq, key, bytes), item) in ahead.into_iter().zip(items) {
        live.tally.record();
        live.scene.progress.event(&Event::Recorded);
        live.look(live.entry, &item)?;
        if !pass(out, Envelope { seq, key: Arc::from(key), item, bytes }).await {
            return Ok(false);
        }
    }
    Ok(true)
}

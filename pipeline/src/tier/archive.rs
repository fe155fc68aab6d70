//! An archive's identity: the guard against an unmounted, wrong or foreign disk.

use super::atomic;
use super::fault::At;
use super::walk::read_text;
use crate::{Error, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

/// The folder of an archive that is tidemill's own.
pub(super) const OWN: &str = ".tidemill";
const FORMAT: u32 = 1;
const README: &str = include_str!("archive_readme.txt");

/// An archive that was found at its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// The folder that is the archive.
    pub root: PathBuf,
    /// Its identity, 16 hexadecimal characters, the same for its whole life.
    pub id: String,
    /// A name for people.
    pub label: Option<String>,
    /// When it was made.
    pub created: DateTime<Utc>,
}

/// What [`init`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Init {
    /// A new archive was made.
    Made(Tier),
    /// The folder was an archive already; nothing was changed.
    Already(Tier),
}

/// What is to be seen at the place of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// The archive, and the one that is known here if one is.
    Here(Tier),
    /// Nothing that can be used now: not mounted, not readable, damaged.
    Away {
        /// What was seen instead, for people.
        why: String,
    },
    /// Another archive than the known one: a wrong disk.
    Foreign {
        /// The one that is there.
        found: Tier,
        /// The id of the one that should be.
        known: String,
    },
    /// No archive, and none was ever known here.
    NeverInitialised,
}

/// The content of `.tidemill/tier.json`.
#[derive(Debug, Serialize, Deserialize)]
struct TierFile {
    format: u32,
    id: String,
    label: Option<String>,
    created: DateTime<Utc>,
}

/// Makes an archive of a folder; other things may lie in it and are left alone.
///
/// The folder itself is made when only it is missing. Its parent must exist: a missing parent is
/// most often a disk that is not mounted.
///
/// # Errors
/// *Wait* when the disk cannot be written; *halt* when a damaged `tier.json` is there.
pub fn init(root: &Path, label: Option<&str>, now: DateTime<Utc>) -> Result<Init> {
    match read(root) {
        Seen::Tier(tier) => return Ok(Init::Already(tier)),
        Seen::Nothing(_) => {}
        Seen::Damaged(why) => {
            return Err(Error::halt(format!("{} cannot become an archive: {why}", root.display()))
                .because("archive_damaged")
                .help("bring back its .tidemill/tier.json, or move the .tidemill folder away"));
        }
    }
    make_root(root)?;
    for folder in ["incoming", "trash"] {
        atomic::make_folders(root, &Path::new(OWN).join(folder))?;
    }
    let readme = root.join("README.txt");
    if !readme.try_exists().at("look at", &readme)? {
        atomic::write_new(&readme, README.as_bytes())?;
    }
    let file = TierFile {
        format: FORMAT,
        id: new_id(root, now),
        label: label.map(Into::into),
        created: now,
    };
    let mut json = serde_json::to_vec_pretty(&file)?;
    json.push(b'\n');
    // Last: the archive begins to exist with this file, and never half.
    atomic::write_new(&tier_file(root), &json)?;
    Ok(Init::Made(file.at(root)))
}

/// Looks for an archive, and writes nothing whatever it finds.
///
/// `known_id` is the archive that this mill used here before.
#[must_use]
pub fn look(root: &Path, known_id: Option<&str>) -> Presence {
    match (read(root), known_id) {
        (Seen::Tier(found), Some(known)) if found.id != known => {
            Presence::Foreign { found, known: known.to_owned() }
        }
        (Seen::Tier(tier), _) => Presence::Here(tier),
        (Seen::Nothing(_), None) => Presence::NeverInitialised,
        (Seen::Nothing(why) | Seen::Damaged(why), _) => Presence::Away { why },
    }
}

/// What `tier.json` says, before anyone compares it.
enum Seen {
    Tier(Tier),
    Nothing(String),
    Damaged(String),
}

fn read(root: &Path) -> Seen {
    let path = tier_file(root);
    let text = match read_text(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Seen::Nothing(absent(root));
        }
        Err(error) => return Seen::Damaged(format!("cannot read {}: {error}", path.display())),
    };
    match serde_json::from_str::<TierFile>(&text) {
        Ok(file) if file.format > FORMAT => Seen::Damaged(format!(
            "{} has format {}, made by a newer tidemill",
            path.display(),
            file.format
        )),
        Ok(file) => Seen::Tier(file.at(root)),
        Err(error) => Seen::Damaged(format!("{} is damaged: {error}", path.display())),
    }
}

impl TierFile {
    fn at(self, root: &Path) -> Tier {
        let Self { id, label, created, .. } = self;
        Tier { root: root.to_path_buf(), id, label, created }
    }
}

/// What there is instead of an archive.
fn absent(root: &Path) -> String {
    let root_shown = root.display();
    match std::fs::read_dir(root).map(|mut entries| entries.next().is_none()) {
        Ok(true) => format!("{root_shown} is empty: the disk or share is not mounted"),
        Ok(false) => format!("{root_shown} has no {OWN}/tier.json: another disk is mounted there"),
        Err(error) => format!("{root_shown} is not there: {error}"),
    }
}

fn make_root(root: &Path) -> Result<()> {
    if root.is_dir() {
        return Ok(());
    }
    std::fs::create_dir(root).at("make the folder", root)?;
    atomic::sync_dir(atomic::folder_of(root))
}

fn tier_file(root: &Path) -> PathBuf {
    root.join(OWN).join("tier.json")
}

/// Sixteen characters that no other archive has: `RandomState` is seeded by the system, and the
/// time and place stand in should two seeds ever be alike.
fn new_id(root: &Path, now: DateTime<Utc>) -> String {
    let random = (RandomState::new().hash_one(0), RandomState::new().hash_one(1));
    let now = now.to_rfc3339_opts(SecondsFormat::Nanos, true);
    let text = format!("{random:?} {} {now} {}", std::process::id(), root.display());
    blake3::hash(text.as_bytes()).to_hex().chars().take(16).collect()
}

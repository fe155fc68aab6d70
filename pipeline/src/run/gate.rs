//! The gate: is the archive there, and is it the right one? Asked before the first request.

use super::tier_thread;
use crate::build::Archive;
use crate::ledger::offloads;
use crate::mill::Home;
use crate::tier::{self, Init, Presence, Tier, guard};
use crate::{Error, Result};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Held while an archive is looked at that makes itself.
static MAKING: Mutex<()> = Mutex::new(());

/// What stands at the end of a pipeline's way.
#[derive(Debug, Clone)]
pub struct Gate {
    /// The archive's folder.
    pub root: PathBuf,
    /// The archive, when it is there.
    pub tier: Option<Tier>,
    /// Why it is not there.
    pub away: Option<String>,
    /// Whether it lies on the same disk as the home: then it is not a backup.
    pub same_disk: bool,
}

/// Looks for the archive; one inside the home makes itself.
///
/// # Errors
/// `archive_new` when it was never initialised, `archive_foreign` when another one is there.
pub async fn open_gate(home: &Arc<Home>, archive: &Archive, place: Option<&Path>) -> Result<Gate> {
    let root = resolve(home, place.unwrap_or(&archive.at));
    let name = root.to_string_lossy().into_owned();
    let known = home.ledger().read(move |read| offloads::known_archive(read, &name)).await?;
    // Who only looks makes no archive, and takes none over.
    let owner = home.check_owner().is_ok();
    let inside = owner && is_inside(home.root(), &root);
    let (place, expected, now) = (root.clone(), known.clone(), home.clock().now());
    let home_root = home.root().to_path_buf();
    let looked = tier_thread::run(move |_| {
        let presence = look(&place, expected.as_deref(), inside, now)?;
        // An archive that is away is on no disk that we could compare.
        let same_disk =
            matches!(presence, Presence::Here(_)) && guard::same_disk(&place, &home_root)?;
        Ok((presence, same_disk))
    })
    .await;
    let (presence, same_disk) = match looked {
        Ok(seen) => seen,
        // A known archive that does not answer is away; an unknown one must answer once.
        Err(error) if known.is_some() => (Presence::Away { why: error.message() }, false),
        Err(error) => return Err(error.with_verdict(crate::Verdict::Halt)),
    };
    match presence {
        Presence::Here(tier) => {
            if owner {
                home.accept_archive(&tier, &root).await?;
            }
            Ok(Gate { root, tier: Some(tier), away: None, same_disk })
        }
        Presence::Away { why } if known.is_some() => {
            Ok(Gate { root, tier: None, away: Some(why), same_disk: false })
        }
        Presence::Away { why } => Err(never_initialised(&root).context(why)),
        Presence::NeverInitialised => Err(never_initialised(&root)),
        Presence::Foreign { found, known } => Err(foreign(&root, &found, &known)),
    }
}

impl Home {
    /// Takes an archive at a place from now on, also where another one was known before.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub async fn accept_archive(&self, tier: &Tier, place: &Path) -> Result<()> {
        let (root, id, label) =
            (place.to_string_lossy().into_owned(), tier.id.clone(), tier.label.clone());
        let now = self.clock().now().timestamp_millis();
        self.ledger()
            .commit(move |tx| offloads::meet_archive(tx, &root, &id, label.as_deref(), now))
            .await
    }
}

fn look(
    root: &Path,
    known: Option<&str>,
    inside: bool,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Presence> {
    if !inside {
        return Ok(tier::look(root, known));
    }
    // Pipelines may begin at the same moment in a new home: one makes its archive, whole.
    let _alone = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let presence = tier::look(root, known);
    if presence != Presence::NeverInitialised {
        return Ok(presence);
    }
    let (Init::Made(tier) | Init::Already(tier)) = tier::init(root, Some("home"), now)?;
    Ok(Presence::Here(tier))
}

/// The absolute place of an archive; a relative one lies in the home. Links in it are left as they
/// are: where they lead is known only while the disk behind them is there.
fn resolve(home: &Home, place: &Path) -> PathBuf {
    home.root().join(place).components().collect()
}

/// Whether a place really lies in the home: no `..` and no link leads out of it.
fn is_inside(home: &Path, place: &Path) -> bool {
    let Ok(rest) = place.strip_prefix(home) else { return false };
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    let linked = |folder: &&Path| folder.is_symlink();
    rest.components().all(plain)
        && !place.ancestors().take_while(|folder| *folder != home).any(|folder| linked(&folder))
}

/// Why a folder that was never made an archive is refused, and what to do.
#[must_use]
pub fn never_initialised(root: &Path) -> Error {
    Error::halt(format!("{} was never made an archive of tidemill", root.display()))
        .because("archive_new")
        .help(format!("if this is the right disk, run: tidemill archive init {}", quoted(root)))
}

fn foreign(root: &Path, found: &Tier, known: &str) -> Error {
    Error::halt(format!(
        "at {} lies the archive {} ({}), this mill knows {known} there",
        root.display(),
        found.id,
        found.label.as_deref().unwrap_or("no label"),
    ))
    .because("archive_foreign")
    .help(format!(
        "mount the right disk; or, to use this one from now on: tidemill archive init {} --home HOME",
        quoted(root)
    ))
}

fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.contains([' ', '\'', '"', '$', '\\']) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    text.into_owned()
}

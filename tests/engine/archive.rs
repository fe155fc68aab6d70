//! What the tests of archives share: a pipeline that leaves files and a table, and looks at both.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::bench::files;
use super::parts::{LineFile, Notes, table};
use std::path::Path;
use tidemill_pipeline::tier::{self, Init, Presence, Tier};
use tidemill_pipeline::{Archive, Job, Pipeline};

/// Notes to a table and to a file of lines, and both to an archive.
pub(super) fn job(source: Notes, archive: impl AsRef<Path>) -> Job {
    Pipeline::named("tides")
        .read(source)
        .store(table())
        .save(LineFile)
        .offload(Archive::at(archive))
}

/// Makes an archive of a folder.
pub(super) fn init(root: &Path) -> Tier {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    match tier::init(root, Some("nas"), now).unwrap() {
        Init::Made(tier) => tier,
        Init::Already(tier) => panic!("{} was an archive before", tier.root.display()),
    }
}

/// The archive that is at a place.
pub(super) fn at(root: &Path) -> Tier {
    match tier::look(root, None) {
        Presence::Here(tier) => tier,
        other => panic!("no archive at {}: {other:?}", root.display()),
    }
}

/// The committed runs, as `dataset run`, after all their files were hashed again.
pub(super) fn committed(tier: &Tier) -> Vec<String> {
    let report = tier::verify(tier, &mut |_| {}).unwrap();
    assert!(
        report.is_sound() && report.torn.is_empty() && report.unlisted.is_empty(),
        "{report:?}"
    );
    let runs = tier::runs(tier).unwrap();
    assert_eq!(report.runs, runs.len());
    runs.iter().map(|run| format!("{} {}", run.dataset, run.run)).collect()
}

/// Whether nothing is left in what the archive was building.
pub(super) fn nothing_incoming(tier: &Tier) -> bool {
    files(&tier.root.join(".tidemill/incoming")).is_empty()
}

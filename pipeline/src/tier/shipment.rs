//! The single steps of an offload, each of which may be repeated.

use super::archive::{OWN, Tier};
use super::fault::At;
use super::manifest::{Artifact, MANIFEST, Manifest};
use super::names::safe_name;
use super::parcel::{Parcel, Shipped};
use super::trash::{Tombstone, bury};
use super::walk::{files_below, remove_file, remove_folder};
use super::{atomic, copy, guard};
use crate::{Error, Result, crash};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A parcel on its way into one archive.
pub(super) struct Shipment<'a> {
    tier: &'a Tier,
    parcel: &'a Parcel,
    beat: &'a dyn Fn(),
    /// The archive's folder of what is being built; it is never made here, so that nothing is
    /// written into the empty folder that an unmounted disk leaves.
    workshop: PathBuf,
    incoming: PathBuf,
    folder: PathBuf,
}

/// What lies under the run's final name.
pub(super) enum Found {
    Nothing,
    Uncommitted,
    Committed(Box<Manifest>),
}

impl<'a> Shipment<'a> {
    pub(super) fn new(tier: &'a Tier, parcel: &'a Parcel, beat: &'a dyn Fn()) -> Self {
        let name = safe_name(&format!("{}-{}-{}", parcel.run, parcel.dataset, parcel.pipeline));
        let workshop = tier.root.join(OWN).join("incoming");
        let incoming = workshop.join(name);
        let folder = tier.root.join(parcel.place());
        Self { tier, parcel, beat, workshop, incoming, folder }
    }

    /// Removes what an earlier try of this same parcel left half built.
    pub(super) fn clear_incoming(&self) -> Result<()> {
        self.step();
        remove_folder(&self.incoming)
    }

    pub(super) fn found(&self) -> Result<Found> {
        self.step();
        if let Some(manifest) = Manifest::read(&self.folder)? {
            return Ok(Found::Committed(Box::new(manifest)));
        }
        let exists = self.folder.try_exists().at("look at", &self.folder)?;
        Ok(if exists { Found::Uncommitted } else { Found::Nothing })
    }

    /// A committed run: the same as the source, and still whole on the disk, or an error.
    pub(super) fn confirm(&self, manifest: Manifest) -> Result<Shipped> {
        let expected = self.parcel.manifest(&self.tier.id, self.source_artifacts()?);
        if !same_content(&manifest, &expected) {
            return Err(Error::halt(format!(
                "{} is committed with other content than run {} has on scratch",
                self.folder.display(),
                self.parcel.run
            ))
            .because("committed_differs")
            .help("nothing was changed; compare the two, and remove the run that is wrong"));
        }
        // The source may be deleted after this answer, so the manifest alone is not enough.
        if let Some(path) = self.first_difference(&self.folder, &manifest.files)? {
            return Err(Error::wait(format!("{} is damaged", path.display()))
                .because("archive_damaged")
                .help("run verify; the source stays on scratch until the archive is whole"));
        }
        self.make_durable()?;
        Ok(self.shipped(manifest, true))
    }

    /// The artifacts of a folder that lacks only its manifest: exactly the source's files.
    pub(super) fn adoptable(&self) -> Result<Option<Vec<Artifact>>> {
        let mut present = files_below(&self.folder)?;
        present.retain(|path| path != MANIFEST);
        if present != self.sorted_files() {
            return Ok(None);
        }
        for path in &present {
            // Only what is on the disk can be proven by reading it back.
            let path = self.folder.join(path);
            let file = File::open(&path).at("open", &path)?;
            atomic::sync_file(&file).at("synchronise", &path)?;
        }
        let artifacts = self.source_artifacts()?;
        let difference = self.first_difference(&self.folder, &artifacts)?;
        Ok(difference.is_none().then_some(artifacts))
    }

    /// Moves what is in the way to the archive's trash.
    pub(super) fn set_aside(&self) -> Result<()> {
        self.step();
        let tombstone = Tombstone {
            mill: self.parcel.mill.clone(),
            pipeline: self.parcel.pipeline.clone(),
            dataset: self.parcel.dataset.clone(),
            run: self.parcel.run.clone(),
            at: self.parcel.created,
            reasons: vec!["never committed".to_owned()],
        };
        bury(self.tier, &self.folder, &tombstone).map(drop)
    }

    /// Copies all files into `incoming` and proves the copies.
    pub(super) fn build(&self) -> Result<Vec<Artifact>> {
        self.step();
        guard::recheck(self.tier)?;
        let mut artifacts = Vec::with_capacity(self.parcel.files.len());
        let mut folders = BTreeSet::new();
        let mut batch = copy::Batch::default();
        for path in self.sorted_files() {
            let target = self.incoming.join(&path);
            let folder = atomic::folder_of(&target);
            if folders.insert(folder.to_path_buf()) {
                make_folders(&self.workshop, folder)?;
            }
            let source = self.parcel.source.join(&path);
            let sums = copy::copy(&source, &target, &mut batch, self.beat)?;
            artifacts.push(self.artifact(path, sums));
        }
        batch.sync(self.beat)?;
        for folder in &folders {
            atomic::sync_dir(folder)?;
        }
        match self.first_difference(&self.incoming, &artifacts)? {
            None => {
                crash::point("ship.copied");
                Ok(artifacts)
            }
            Some(path) => Err(Error::wait(format!("{} reads back other bytes", path.display()))
                .because("read_back")
                .help("check the disk, its cable and the memory; the source stays on scratch")),
        }
    }

    /// Gives the proven folder its final name.
    pub(super) fn place(&self) -> Result<()> {
        self.step();
        guard::recheck(self.tier)?;
        make_folders(&self.tier.root, atomic::folder_of(&self.folder))?;
        self.step();
        atomic::rename(&self.incoming, &self.folder)?;
        crash::point("ship.renamed");
        Ok(())
    }

    /// Writes the manifest: from here on the run is in the archive.
    pub(super) fn commit(&self, artifacts: Vec<Artifact>) -> Result<Shipped> {
        self.step();
        guard::recheck(self.tier)?;
        // Only a torn one can be here; it counts as absent.
        remove_file(&self.folder.join(MANIFEST))?;
        let manifest = self.parcel.manifest(&self.tier.id, artifacts);
        self.step();
        manifest.write_new(&self.folder)?;
        crash::point("ship.manifest");
        self.step();
        self.make_durable()?;
        Ok(self.shipped(manifest, false))
    }

    /// Synchronises the manifest and every folder above it: whoever made them may have been killed
    /// before that, and the source may be deleted next.
    fn make_durable(&self) -> Result<()> {
        let manifest = self.folder.join(MANIFEST);
        let file = File::open(&manifest).at("open", &manifest)?;
        atomic::sync_file(&file).at("synchronise", &manifest)?;
        for folder in manifest.ancestors().skip(1) {
            atomic::sync_dir(folder)?;
            if folder == self.tier.root {
                break;
            }
        }
        Ok(())
    }

    fn step(&self) {
        (self.beat)();
    }

    fn shipped(&self, manifest: Manifest, already: bool) -> Shipped {
        Shipped { bytes: manifest.bytes(), folder: self.folder.clone(), manifest, already }
    }

    fn sorted_files(&self) -> Vec<String> {
        let mut files = self.parcel.files.clone();
        files.sort();
        files
    }

    fn source_artifacts(&self) -> Result<Vec<Artifact>> {
        let sum = |path: String| {
            let sums = copy::sums(&self.parcel.source.join(&path), self.beat)?;
            Ok(self.artifact(path, sums))
        };
        self.sorted_files().into_iter().map(sum).collect()
    }

    fn artifact(&self, path: String, sums: copy::Sums) -> Artifact {
        let rows = self.parcel.rows.get(&path).copied();
        Artifact { path, bytes: sums.bytes, blake3: sums.blake3, sha256: sums.sha256, rows }
    }

    /// The first file below `folder` that the disk does not hold as the artifact says.
    fn first_difference(&self, folder: &Path, artifacts: &[Artifact]) -> Result<Option<PathBuf>> {
        for artifact in artifacts {
            let path = folder.join(&artifact.path);
            if !path.is_file() {
                return Ok(Some(path));
            }
            let (bytes, blake3) = copy::read_back(&path, self.beat)?;
            if (bytes, &blake3) != (artifact.bytes, &artifact.blake3) {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }
}

/// Makes the folders that are missing between `base` and a folder below it.
fn make_folders(base: &Path, folder: &Path) -> Result<()> {
    atomic::make_folders(base, folder.strip_prefix(base)?).map(drop)
}

/// Whether two manifests speak of the same run and the same bytes; who wrote them, when, and how
/// many rows were counted may differ.
fn same_content(a: &Manifest, b: &Manifest) -> bool {
    let names = |m: &Manifest| [&m.mill, &m.pipeline, &m.dataset, &m.run].map(String::clone);
    let files = |m: &Manifest| {
        let mut files: Vec<_> =
            m.files.iter().map(|f| (f.path.clone(), f.bytes, f.blake3.clone())).collect();
        files.sort();
        files
    };
    names(a) == names(b) && a.dt == b.dt && files(a) == files(b)
}

//! Portions: the pages of foreign WARC files on their way from the reading thread to the run.

use super::foreign::{self, Found, Passed, Rule};
use crate::fetch::Import;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tidemill_pipeline::{Context, Error, Fingerprint};
use tokio::sync::mpsc;

/// Pages that are stored together at most.
const PORTION: usize = 64;
/// Bodies that are held together, in bytes, and one more.
const PORTION_BYTES: usize = 8 << 20;

/// What is handed over in one go.
#[derive(Debug, Default)]
pub(super) struct Portion {
    /// Pages, in the order of their files.
    pub(super) pages: Vec<Import>,
    bytes: usize,
    /// How much was passed over.
    pub(super) passed: Passed,
    /// What is to be set aside, by its key.
    pub(super) parked: Vec<(String, Error)>,
}

impl Portion {
    fn add(&mut self, file: &Path, found: Found) {
        match found {
            Found::Page(page) => {
                self.bytes += page.body.len();
                self.pages.push(*page);
            }
            Found::Passed(why) => *self.passed.entry(why).or_default() += 1,
            Found::Unusable(key, error) => self.parked.push((key, error.context(file.display()))),
            Found::Broken(error) => self.parked.push((file.display().to_string(), error)),
        }
    }

    fn is_full(&self) -> bool {
        self.bytes >= PORTION_BYTES || self.pages.len() + self.parked.len() >= PORTION
    }
}

/// Goes through all files; ends when nobody listens any more, or the run is to stop.
pub(super) fn tell_all(
    files: &[PathBuf],
    rule: Rule,
    mut newest: Newest,
    tell: &mpsc::Sender<Portion>,
    cx: &Context,
) {
    let (mut portion, mut heard) = (Portion::default(), true);
    for file in files {
        foreign::walk(file, rule, |found| {
            let found = match found {
                Found::Page(page) if !newest.is(&page) => Found::Passed("older captures"),
                found => found,
            };
            portion.add(file, found);
            if portion.is_full() {
                heard = tell.blocking_send(std::mem::take(&mut portion)).is_ok();
            }
            heard &= !cx.stopping();
            heard
        });
        if !heard {
            return;
        }
    }
    // Nobody listens only when the run was stopped.
    let _ = tell.blocking_send(portion);
}

/// Which capture of each address counts: the newest, and the first of several that are as new.
#[derive(Debug, Default)]
pub(super) struct Newest {
    /// By a hash of the address: the date in milliseconds, and the how-manieth page it is.
    by_key: HashMap<u128, (i64, u64)>,
    seen: u64,
}

impl Newest {
    /// Goes through all files once.
    pub(super) fn of(files: &[PathBuf], rule: Rule, cx: &Context) -> Self {
        let mut newest = Self::default();
        for file in files {
            foreign::walk(file, rule, |found| {
                if let Found::Page(page) = found {
                    newest.add(&page);
                }
                !cx.stopping()
            });
        }
        newest.seen = 0;
        newest
    }

    fn add(&mut self, page: &Import) {
        let (date, number) = (page.date.timestamp_millis(), self.seen);
        self.seen += 1;
        let held = self.by_key.entry(hashed(page)).or_insert((date, number));
        if date > held.0 {
            *held = (date, number);
        }
    }

    /// Whether the next page counts; asked of all pages in the order in which they were added.
    fn is(&mut self, page: &Import) -> bool {
        let number = self.seen;
        self.seen += 1;
        self.by_key.get(&hashed(page)).is_some_and(|(_, newest)| *newest == number)
    }
}

fn hashed(page: &Import) -> u128 {
    let hash = Fingerprint::of_bytes(page.url.as_str().as_bytes());
    hash.as_bytes().iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte))
}

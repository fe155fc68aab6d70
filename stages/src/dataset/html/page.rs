//! The page around the entries: head, counts, table of contents.

use super::entry::Entry;
use super::escape::escaped;
use chrono::NaiveDate;
use std::collections::{BTreeMap, BTreeSet};
use tidemill_pipeline::sink::Sealing;

/// How many entries a page shows; a longer one helps nobody, and memory stays bounded.
pub(super) const MOST: usize = 1_000;
/// From how many entries on there is a table of contents.
const CONTENTS_FROM: usize = 6;
/// How many ways of summarising are counted in the header; each entry names its own anyway.
const MOST_WAYS: usize = 4;

/// What the browser may do: apply the styles in the page, and nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The entries so far.
#[derive(Debug, Default)]
pub(super) struct Page {
    entries: Vec<Entry>,
    left_out: usize,
}

impl Page {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= MOST
    }

    pub(super) fn add(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Counts one that is not shown.
    pub(super) fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// The whole document. The same entries and run give the same bytes.
    pub(super) fn render(&self, sealing: &Sealing<'_>) -> String {
        let mut entries = String::new();
        for (n, entry) in (1..).zip(&self.entries) {
            entry.write(n, &mut entries);
        }
        let contents = self.contents();
        format!(
            include_str!("page.html"),
            policy = POLICY,
            style = include_str!("page.css"),
            class = if contents.is_empty() { "short" } else { "long" },
            pipeline = escaped(sealing.pipeline),
            dt = escaped(sealing.dt),
            day = day(sealing.dt),
            counts = escaped(&self.counts()),
            contents = contents,
            entries = entries,
            rest = self.rest(),
            run = escaped(sealing.run),
        )
    }

    fn contents(&self) -> String {
        if self.entries.len() < CONTENTS_FROM {
            return String::new();
        }
        let line = |(n, entry): (usize, &Entry)| {
            format!("<li><a href=\"#n{n}\" dir=\"auto\">{}</a></li>\n", escaped(&entry.heading))
        };
        let lines: String = (1..).zip(&self.entries).map(line).collect();
        format!(
            "<nav aria-labelledby=\"contents\">\n<h2 id=\"contents\">Contents</h2>\n<ol>\n{lines}</ol>\n</nav>\n"
        )
    }

    /// For instance `12 items from 3 sites · 9 summarised by qwen3:8b · 3 extractive, no model`.
    fn counts(&self) -> String {
        let sites: BTreeSet<String> = self.entries.iter().filter_map(Entry::site).collect();
        let mut counts = counted(self.entries.len() + self.left_out, "item");
        if self.left_out == 0 && !sites.is_empty() {
            counts.push_str(&format!(" from {}", counted(sites.len(), "site")));
        }
        let mut ways: BTreeMap<&str, usize> = BTreeMap::new();
        for way in self.entries.iter().filter_map(|entry| entry.made.as_deref()) {
            *ways.entry(way).or_default() += 1;
        }
        if self.left_out == 0 && ways.len() <= MOST_WAYS {
            for (way, n) in ways {
                counts.push_str(&format!(" · {n} {way}"));
            }
        }
        counts
    }

    fn rest(&self) -> String {
        if self.left_out == 0 {
            return String::new();
        }
        let (shown, left_out) = (self.entries.len(), self.left_out);
        format!(
            "<p class=\"rest\">This page shows the first {shown} items. {left_out} more are in the \
             other files of this run.</p>\n"
        )
    }
}

fn counted(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

/// The run's date as people write it; as it is, when it is no date.
fn day(dt: &str) -> String {
    NaiveDate::parse_from_str(dt, "%Y-%m-%d").map_or_else(
        |_| escaped(dt),
        |day| format!("<time datetime=\"{day}\">{}</time>", day.format("%A, %-d %B %Y")),
    )
}

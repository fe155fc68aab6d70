//! Long pages in pieces: cut at headings and paragraphs, each with the headings it stands under.

use super::budget::weigh;
use text_splitter::{ChunkConfig, ChunkSizer, MarkdownSplitter};

/// A piece of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// The headings above it, from the outside in: `Guide › Install`.
    pub(super) under: String,
    /// The text.
    pub(super) text: String,
}

/// Measures pieces as the budget does.
struct Weigh;

impl ChunkSizer for Weigh {
    fn size(&self, chunk: &str) -> usize {
        weigh(chunk).ceil() as usize
    }
}

/// Cuts a text so that no piece weighs more than `most`; one piece when it fits.
pub(super) fn split(text: &str, most: f64) -> Vec<Piece> {
    if weigh(text) <= most {
        return vec![Piece { under: String::new(), text: text.to_owned() }];
    }
    let headings = headings(text);
    let config = ChunkConfig::new((most as usize).max(1)).with_sizer(Weigh);
    MarkdownSplitter::new(config)
        .chunk_indices(text)
        .map(|(at, chunk)| Piece { under: path(&headings, at), text: chunk.to_owned() })
        .collect()
}

/// Packs notes, in order, into groups of two or more that weigh no more than `most` where possible.
pub(super) fn pack(notes: Vec<String>, most: f64) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<String>> = Vec::new();
    let mut filled = 0.0;
    for note in notes {
        let weight = weigh(&note) + 2.0;
        match groups.last_mut() {
            Some(group) if group.len() < 2 || filled + weight <= most => {
                filled += weight;
                group.push(note);
            }
            _ => {
                filled = weight;
                groups.push(vec![note]);
            }
        }
    }
    groups
}

/// Where each markdown heading stands, how deep, and what it says; code blocks hold none.
fn headings(text: &str) -> Vec<(usize, usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut in_code = false;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        in_code ^= bare.starts_with("```") || bare.starts_with("~~~");
        let depth = bare.bytes().take_while(|&b| b == b'#').count();
        let title = bare.trim_matches('#').trim();
        if !in_code && (1..=6).contains(&depth) && !title.is_empty() {
            found.push((at, depth, title));
        }
        at += line.len();
    }
    found
}

/// The headings above a place that no later heading of the same or a higher rank closes.
fn path(headings: &[(usize, usize, &str)], at: usize) -> String {
    let mut open: Vec<(usize, &str)> = Vec::new();
    for &(_, depth, title) in headings.iter().take_while(|(place, ..)| *place < at) {
        open.retain(|&(other, _)| other < depth);
        open.push((depth, title));
    }
    open.iter().map(|&(_, title)| title).collect::<Vec<_>>().join(" › ")
}

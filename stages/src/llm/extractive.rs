//! Summaries without a model: the sentences that say most about the page, in their own order.
//!
//! Tf-idf within the page, likeness to its centroid, a prior for early sentences, and maximal
//! marginal relevance (Carbonell and Goldstein, 1998) against saying the same thing twice.

use super::budget::is_cjk;
use super::plain::prose;
use super::sentences::{count_words, first_words, sentences};
use std::collections::HashMap;

/// How many of the best sentences are weighed against each other.
const CANDIDATES: usize = 64;
/// Relevance against novelty.
const RELEVANCE: f64 = 0.7;

/// A summary of about this many words, made of the text's own sentences; a pure function.
///
/// Never empty when the text has a letter or digit; not more than the text; never cut inside a
/// sentence unless the first one alone is too long.
///
/// ```
/// use tidemill_stages::llm::extract_summary;
///
/// let page = "The mill turns with the tide. Nobody knows why the cat sat. The tide fills the mill pond.";
/// assert_eq!(extract_summary(page, 7), "The mill turns with the tide.");
/// ```
#[must_use]
pub fn extract_summary(markdown: &str, words: u32) -> String {
    let words = u64::from(words.max(1));
    let paragraphs = prose(markdown);
    let mut all: Vec<&str> = paragraphs.iter().flat_map(|p| sentences(p)).collect();
    // A line without a stop is a heading or an item of a list: only good where there is nothing else.
    if all.iter().any(|sentence| is_ended(sentence)) {
        all.retain(|sentence| is_ended(sentence));
    }
    let vectors = vectors(&all);
    let scores = scores(&vectors);
    let mut chosen = choose(&all, &vectors, &scores, words);
    chosen.sort_unstable();
    let mut out = String::new();
    for sentence in chosen.iter().filter_map(|&index| all.get(index)) {
        let spaced = !out.is_empty() && !out.ends_with(is_cjk_stop);
        out.push_str(if spaced { " " } else { "" });
        out.push_str(sentence);
    }
    if out.is_empty() {
        // Nothing but code, tables and links: its beginning is better than nothing.
        let flat = markdown.split_whitespace().collect::<Vec<_>>().join(" ");
        return first_words(&flat, words);
    }
    if count_words(&out) > words + words / 2 { first_words(&out, words) } else { out }
}

/// Whether a sentence has its stop, perhaps inside of closing quotes.
fn is_ended(sentence: &str) -> bool {
    let end = sentence.trim_end_matches(['"', '\'', '”', '’', '»', ')', '」', '』', '）']);
    end.ends_with(['.', '!', '?', '…', '。', '！', '？', '｡', '।', '॥', '۔', '؟'])
}

fn is_cjk_stop(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '」' | '』' | '）')
}

/// A sentence's terms with their weights, sorted by term, of length one.
type Vector = Vec<(u32, f64)>;

fn vectors(sentences: &[&str]) -> Vec<Vector> {
    let mut ids = HashMap::new();
    let mut in_sentences: Vec<u32> = Vec::new();
    let mut counted = Vec::with_capacity(sentences.len());
    for sentence in sentences {
        let mut terms = Vec::new();
        each_term(sentence, |term| {
            let next = ids.len() as u32;
            terms.push(*ids.entry(term).or_insert(next));
        });
        terms.sort_unstable();
        in_sentences.resize(ids.len(), 0);
        let counts: Vec<(u32, f64)> = terms
            .chunk_by(|a, b| a == b)
            .filter_map(|run| run.first().map(|&term| (term, run.len() as f64)))
            .collect();
        for &(term, _) in &counts {
            if let Some(n) = in_sentences.get_mut(term as usize) {
                *n += 1;
            }
        }
        counted.push(counts);
    }
    let total = sentences.len() as f64;
    for vector in &mut counted {
        for (term, weight) in vector.iter_mut() {
            let n = in_sentences.get(*term as usize).map_or(1.0, |&n| f64::from(n));
            *weight = weight.sqrt() * (1.0 + total / n).ln();
        }
        let length = vector.iter().map(|(_, w)| w * w).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|(_, weight)| *weight /= length.max(f64::MIN_POSITIVE));
    }
    counted
}

/// The shortest word that counts, in letters.
const SHORTEST: usize = 4;

/// Calls back with the hash of each term: words of four letters or more (the
/// shorter ones are articles and prepositions in most languages), and pairs of characters
/// in scripts without spaces.
fn each_term(sentence: &str, mut found: impl FnMut(u64)) {
    let (mut hash, mut length) = (SEED, 0);
    let mut before: Option<char> = None;
    for c in sentence.chars() {
        if is_cjk(c) {
            if let Some(before) = before {
                found(mixed(mixed(SEED, before), c));
            }
            before = Some(c);
        } else {
            before = None;
        }
        if c.is_alphanumeric() && !is_cjk(c) {
            for small in c.to_lowercase() {
                hash = mixed(hash, small);
            }
            length += 1;
            continue;
        }
        if length >= SHORTEST {
            found(hash);
        }
        (hash, length) = (SEED, 0);
    }
    if length >= SHORTEST {
        found(hash);
    }
}

/// FNV-1a, over characters.
const SEED: u64 = 0xcbf2_9ce4_8422_2325;

fn mixed(hash: u64, c: char) -> u64 {
    (hash ^ u64::from(c)).wrapping_mul(0x0100_0000_01b3)
}

/// Likeness to the page as a whole, with more for the beginning and less for scraps.
fn scores(vectors: &[Vector]) -> Vec<f64> {
    let terms = vectors.iter().flatten().map(|&(term, _)| term as usize + 1).max().unwrap_or(0);
    let mut centroid = vec![(0, 0.0); terms];
    for &(term, weight) in vectors.iter().flatten() {
        if let Some((sentences, sum)) = centroid.get_mut(term as usize) {
            *sentences += 1;
            *sum += weight;
        }
    }
    // A word of one sentence only says nothing about the page; unless there are no others.
    let least = if centroid.iter().any(|&(sentences, _)| sentences > 1) { 2 } else { 1 };
    let centroid: Vec<f64> =
        centroid.into_iter().map(|(n, sum)| if n >= least { sum } else { 0.0 }).collect();
    let length = centroid.iter().map(|w| w * w).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    let like = |vector: &Vector| {
        let of = |term: u32| centroid.get(term as usize).copied().unwrap_or(0.0);
        vector.iter().map(|&(term, weight)| weight * of(term)).sum::<f64>() / length
    };
    let early = |place: usize| 1.0 + 0.6 / (1.0 + place as f64 / 2.0);
    let whole = |vector: &Vector| if vector.len() < 4 { 0.5 } else { 1.0 };
    vectors.iter().enumerate().map(|(at, v)| like(v) * early(at) * whole(v)).collect()
}

/// The best sentences that fit; at least one when there is any.
fn choose(all: &[&str], vectors: &[Vector], scores: &[f64], words: u64) -> Vec<usize> {
    let score = |index: usize| scores.get(index).copied().unwrap_or(0.0);
    let likeness = |a: usize, b: usize| match (vectors.get(a), vectors.get(b)) {
        (Some(a), Some(b)) => product(a, b),
        _ => 0.0,
    };
    let mut left: Vec<usize> = (0..all.len()).collect();
    left.sort_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
    left.truncate(CANDIDATES.max(words as usize / 8));
    let best = left.first().map_or(1.0, |&index| score(index)).max(f64::MIN_POSITIVE);
    // Rather shorter than asked for than filled up with what is beside the point.
    let floor = left.first().map_or(0.0, |&index| score(index)) / 5.0;
    left.retain(|&index| score(index) >= floor);
    // The likeness of each candidate to what was chosen so far.
    let mut said = vec![0.0_f64; all.len()];
    let (mut chosen, mut filled) = (Vec::new(), 0);
    while filled < words && !left.is_empty() {
        let worth = |index: usize| {
            let told = said.get(index).copied().unwrap_or(0.0);
            RELEVANCE * score(index) / best - (1.0 - RELEVANCE) * told
        };
        let mut at = 0;
        for (place, &index) in left.iter().enumerate() {
            if left.get(at).is_some_and(|&leader| worth(index) > worth(leader)) {
                at = place;
            }
        }
        let index = left.remove(at);
        let length = all.get(index).map_or(0, |sentence| count_words(sentence));
        if !chosen.is_empty() && filled + length > words + words / 8 {
            continue; // too long for what is left; a shorter one may fit
        }
        filled += length;
        chosen.push(index);
        for &other in &left {
            if let Some(told) = said.get_mut(other) {
                *told = told.max(likeness(index, other));
            }
        }
        // The same sentence again, as pages with captions and teasers have it.
        left.retain(|&other| said.get(other).is_none_or(|&told| told < 0.95));
    }
    chosen
}

/// The product of two sorted vectors.
fn product(a: &Vector, b: &Vector) -> f64 {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut sum = 0.0;
    while let (Some(&&(left, x)), Some(&&(right, y))) = (a.peek(), b.peek()) {
        match left.cmp(&right) {
            std::cmp::Ordering::Less => a.next(),
            std::cmp::Ordering::Greater => b.next(),
            std::cmp::Ordering::Equal => {
                sum += x * y;
                a.next();
                b.next()
            }
        };
    }
    sum
}

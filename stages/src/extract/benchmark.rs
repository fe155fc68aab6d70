//! The extractor against 181 real pages and their gold texts, when the corpus is beside the project.
//!
//! Scored as the benchmark's own scorer does it: multisets of 4-grams of words, each document with
//! the same weight. Slow without optimisation, so it has a command of its own (CONTRIBUTING.md).

use super::article;
use flate2::read::GzDecoder;
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use url::Url;

/// The extractor's own known value is 0.960; what we add around it must not cost more than this.
const BAR: f64 = 0.95;

fn grams(text: &str) -> HashMap<Vec<&str>, i64> {
    let word = |c: char| !(c.is_alphanumeric() || c == '_');
    let tokens: Vec<&str> = text.split(word).filter(|token| !token.is_empty()).collect();
    let mut counts = HashMap::new();
    if !tokens.is_empty() {
        for gram in tokens.windows(tokens.len().min(4)) {
            *counts.entry(gram.to_vec()).or_insert(0) += 1;
        }
    }
    counts
}

/// True positives, false positives and false negatives, as shares of their sum.
fn shares(gold: &str, found: &str) -> (f64, f64, f64) {
    let (gold, found) = (grams(gold), grams(found));
    let common: i64 = gold.iter().map(|(gram, n)| *n.min(found.get(gram).unwrap_or(&0))).sum();
    let (wanted, got): (i64, i64) = (gold.values().sum(), found.values().sum());
    let (fp, fneg) = (got - common, wanted - common);
    let all = (common + fp + fneg).max(1) as f64;
    (common as f64 / all, fp as f64 / all, fneg as f64 / all)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[test]
#[ignore = "minutes without optimisation: cargo test --release -p tidemill-stages -- --ignored"]
#[expect(clippy::print_stderr, reason = "it says its figures, and that it skips")]
fn articles_are_found_as_well_as_the_benchmark_knows() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpora/article-extraction");
    let corpus = Path::new(corpus);
    let Ok(gold) = std::fs::read(corpus.join("ground-truth.json")) else {
        eprintln!("skipped: the article corpus is not beside the project");
        return;
    };
    let gold: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&gold).unwrap();
    let (mut precision, mut recall, mut empty) = (Vec::new(), Vec::new(), 0);
    for (id, truth) in &gold {
        let mut page = Vec::new();
        let file = std::fs::File::open(corpus.join(format!("html/{id}.html.gz"))).unwrap();
        GzDecoder::new(file).read_to_end(&mut page).unwrap();
        let url = truth["url"].as_str().and_then(|url| Url::parse(url).ok());
        let url = url.unwrap_or_else(|| Url::parse("https://example.org/").unwrap());
        let found = article(&page, Some("text/html"), &url).map(|document| document.text);
        empty += usize::from(found.is_err());
        let (tp, fp, fneg) =
            shares(truth["articleBody"].as_str().unwrap(), &found.unwrap_or_default());
        if tp + fp > 0.0 {
            precision.push(tp / (tp + fp));
        }
        if tp + fneg > 0.0 {
            recall.push(tp / (tp + fneg));
        }
    }
    let (p, r) = (mean(&precision), mean(&recall));
    let f1 = 2.0 * p * r / (p + r);
    eprintln!(
        "{} pages: F1 {f1:.3}, precision {p:.3}, recall {r:.3}, {empty} without text",
        gold.len()
    );
    assert!(f1 >= BAR, "F1 {f1:.3}");
    assert_eq!(empty, 0, "a page with an article ended without text");
}

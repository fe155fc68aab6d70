//! The page as it lies on disk, read back as text.

use super::HtmlPage;
use super::page::MOST;
use serde_json::{Value, json};
use std::path::Path;
use tidemill_pipeline::sink::{Saved, Sealing};
use tidemill_pipeline::{Error, FileSink, Fingerprint, Result};

fn saved(item: Value) -> Result<Saved<Value>> {
    Ok(Saved { key: "the-key".into(), seq: 1, content: None, item })
}

fn seal(rows: Vec<Result<Saved<Value>>>, folder: &Path) -> Result<Vec<String>> {
    let steps = Fingerprint::nothing();
    let run = "20261120T050000Z-7f3a9c";
    let sealing = Sealing { pipeline: "news <1>", run, dt: "2026-11-20", steps, folder };
    FileSink::<Value>::seal(&HtmlPage::dataset("llm_summaries"), &mut rows.into_iter(), &sealing)
}

fn page(items: Vec<Value>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let files = seal(items.into_iter().map(saved).collect(), folder.path()).unwrap();
    assert_eq!(files, ["digest.html"]);
    std::fs::read_to_string(folder.path().join("digest.html")).unwrap()
}

fn article(item: Value) -> String {
    let page = page(vec![item]);
    let (_, rest) = page.split_once("<article").unwrap();
    rest.split_once("</article>").unwrap().0.to_owned()
}

#[test]
fn a_row_is_shown_with_its_link_site_day_language_and_maker() {
    let html = article(json!({
        "url": "https://example.org:8443/a?x=1&y=2", "title": "Ebbe & Flut", "summary": "Eins.\n\nZwei.",
        "language": "de", "published": "2026-11-19T08:00:00Z", "method": "model", "model": "qwen3:8b",
    }));
    assert!(html.contains(
        "<h2 lang=\"de\" dir=\"auto\"><a href=\"https://example.org:8443/a?x=1&amp;y=2\" \
         rel=\"noopener noreferrer\">Ebbe &amp; Flut</a></h2>"
    ));
    assert!(html.contains("<bdi class=\"site\">example.org:8443</bdi>"));
    assert!(html.contains("<time datetime=\"2026-11-19\">19 November 2026</time>\u{a0}· German"));
    assert!(html.contains(
        "<div class=\"summary\" lang=\"de\">\n<p dir=\"auto\">Eins.</p>\n<p dir=\"auto\">Zwei.</p>"
    ));
    assert!(html.contains("<p class=\"made\">summarised by qwen3:8b</p>"), "{html}");
}

#[test]
fn the_maker_is_told_honestly() {
    let made = |extra: Value| {
        let mut row = json!({"title": "t", "summary": "s"});
        row.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let html = article(row);
        html.split_once("\"made\">").map(|(_, rest)| rest.split_once('<').unwrap().0.to_owned())
    };
    assert_eq!(
        made(json!({"method": "extractive", "model": null})).unwrap(),
        "extractive, no model"
    );
    assert_eq!(made(json!({"method": "verbatim"})).unwrap(), "shown whole, no model");
    assert_eq!(made(json!({"model": "m"})).unwrap(), "summarised by m");
    assert_eq!(made(json!({"method": "model"})).unwrap(), "summarised by a model without a name");
    assert_eq!(made(json!({})), None);
}

#[test]
fn nothing_a_page_says_becomes_markup() {
    let evil = "</p><script>alert(1)</script>\" onload='x' <img src=//evil>\0\u{1b}[2J\u{202E}gpj";
    let names = ["url", "title", "summary", "language", "published", "method", "model"];
    let row: serde_json::Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), json!(evil))).collect();
    let mut other = row.clone();
    other.remove("summary");
    other.insert(evil.to_owned(), json!({evil: [evil]}));
    let html = page(vec![Value::Object(row), Value::Object(other)]);
    assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    assert!(!html.contains(" onload='") && !html.contains("\" onload"), "{html}");
    assert!(!html.contains(['\0', '\u{1b}', '\u{202E}']));
    assert!(!html.contains("<h2 lang"), "a language tag that is none is no attribute");
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "it is still there to be read");
}

#[test]
fn only_web_addresses_are_links_and_they_carry_no_password() {
    for url in
        ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//x/y", "ftp://x/"]
    {
        let html = article(json!({"url": url, "title": "t", "summary": "s"}));
        assert!(!html.contains("href"), "{url}: {html}");
    }
    let html = article(json!({"url": "https://me:hunter2@example.org/"}));
    assert!(html.contains("href=\"https://example.org/\"") && !html.contains("hunter2"), "{html}");
}

#[test]
fn a_row_without_a_summary_shows_its_fields() {
    let long = "é".repeat(700);
    let html = article(json!({"minutes": 7, "tags": ["a", "b"], "none": null, "long": long}));
    assert!(html.contains("<h2 dir=\"auto\">the-key</h2>"), "{html}");
    for (name, value) in
        [("minutes", "7"), ("tags", "[&quot;a&quot;,&quot;b&quot;]"), ("none", "–")]
    {
        assert!(html.contains(&format!("<dt>{name}</dt><dd dir=\"auto\">{value}</dd>")), "{html}");
    }
    assert!(html.contains("éé … (700 characters)") && html.matches('é').count() == 500);
}

#[test]
fn the_page_loads_and_runs_nothing() {
    let html = page(vec![json!({"url": "https://example.org/", "title": "t", "summary": "s"})]);
    assert!(html.contains("content=\"default-src 'none'; style-src 'unsafe-inline';"));
    for word in ["<script", "<link", "<img", "<iframe", "@import", "url(", "src="] {
        assert!(!html.contains(word), "{word}");
    }
    assert!(html.contains("<h1>news &lt;1&gt;</h1>"));
    assert!(html.contains("<time datetime=\"2026-11-20\">Friday, 20 November 2026</time>"));
    assert!(!html.contains("{{") && !html.contains("}}"), "a template hole is left");
}

#[test]
fn contents_come_with_the_sixth_row_and_counts_always() {
    let row = |n: usize| {
        json!({"url": format!("https://s{}.example/", n % 2), "title": format!("T{n}"),
                                "summary": "s", "method": "extractive"})
    };
    let five = page((0..5).map(row).collect());
    assert!(
        !five.contains("<nav") && five.contains("5 items from 2 sites · 5 extractive, no model")
    );
    let six = page((0..6).map(row).collect());
    assert!(
        six.contains("<li><a href=\"#n6\" dir=\"auto\">T5</a></li>") && six.contains("id=\"n6\"")
    );
    assert!(page(vec![row(1)]).contains("1 item from 1 site ·"));
}

#[test]
fn a_huge_run_is_cut_and_says_so() {
    let html =
        page((0..MOST + 7).map(|n| json!({"title": n.to_string(), "summary": "s"})).collect());
    assert_eq!(html.matches("<article").count(), MOST);
    assert!(html.contains("1007 items<") && html.contains("first 1000 items. 7 more are in"));
}

#[test]
fn sealing_twice_gives_the_same_bytes_and_no_rows_no_file() {
    let folder = tempfile::tempdir().unwrap();
    assert!(seal(Vec::new(), folder.path()).unwrap().is_empty());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let once = || seal(vec![saved(json!({"title": "t", "summary": "s"}))], folder.path()).unwrap();
    let file = folder.path().join("digest.html");
    let first = (once(), std::fs::read(&file).unwrap());
    assert_eq!((once(), std::fs::read(&file).unwrap()), first);
}

#[test]
fn an_unreadable_row_and_an_item_without_fields_leave_no_page() {
    let folder = tempfile::tempdir().unwrap();
    let good = || saved(json!({"title": "t", "summary": "s"}));
    let torn = seal(vec![good(), Err(Error::halt("torn").because("torn"))], folder.path());
    assert_eq!(torn.unwrap_err().reason(), "torn");
    let plain = seal(vec![good(), saved(json!("just text"))], folder.path());
    assert_eq!(plain.unwrap_err().reason(), "not_an_object");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

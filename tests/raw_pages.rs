//! Promise: an archived capture becomes again exactly the item that it was, from its index alone.

mod bench;
mod foreign;

use crate::support::fake_web::FakeWeb;
use crate::support::program::{ended, files_like, python};
use bench::{Bench, archive, file_of, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidemill::prelude::*;
use tidemill_pipeline::Replay;
use tidemill_pipeline::replay::Indexed;
use tidemill_pipeline::testing::Lines;
use tidemill_pipeline::tier::{ArchivedRun, runs};
use tidemill_stages::warc::Reader;

fn fetch() -> Fetch {
    Fetch::politely().delay(Duration::ZERO)
}

fn reader() -> Arc<dyn Replay<Page>> {
    Stage::replay(&fetch()).unwrap()
}

/// All that the reader finds: the index, and the pages by their addresses.
fn read(reader: &Arc<dyn Replay<Page>>, run: &ArchivedRun) -> Result<(Vec<Indexed>, Vec<Page>)> {
    let index = reader.index(run, &reader.columns(std::slice::from_ref(run))?)?;
    assert!(index.is_sorted_by(|a, b| a.place < b.place));
    let places: Vec<u64> = index.iter().map(|item| item.place).collect();
    let mut pages = reader.items(run, &places)?;
    assert!(index.iter().zip(&pages).all(|(item, page)| {
        item.content.is_none_or(|content| content == page.body.blake3)
            && item.values[0] == page.url.as_str()
            && item.values[2] == page.status
            && item.values[4] == page.fetched_at.as_str()
            && item.values[5] == page.body.len
    }));
    // In portions, and by a reader that has not seen the index, it is the same.
    let one = reader.items(run, &places[places.len() - 1..])?;
    assert_eq!((one, pages.clone()), (vec![pages[pages.len() - 1].clone()], fresh(run, &places)?));
    pages.sort_by(|a, b| a.url.cmp(&b.url));
    Ok((index, pages))
}

fn fresh(run: &ArchivedRun, places: &[u64]) -> Result<Vec<Page>> {
    reader().items(run, places)
}

fn keys(index: &[Indexed]) -> Vec<&str> {
    let mut keys: Vec<&str> = index.iter().map(|item| item.key.as_str()).collect();
    keys.sort_unstable();
    keys
}

/// A site on which all that can go between an address and its page does.
fn odd_site() -> FakeWeb {
    let page = |words: &str| format!("<html><title>{words}</title><p>{words}</html>");
    FakeWeb::start()
        .site(2)
        .redirect("/moved", "/articles/1?token=hush&of=2")
        .resource("/latin", "text/html; charset=ISO-8859-1", page("Fl\u{f6}te").as_bytes().to_vec())
        .resource("/typeless", "", page("nothing said"))
        .resource("/TYPE", "Text/HTML", page("shouted"))
        .resource("/paper", "application/pdf", "%PDF-1.4 x")
        .page("/door", &page("behind the door"))
}

/// The lines of a source of one's own, and the addresses that they stand for.
const LINES: [(&str, &str); 8] = [
    ("the first", "/articles/1"),
    ("\"quoted\"", "/latin"),
    ("moved: \u{fc}", "/moved"),
    ("door", "/door?token=hush&page=2"),
    ("a feed", "/feed.xml"),
    ("typeless", "/typeless"),
    ("TYPE", "/TYPE"),
    ("paper", "/paper"),
];

async fn odd_run(bench: &Bench, web: &FakeWeb) -> Result<(ArchivedRun, Vec<Page>)> {
    let urls: BTreeMap<_, _> = LINES.iter().map(|(key, path)| (*key, web.url(path))).collect();
    let links = Pipeline::named("odd").read(Lines::of(LINES.map(|(key, _)| key)));
    let links = links.map(move |line: String| {
        let url = urls.get(line.as_str()).cloned();
        async move { Ok(Link::to(url.unwrap_or_default())) }
    });
    bench.run(links.then(fetch())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_fetch_stage_come_back_as_they_were() -> Result<()> {
    let (bench, web) = (Bench::new()?, odd_site());
    let (run, pages) = odd_run(&bench, &web).await?;
    let (index, again) = read(&reader(), &run)?;
    assert_eq!(json(&again), json(&pages), "byte for byte");
    let by_place = |index: &Indexed| (index.key.clone(), index.values[0].clone());
    let found: BTreeMap<_, _> = index.iter().map(by_place).collect();
    for (key, path) in LINES {
        assert_eq!(found[key], web.url(path).replace("hush", "hidden"), "{key}");
    }
    assert_eq!((found.len(), again.len()), (LINES.len(), LINES.len()));
    let moved = again.iter().find(|page| page.url.ends_with("/moved")).unwrap();
    assert!(moved.final_url.ends_with("/articles/1?token=hidden&of=2"), "{}", moved.final_url);
    assert!(!std::fs::read_to_string(file_of(&run, ".cdxj"))?.contains("hush"));
    for located in Reader::open(&file_of(&run, ".warc.gz"), 1 << 20)? {
        let record = located?.record;
        assert!(!format!("{:?}", (&record.target, &record.headers)).contains("hush"), "{record:?}");
        assert!(!String::from_utf8_lossy(&record.block).contains("hush"), "{record:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn feeds_and_sitemaps_on_the_way_are_no_items() -> Result<()> {
    let (bench, web) = (Bench::new()?, FakeWeb::start().site(3));
    let feed = Feed::list([web.url("/feed.xml")]).delay(Duration::ZERO);
    let (run, pages) = bench.run(Pipeline::named("feed").read(feed).then(fetch())).await?;
    let (index, again) = read(&reader(), &run)?;
    assert_eq!((pages.len(), json(&again)), (3, json(&pages)));
    assert_eq!(keys(&index), pages.iter().map(|page| page.url.as_str()).collect::<Vec<_>>());

    let seeds = ["/", "/sitemap.xml", "/atom.xml"].map(|path| web.url(path));
    let crawl = || Crawl::seeds(seeds.clone()).depth(2).delay(Duration::ZERO);
    let (run, pages) = bench.run(Pipeline::named("crawl").read(crawl())).await?;
    let (index, again) = read(&Source::replay(&crawl()).unwrap(), &run)?;
    assert_eq!((pages.len(), json(&again)), (4, json(&pages)), "the index page and the articles");
    assert_eq!(keys(&index), pages.iter().map(|page| page.url.as_str()).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_as_it_was_is_no_capture() -> Result<()> {
    let (bench, web) = (Bench::new()?, FakeWeb::start().site(3));
    let urls = [1, 2, 3].map(|n| web.url(&format!("/articles/{n}")));
    let pages = || Pipeline::named("twice").read(Links::of(urls.clone())).then(fetch());
    bench.run(pages()).await?;
    web.revise(2, 9);
    let (run, changed) = bench.run(pages()).await?;
    let (index, again) = read(&reader(), &run)?;
    assert_eq!(keys(&index), [web.url("/articles/2")]);
    assert_eq!(json(&again), json(&changed));
    Ok(())
}

/// The reason and the text of what the reader says of a run.
fn refused(run: &ArchivedRun) -> (String, String) {
    let reader = reader();
    let index = reader.index(run, &[]);
    let error = match index {
        Err(error) => error,
        Ok(index) => {
            let places: Vec<u64> = index.iter().map(|item| item.place).collect();
            reader.items(run, &places).unwrap_err()
        }
    };
    (error.reason().to_owned(), format!("{error} {error:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_missing_or_old_costs_nothing_but_time() -> Result<()> {
    let (bench, web) = (Bench::new()?, odd_site());
    let (run, pages) = odd_run(&bench, &web).await?;
    let path = file_of(&run, ".cdxj");
    let whole = std::fs::read_to_string(&path)?;
    std::fs::remove_file(&path)?;
    assert_eq!(json(&read(&reader(), &run)?.1), json(&pages), "made from the WARC");
    // As it was written before: without anything of items.
    let old = whole.lines().map(|line| {
        let (head, json) = line.split_at(line.find('{').unwrap());
        let mut json: serde_json::Value = serde_json::from_str(json).unwrap();
        for name in ["key", "final_url", "content_type", "blake3", "item"] {
            json.as_object_mut().unwrap().remove(name);
        }
        format!("{head}{json}\n")
    });
    std::fs::write(&path, old.collect::<String>())?;
    let reader = reader();
    let index = reader.index(&run, &["status".into(), "final_url".into(), "tide".into()])?;
    assert_eq!(index.len(), LINES.len());
    let page = index.iter().find(|item| item.key == web.url("/articles/1")).unwrap();
    assert_eq!(page.content, None, "an HTML page is not even opened");
    assert_eq!(
        page.values,
        [serde_json::json!(200), serde_json::Value::Null, serde_json::Value::Null]
    );
    let places: Vec<u64> = index.iter().map(|item| item.place).collect();
    let mut again = reader.items(&run, &places)?;
    again.sort_by(|a, b| a.url.cmp(&b.url));
    assert_eq!(json(&again), json(&pages), "the records say the rest");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_is_refused_by_its_name() -> Result<()> {
    let (bench, web) = (Bench::new()?, FakeWeb::start().site(2));
    let urls = [1, 2].map(|n| web.url(&format!("/articles/{n}")));
    let (run, _) = bench.run(Pipeline::named("x").read(Links::of(urls)).then(fetch())).await?;
    let (index, part) = (file_of(&run, ".cdxj"), file_of(&run, ".warc.gz"));
    let (lines, bytes) = (std::fs::read_to_string(&index)?, std::fs::read(&part)?);
    let length = |text: &str| {
        text.split("\"length\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let length = format!("\"length\":\"{}\"", length(&lines));
    let broken = [
        lines.replacen('{', "", 1),
        lines.replacen(&length, "\"length\":\"99999999\"", 1),
        lines.replacen(&length, "\"length\":\"18446744073709551615\"", 1),
        lines.replacen("part-0000", "../part-0000", 1),
        lines.replacen(" 2026", " later", 1),
    ];
    for text in broken {
        std::fs::write(&index, &text)?;
        let (reason, said) = refused(&run);
        assert_eq!(reason, "cdxj_line", "{said}");
        assert!(said.contains("part-0000.cdxj") && said.contains("line 1"), "{said}");
    }
    std::fs::remove_file(&index)?;
    for torn in [&bytes[..bytes.len() - 9], &b"no WARC at all"[..]] {
        std::fs::write(&part, torn)?;
        let (reason, said) = refused(&run);
        assert!(reason == "warc_damaged" && said.contains("part-0000.warc.gz"), "{reason} {said}");
    }
    // An older line sends the reader to the record, which is none.
    std::fs::write(&part, vec![0; bytes.len()])?;
    let old: String = lines
        .lines()
        .map(|line| format!("{}}}\n", line.split(",\"blake3\"").next().unwrap()))
        .collect();
    std::fs::write(&index, old)?;
    let (reason, said) = refused(&run);
    assert!(reason == "warc_damaged" && said.contains("part-0000.warc.gz"), "{reason} {said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_several_parts_is_read_in_the_order_in_which_it_was_written() -> Result<()> {
    let (bench, web) = (Bench::new()?, odd_site());
    let (mut run, _) = odd_run(&bench, &web).await?;
    let (index, part) = (file_of(&run, ".cdxj"), file_of(&run, ".warc.gz"));
    std::fs::copy(&part, part.with_file_name("part-0001.warc.gz"))?;
    let lines = std::fs::read_to_string(&index)?.replace("part-0000", "part-0001");
    std::fs::write(index.with_file_name("part-0001.cdxj"), lines)?;
    for mut file in run.manifest.files.clone() {
        file.path = file.path.replace("part-0000", "part-0001");
        run.manifest.files.push(file);
    }
    let reader = reader();
    let places: Vec<u64> = reader.index(&run, &[])?.iter().map(|item| item.place).collect();
    let found = reader.items(&run, &places)?.into_iter();
    let order: Vec<(String, u64)> = found.map(|page| (page.body.part, page.body.offset)).collect();
    assert_eq!(order.len(), 2 * LINES.len());
    assert!(order.is_sorted_by(|a, b| a < b), "{order:?}");
    assert_eq!(reader.items(&run, &[u64::MAX]).unwrap_err().reason(), "archive_changed");
    Ok(())
}

#[test]
fn archives_of_format_1_become_pages() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/archives/format-1");
    let all = runs(&archive(&root))?;
    let raw: Vec<_> = all.iter().filter(|run| run.dataset == "raw_scrapes").collect();
    let (index, pages) = read(&reader(), raw[0])?;
    let site = "http://127.0.0.1:8080/articles";
    let urls = ["cafe", "grain", "light?page=2", "tides"].map(|path| format!("{site}/{path}"));
    assert_eq!(keys(&index), urls, "and not the feed");
    let types: Vec<_> = pages.iter().map(|page| page.content_type.as_deref().unwrap()).collect();
    let utf8 = "text/html; charset=utf-8";
    assert_eq!(types, ["text/html; charset=ISO-8859-1", "text/html", utf8, utf8]);
    let (index, _) = read(&reader(), raw[1])?;
    assert_eq!(keys(&index), [&urls[3]]);
    Ok(())
}

#[test]
fn archives_whose_index_says_all_become_pages_without_a_look_at_the_records() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/archives/format-1-keyed");
    let all = runs(&archive(&root))?;
    let raw: Vec<_> = all.iter().filter(|run| run.dataset == "raw_scrapes").collect();
    let (index, pages) = read(&reader(), raw[0])?;
    let site = "http://127.0.0.1:8080/articles";
    assert_eq!(keys(&index), ["1", "2", "3"].map(|n| format!("{site}/{n}.html")));
    for (indexed, page) in index.iter().zip(&pages) {
        assert_eq!(indexed.content, Some(page.body.blake3), "{}", page.url);
        assert_eq!(page.content_type.as_deref(), Some("text/html"));
    }
    let (index, _) = read(&reader(), raw[1])?;
    assert_eq!(keys(&index), [format!("{site}/2.html")], "the others were as they were");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn others_read_the_records_and_their_fields() -> Result<()> {
    let Some(python) = python("the fields of our records in warcio") else { return Ok(()) };
    let (bench, web) = (Bench::new()?, odd_site());
    let (run, _) = odd_run(&bench, &web).await?;
    let part = file_of(&run, ".warc.gz");
    let command = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&python);
        ended(command.args(arguments).arg(&part).output().unwrap()).code(0).stdout
    };
    assert!(!command(&["-m", "warcio.cli", "check"]).contains("failed"));
    let script = "import sys; from warcio.archiveiterator import ArchiveIterator as A\n\
         for r in A(open(sys.argv[1], 'rb')): print(r.rec_headers.get_header('WARC-Tidemill-Key'))";
    let said = command(&["-c", script]);
    assert!(said.lines().any(|line| line == "the first"), "{said}");
    assert!(said.lines().any(|line| line == "\"\\\"quoted\\\"\""), "{said}");
    assert_eq!(files_like(&run.folder, ".cdxj").len(), 1);
    Ok(())
}

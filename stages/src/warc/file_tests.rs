//! Tests of parts, indexes and the files of other programs; the shared samples are warcio's.
#![expect(clippy::print_stderr, reason = "tests")]

use super::cdxj::{self, Line, lookup, surt};
use super::digest::digest;
use super::tests::{date, read_all, sample};
use super::*;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use tidemill_pipeline::Verdict;

#[test]
fn a_part_is_cut_to_what_was_committed_and_sealed_once() {
    let folder = tempfile::tempdir().unwrap();
    let members: Vec<Vec<u8>> = sample().iter().map(|r| encode(r).unwrap()).collect();
    let mut part = Part::open(folder.path(), 0, 0).unwrap();
    let (_, committed) = part.append(&members[0]).unwrap();
    part.append(&members[1][..50]).unwrap();
    part.sync().unwrap();
    drop(part);

    let mut part = Part::open(folder.path(), 0, committed).unwrap();
    let (offset, len) = part.append(&members[2]).unwrap();
    assert_eq!((offset, part.end()), (committed, committed + len));
    let line = Line::of(&sample()[2], offset, len, &part.name()).unwrap().unwrap();
    assert_eq!(part.seal(std::slice::from_ref(&line)).unwrap(), "part-0000.warc.gz");
    assert_eq!(part.append(&members[1]).unwrap_err().reason(), "warc_sealed");
    assert_eq!(part.seal(std::slice::from_ref(&line)).unwrap(), "part-0000.warc.gz");

    let mut after_crash = Part::open(folder.path(), 0, committed + len).unwrap();
    assert_eq!(after_crash.seal(std::slice::from_ref(&line)).unwrap(), "part-0000.warc.gz");
    assert_eq!(Part::open(folder.path(), 0, committed).unwrap_err().reason(), "warc_sealed");
    let path = folder.path().join("part-0000.warc.gz");
    assert_eq!(std::fs::read(path).unwrap(), [members[0].clone(), members[2].clone()].concat());
    let index = std::fs::File::open(folder.path().join("part-0000.cdxj")).unwrap();
    assert_eq!(
        lookup(index, "http://www.EXAMPLE.org/A?token=hidden&id=1").unwrap(),
        [Line { date: date("2026-11-20T02:00:00Z"), ..line }]
    );
    assert!(!folder.path().join("part-0000.warc.gz.open").exists());
}

#[test]
fn a_part_that_lost_bytes_or_has_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = Part::open(folder.path(), 1, 100).unwrap_err();
    assert_eq!((error.verdict(), error.reason()), (Verdict::Halt, "warc_short"));
    let mut part = Part::open(folder.path(), 2, 0).unwrap();
    assert_eq!(part.seal(&[]).unwrap_err().reason(), "warc_empty");
}

#[test]
fn every_line_of_an_index_is_found() {
    let place = |n: u64| cdxj::Place {
        url: format!("https://example.org/{n}"),
        mime: "text/html".into(),
        status: Some("200".into()),
        digest: None,
        offset: n,
        length: 1,
        filename: "part-0000.warc.gz".into(),
        key: None,
        final_url: None,
        content_type: None,
        blake3: None,
        item: true,
    };
    let line = |n: u64, day: u32| Line {
        key: surt(&format!("https://example.org/{n}")),
        date: date(&format!("2026-11-{day:02}T00:00:00Z")),
        place: place(n),
    };
    let lines: Vec<Line> = (0..50).flat_map(|n| [line(n, 21), line(n, 20)]).collect();
    let text = cdxj::to_text(&lines).unwrap();
    for n in 0..50 {
        let found = lookup(Cursor::new(&text), &format!("https://example.org/{n}")).unwrap();
        assert_eq!(found, [line(n, 20), line(n, 21)]);
    }
    for url in
        ["https://example.org/", "https://a.org/", "https://zz.zz/", "https://example.org/5x"]
    {
        assert_eq!(lookup(Cursor::new(&text), url).unwrap(), []);
    }
    assert_eq!(lookup(Cursor::new(""), "https://a.org/").unwrap(), []);
    assert!(Line::parse("org,example)/ 2026 {}").is_err());
}

#[test]
fn addresses_sort_by_domain() {
    for (url, wanted) in [
        ("https://www.Example.org:443/A?b=2&a=1#x", "org,example)/a?a=1&b=2"),
        ("http://example.org:8080", "org,example:8080)/"),
        ("http://192.168.1.1/x", "192.168.1.1)/x"),
        ("urn:some thing", "urn:some%20thing"),
    ] {
        assert_eq!(surt(url), wanted);
    }
}

fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpora")).join(name);
    if !path.exists() {
        eprintln!("skipped: no {}", path.display());
        return None;
    }
    Some(path)
}

#[test]
fn every_shared_sample_is_read_or_refused_cleanly() {
    let Some(folder) = shared("warc") else { return };
    let refused = Some("warc_damaged");
    for (name, records, reason, unusable) in [
        ("bad.arc", 0, refused, 0),
        ("example-bad-non-chunked.warc.gz", 0, refused, 0),
        ("example-bad.warc.gz.bad", 0, refused, 0),
        ("example-digest.warc", 4, None, 0),
        ("example-iana.org-chunked.warc", 3, None, 0),
        ("example-resource.warc.gz", 3, None, 0),
        ("example-space-in-target-uri.warc.gz", 2, None, 0),
        ("example-space-in-url.arc", 0, refused, 0),
        ("example-trunc.warc", 3, refused, 1),
        ("example-wget-bad-target-uri.warc.gz", 6, None, 0),
        ("example-wrong-chunks.warc.gz", 0, refused, 0),
        ("example.arc", 0, refused, 0),
        ("example.arc.gz", 0, refused, 0),
        ("example.warc", 6, None, 0),
        ("example.warc.gz", 6, None, 0),
        ("post-test.warc.gz", 6, None, 0),
    ] {
        let (found, error, _) = read_all(&std::fs::read(folder.join(name)).unwrap());
        assert_eq!(error.as_ref().map(|error| error.reason()), reason, "{name}: {error:?}");
        assert_eq!(found.len(), records, "{name}");
        let responses = found.iter().filter(|located| located.record.kind == Kind::Response);
        let unread = responses.filter(|located| http(&located.record).is_err()).count();
        assert_eq!(unread, unusable, "{name}");
    }
}

/// The digests in the samples were made by other programs.
#[test]
fn payload_digests_of_others_are_met() {
    let Some(folder) = shared("warc") else { return };
    let (found, ..) = read_all(&std::fs::read(folder.join("post-test.warc.gz")).unwrap());
    let responses = found.iter().filter(|located| located.record.kind == Kind::Response);
    for Located { record, .. } in responses {
        let body = http(record).unwrap().body;
        assert_eq!(record.header("WARC-Payload-Digest"), Some(digest(&body).as_str()));
        assert_eq!(record.header("WARC-Block-Digest"), Some(digest(&record.block).as_str()));
    }
}

/// Set `WARCIO` to the `warcio` program to have it check what is written here.
#[test]
fn warcio_finds_nothing_wrong() {
    let Some(warcio) = std::env::var_os("WARCIO") else {
        eprintln!("skipped: WARCIO is not set");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut part = Part::open(folder.path(), 0, 0).unwrap();
    for record in sample() {
        part.append(&encode(&record).unwrap()).unwrap();
    }
    let path = folder.path().join(part.seal(&[]).unwrap());
    let output =
        std::process::Command::new(warcio).arg("check").arg("-v").arg(path).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let count = |what: &str| told.matches(what).count();
    assert_eq!((count("digest pass"), count("not checked (revisit)")), (3, 2), "{told}");
}

/// The index line of a response to this address, as it comes back from the file.
fn line_of(headers: &[(&str, &str)], body: &[u8], origin: Option<&Origin>) -> cdxj::Place {
    let url = "https://example.org/a?token=hush&id=1".parse().unwrap();
    let headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let capture = Capture {
        url: &url,
        date: date("2026-11-20T02:00:00Z"),
        status: 200,
        reason: "OK",
        headers: &headers,
        body,
        ip: None,
    };
    let record = match origin {
        Some(origin) => Record::response_for(&capture, origin),
        None => Record::response(&capture),
    };
    let record = decode(&encode(&record).unwrap()).unwrap();
    let text = cdxj::to_text(&[Line::of(&record, 0, 1, "a.warc.gz").unwrap().unwrap()]).unwrap();
    assert!(!text.contains("hush"), "{text}");
    Line::parse(&text).unwrap().place
}

#[test]
fn an_index_line_says_what_makes_a_capture_the_same_item_again() {
    let html = [("content-type", "text/html; charset=latin1")];
    let url = "https://example.org/a?token=hidden&id=1";
    let at = |text: &str| text.parse().unwrap();
    let own =
        Origin { key: Some("line 7\n".into()), final_url: at("https://example.org/b?token=hush") };
    let place = line_of(&html, b"<html>", Some(&own));
    assert_eq!((place.key.as_deref(), place.item), (Some("line 7\n"), true));
    assert_eq!(place.final_url.as_deref(), Some("https://example.org/b?token=hidden"));
    assert_eq!(
        (place.mime.as_str(), place.full_type()),
        ("text/html", Some("text/html; charset=latin1"))
    );
    assert_eq!(place.blake3, Some(tidemill_pipeline::Fingerprint::of_bytes(b"<html>")));

    let plain =
        Origin { key: Some(url.into()), final_url: at("https://example.org/a?token=hush&id=1") };
    let place = line_of(&[("content-type", "text/html")], b"", Some(&plain));
    assert_eq!((&place.key, &place.final_url, &place.content_type), (&None, &None, &None));
    assert_eq!((place.url.as_str(), place.full_type()), (url, Some("text/html")));
    assert_eq!(line_of(&[], b"x", Some(&plain)).full_type(), None);
    assert_eq!(line_of(&[("content-type", "")], b"x", Some(&plain)).full_type(), Some(""));
}

#[test]
fn what_is_no_item_is_told_by_the_record_and_in_old_ones_by_its_looks() {
    let feed = b"<?xml version='1.0'?><rss version='2.0'><channel/></rss>";
    let kind = [("content-type", "text/html")];
    let final_url: url::Url = "https://example.org/a".parse().unwrap();
    let listed = Origin { key: None, final_url: final_url.clone() };
    let wanted = Origin { key: Some("k".into()), final_url };
    assert!(!line_of(&kind, b"<html>", Some(&listed)).item);
    assert!(line_of(&kind, feed, Some(&wanted)).item);
    assert!(!line_of(&kind, feed, None).item);
    assert!(line_of(&kind, b"<html>", None).item);
}

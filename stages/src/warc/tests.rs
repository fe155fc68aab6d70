//! Tests of records: made, encoded, read, torn and damaged.

use super::digest::digest;
use super::record::{NOT_MODIFIED, SAME_PAYLOAD, scrub};
use super::*;
use chrono::{DateTime, Utc};
use url::Url;

const CAP: u64 = 1 << 20;
const BODY: &[u8] = b"<p>The tide turns twice a day.</p>";

pub(super) fn date(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn pairs(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A warcinfo, a response, and both kinds of revisit.
pub(super) fn sample() -> Vec<Record> {
    let url = Url::parse("https://me:pw@example.org/a?id=1&token=s3cret").unwrap();
    let headers = pairs(&[
        ("Content-Type", "text/html; charset=utf-8"),
        ("content-encoding", "br"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "7"),
        ("Set-Cookie", "id=s3cret"),
        ("Location", "/b?token=s3cret"),
        ("ETag", "\"1\""),
        ("X-Folded", "a\r\n b"),
    ]);
    let first = Capture {
        url: &url,
        date: date("2026-11-20T02:00:00.25Z"),
        status: 200,
        reason: "OK",
        headers: &headers,
        body: BODY,
        ip: Some("93.184.216.34".parse().unwrap()),
    };
    let response = Record::response(&first);
    let prior = Prior {
        url: response.target.clone().unwrap(),
        date: first.date,
        id: Some(response.id.clone()),
    };
    let again = Capture { date: date("2026-11-21T02:00:00Z"), ..first };
    let unchanged = Capture { status: 304, reason: "", body: b"", ..again };
    vec![
        Record::warcinfo("part-0000.warc.gz", first.date, &[("software", "tidemill/0.1.0")]),
        Record::metadata(&response, first.date, &[("hopsFromSeed", "L")]),
        response,
        Record::same_payload(&again, &prior),
        Record::not_modified(&unchanged, &prior),
    ]
}

pub(super) fn read_all(bytes: &[u8]) -> (Vec<Located>, Option<tidemill_pipeline::Error>, u64) {
    let mut reader = Reader::new(bytes, CAP);
    let mut found = Vec::new();
    let mut last = None;
    for item in reader.by_ref() {
        match item {
            Ok(located) => found.push(located),
            Err(error) => last = Some(error),
        }
    }
    (found, last, reader.good_end())
}

#[test]
fn what_is_written_is_read_again() {
    let mut file = Vec::new();
    let mut places = Vec::new();
    for record in sample() {
        let member = encode(&record).unwrap();
        assert_eq!(decode(&member).unwrap(), record);
        places.push((file.len() as u64, member.len() as u64));
        file.extend_from_slice(&member);
    }
    let (found, error, good_end) = read_all(&file);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(found.iter().map(|l| (l.offset, l.len)).collect::<Vec<_>>(), places);
    assert_eq!(found.into_iter().map(|l| l.record).collect::<Vec<_>>(), sample());
    assert_eq!(good_end, file.len() as u64);
}

#[test]
fn a_response_holds_the_decoded_body_and_no_secret() {
    let records = sample();
    let part = http(&records[2]).unwrap();
    assert_eq!((part.status, part.body.as_slice()), (200, BODY));
    assert_eq!(part.header("X-Archive-Orig-content-encoding"), Some("br"));
    assert_eq!(part.header("Content-Length"), Some("34"));
    assert_eq!(part.header("X-Folded"), Some("a   b"));
    assert_eq!(records[2].header("WARC-Payload-Digest"), Some(digest(BODY).as_str()));
    for record in &records {
        let text = format!("{record:?}{}", String::from_utf8_lossy(&record.block));
        for secret in ["s3cret", "me:pw", "Set-Cookie"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    let kept = scrub(&pairs(&[("COOKIE", "x"), ("Authorization", "x"), ("Accept", "x")]));
    assert_eq!(kept, pairs(&[("Accept", "x")]));
}

#[test]
fn revisits_name_what_they_refer_to() {
    let records = sample();
    for (record, profile) in [(&records[3], SAME_PAYLOAD), (&records[4], NOT_MODIFIED)] {
        assert_eq!(record.header("WARC-Profile"), Some(profile));
        assert_eq!(record.header("WARC-Refers-To-Date"), Some("2026-11-20T02:00:00.250Z"));
        assert_eq!(record.header("WARC-Refers-To-Target-URI"), records[2].target.as_deref());
        assert!(http(record).unwrap().body.is_empty());
    }
    assert_eq!(records[3].header("WARC-Payload-Digest"), records[2].header("WARC-Payload-Digest"));
}

#[test]
fn ids_are_stable_distinct_and_well_formed() {
    let ids: Vec<String> = sample().into_iter().map(|record| record.id).collect();
    assert_eq!(ids, sample().into_iter().map(|record| record.id).collect::<Vec<_>>());
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
    for id in &ids {
        let uuid: Vec<&str> = id.strip_prefix("urn:uuid:").unwrap().split('-').collect();
        assert_eq!(uuid.iter().map(|p| p.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
        assert!(uuid[2].starts_with('8') && uuid[3].starts_with(['8', '9', 'a', 'b']), "{id}");
    }
    // RFC 3174's first test vector, in Base32.
    assert_eq!(digest(b"abc"), "sha1:VGMT4NSHA2AWVOR6EVYXQUGCNSONBWE5");
}

#[test]
fn a_field_cannot_forge_another() {
    let mut record = sample().remove(0);
    record.target = Some("https://example.org/\r\nWARC-Type: response".into());
    assert_eq!(encode(&record).unwrap_err().reason(), "warc_field");
}

#[test]
fn a_tail_torn_anywhere_is_told_with_the_last_good_end() {
    let members: Vec<Vec<u8>> = sample().iter().map(|r| encode(r).unwrap()).collect();
    let good = members[0].len() + members[1].len();
    let file = members[..3].concat();
    for end in good + 1..file.len() {
        let (found, error, good_end) = read_all(&file[..end]);
        assert!(error.is_some(), "cut at {end} went unseen");
        let error = error.unwrap();
        assert_eq!((found.len(), error.reason()), (2, "warc_torn"), "cut at {end}: {error}");
        assert_eq!(good_end, good as u64);
        assert!(error.message().contains(&good.to_string()), "{error}");
        assert!(decode(&file[good..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn damage_is_told_and_never_read_as_a_record() {
    let member = encode(&sample()[2]).unwrap();
    for at in 0..member.len() {
        let mut bad = member.clone();
        bad[at] ^= 0x55;
        // Bytes 4 to 9 of a gzip header are time, flags and system: they carry no content.
        let harmless = (4..10).contains(&at);
        let (found, error, _) = read_all(&bad);
        assert!(harmless || error.is_some() && found.is_empty(), "byte {at}");
        assert!(harmless || decode(&bad).is_err(), "byte {at}");
    }
    let twice = [member.clone(), member].concat();
    assert_eq!(decode(&twice).unwrap_err().reason(), "warc_damaged");
}

#[test]
fn a_record_over_the_cap_is_passed_over() {
    let mut records = sample();
    records[2].block = vec![b'x'; 5000];
    let file = records.iter().flat_map(|r| encode(r).unwrap()).collect::<Vec<_>>();
    let read: Vec<_> = Reader::new(file.as_slice(), 4000).collect();
    assert_eq!(read.len(), 5);
    assert_eq!(read[2].as_ref().unwrap_err().reason(), "warc_too_large");
    assert!(read[3].is_ok() && read[4].is_ok());
}

#[test]
fn foreign_codings_are_undone() {
    let part = |head: &str, body: &[u8]| {
        let mut record = sample().remove(2);
        record.block = [format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes(), body].concat();
        http(&record)
    };
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, BODY).unwrap();
    let gzip = gzip.finish().unwrap();
    let chunks = [format!("{:x};ext\r\n", gzip.len()).as_bytes(), &gzip, b"\r\n0\r\n\r\n"].concat();
    let both = "Transfer-Encoding: chunked\r\nContent-Encoding: gzip";
    assert_eq!(part(both, &chunks).unwrap().body, BODY);
    assert_eq!(part(both, BODY).unwrap().body, BODY, "decoded already");
    for (head, body) in [
        ("Transfer-Encoding: chunked", &b"5\r\nhello\r\nzz\r\n"[..]),
        ("Transfer-Encoding: chunked", b"ff\r\nhello"),
        ("Content-Encoding: gzip", &gzip[..20]),
        ("Content-Encoding: br", b"x"),
        ("Content-Encoding: tide", b"x"),
    ] {
        assert_eq!(part(head, body).unwrap_err().reason(), "warc_http", "{head}");
    }
    let zstd = zstd::encode_all(BODY, 1).unwrap();
    assert_eq!(part("Content-Encoding: zstd", &zstd).unwrap().body, BODY);
    let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut bare, BODY).unwrap();
    assert_eq!(part("Content-Encoding: deflate", &bare.finish().unwrap()).unwrap().body, BODY);
    assert_eq!(part("Content-Encoding: br", b"\x0b\x02\x80hello\x03").unwrap().body, b"hello");
    for coding in ["zstd", "br", "deflate"] {
        let head = format!("Content-Encoding: {coding}");
        assert_eq!(part(&head, BODY).unwrap().body, BODY, "{coding}: decoded already");
    }
    let mut record = sample().remove(2);
    assert_eq!(http_within(&record, 4).unwrap_err().reason(), "too_large");
    record.block = [b"HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\n\r\n", &zstd[..]].concat();
    assert_eq!(http_within(&record, 4).unwrap_err().reason(), "too_large");
}

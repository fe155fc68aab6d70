//! `status`: what is at work, what it takes up, and what waits for an answer.

use crate::support::fake_ollama::FakeOllama;
use crate::support::fake_web::FakeWeb;
use crate::support::program::Place;

#[test]
fn a_run_at_work_is_shown_with_its_steps() {
    let (web, ollama) = (FakeWeb::start().site(2), FakeOllama::start());
    let place = Place::new().with_ollama(&ollama.url());
    ollama.hold();
    let mut child = place.start(&["digest", &web.url("/sitemap.xml"), "--delay", "0s"]);
    ollama.wait_for_started(1);
    let status = place.json(0, &["status"]);
    assert_eq!(status["at_work"][0]["state"], "running", "{status:#}");
    assert_eq!(status["at_work"][0]["owner"]["pid"], child.id(), "{status:#}");
    let text = place.run(&["status"]).code(0).stdout;
    for part in ["at work: 2", " through", "p95", "summarise"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    ollama.release_all();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let after = place.json(0, &["status"]);
    assert_eq!(after["at_work"].as_array().unwrap().len(), 0, "{after:#}");
    assert_eq!(after["models"]["made"].as_u64(), Some(ollama.calls() as u64), "{after:#}");
    assert!(after["models"]["seconds"].as_f64().unwrap() > 0.0, "{after:#}");
}

#[test]
fn sizes_and_open_requests_are_named() {
    let (web, place) = (FakeWeb::start().site(1), Place::new());
    place.run(&["digest", &web.url("/articles/1"), "--delay", "0s"]).code(0);
    std::fs::write(place.home().join("scratch/ballast"), vec![0; 5000]).unwrap();
    let ledger = rusqlite::Connection::open(place.home().join("tidemill.db")).unwrap();
    let asked = "INSERT INTO tm_requests (verb, body, made_at) VALUES ('drop_parked', '{}', 0)";
    ledger.execute(asked, []).unwrap();
    drop(ledger);
    let status = place.json(0, &["status"]);
    assert_eq!(status["scratch_bytes"], 5000, "{status:#}");
    assert!(
        status["archived_bytes"].as_u64().unwrap() > 0
            && status["ledger_bytes"].as_u64().unwrap() > 0
    );
    let text = place.run(&["status"]).code(0).stdout;
    assert!(text.contains("request drop parked of 1970-01-01 00:00 waits"), "{text}");
    assert!(text.contains("scratch 5.0 KB"), "{text}");
    assert!(!text.contains("pinned"), "{text}");

    // A log of the ledger that cannot be made small; sparse, so it costs no room.
    let wal = std::fs::File::create(place.home().join("tidemill.db-wal")).unwrap();
    wal.set_len(300 << 20).unwrap();
    let text = place.run(&["status"]).code(0).stdout;
    assert!(text.contains("the WAL is pinned") && text.contains("→ close"), "{text}");
}

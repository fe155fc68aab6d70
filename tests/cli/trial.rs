//! `try`: one item, each step's output, nothing published, and what a model said is kept.

use crate::support::fake_ollama::FakeOllama;
use crate::support::fake_web::FakeWeb;
use crate::support::program::{Place, files, files_like};

#[test]
fn a_trial_leaves_nothing_but_the_model_s_answer_which_the_next_run_finds() {
    let (web, ollama) = (FakeWeb::start().site(2), FakeOllama::start());
    let place = Place::new().with_ollama(&ollama.url());
    let page = web.url("/articles/1");
    let tried = place.json(0, &["try", &page]);
    let steps: Vec<_> =
        tried["steps"].as_array().unwrap().iter().map(|s| s["step"].clone()).collect();
    assert!(
        steps.starts_with(&["crawl".into(), "extract".into(), "summarise".into()]),
        "{tried:#}"
    );
    assert_eq!(steps.last().unwrap(), "table");
    assert!(tried["ended"].is_null() && tried["calls_made"].as_u64() > Some(0), "{tried:#}");
    assert_eq!(place.count("SELECT count(*) FROM digests"), 0, "no row");
    assert_eq!(place.count("SELECT count(*) FROM tm_staged_digests"), 0, "none staged either");
    assert_eq!(files(&place.archive()), Vec::<std::path::PathBuf>::new());
    assert_eq!(place.scratch(), Vec::<std::path::PathBuf>::new());
    assert_eq!(super::ids(&place), Vec::<String>::new(), "it is no run");
    assert_eq!(files_like(&place.home().join("logs"), "-try.log").len(), 1);

    let run = place.json(0, &["digest", &page, "--delay", "0s"]);
    assert_eq!((&run["calls_made"], &run["items"]["done"]), (&0.into(), &1.into()), "{run:#}");
    assert!(ollama.repeated().is_empty());

    let rows = || place.texts("SELECT url || summary || _run FROM digests");
    let (before, archived) = (rows(), files(&place.archive()));
    web.revise(1, 77);
    place.run(&["try", "digest", &page]).code(0);
    assert_eq!((rows(), files(&place.archive())), (before, archived));
    assert_eq!(place.json(0, &["digest", &page, "--delay", "0s"])["items"]["done"], 1);
}

#[test]
fn a_file_is_tried_as_if_it_had_an_address() {
    let place = Place::new();
    let page = "<html><head><title>Ebb</title></head><body><article><p>The mill grinds when the \
                water falls, and it has done so for three hundred years.</p></article></body></html>";
    std::fs::write(place.path("a page.html"), page).unwrap();
    let tried = place.json(0, &["try", "a page.html"]);
    let url = tried["steps"][0]["output"]["url"].as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/a%20page.html"), "{url}");
    assert_eq!(tried["steps"][1]["output"]["title"], "Ebb", "{tried:#}");
    let text = place.run(&["try", "a page.html"]).code(0).stdout;
    for part in ["nothing is published", "extract", " ms", "title ", "Ebb", "Document"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(text.lines().skip(2).all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn where_an_item_ends_is_said() {
    let web = FakeWeb::start().empty("/empty").status("/gone", 404);
    let place = Place::new();
    let ended = place.run(&["try", &web.url("/empty")]).code(1);
    assert!(ended.stdout.contains("it ended in extract: "), "{}", ended.stdout);
    place.run(&["try", &web.url("/gone")]).code(2).says("404");
    place.run(&["try", "no address"]).code(2).says("with http:// or https://");
    place.run(&["try", "news", &web.url("/empty")]).code(2).says("there is no pipeline `news`");
    place.run(&["try"]).code(2).says("<URL|FILE|JSON>");
    assert_eq!(place.json(0, &["parked"]).as_array().unwrap().len(), 0, "a trial parks nothing");
}

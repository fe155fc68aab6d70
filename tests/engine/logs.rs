//! Promise: what was logged of a run goes to the archive with it, and nothing else makes a log.

use super::archive::{at, committed, init, job};
use super::bench::{Bench, files};
use super::parts::{LineFile, Note, Notes, Seen, Work};
use std::sync::Arc;
use tidemill_pipeline::mill::Home;
use tidemill_pipeline::{Context, Pipeline, Result};

/// A step that keeps a log of its run, as whoever listens to the run would.
fn keeping(home: &Arc<Home>) -> Work {
    let home = Arc::clone(home);
    Work::doing("keep", &Seen::default(), move |note, cx| keep(note, cx, Arc::clone(&home)))
}

async fn keep(note: Note, cx: Context, home: Arc<Home>) -> Result<Note> {
    let path = home.log(&cx.run()?.id);
    std::fs::create_dir_all(path.parent().unwrap())?;
    std::fs::write(path, "one\ntwo\nthr")?;
    Ok(note)
}

#[tokio::test]
async fn the_log_is_archived_by_whole_lines() {
    let bench = Bench::new();
    let root = bench.beside("nas");
    init(&root);
    let notes = || Notes::of([("a", "ebb")]).without_content();
    let silent = bench.run(job(notes(), &root)).await.unwrap();
    let logged = Pipeline::named("logged").read(notes()).then(keeping(bench.home()));
    let logged = logged.save(LineFile).offload(tidemill_pipeline::Archive::at(&root));
    let logged = bench.run(logged).await.unwrap();

    let committed = committed(&at(&root));
    assert!(committed.contains(&format!("logs {}", logged.run)), "{committed:?}");
    assert!(!committed.contains(&format!("logs {}", silent.run)), "{committed:?}");
    let logs = files(&root.join("logs"));
    let copy = logs.iter().find(|path| path.ends_with("run.log")).unwrap();
    let text = std::fs::read_to_string(root.join("logs").join(copy)).unwrap();
    assert_eq!(text, "one\ntwo\n", "a line that is being written is left out");
    assert!(bench.scratch().is_empty());
}

#[tokio::test]
async fn without_an_archive_a_log_stays_where_it_is() {
    let bench = Bench::new();
    let pipeline = Pipeline::named("tides").read(Notes::of([("a", "ebb")]));
    let report = bench.run(pipeline.then(keeping(bench.home()))).await.unwrap();
    assert!(bench.home().log(&report.run).is_file());
    assert!(bench.scratch().is_empty(), "{:?}", bench.scratch());
}

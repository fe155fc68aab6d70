//! Where a replay enters: what lies before never works again, what a resumed one has done neither.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::world::{FIRST, NEWS, Recipe, Seen, World, stale_or};
use std::io::{BufRead, BufReader, Write};
use std::sync::Arc;
use std::time::Duration;
use tidemill::prelude::*;
use tidemill_pipeline::ledger::Why;
use tidemill_pipeline::replay::{Indexed, Only, Selection};
use tidemill_pipeline::run::{RunOptions, Stop};
use tidemill_pipeline::sink::{FileSink, Saved, Sealing};
use tidemill_pipeline::tier::ArchivedRun;
use tidemill_pipeline::{Fingerprint, Replay, Step};

const STAMPED: Recipe = Recipe { stamp: 1, ..FIRST };

#[tokio::test(flavor = "multi_thread")]
async fn what_an_interrupted_replay_has_done_is_not_done_again() {
    let world = World::new();
    world.web.grow(12);
    world.day(STAMPED).await;
    let asked = world.ollama.calls();
    let now = Recipe { words: 50, ..STAMPED };
    let (seen, stop) = (Seen::default(), Stop::default());
    world.ollama.hold();
    world.ollama.release(5);
    let at_work = {
        let (home, job) = (Arc::clone(&world.home), world.job(now, &seen));
        let options = RunOptions { stop: stop.clone(), ..RunOptions::default() };
        tokio::spawn(async move { home.replay(&job, stale_or(Only::Stale), options).await })
    };
    world.ollama.wait_for_calls(asked + 5);
    stop.drain();
    world.ollama.release_all();
    let error = at_work.await.unwrap().unwrap_err();
    assert_eq!(error.reason(), "interrupted", "{error}");
    let (stamped, before) = (seen.count(), world.ollama.calls());
    assert!(stamped >= 5 && before < asked + 12, "{stamped} of 12 were begun");

    let said = world.foresee(now, Only::Stale).await;
    assert!(said.through > 0 && said.items + said.through == 12, "{said:?}");
    let job = world.job(now, &seen);
    let report = world.home.replay(&job, stale_or(Only::Stale), RunOptions::default()).await;
    let report = report.unwrap().unwrap();
    assert!(report.resumed && report.items.done == 12, "{report:?}");
    assert_eq!(seen.count(), 12, "each page went through the stage once");
    assert_eq!(world.ollama.calls(), asked + 12);
    let rest = (world.ollama.calls() - before) as u64;
    assert!((said.calls.least..=said.calls.most).contains(&rest), "{rest}: {:?}", said.calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_saved_dataset_only_what_follows_works() {
    let world = World::new();
    world.web.grow(6);
    let (first, seen) = (Seen::default(), Seen::default());
    world.next_day();
    world.home.run(&saved(&world, FIRST, &first), RunOptions::default()).await.unwrap();
    let (requests, calls) = (world.web.requests().len(), world.ollama.calls());
    let now = Recipe { words: 50, ..FIRST };
    let selection = Selection { only: Only::Stale, ..Selection::of("documents") };
    let said = {
        let job = saved(&world, now, &seen);
        world.home.foresee(&job, selection.clone(), RunOptions::default()).await.unwrap()
    };
    assert_eq!((said.items, said.calls.least, said.calls.most), (6, 6, 6), "{said:?}");
    assert!(said.steps.iter().all(|step| step.step != "extract"), "{said:?}");
    let whys: Vec<_> = said.steps.iter().flat_map(|step| &step.why).map(|why| &why.why).collect();
    assert_eq!(whys, [&Why::Configured]);
    let job = saved(&world, now, &seen);
    let report = world.home.replay(&job, selection.clone(), RunOptions::default()).await.unwrap();
    assert_eq!(report.unwrap().items.done, 6);
    assert_eq!((seen.count(), world.web.requests().len()), (0, requests));
    assert_eq!(world.ollama.calls(), calls + 6);
    // Not stale any more, wherever one would enter.
    for from in ["documents", "raw_scrapes"] {
        let selection = Selection { from: from.into(), ..selection.clone() };
        let job = saved(&world, now, &seen);
        let left = world.home.replay(&job, selection, RunOptions::default()).await.unwrap();
        assert!(left.is_none(), "{from}: {left:?}");
    }
}

/// Pages to documents, which are saved, to summaries. The stage before the dataset counts.
fn saved(world: &World, recipe: Recipe, seen: &Seen) -> Job {
    let crawl = Crawl::seeds([super::site::seed(&world.web)]).delay(Duration::ZERO);
    let seen = seen.clone();
    let documents = Pipeline::named(NEWS).read(crawl).then(Extract::article());
    let documents = documents.map_with(seen, |seen: Seen, document: Document| async move {
        seen.add();
        Ok(document)
    });
    let model = Ollama::model(recipe.model.unwrap()).at(world.ollama.url());
    documents
        .save(Documents)
        .then(Summarise::with(model).in_words(recipe.words))
        .store(Table::named("summaries").keyed_by("url"))
        .offload(Archive::at("archive"))
}

/// Documents as lines of JSON, which can be read back.
struct Documents;

impl Step for Documents {
    fn name(&self) -> &str {
        "documents"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl FileSink<Document> for Documents {
    fn dataset(&self) -> &str {
        "documents"
    }

    fn seal(
        &self,
        rows: &mut dyn Iterator<Item = Result<Saved<Document>>>,
        sealing: &Sealing<'_>,
    ) -> Result<Vec<String>> {
        let mut file = std::fs::File::create(sealing.folder.join("part-0000.jsonl"))?;
        for saved in rows {
            let saved = saved?;
            writeln!(file, "{}", serde_json::to_string(&(saved.key, saved.item))?)?;
        }
        file.sync_all()?;
        Ok(vec!["part-0000.jsonl".into()])
    }

    fn replay(&self) -> Option<Arc<dyn Replay<Document>>> {
        Some(Arc::new(Lines))
    }
}

/// Reads them: the place of a document is its line.
struct Lines;

fn lines(run: &ArchivedRun) -> Result<Vec<(String, Document)>> {
    let mut all = Vec::new();
    for file in run.files_ending(".jsonl") {
        for line in BufReader::new(std::fs::File::open(file)?).lines() {
            all.push(serde_json::from_str(&line?)?);
        }
    }
    Ok(all)
}

impl Replay<Document> for Lines {
    fn columns(&self, _runs: &[ArchivedRun]) -> Result<Vec<String>> {
        Ok(vec![])
    }

    fn index(&self, run: &ArchivedRun, _columns: &[String]) -> Result<Vec<Indexed>> {
        let keys = lines(run)?.into_iter().map(|(key, _)| key);
        let indexed = |(place, key)| Indexed { key, place, content: None, values: vec![] };
        Ok((0..).zip(keys).map(indexed).collect())
    }

    fn items(&self, run: &ArchivedRun, places: &[u64]) -> Result<Vec<Document>> {
        let lines = lines(run)?;
        Ok(places.iter().map(|place| lines[*place as usize].1.clone()).collect())
    }
}

//! What a person is told: each notice is written down, then sent. Counts and reasons, no text of
//! pages. Where nobody wants to hear it, nothing is looked for.

use super::server::Server;
use super::yields;
use super::{Notice, NoticeKind};
use crate::ledger::{PipelineStatus, Read, RunRow, notices, params};
use crate::run::Counts;
use crate::{Error, Result};

/// What stays as it is is told of once in a day.
const AGAIN: i64 = 86_400_000;

/// What is told of a pipeline.
struct Told<'a> {
    kind: NoticeKind,
    pipeline: &'a str,
    run: Option<(&'a str, Counts)>,
    text: String,
    help: Option<String>,
}

impl Server {
    /// A scheduled run is published: the heartbeat, and what is odd about it.
    pub(super) async fn told_success(&self, run: &RunRow) -> Result<()> {
        // One that was killed before its report has said how far it was.
        let items = yields::counts_of(run).unwrap_or_default();
        let text = counts(&items);
        self.tell(of_run(NoticeKind::Done, run, items, text)).await?;
        self.told_parked(run, items).await?;
        self.told_yield(run, items).await
    }

    /// A run sets items aside, and too many are.
    async fn told_parked(&self, run: &RunRow, items: Counts) -> Result<()> {
        let kind = NoticeKind::Parked;
        if items.parked == 0 || !self.is_news(kind, &run.pipeline).await? {
            return Ok(());
        }
        let name = run.pipeline.clone();
        let parked =
            self.home.ledger().read(move |read| PipelineStatus::parked_of(read, &name)).await?;
        if parked <= self.with.limits.parked {
            return Ok(());
        }
        let text = format!("{parked} items are set aside, {} of them in this run", items.parked);
        let help = Some(format!("`parked ls {}` lists them with their reasons", run.pipeline));
        self.tell(Told { help, ..of_run(kind, run, items, text) }).await
    }

    /// A run gave much less than those before.
    async fn told_yield(&self, run: &RunRow, items: Counts) -> Result<()> {
        let kind = NoticeKind::Yield;
        if self.with.notify.targets(kind).is_empty() {
            return Ok(());
        }
        let (name, id) = (run.pipeline.clone(), run.id.clone());
        let odd = self.home.ledger().read(move |read| yields::unusual(read, &name, &id)).await?;
        let Some(text) = odd else { return Ok(()) };
        let help = Some("the site may have changed: `try` one of its pages".to_string());
        self.tell(Told { help, ..of_run(kind, run, items, text) }).await
    }

    /// A run failed and is not tried again by itself.
    pub(super) async fn told_failure(
        &self,
        pipeline: &str,
        run: Option<&str>,
        error: &Error,
    ) -> Result<()> {
        self.tell(Told {
            kind: NoticeKind::Failed,
            pipeline,
            run: run.map(|run| (run, Counts::default())),
            // The message may quote a page, or what another library says of it: it stays in the
            // ledger.
            text: format!("the run failed ({})", error.reason()),
            help: Some("`schedule log` and `runs show` say what happened, and what to do".into()),
        })
        .await
    }

    /// Files wait for an archive, since then.
    pub(super) async fn told_archive_away(
        &self,
        pipeline: &str,
        since: i64,
        why: Option<&str>,
    ) -> Result<()> {
        let Some(hours) = self.away_hours(since) else { return Ok(()) };
        if !self.is_news(NoticeKind::Away, pipeline).await? {
            return Ok(());
        }
        let why =
            why.and_then(|why| why.lines().next()).map_or(String::new(), |why| format!(": {why}"));
        self.tell(Told {
            kind: NoticeKind::Away,
            pipeline,
            run: None,
            text: format!("files have waited for the archive for {hours} h{why}"),
            help: Some("they are safe on scratch; mount the archive".into()),
        })
        .await
    }

    /// Items wait for a model in one run after the other.
    pub(super) async fn told_models_away(&self) -> Result<()> {
        if self.with.notify.targets(NoticeKind::Away).is_empty() {
            return Ok(());
        }
        for (pipeline, since, count) in self.home.ledger().read(waiting_since).await? {
            let subject = format!("{pipeline}, items");
            let Some(hours) = self.away_hours(since) else { continue };
            if !self.is_news(NoticeKind::Away, &subject).await? {
                continue;
            }
            let told = Told {
                kind: NoticeKind::Away,
                pipeline: &pipeline,
                run: None,
                text: format!(
                    "{count} items wait, for {hours} h now: what they need (a model) is away"
                ),
                help: Some("start the model's server; the next run takes them first".into()),
            };
            self.tell_about(&subject, told).await?;
        }
        Ok(())
    }

    /// How many hours ago that was, when it is longer than the limit.
    fn away_hours(&self, since: i64) -> Option<i64> {
        let age = self.home.clock().now().timestamp_millis() - since;
        let limit = i64::try_from(self.with.limits.away.as_millis()).unwrap_or(i64::MAX);
        (age > limit).then_some(age / 3_600_000)
    }

    /// Whether somebody wants to hear of this kind of thing, and has not heard of it lately.
    async fn is_news(&self, kind: NoticeKind, subject: &str) -> Result<bool> {
        if self.with.notify.targets(kind).is_empty() {
            return Ok(false);
        }
        let since = self.home.clock().now().timestamp_millis() - AGAIN;
        let subject = subject.to_string();
        let told = move |read: &Read<'_>| notices::told_since(read, kind, &subject, since);
        Ok(!self.home.ledger().read(told).await?)
    }

    /// Writes a notice about a pipeline down.
    async fn tell(&self, told: Told<'_>) -> Result<()> {
        self.tell_about(told.pipeline, told).await
    }

    /// Writes a notice down, and rings for those who send it.
    async fn tell_about(&self, subject: &str, told: Told<'_>) -> Result<()> {
        let targets = self.with.notify.targets(told.kind);
        if targets.is_empty() {
            return Ok(());
        }
        let notice = Notice {
            kind: told.kind,
            pipeline: told.pipeline.to_string(),
            run: told.run.map(|(run, _)| run.to_string()),
            text: format!("{}: {}", told.pipeline, told.text),
            help: told.help,
            items: told.run.map(|(_, items)| items),
            mill: self.home.mill().to_string(),
            at: self.home.clock().now().timestamp_millis(),
        };
        let subject = subject.to_string();
        let add = move |tx: &crate::ledger::Tx<'_>| notices::add(tx, &notice, &subject, &targets);
        self.home.ledger().commit(add).await?;
        self.post.notify_one();
        Ok(())
    }
}

fn of_run(kind: NoticeKind, run: &RunRow, items: Counts, text: String) -> Told<'_> {
    Told { kind, pipeline: &run.pipeline, run: Some((&run.id, items)), text, help: None }
}

fn counts(items: &Counts) -> String {
    let Counts { done, unchanged, waiting, parked } = items;
    format!("{done} done, {unchanged} unchanged, {waiting} waiting, {parked} set aside")
}

/// Pipelines whose newest published runs all left items waiting: since the first of these runs, and
/// how many wait now.
fn waiting_since(read: &Read<'_>) -> Result<Vec<(String, i64, u64)>> {
    let sql = "SELECT p.name, count(*) FROM tm_waiting_now w JOIN tm_pipelines p USING (pipeline_no) GROUP BY p.name";
    let waiting =
        read.all(sql, params![], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?)))?;
    let mut found = Vec::with_capacity(waiting.len());
    for (pipeline, count) in waiting {
        let runs = RunRow::newest(read, Some(&pipeline), 100)?;
        let published = runs.iter().filter(|run| run.state.is_published() && run.replay.is_none());
        let since = published
            .take_while(|run| yields::counts_of(run).is_some_and(|items| items.waiting > 0))
            .last();
        found.extend(since.map(|run| (pipeline, run.started_at, count)));
    }
    Ok(found)
}

//! What a person is told: each notice is written down, then sent. Counts and reasons, no text of
//! pages.

use super::server::Server;
use super::yields;
use super::{Notice, NoticeKind};
use crate::ledger::{PipelineStatus, Read, RunRow, notices, params};
use crate::run::Counts;
use crate::{Error, Result};
use std::sync::Arc;

/// What stays away is told of once in a day.
const AGAIN: i64 = 86_400_000;

impl Server {
    /// A scheduled run is published: the heartbeat, and what is odd about it.
    pub(super) async fn told_success(&self, published: &RunRow) -> Result<()> {
        let (pipeline, run) = (published.pipeline.clone(), published.id.clone());
        // One that was killed before its report has said how far it was.
        let items = yields::counts_of(published).unwrap_or_default();
        let text = format!("{pipeline}: {}", counts(&items));
        self.tell(NoticeKind::Done, &pipeline, Some((&run, items)), text, None).await?;
        let parked = self.parked(&pipeline).await?;
        let known = self.told_lately(NoticeKind::Parked, &pipeline).await?;
        if items.parked > 0 && parked > self.with.limits.parked && !known {
            let text = format!(
                "{pipeline}: {parked} items are set aside, {} of them in this run",
                items.parked
            );
            let help = Some(format!("`parked ls {pipeline}` lists them with their reasons"));
            self.tell(NoticeKind::Parked, &pipeline, Some((&run, items)), text, help).await?;
        }
        let (name, id) = (pipeline.clone(), run.clone());
        let odd = self.home.ledger().read(move |read| yields::unusual(read, &name, &id)).await?;
        if let Some(text) = odd {
            let text = format!("{pipeline}: {text}");
            let help = Some("the site may have changed: `try` one of its pages".to_string());
            self.tell(NoticeKind::Yield, &pipeline, Some((&run, items)), text, help).await?;
        }
        Ok(())
    }

    /// A run failed and is not tried again by itself.
    pub(super) async fn told_failure(
        &self,
        pipeline: &str,
        run: Option<&str>,
        error: &Error,
    ) -> Result<()> {
        // The message may quote a page, or what another library says of it: it stays in the ledger.
        let text = format!("{pipeline}: the run failed ({})", error.reason());
        let help =
            Some("`schedule log` and `runs show` say what happened, and what to do".to_string());
        let run = run.map(|run| (run, Counts::default()));
        self.tell(NoticeKind::Failed, pipeline, run, text, help).await
    }

    /// Files wait for an archive, since then.
    pub(super) async fn told_archive_away(
        self: &Arc<Self>,
        pipeline: &str,
        since: i64,
        why: Option<&str>,
    ) -> Result<()> {
        let Some(hours) = self.away_hours(since) else { return Ok(()) };
        if self.told_lately(NoticeKind::Away, pipeline).await? {
            return Ok(());
        }
        let why = why.map_or(String::new(), |why| format!(": {}", first_line(why)));
        let text = format!("{pipeline}: files have waited for the archive for {hours} h{why}");
        let help = Some("they are safe on scratch; mount the archive".to_string());
        self.tell(NoticeKind::Away, pipeline, None, text, help).await
    }

    /// Items wait for a model in one run after the other.
    pub(super) async fn told_models_away(&self) -> Result<()> {
        let waiting = self.home.ledger().read(waiting_since).await?;
        for (pipeline, since, count) in waiting {
            let Some(hours) = self.away_hours(since) else { continue };
            let subject = format!("{pipeline} (items)");
            if self.told_lately(NoticeKind::Away, &subject).await? {
                continue;
            }
            let text = format!(
                "{pipeline}: {count} items wait, for {hours} h now: what they need (a model) is away"
            );
            let help = Some("start the model's server; the next run takes them first".to_string());
            self.tell(NoticeKind::Away, &subject, None, text, help).await?;
        }
        Ok(())
    }

    /// How many hours ago that was, when it is longer than the limit.
    fn away_hours(&self, since: i64) -> Option<i64> {
        let age = self.home.clock().now().timestamp_millis() - since;
        let limit = i64::try_from(self.with.limits.away.as_millis()).unwrap_or(i64::MAX);
        (age > limit).then_some(age / 3_600_000)
    }

    async fn told_lately(&self, kind: NoticeKind, subject: &str) -> Result<bool> {
        let since = self.home.clock().now().timestamp_millis() - AGAIN;
        let subject = subject.to_string();
        self.home.ledger().read(move |read| notices::told_since(read, kind, &subject, since)).await
    }

    async fn parked(&self, pipeline: &str) -> Result<u64> {
        let name = pipeline.to_string();
        let all = self.home.ledger().read(PipelineStatus::all).await?;
        Ok(all.into_iter().find(|status| status.pipeline == name).map_or(0, |status| status.parked))
    }

    /// Writes a notice down, and rings for those who send it.
    async fn tell(
        &self,
        kind: NoticeKind,
        pipeline: &str,
        run: Option<(&str, Counts)>,
        text: String,
        help: Option<String>,
    ) -> Result<()> {
        let targets = self.with.notify.targets(kind);
        if targets.is_empty() {
            return Ok(());
        }
        let notice = Notice {
            kind,
            pipeline: pipeline.to_string(),
            run: run.map(|(run, _)| run.to_string()),
            text,
            help,
            items: run.map(|(_, items)| items),
            mill: self.home.mill().to_string(),
            at: self.home.clock().now().timestamp_millis(),
        };
        self.home.ledger().commit(move |tx| notices::add(tx, &notice, &targets)).await?;
        self.post.notify_one();
        Ok(())
    }
}

fn counts(items: &Counts) -> String {
    let Counts { done, unchanged, waiting, parked } = items;
    format!("{done} done, {unchanged} unchanged, {waiting} waiting, {parked} set aside")
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
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
        let published = runs.iter().filter(|run| run.state.is_published());
        let since = published
            .take_while(|run| yields::counts_of(run).is_some_and(|items| items.waiting > 0))
            .last();
        found.extend(since.map(|run| (pipeline, run.started_at, count)));
    }
    Ok(found)
}

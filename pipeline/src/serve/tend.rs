//! What a server tends beside the clock: archives that come back, notices that wait to be sent.

use super::server::Server;
use crate::ledger::{NoticeRow, OffloadRow, Tx, notices};
use crate::{Result, Verdict};
use futures_util::future::join_all;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// After an offload that did not come to its end though the archive is there.
const REST: Duration = Duration::from_secs(600);

/// A rest is twice as long each time, up to this.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// An archive that takes so long to say that it is away hangs: each look may leave a thread behind
/// that waits for it.
const SLOW: Duration = Duration::from_secs(20);

/// Until when an archive is left alone.
struct Rest {
    until: Instant,
    span: Duration,
}

/// How often it looks for notices, when nobody rings.
const POST: Duration = Duration::from_secs(15);

impl Server {
    /// Brings waiting files to archives that are there again, and tells of those that stay away.
    pub(super) async fn tend(self: Arc<Self>) {
        let mut rests = HashMap::new();
        loop {
            if let Err(error) = self.tend_once(&mut rests).await {
                tracing::warn!(%error, "the archives could not be tended; tried again");
                self.home.mend_when_idle();
            }
            tokio::time::sleep(self.with.tend_every).await;
        }
    }

    async fn tend_once(self: &Arc<Self>, rests: &mut HashMap<String, Rest>) -> Result<()> {
        let rows = self.home.ledger().read(|read| OffloadRow::under_way(read, None)).await?;
        let mut oldest: BTreeMap<String, i64> = BTreeMap::new();
        for row in rows {
            let since = oldest.entry(row.pipeline).or_insert(row.started_at);
            *since = row.started_at.min(*since);
        }
        for (pipeline, since) in oldest {
            let begun = Instant::now();
            if rests.get(&pipeline).is_some_and(|rest: &Rest| rest.until > begun) {
                continue;
            }
            if self.catch_up(&pipeline, since).await? && begun.elapsed() < SLOW {
                rests.remove(&pipeline);
                continue;
            }
            let span = rests.get(&pipeline).map_or(REST, |rest| (rest.span * 2).min(LONGEST));
            rests.insert(pipeline, Rest { until: Instant::now() + span, span });
        }
        self.told_models_away().await
    }

    /// Brings a pipeline's waiting files to its archive. False when that failed though the archive
    /// is there.
    async fn catch_up(self: &Arc<Self>, pipeline: &str, since: i64) -> Result<bool> {
        // A pipeline that this program does not have is another program's business.
        let Ok(planned) = self.with.roster.find(&self.home, pipeline).await else {
            return Ok(true);
        };
        let place = self.options(&planned).archive;
        match self.home.offload(&planned.job, place).await {
            Ok(None) => Ok(true),
            Ok(Some(report)) if report.state == "done" => {
                tracing::info!(
                    pipeline,
                    parcels = report.parcels.len(),
                    "the files that waited are in the archive"
                );
                Ok(true)
            }
            Ok(Some(report)) => {
                self.told_archive_away(pipeline, since, report.note.as_deref()).await?;
                Ok(true)
            }
            Err(error) => {
                tracing::warn!(pipeline, %error, "the files that wait could not be brought to the archive");
                self.told_archive_away(pipeline, since, Some(&error.message())).await?;
                Ok(false)
            }
        }
    }

    /// Sends what is written down, until it has arrived.
    pub(super) async fn send_notices(self: Arc<Self>) {
        let mut unnoted = Vec::new();
        loop {
            if let Err(error) = self.send_due(&mut unnoted).await {
                tracing::warn!(%error, "notices could not be looked at; tried again");
                self.home.mend_when_idle();
            }
            tokio::select! {
                () = tokio::time::sleep(POST) => {}
                () = self.post.notified() => {}
            }
        }
    }

    async fn send_due(&self, unnoted: &mut Vec<i64>) -> Result<()> {
        // What was sent and could not be noted must not be sent again.
        while let Some(no) = unnoted.last().copied() {
            let now = self.home.clock().now().timestamp_millis();
            self.home.ledger().commit(move |tx| notices::sent(tx, no, now)).await?;
            unnoted.pop();
        }
        let now = self.home.clock().now().timestamp_millis();
        let due = self.home.ledger().read(move |read| NoticeRow::due(read, now)).await?;
        let mut places: BTreeMap<String, Vec<NoticeRow>> = BTreeMap::new();
        due.into_iter().for_each(|row| places.entry(row.target.clone()).or_default().push(row));
        // Side by side: a place that is away must not keep the others waiting.
        let sent = join_all(places.into_values().map(|rows| self.send_to_one(rows))).await;
        let mut failed = Ok(());
        for (more, result) in sent {
            unnoted.extend(more);
            failed = failed.and(result);
        }
        failed
    }

    /// Sends to one place until it refuses. Says which notice arrived and could not be noted.
    async fn send_to_one(&self, rows: Vec<NoticeRow>) -> (Option<i64>, Result<()>) {
        for row in rows {
            if self.is_ending() {
                break;
            }
            let sent = self.with.notify.send(&row.target, &row.notice).await;
            let now = self.home.clock().now().timestamp_millis();
            let no = row.no;
            let Err(error) = sent else {
                let noted = self.home.ledger().commit(move |tx| notices::sent(tx, no, now)).await;
                if noted.is_err() {
                    return (Some(no), noted);
                }
                continue;
            };
            let again = error.verdict() != Verdict::Park;
            tracing::warn!(place = row.target, %error, again, "a notice did not arrive");
            let why = error.message();
            let noted = move |tx: &Tx<'_>| notices::failed(tx, &row, now, &why, again);
            let noted = self.home.ledger().commit(noted).await;
            if again || noted.is_err() {
                return (None, noted); // the next one would fare no better now
            }
        }
        (None, Ok(()))
    }
}

//! How a source hands over what it reads: recorded first, then passed on.

use super::live::Live;
use super::progress::Event;
use super::stop::Urgency;
use crate::ledger::{ItemState, Tx, items, runs};
use crate::source::Yielded;
use crate::{Envelope, Error, Fingerprint, Item, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::mpsc;

/// What became of a yielded item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way; or, over the run's limit, it waits for the next run.
    Yes,
    /// Its content is as it was last time: noted, nothing runs.
    Unchanged,
    /// The run has this key already.
    Again,
    /// The run takes no more; the source should return.
    Stop,
}

/// The way from a source into the pipeline.
pub struct Emit<T> {
    pub(crate) live: Arc<Live>,
    pub(crate) out: mpsc::Sender<Envelope<T>>,
    pub(crate) source: String,
}

impl<T> std::fmt::Debug for Emit<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emit").field("source", &self.source).finish_non_exhaustive()
    }
}

impl<T: Item> Emit<T> {
    /// Records an item and passes it on; waits while the pipeline is full.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub async fn send(&self, yielded: Yielded<T>) -> Result<Sent> {
        self.send_with(yielded, |_| Ok(())).await
    }

    /// As [`send`](Emit::send), with writes of the source's own that become durable together with
    /// the item. When the run is to stop already they are not made, and the answer is
    /// [`Sent::Stop`].
    ///
    /// # Errors
    /// When the ledger refuses.
    pub async fn send_with(
        &self,
        yielded: Yielded<T>,
        own: impl FnOnce(&Tx<'_>) -> Result<()> + Send + 'static,
    ) -> Result<Sent> {
        if self.live.scene.stop.urgency() > Urgency::Go {
            return Ok(Sent::Stop);
        }
        if self.has(&yielded) {
            self.live.ledger().write(64, own).await?;
            return Ok(Sent::Again);
        }
        if let Some(content) = yielded.content
            && self.is_known(&yielded.key, content).await?
        {
            return self.unchanged(&yielded.key, yielded.note, own).await;
        }
        self.record(yielded, own).await
    }

    /// Whether the run has this item already. Newer content of a key that waited is another item.
    fn has(&self, yielded: &Yielded<T>) -> bool {
        let had = self.live.before.keys.get(&yielded.key);
        had.is_some_and(|content| yielded.content.is_none() || yielded.content == *content)
    }

    /// Whether the run has this key already (it waited since an earlier run, or was sent before a
    /// kill), with the note that was made of it. Then there is no need to read it again.
    ///
    /// # Errors
    /// When the ledger refuses. A note of another shape counts as none.
    pub async fn taken<N: DeserializeOwned>(&self, key: &str) -> Result<Option<Option<N>>> {
        if !self.live.before.keys.contains_key(key) {
            return Ok(None);
        }
        let (run_no, key) = (self.live.run.no, key.to_string());
        let note = self.live.ledger().read(move |read| items::note(read, run_no, &key)).await?;
        Ok(Some(note.and_then(|text| serde_json::from_str(&text).ok())))
    }

    async fn is_known(&self, key: &str, content: Fingerprint) -> Result<bool> {
        let (no, key) = (self.live.scene.pipeline_no, key.to_string());
        let known = self.live.ledger().read(move |read| items::known(read, no, &key)).await?;
        Ok(known.and_then(|known| known.content) == Some(content))
    }

    async fn record(
        &self,
        yielded: Yielded<T>,
        own: impl FnOnce(&Tx<'_>) -> Result<()> + Send + 'static,
    ) -> Result<Sent> {
        let full =
            self.live.blueprint.limit.is_some_and(|limit| self.live.passed.load(Relaxed) >= limit);
        if full && self.live.before.waiting.contains(&yielded.key) {
            self.live.ledger().write(64, own).await?; // it keeps its place in the queue
            return Ok(Sent::Again);
        }
        let state = if full { ItemState::Waiting } else { ItemState::Open };
        let recorded = items::Recorded {
            seq: self.live.next_seq.fetch_add(1, Relaxed) + 1,
            key: yielded.key,
            item: Some(serde_json::to_vec(&yielded.item).map_err(|e| {
                Error::halt("the source yields an item that has no JSON form").caused_by(e)
            })?),
            content: yielded.content,
        };
        let envelope = Envelope {
            seq: recorded.seq,
            key: Arc::from(recorded.key.as_str()),
            item: yielded.item,
        };
        let note = yielded.note.map(|note| note.to_string());
        let run_no = self.live.run.no;
        self.live
            .ledger()
            .write(recorded.item.as_ref().map_or(0, Vec::len) + 256, move |tx| {
                items::record(tx, run_no, &recorded, note.as_deref(), state)?;
                own(tx)
            })
            .await?;
        if full {
            self.live.tell(ItemState::Waiting, &envelope.key, Some(items::LIMIT));
            return Ok(Sent::Yes);
        }
        self.live.passed.fetch_add(1, Relaxed);
        self.live.scene.progress.event(&Event::Recorded);
        // The receiving side is gone only when the run stops; the item is recorded and comes again.
        Ok(self.out.send(envelope).await.map_or(Sent::Stop, |()| Sent::Yes))
    }

    /// Notes that a key was looked at and found as it was, for sources that are told so without
    /// content (an HTTP 304).
    ///
    /// # Errors
    /// When the ledger refuses.
    pub async fn unchanged_with(
        &self,
        key: &str,
        own: impl FnOnce(&Tx<'_>) -> Result<()> + Send + 'static,
    ) -> Result<Sent> {
        self.unchanged(key, None, own).await
    }

    async fn unchanged(
        &self,
        key: &str,
        note: Option<serde_json::Value>,
        own: impl FnOnce(&Tx<'_>) -> Result<()> + Send + 'static,
    ) -> Result<Sent> {
        let (run_no, now, owned) = (self.live.run.no, self.live.now_millis(), key.to_string());
        let note = note.map(|note| note.to_string());
        self.live
            .ledger()
            .write(128, move |tx| {
                items::observation(tx, run_no, &owned, note.as_deref(), now)?;
                own(tx)
            })
            .await?;
        self.live.tell(ItemState::Unchanged, key, None);
        Ok(Sent::Unchanged)
    }

    /// Says that something could not be read (a feed, a page): it is listed as parked, and the
    /// source goes on. The next run tries it again.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub async fn park_with(
        &self,
        key: &str,
        error: Error,
        own: impl FnOnce(&Tx<'_>) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let seq = self.live.next_seq.fetch_add(1, Relaxed) + 1;
        let run_no = self.live.run.no;
        let recorded = items::Recorded { seq, key: key.to_string(), item: None, content: None };
        self.live
            .ledger()
            .write(256, move |tx| {
                items::record(tx, run_no, &recorded, None, ItemState::Parked)?;
                own(tx)
            })
            .await?;
        let error = error.with_verdict(crate::Verdict::Park);
        self.live.setback(seq, key, &format!("read {}", self.source), error).await
    }

    /// The source's cursor: as saved in this run, else as the last published run left it.
    ///
    /// # Errors
    /// When the ledger refuses. A cursor of another shape counts as none.
    pub async fn cursor<C: DeserializeOwned>(&self) -> Result<Option<C>> {
        let (run, source) = (self.live.run.clone(), self.source.clone());
        let cursor = self.live.ledger().read(move |read| runs::cursor(read, &run, &source)).await?;
        Ok(cursor.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Saves the cursor, durable no later than what was sent before it. It counts for later runs
    /// once this run is published.
    ///
    /// # Errors
    /// When the ledger refuses, or the cursor has no JSON form.
    pub async fn save_cursor(&self, cursor: &(impl Serialize + Sync)) -> Result<()> {
        let (run_no, text) = (self.live.run.no, serde_json::to_string(cursor)?);
        self.live.ledger().write(256, move |tx| runs::set_cursor(tx, run_no, &text)).await
    }
}

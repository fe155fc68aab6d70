//! How a source hands over what it reads: recorded first, then passed on.

use super::entry::take_seq;
use super::flow::{Out, pass};
use super::keys::Had;
use super::live::Live;
use super::progress::Event;
use crate::item::{MAX_BYTES, too_large};
use crate::ledger::items::{self, Recorded};
use crate::ledger::{ItemState, Read, Tx, memory, runs};
use crate::source::Yielded;
use crate::{Context, Envelope, Error, Fingerprint, Item, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

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
    pub(crate) out: Out<T>,
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
        if Context::of_run(&self.live).stopping() {
            return Ok(Sent::Stop);
        }
        let sent = self.hand_over(vec![yielded], own).await?;
        Ok(sent.last().copied().unwrap_or(Sent::Stop))
    }

    /// Records many items in one go and passes them on: for sources that have thousands at hand. A
    /// few hundred at once are a good measure. [`Sent::Stop`] when the source should return, else
    /// [`Sent::Yes`].
    ///
    /// # Errors
    /// When the ledger refuses.
    pub async fn send_all(&self, yielded: Vec<Yielded<T>>) -> Result<Sent> {
        if Context::of_run(&self.live).stopping() {
            return Ok(Sent::Stop);
        }
        let sent = self.hand_over(yielded, |_| Ok(())).await?;
        Ok(if sent.contains(&Sent::Stop) { Sent::Stop } else { Sent::Yes })
    }

    /// Looks up what is known, records everything in one write, then passes on what is new.
    async fn hand_over(
        &self,
        yielded: Vec<Yielded<T>>,
        own: impl FnOnce(&Tx<'_>) -> Result<()> + Send + 'static,
    ) -> Result<Vec<Sent>> {
        let mut sent = self.look_up(&yielded).await?;
        let (mut rows, mut bytes, mut ahead) = (Vec::new(), 0, Vec::new());
        for (yielded, sent) in yielded.into_iter().zip(&mut sent) {
            match *sent {
                Sent::Again | Sent::Stop => {}
                Sent::Unchanged => rows.push(self.seen(yielded.key, yielded.note)),
                Sent::Yes => match self.recorded(&yielded)? {
                    None => *sent = Sent::Again, // it keeps its place in the queue
                    Some(recorded) => {
                        let size = recorded.item.as_ref().map_or(0, Vec::len);
                        bytes += size;
                        ahead.push((recorded.seq, recorded.state, yielded, size));
                        rows.push(recorded);
                    }
                },
            }
        }
        let (run_no, bytes) = (self.live.run.no, bytes + 256 * rows.len() + 64);
        let unchanged: Vec<String> = rows
            .iter()
            .filter(|row| row.state == ItemState::Unchanged)
            .map(|row| row.key.clone())
            .collect();
        self.live
            .ledger()
            .write(bytes, move |tx| {
                rows.iter().try_for_each(|row| items::record(tx, run_no, 0, row))?;
                own(tx)
            })
            .await?;
        unchanged.iter().for_each(|key| self.live.tell(ItemState::Unchanged, key, None));
        for (seq, state, yielded, bytes) in ahead {
            if !self.go_on(seq, state, yielded, bytes).await? {
                sent.push(Sent::Stop);
                break;
            }
        }
        Ok(sent)
    }

    /// What each item is, by what this run has already and what earlier runs knew. Newer content of
    /// a key that the run has is another item.
    async fn look_up(&self, yielded: &[Yielded<T>]) -> Result<Vec<Sent>> {
        let live = &self.live;
        let keys = live.keys().await?;
        let had: Vec<Had> =
            yielded.iter().map(|one| keys.had(&one.key, one.content.as_ref())).collect();
        let in_question = |(one, had): &(&Yielded<T>, &Had)| {
            one.content.is_some() && **had != Had::Same && live.trial.is_none()
        };
        let asked = yielded.iter().zip(&had).filter(in_question);
        let asked = asked.filter_map(|(one, _)| Some((one.key.clone(), one.content?))).collect();
        let mut same = self.are_known(asked).await?.into_iter();
        let said = yielded.iter().zip(&had).map(|pair| {
            let known = in_question(&pair) && same.next().unwrap_or(false);
            match (pair.1, known) {
                (Had::Same, _) => Sent::Again,
                // Noted as unchanged before a kill; a source that says no content means the same.
                (Had::Unchanged, true) => Sent::Again,
                (Had::Unchanged, false) if pair.0.content.is_none() => Sent::Again,
                (Had::Nothing, true) => Sent::Unchanged,
                _ => Sent::Yes,
            }
        });
        Ok(said.collect())
    }

    /// Whether the last published run knew each key with this content.
    async fn are_known(&self, asked: Vec<(String, Fingerprint)>) -> Result<Vec<bool>> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let no = self.live.scene.pipeline_no;
        let known = move |read: &Read<'_>, key: &str, content: Fingerprint| {
            let known = memory::known(read, no, key)?;
            Ok(known.is_some_and(|known| known.content == Some(content)))
        };
        self.live
            .ledger()
            .read(move |read| {
                asked.iter().map(|(key, content)| known(read, key, *content)).collect()
            })
            .await
    }

    /// The row of a new item; `None` for one that waits already and is over the limit now.
    fn recorded(&self, yielded: &Yielded<T>) -> Result<Option<Recorded>> {
        let live = &self.live;
        let full = live.blueprint.limit.is_some_and(|limit| live.passed.load(Relaxed) >= limit);
        let waits = live.before.waiting.get(&yielded.key);
        if full && waits.is_some_and(|had| yielded.content.is_none() || *had == yielded.content) {
            return Ok(None);
        }
        let item = serde_json::to_vec(&yielded.item);
        let fits = item.as_ref().is_ok_and(|item| item.len() <= MAX_BYTES);
        let state = match (full, fits) {
            (_, false) => ItemState::Parked,
            (true, true) => ItemState::Waiting,
            (false, true) => ItemState::Open,
        };
        if state == ItemState::Open {
            live.passed.fetch_add(1, Relaxed);
        }
        Ok(Some(Recorded {
            seq: take_seq(live),
            key: yielded.key.clone(),
            item: item.ok().filter(|_| fits),
            content: yielded.content.filter(|_| fits),
            note: yielded.note.as_ref().map(ToString::to_string),
            state,
            dt: None,
        }))
    }

    /// Passes a recorded item on. False when nobody takes it: it is recorded and comes again.
    async fn go_on(
        &self,
        seq: u64,
        state: ItemState,
        yielded: Yielded<T>,
        bytes: usize,
    ) -> Result<bool> {
        match state {
            ItemState::Parked => {
                let error = match serde_json::to_vec(&yielded.item) {
                    Ok(json) => too_large(json.len()),
                    Err(e) => Error::park("it has no JSON form").because("no_json").caused_by(e),
                };
                self.live.setback(seq, &yielded.key, &self.stage(), error).await?;
                Ok(true)
            }
            ItemState::Waiting => {
                self.live.tell(ItemState::Waiting, &yielded.key, Some(items::LIMIT));
                Ok(true)
            }
            _ => {
                self.live.tally.record();
                self.live.scene.progress.event(&Event::Recorded);
                self.live.look(0, &yielded.item)?;
                let key = Arc::from(yielded.key);
                let envelope = Envelope { seq, key, item: yielded.item, bytes };
                Ok(pass(&self.out, envelope).await)
            }
        }
    }

    fn stage(&self) -> String {
        format!("read {}", self.source)
    }

    /// The row of a key that was looked at and found as it was.
    fn seen(&self, key: String, note: Option<serde_json::Value>) -> Recorded {
        Recorded {
            seq: take_seq(&self.live),
            key,
            item: None,
            content: None,
            note: note.map(|note| note.to_string()),
            state: ItemState::Unchanged,
            dt: None,
        }
    }

    /// Whether the run has this key already (it waited since an earlier run, or was sent before a
    /// kill), with the note that was made of it. Then there is no need to read it again.
    ///
    /// # Errors
    /// When the ledger refuses. A note of another shape counts as none.
    pub async fn taken<N: DeserializeOwned>(&self, key: &str) -> Result<Option<Option<N>>> {
        let Some(seq) = self.live.keys().await?.item(key) else { return Ok(None) };
        let run_no = self.live.run.no;
        let note = self.live.ledger().read(move |read| items::note(read, run_no, seq)).await?;
        Ok(Some(note.and_then(|text| serde_json::from_str(&text).ok())))
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
        if self.live.keys().await?.had(key, None) != Had::Nothing {
            self.live.ledger().write(64, own).await?;
            return Ok(Sent::Again);
        }
        let (run_no, row) = (self.live.run.no, self.seen(key.to_string(), None));
        self.live
            .ledger()
            .write(128, move |tx| {
                items::record(tx, run_no, 0, &row)?;
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
        let run_no = self.live.run.no;
        let recorded = Recorded { state: ItemState::Parked, ..self.seen(key.to_string(), None) };
        let seq = recorded.seq;
        self.live
            .ledger()
            .write(256, move |tx| {
                items::record(tx, run_no, 0, &recorded)?;
                own(tx)
            })
            .await?;
        let error = error.with_verdict(crate::Verdict::Park);
        self.live.setback(seq, key, &self.stage(), error).await
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

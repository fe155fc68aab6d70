//! A source, a stage, a file sink and a gate that tests hold in their hand.
#![expect(clippy::unwrap_used, reason = "tests")]

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::future::Future;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tidemill_pipeline::sink::{Saved, Sealing};
use tidemill_pipeline::{
    Context, Emit, FileSink, Fingerprint, Result, Sent, Source, Stage, Step, Yielded,
};
use tidemill_stages::sqlite::{Keyed, Table};
use tokio::sync::Semaphore;

/// The item of these tests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) key: String,
    pub(super) text: String,
}

impl Note {
    pub(super) fn new(key: &str, text: &str) -> Self {
        Self { key: key.into(), text: text.into() }
    }
}

/// The table `notes`, keyed by `key`.
pub(super) fn table() -> Keyed<Note> {
    Table::named("notes").keyed_by::<Note>("key")
}

/// Everything in the table `notes`.
pub(super) const NOTES: &str = "SELECT key, text FROM notes ORDER BY key";

/// A list that the test and its parts share: who was here, in which order.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    pub(super) fn add(&self, what: &str) {
        self.0.lock().unwrap().push(what.to_string());
    }

    /// All of it, sorted: workers pass each other.
    pub(super) fn sorted(&self) -> Vec<String> {
        let mut all = self.0.lock().unwrap().clone();
        all.sort();
        all
    }

    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// A place where work stops until the test lets it go on.
#[derive(Debug, Clone)]
pub(super) struct Gate(Arc<(Semaphore, Semaphore)>);

impl Gate {
    pub(super) fn shut() -> Self {
        Self(Arc::new((Semaphore::new(0), Semaphore::new(0))))
    }

    /// Says that the work is here, and waits until the gate is opened.
    pub(super) async fn pass(&self) {
        self.0.0.add_permits(1);
        let _open = self.0.1.acquire().await.unwrap();
    }

    /// Returns when work has come to the gate.
    pub(super) async fn reached(&self) {
        super::bench::soon(self.0.0.acquire()).await.unwrap().forget();
    }

    /// Lets everything through from now on.
    pub(super) fn open(&self) {
        self.0.1.add_permits(1);
    }
}

/// A source of given notes; the text is the content.
#[derive(Debug, Clone)]
pub(super) struct Notes {
    notes: Vec<Note>,
    argument: u32,
    knows_content: bool,
    pub(super) reads: Seen,
}

impl Notes {
    pub(super) fn of<'a>(notes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let notes = notes.into_iter().map(|(key, text)| Note::new(key, text)).collect();
        Self { notes, argument: 0, knows_content: true, reads: Seen::default() }
    }

    /// Does not say what the content is: nothing is ever unchanged.
    pub(super) fn without_content(mut self) -> Self {
        self.knows_content = false;
        self
    }

    /// The same source with another argument.
    pub(super) fn argument(mut self, argument: u32) -> Self {
        self.argument = argument;
        self
    }
}

impl Step for Notes {
    fn name(&self) -> &str {
        "notes"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.argument)
    }
}

impl Source for Notes {
    type Item = Note;

    async fn read(&self, out: &Emit<Note>, _cx: &Context) -> Result<()> {
        self.reads.add("read");
        for note in &self.notes {
            let mut yielded = Yielded::new(note.key.clone(), note.clone());
            if self.knows_content {
                yielded = yielded.content(Fingerprint::of(&note.text));
            }
            if out.send(yielded).await? == Sent::Stop {
                break;
            }
        }
        Ok(())
    }
}

type Act = Arc<dyn Fn(Note, Context) -> BoxFuture<'static, Result<Note>> + Send + Sync>;

/// A stage that notes the key of each item it works on, then does what the test says.
#[derive(Clone)]
pub(super) struct Work {
    name: &'static str,
    seen: Seen,
    act: Act,
}

impl Work {
    /// Passes items on as they are.
    pub(super) fn passing(name: &'static str, seen: &Seen) -> Self {
        Self::doing(name, seen, |note, _| async { Ok(note) })
    }

    /// Does this with each item.
    pub(super) fn doing<F: Future<Output = Result<Note>> + Send + 'static>(
        name: &'static str,
        seen: &Seen,
        act: impl Fn(Note, Context) -> F + Send + Sync + 'static,
    ) -> Self {
        Self { name, seen: seen.clone(), act: Arc::new(move |note, cx| Box::pin(act(note, cx))) }
    }
}

impl Step for Work {
    fn name(&self) -> &str {
        self.name
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl Stage<Note> for Work {
    type Out = Note;

    async fn run(&self, note: Note, cx: &Context) -> Result<Note> {
        self.seen.add(&note.key);
        (self.act)(note, cx.clone()).await
    }
}

/// A file sink that writes one line per note.
#[derive(Debug)]
pub(super) struct LineFile;

impl Step for LineFile {
    fn name(&self) -> &str {
        "line-file"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl FileSink<Note> for LineFile {
    fn dataset(&self) -> &str {
        "lines"
    }

    fn seal(
        &self,
        rows: &mut dyn Iterator<Item = Result<Saved<Note>>>,
        sealing: &Sealing<'_>,
    ) -> Result<Vec<String>> {
        let mut file = File::create(sealing.folder.join("part-0000.txt"))?;
        for saved in rows {
            let note = saved?.item;
            writeln!(file, "{} {}", note.key, note.text)?;
        }
        file.sync_all()?;
        Ok(vec!["part-0000.txt".into()])
    }
}

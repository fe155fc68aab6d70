//! What a child process does: one run of a pipeline with every kind of durable step in it, or a
//! rollback.

use crate::support::fake_ollama::TINY;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use tidemill_pipeline::mill::{Home, HomeOptions};
use tidemill_pipeline::run::RunOptions;
use tidemill_pipeline::serve::Order;
use tidemill_pipeline::sink::{Saved, Sealing};
use tidemill_pipeline::tier::atomic;
use tidemill_pipeline::{
    Archive, Context, Emit, Error, FileSink, Fingerprint, Job, Pipeline, Result, Sent, Source,
    Stage, Step, Yielded,
};
use tidemill_stages::sqlite::Table;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Where the home is; without it a child has nothing to do.
pub(super) const HOME: &str = "TIDEMILL_CHILD_HOME";
/// Where the archive is.
pub(super) const ARCHIVE: &str = "TIDEMILL_CHILD_ARCHIVE";
/// The model server's `address:port`.
pub(super) const MODEL: &str = "TIDEMILL_CHILD_MODEL";
/// How many items the source has.
pub(super) const ITEMS: &str = "TIDEMILL_CHILD_ITEMS";
/// The run to take back, when that is what a child is to do.
pub(super) const ROLLBACK: &str = "TIDEMILL_CHILD_ROLLBACK";
/// A file that gets a line for each answer that `remember` has returned.
pub(super) const WITNESS: &str = "TIDEMILL_CHILD_WITNESS";

/// Items that the model stage works on at once.
pub(super) const WORKERS: usize = 8;
pub(super) const PIPELINE: &str = "crash";
pub(super) const TABLE: &str = "meals";
pub(super) const DATASET: &str = "sacks";

/// Does what the environment says; says so when that is nothing.
pub(super) fn run() {
    let Some(home) = std::env::var_os(HOME) else {
        eprintln!("skipped: this test is a child process of the others in `crash`");
        return;
    };
    let setting = |name: &str| std::env::var(name).unwrap();
    let witness = OpenOptions::new().create(true).append(true).open(setting(WITNESS)).unwrap();
    let grind = Grind { model: setting(MODEL), witness: Arc::new(witness) };
    let job = job(setting(ITEMS).parse().unwrap(), grind, setting(ARCHIVE).into());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let home = Arc::new(Home::open(&PathBuf::from(home), HomeOptions::owner()).unwrap());
        if let Ok(run) = std::env::var(ROLLBACK) {
            home.carry_out(Order::Rollback { run }).await.unwrap();
            return;
        }
        let report = home.run(&job, RunOptions::default()).await.unwrap();
        assert_eq!(report.items.parked + report.items.waiting, 0, "{report:?}");
        assert_eq!(report.offload.state, "done", "{report:?}");
    });
}

fn job(items: usize, grind: Grind, archive: PathBuf) -> Job {
    Pipeline::named(PIPELINE)
        .read(Field(items))
        .then(Sift)
        .then(grind)
        .workers(WORKERS)
        .save(Sacks)
        .store(Table::named(TABLE).keyed_by::<Meal>("key"))
        .offload(Archive::at(archive))
}

/// The call memory's key for an item.
pub(super) fn call(key: &str) -> Fingerprint {
    Fingerprint::of(&("grind", key))
}

/// What comes in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Grain {
    key: String,
    text: String,
}

/// What goes out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Meal {
    key: String,
    text: String,
    answer: String,
}

/// A source of so many items; more of them next time make no other source.
struct Field(usize);

impl Step for Field {
    fn name(&self) -> &str {
        "field"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl Source for Field {
    type Item = Grain;

    async fn read(&self, out: &Emit<Grain>, _cx: &Context) -> Result<()> {
        for n in 0..self.0 {
            let (key, text) = (format!("grain-{n:05}"), format!("ear {} of row {}", n % 7, n / 7));
            let content = Fingerprint::of(&text);
            let yielded = Yielded::new(key.clone(), Grain { key, text }).content(content);
            if out.send(yielded).await? == Sent::Stop {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// A stage that needs nobody.
struct Sift;

impl Step for Sift {
    fn name(&self) -> &str {
        "sift"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl Stage<Grain> for Sift {
    type Out = Grain;

    async fn run(&self, grain: Grain, _cx: &Context) -> Result<Grain> {
        Ok(Grain { text: grain.text.to_uppercase(), ..grain })
    }
}

/// A stage that asks a model once per item.
struct Grind {
    model: String,
    witness: Arc<File>,
}

impl Step for Grind {
    fn name(&self) -> &str {
        "grind"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl Stage<Grain> for Grind {
    type Out = Meal;

    async fn run(&self, grain: Grain, cx: &Context) -> Result<Meal> {
        let Grain { key, text } = grain;
        let prompt = format!("{key} {text}");
        let answer = cx.remember(call(&key), ask(&self.model, &prompt)).await?;
        // One write: it is in the file or not, however this process ends.
        (&*self.witness).write_all(format!("{key}\n").as_bytes())?;
        Ok(Meal { key, text, answer })
    }
}

/// One request on a connection of its own: a client of thirty lines, with nothing to configure.
async fn ask(model: &str, prompt: &str) -> Result<String> {
    let message = json!({ "role": "user", "content": prompt });
    let body = json!({ "model": TINY, "stream": false, "messages": [message] }).to_string();
    let request = format!(
        "POST /api/chat HTTP/1.1\r\nhost: {model}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(model).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let said = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let said: Value = serde_json::from_str(said)?;
    let text = said["message"]["content"].as_str().map(str::to_owned);
    text.ok_or_else(|| Error::park(format!("no answer in {said}")))
}

/// Says in the run's log that it is being sealed.
fn log(run: &str) -> Result<()> {
    let folder = PathBuf::from(std::env::var_os(HOME).unwrap_or_default()).join("logs");
    std::fs::create_dir_all(&folder)?;
    let log = folder.join(format!("{run}.log"));
    Ok(OpenOptions::new().create(true).append(true).open(log)?.write_all(b"sealing\n")?)
}

/// A file sink that writes a line per item.
struct Sacks;

impl Step for Sacks {
    fn name(&self) -> &str {
        "sacks"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl FileSink<Meal> for Sacks {
    fn dataset(&self) -> &str {
        DATASET
    }

    fn seal(
        &self,
        rows: &mut dyn Iterator<Item = Result<Saved<Meal>>>,
        sealing: &Sealing<'_>,
    ) -> Result<Vec<String>> {
        log(sealing.run)?;
        let mut lines = String::new();
        for saved in rows {
            let Meal { key, text, answer } = saved?.item;
            lines += &format!("{key}|{text}|{answer}\n");
        }
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        atomic::replace(&sealing.folder.join("part-0000.txt"), lines.as_bytes())?;
        Ok(vec!["part-0000.txt".into()])
    }
}

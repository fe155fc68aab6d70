//! The targets of a home, as `serve` asks for them: what was added meanwhile counts at once.

use super::{Target, file, send};
use futures_util::future::BoxFuture;
use reqwest::Client;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tidemill_pipeline::serve::{Notice, NoticeKind, Notify};
use tidemill_pipeline::{Error, Result};

/// The places that a home's notices go to.
#[derive(Debug)]
pub struct Targets {
    home: PathBuf,
    client: Client,
    /// As they were when the file was last in order.
    known: Mutex<Vec<Target>>,
}

impl Targets {
    /// The targets that the home's file `secrets/notify` names; none when it has no such file.
    ///
    /// # Errors
    /// `secrets_open` when others may read the file, `notify_config` when a line in it is wrong.
    pub fn of(home: &Path) -> Result<Self> {
        let known = Mutex::new(file::read(home)?);
        Ok(Self { home: home.to_path_buf(), client: send::client()?, known })
    }

    /// The targets now. A file that has become wrong is complained about and changes nothing.
    fn now(&self) -> Vec<Target> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match file::read(&self.home) {
            Ok(targets) => *known = targets,
            Err(error) => {
                tracing::warn!("notices go to the targets known before: {}", error.message());
            }
        }
        known.clone()
    }

    async fn send_one(&self, name: &str, notice: &Notice) -> Result<()> {
        let Some(target) = self.now().into_iter().find(|target| target.name == name) else {
            return Err(Error::park(format!("there is no target {name} any more"))
                .because("notify_gone")
                .help("`notify ls` lists the targets"));
        };
        send::send(&self.client, &target, notice).await
    }
}

impl Notify for Targets {
    fn targets(&self, kind: NoticeKind) -> Vec<String> {
        let targets = self.now().into_iter().filter(|target| target.wants(kind));
        targets.map(|target| target.name).collect()
    }

    fn send<'a>(&'a self, target: &'a str, notice: &'a Notice) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.send_one(target, notice))
    }
}

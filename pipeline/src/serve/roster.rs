//! The roster: the jobs that a program can run, its own and those that the home remembers.

use crate::ledger::JobRow;
use crate::mill::{Home, Planned};
use crate::{Error, Job, Result};
use std::path::PathBuf;
use std::sync::Arc;

/// Makes a job from what the home remembers of it.
pub type Make = Arc<dyn Fn(&JobRow) -> Result<Job> + Send + Sync>;

/// The jobs that a program can run.
#[derive(Clone)]
pub struct Roster {
    code: Vec<Planned>,
    make: Option<Make>,
}

impl std::fmt::Debug for Roster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roster").field("code", &self.code).finish_non_exhaustive()
    }
}

impl Roster {
    /// The jobs of the code, and who makes those that the home remembers.
    #[must_use]
    pub fn new(code: &[Planned], make: Option<Make>) -> Self {
        Self { code: code.to_vec(), make }
    }

    /// The jobs of the code.
    #[must_use]
    pub fn code(&self) -> &[Planned] {
        &self.code
    }

    /// The job of this name as it is now: what the home remembers is made anew, else what it was when
    /// it ran by hand last.
    ///
    /// # Errors
    /// When there is none, or it cannot be made; the message lists the names.
    pub async fn find(&self, home: &Home, name: &str) -> Result<Planned> {
        if let Some(planned) = self.code.iter().find(|planned| planned.job.name() == name) {
            return Ok(planned.clone());
        }
        let wanted = name.to_string();
        let row = home
            .ledger()
            .read(move |read| match JobRow::of(read, &wanted)? {
                None => JobRow::by_hand(read, &wanted),
                row => Ok(row),
            })
            .await?;
        match (row, &self.make) {
            (Some(row), Some(make)) => {
                let job = make(&row)?;
                let archive = row.archive.map(PathBuf::from);
                Ok(Planned { archive, ..Planned::by_hand(job) })
            }
            _ => Err(self.unknown(home, name).await?),
        }
    }

    /// Refuses the name of a job of the code for one that the home is to remember.
    pub(super) fn check_free(&self, name: &str) -> Result<()> {
        if self.code.iter().all(|planned| planned.job.name() != name) {
            return Ok(());
        }
        Err(Error::halt(format!("`{name}` is a pipeline of the program that serves this home"))
            .because("bad_name")
            .help("give the job another name with --name"))
    }

    /// The names of all jobs, those of the code first.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub async fn names(&self, home: &Home) -> Result<Vec<String>> {
        let mut names: Vec<String> =
            self.code.iter().map(|planned| planned.job.name().to_string()).collect();
        if self.make.is_some() {
            let rows = home.ledger().read(JobRow::all).await?;
            names.extend(rows.into_iter().map(|row| row.pipeline));
        }
        Ok(names)
    }

    async fn unknown(&self, home: &Home, name: &str) -> Result<Error> {
        let names = self.names(home).await?;
        let help = match names.is_empty() {
            true => "this home remembers no job, and this program has none".to_string(),
            false => format!("the pipelines are: {}", names.join(", ")),
        };
        Ok(Error::halt(format!("there is no pipeline `{name}`")).because("usage").help(help))
    }
}

//! Errors that carry a verdict: retry, wait, park or halt, and what a person can do next.

use std::fmt;
use std::time::Duration;

/// The result of everything in tidemill.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the engine does with the item, or the run, that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try again: in `then` three tries with backoff, then the item is parked.
    Retry {
        /// The delay the other side asked for, when it did.
        after: Option<Duration>,
    },
    /// The thing needed is away (a model, an archive); the next run takes the item first.
    Wait,
    /// Set the item aside with its reason, until a person retries or drops it.
    Park,
    /// Stop the run: publish nothing, move no cursor.
    Halt,
}

/// What failed, why, what to do next, and the [`Verdict`].
///
/// `?` takes any `std::error::Error` and gives it the verdict *retry*; hence this type is not
/// itself a `std::error::Error` (use [`Error::into_boxed`] where one is needed).
///
/// ```
/// use tidemill_pipeline::{Error, Result, ResultExt};
///
/// fn words(line: &str) -> Result<u32> {
///     let n = line.trim().parse::<u32>().or_park()?; // a bad line stays bad: set it aside
///     if n == 0 {
///         return Err(Error::park("the line counts no words").help("remove it from the list"));
///     }
///     Ok(n)
/// }
/// assert_eq!(words("x").unwrap_err().reason(), "failed");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    verdict: Verdict,
    reason: String,
    message: String,
    help: Option<String>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    unchanged: bool,
    passing: bool,
}

impl Error {
    fn new(verdict: Verdict, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            verdict,
            reason: "failed".into(),
            message: message.into(),
            help: None,
            cause: None,
            unchanged: false,
            passing: false,
        }))
    }

    /// An error worth another try.
    pub fn retry(message: impl Into<String>) -> Self {
        Self::new(Verdict::Retry { after: None }, message)
    }

    /// An error that goes away when what is away comes back.
    pub fn wait(message: impl Into<String>) -> Self {
        Self::new(Verdict::Wait, message)
    }

    /// An error of this one item; the others go on.
    pub fn park(message: impl Into<String>) -> Self {
        Self::new(Verdict::Park, message)
    }

    /// An error that stops the run.
    pub fn halt(message: impl Into<String>) -> Self {
        Self::new(Verdict::Halt, message)
    }

    /// Not a failure: the item's content is as it was. The engine notes it and runs nothing more.
    #[must_use]
    pub fn unchanged() -> Self {
        let mut this = Self::park("the content is unchanged").because("unchanged");
        this.0.unchanged = true;
        this
    }

    /// Whether it only says that the content is as it was.
    #[must_use]
    pub fn says_unchanged(&self) -> bool {
        self.0.unchanged
    }

    /// Says that the failure has nothing to do with the item's content (the network, a server): the
    /// item is tried again when its source yields it next time, also when it is unchanged.
    #[must_use]
    pub fn passing(mut self) -> Self {
        self.0.passing = true;
        self
    }

    /// Whether the item may fare better next time though it is the same.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.0.passing || matches!(self.0.verdict, Verdict::Retry { .. })
    }

    /// Asks for the next try after this delay; only meaningful with the verdict *retry*.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        if let Verdict::Retry { after } = &mut self.0.verdict {
            *after = Some(delay);
        }
        self
    }

    /// Adds the line that says what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Sets the short code that reports group by: `http_404`, `model_away`, `home_locked`.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.0.reason = reason.into();
        self
    }

    /// Keeps the error underneath, shown after the message.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Puts what was being done in front of the message.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.0.message = format!("{doing}: {}", self.0.message);
        self
    }

    /// The same error with another verdict.
    #[must_use]
    pub fn with_verdict(mut self, verdict: Verdict) -> Self {
        self.0.verdict = verdict;
        self
    }

    /// What the engine will do.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.0.verdict
    }

    /// The short code that reports group by.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// What failed, with its causes, on one line and without the guidance.
    #[must_use]
    pub fn message(&self) -> String {
        let mut text = self.0.message.clone();
        let mut cause = self.0.cause.as_deref().map(|c| c as &dyn std::error::Error);
        while let Some(error) = cause {
            let part = error.to_string();
            if !text.contains(&part) {
                text.push_str(": ");
                text.push_str(&part);
            }
            cause = error.source();
        }
        text
    }

    /// What failed, without its causes.
    #[must_use]
    pub fn headline(&self) -> &str {
        &self.0.message
    }

    /// What to do next, if it is known.
    #[must_use]
    pub fn guidance(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The same words once more, for everyone who meets the same failure.
    #[must_use]
    pub fn told_again(&self) -> Self {
        let mut this = Self::new(self.0.verdict, self.message()).because(self.reason());
        this.0.help.clone_from(&self.0.help);
        this
    }

    /// Turns it into a boxed `std::error::Error`.
    #[must_use]
    pub fn into_boxed(self) -> Box<dyn std::error::Error + Send + Sync> {
        self.to_string().into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())?;
        if let Some(help) = &self.0.help {
            write!(f, "\n  → {help}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} [{}] {self}", self.0.verdict, self.0.reason)
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        let full = is_storage_full(&error);
        let mut this = Self::retry(error.to_string());
        this.0.cause = Some(Box::new(error));
        if !full {
            return this;
        }
        // No other try and no other item fares better: stop before more is lost.
        this.with_verdict(Verdict::Halt)
            .because("disk_full")
            .help("free some space on the disk, then run again: it goes on where it was")
    }
}

/// Whether a full disk is at the bottom of an error.
fn is_storage_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(this) = cause {
        let io = this.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::StorageFull) {
            return true;
        }
        cause = this.source();
    }
    false
}

/// Words for errors in a chain: `.or_park()?`, `.or_halt()?`, `.doing("…")?`.
pub trait ResultExt<T> {
    /// An error here sets the item aside.
    fn or_park(self) -> Result<T>;
    /// An error here stops the run.
    fn or_halt(self) -> Result<T>;
    /// An error here means that something is away for now.
    fn or_wait(self) -> Result<T>;
    /// Says what was being done.
    fn doing(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Error>> ResultExt<T> for Result<T, E> {
    fn or_park(self) -> Result<T> {
        self.map_err(|e| e.into().with_verdict(Verdict::Park))
    }
    fn or_halt(self) -> Result<T> {
        self.map_err(|e| e.into().with_verdict(Verdict::Halt))
    }
    fn or_wait(self) -> Result<T> {
        self.map_err(|e| e.into().with_verdict(Verdict::Wait))
    }
    fn doing(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|e| e.into().context(what))
    }
}

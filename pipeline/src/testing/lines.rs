//! A source of lines that needs no network.

use crate::{Context, Emit, Fingerprint, Result, Sent, Source, Step, Yielded};

/// A source of lines that are given in the code. Each line is its own key and content, so a line
/// that was there last time is unchanged.
#[derive(Debug, Clone)]
pub struct Lines(Vec<String>);

impl Lines {
    /// Yields these, in this order.
    pub fn of(lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(lines.into_iter().map(Into::into).collect())
    }
}

impl Step for Lines {
    fn name(&self) -> &str {
        "lines"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl Source for Lines {
    type Item = String;

    async fn read(&self, out: &Emit<String>, _cx: &Context) -> Result<()> {
        for line in &self.0 {
            let yielded = Yielded::new(line, line.clone()).content(Fingerprint::of(line));
            if out.send(yielded).await? == Sent::Stop {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Any line will do.
    async fn single(&self, what: &str, _cx: &Context) -> Result<Yielded<String>> {
        Ok(Yielded::new(what, what.to_string()).content(Fingerprint::of(what)))
    }
}

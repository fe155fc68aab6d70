//! Small parts for tests and examples: sources that need no network.

use crate::{Context, Emit, Fingerprint, Item, Result, Sent, Source, Step, Yielded};

/// A source of items that are given in the code; each is its own key's content.
#[derive(Debug, Clone)]
pub struct Lines<T> {
    items: Vec<T>,
}

impl<T: Item + ToString> Lines<T> {
    /// Yields these, in this order; the key of each is its text.
    pub fn of<I: Into<T>>(items: impl IntoIterator<Item = I>) -> Lines<T> {
        Lines { items: items.into_iter().map(Into::into).collect() }
    }
}

impl<T: Item> Step for Lines<T> {
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

impl<T: Item + ToString> Source for Lines<T> {
    type Item = T;

    async fn read(&self, out: &Emit<T>, _cx: &Context) -> Result<()> {
        for item in &self.items {
            let yielded =
                Yielded::new(item.to_string(), item.clone()).content(Fingerprint::of(item));
            if out.send(yielded).await? == Sent::Stop {
                return Ok(());
            }
        }
        Ok(())
    }
}

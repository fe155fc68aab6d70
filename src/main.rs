//! The stock binary: the verbs that need no pipeline of your own.

use tidemill::{Outcome, cli};

fn main() -> Outcome {
    cli::stock()
}

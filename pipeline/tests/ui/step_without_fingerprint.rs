//! Mistake: a step that does not say what its answers depend on.
//! Told: not all trait items implemented, missing: `fingerprint`
//! Help: fn fingerprint(&self) -> Fingerprint

mod parts;
use tidemill_pipeline::Step;

struct Shorten {
    to: usize,
}

impl Step for Shorten {
    fn name(&self) -> &str {
        "shorten"
    }
    fn version(&self) -> u32 {
        1
    }
}

fn main() {
    let _ = Shorten { to: 80 }.to;
}

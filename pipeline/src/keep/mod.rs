//! Keep: which archived runs stay, which go, and why?
//!
//! Pure functions over lists of runs: nothing here touches a disk. [`Snapshots`] may be thinned
//! because each run is a full copy; [`Increments`] are only ever aged out.

mod decision;
mod increments;
mod policy;
mod snapshots;

pub use decision::Decision;
pub use increments::{Dated, plan_increments};
pub use policy::{Increments, Keep, Snapshots};
pub use snapshots::{Kept, plan_snapshots};

#[cfg(test)]
mod tests;

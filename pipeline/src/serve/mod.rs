//! Who runs the jobs when nobody is there, and who is told?

mod at;
pub mod letters;
mod notice;
mod orders;
mod roster;
mod server;
mod tell;
mod tend;
mod tick;
mod work;
mod workers;
mod yields;

pub use notice::{Mute, Notice, NoticeKind, Notify};
pub use orders::{Order, ReplayOrder, RunOrder};
pub use roster::{Make, Roster};
pub use server::{Limits, ServeOptions, Server, Tell};

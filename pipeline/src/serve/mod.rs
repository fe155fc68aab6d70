//! Who runs the jobs when nobody is there, and who is told?

mod notice;

pub use notice::{Notice, NoticeKind, Notify};

//! What does a service manager want to know to run this program? Texts only: who prints is `cli`.

mod plist;
mod program;
mod unit;

pub(crate) use plist::plist;
pub(crate) use program::{Program, text};
pub(crate) use unit::{Whose, owner, unit};

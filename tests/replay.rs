//! Promise: what is archived goes through its pipeline again, whenever a prompt, a model or a step
//! changed; only what changed is paid for, at most what was said before, and nothing is lost.

mod bad;
mod calls;
mod dates;
mod entry;
mod kill;
mod long;
mod place;
mod readers;
mod site;
mod traffic;
mod versions;
mod world;

//! Does the engine keep its promises? One file per promise; each works through the public surface
//! and reads what is left in the mill's database.

mod bench;
mod parts;

mod again;
mod archive;
mod away;
mod cursor;
mod entries;
mod full_disk;
mod housekeeping;
mod knobs;
mod limit;
mod lock;
mod logs;
mod misbehaved;
mod orders;
mod others;
mod parked;
mod publish;
mod remember;
mod resume;
mod rollback;
mod shared;
mod snapshot;
mod stop;
mod tables;
mod unchanged;
mod undo;
mod waiting;

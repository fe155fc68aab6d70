//! Promise: what is scheduled is decided once per nominal time, whatever the clock and the machine do,
//! and runs without anybody looking on.

mod archive;
mod clock;
mod notices;
mod policies;
mod pond;
mod process;
mod resumes;
mod stand;
mod trouble;
mod year;

//! How are raw pages kept? As WARC/1.1 with one gzip member per record, and an index beside it.
//! Pages that other programs kept so are a source: `Warc`.

pub mod cdxj;
pub mod digest;
pub mod encode;
pub mod http;
pub mod read;
pub mod record;
pub mod write;

mod fields;
#[cfg(test)]
mod file_tests;
mod foreign;
mod origin;
mod portion;
mod source;
#[cfg(test)]
mod tests;

pub use encode::{decode, encode};
pub use http::{HttpPart, http, http_within};
pub use origin::Origin;
pub use read::{Located, Reader};
pub use record::{Capture, Kind, Prior, Record};
pub use source::Warc;
pub use write::Part;

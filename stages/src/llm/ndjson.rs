//! Lines out of a byte stream: JSON objects divided by `\n`, cut anywhere by the network.

use tidemill_pipeline::{Error, Result};

/// No honest line is longer, in bytes; a server that never ends a line must not fill the memory.
const LONGEST_LINE: usize = 4 << 20;

/// Collects bytes and hands out whole lines. Bytes, not text: a chunk may end inside a character.
#[derive(Debug, Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// Where the first line that was not handed out begins.
    start: usize,
    /// Up to here no `\n` was found; nothing is searched twice.
    searched: usize,
}

impl Lines {
    /// Adds a chunk.
    ///
    /// # Errors
    /// `model_error` when a line passes 4 MiB without an end.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<()> {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        if self.buffer.len() + chunk.len() > LONGEST_LINE {
            return Err(Error::retry("the model server sent a line of more than 4 MiB")
                .because("model_error")
                .help("look at the server's own log; this is no answer of a model"));
        }
        self.buffer.extend_from_slice(chunk);
        Ok(())
    }

    /// The next whole line that is not blank, without its end.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        loop {
            let rest = self.buffer.get(self.searched..)?;
            let Some(at) = rest.iter().position(|&b| b == b'\n') else {
                self.searched = self.buffer.len();
                return None;
            };
            let line = self.start..self.searched + at;
            self.start = line.end + 1;
            self.searched = self.start;
            if !self.buffer.get(line.clone())?.trim_ascii().is_empty() {
                return self.buffer.get(line).map(<[u8]>::trim_ascii);
            }
        }
    }

    /// What stands behind the last line end when the stream is over, if anything.
    pub(super) fn rest(&self) -> Option<&[u8]> {
        self.buffer.get(self.start..).map(<[u8]>::trim_ascii).filter(|rest| !rest.is_empty())
    }
}

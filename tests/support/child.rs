//! A command that runs on while the test goes on; what it says is heard line by line.
#![expect(clippy::unwrap_used, reason = "tests")]

use crate::support::http::Watched;
use crate::support::program::Ended;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

/// A process; killed when the test ends before it does.
pub(crate) struct Child {
    child: std::process::Child,
    heard: Arc<Watched<Heard>>,
    ears: Vec<JoinHandle<()>>,
}

/// What was said so far.
#[derive(Default)]
struct Heard {
    stdout: Vec<String>,
    stderr: Vec<String>,
    /// How many of the two are at their end.
    closed: usize,
}

impl Heard {
    fn line(&self, text: &str) -> Option<&String> {
        self.stdout.iter().chain(&self.stderr).find(|line| line.contains(text))
    }
}

impl Child {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let heard = Arc::new(Watched::<Heard>::default());
        let stdout = child.stdout.take().unwrap();
        let stderr = child.stderr.take().unwrap();
        let ears = vec![
            listen(stdout, &heard, |heard| &mut heard.stdout),
            listen(stderr, &heard, |heard| &mut heard.stderr),
        ];
        Self { child, heard, ears }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has said this, and returns the line.
    pub(crate) fn says(&self, text: &str) -> String {
        let said = |heard: &Heard| heard.line(text).is_some() || heard.closed == 2;
        self.heard.wait(&format!("`{text}`"), said);
        let line = self.heard.with(|heard| heard.line(text).cloned());
        line.unwrap_or_else(|| panic!("it ended and never said `{text}`"))
    }

    /// Asks it to stop, as a service manager does.
    pub(crate) fn terminate(&self) {
        let kill = Command::new("kill").arg("-TERM").arg(self.id().to_string()).status();
        assert!(kill.unwrap().success());
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(mut self) -> Ended {
        self.heard.wait("the end of a process", |heard| heard.closed == 2);
        let status = self.child.wait().unwrap();
        let (stdout, stderr) =
            self.heard.with(|heard| (heard.stdout.join("\n"), heard.stderr.join("\n")));
        Ended { code: status.code().unwrap_or(-1), stdout, stderr }
    }

    /// Asks it to stop; it must end in order.
    #[track_caller]
    pub(crate) fn stop(self) -> Ended {
        self.terminate();
        self.ended().code(0)
    }

    /// Kills it as nothing can be refused.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end; whether that was a kill, as a crash point does it.
    pub(crate) fn ends_killed(mut self, at: &str) -> bool {
        self.heard.wait(&format!("a death at {at}"), |heard| heard.closed == 2);
        self.child.wait().unwrap().signal() == Some(9)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already: then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.ears.drain(..).for_each(|ear| ear.join().unwrap_or_default());
        if std::thread::panicking() {
            let said = self.heard.with(|heard| [&heard.stdout[..], &heard.stderr].concat());
            eprintln!("process {} said:\n{}", self.child.id(), said.join("\n"));
        }
    }
}

fn listen(
    from: impl Read + Send + 'static,
    heard: &Arc<Watched<Heard>>,
    which: fn(&mut Heard) -> &mut Vec<String>,
) -> JoinHandle<()> {
    let heard = Arc::clone(heard);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            heard.with(|heard| which(heard).push(line));
        }
        heard.with(|heard| heard.closed += 1);
    })
}

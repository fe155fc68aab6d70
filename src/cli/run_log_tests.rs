//! What belongs to which run, and where it ends up.
#![expect(clippy::disallowed_methods, reason = "tests make files as they like")]

use super::*;
use serde_json::Value;
use tempfile::TempDir;
use tidemill_pipeline::mill::{Home, HomeOptions};
use tidemill_pipeline::run::{RunOptions, in_run};
use tidemill_pipeline::testing::Lines;
use tidemill_pipeline::{Fingerprint, Job, Pipeline, Result, Stage, Step};
use tokio::sync::Barrier;
use tracing::field::{Empty, display};
use tracing::{Span, info};
use tracing_subscriber::layer::SubscriberExt;

/// Does this with a log of its own for each run, and with nothing else that listens.
fn logged<T>(work: impl FnOnce() -> T) -> T {
    let subscriber = tracing_subscriber::registry().with(RunLogs::default());
    tracing::subscriber::with_default(subscriber, work)
}

/// The span of a run, as the machine makes it.
fn span() -> Span {
    tracing::info_span!(target: "tidemill_pipeline::run", "run", run = Empty, log = Empty)
}

fn place(home: &TempDir, run: &str) -> PathBuf {
    home.path().join("logs").join(format!("{run}.log"))
}

fn begin(span: &Span, home: &TempDir, run: &str) {
    span.record("log", display(place(home, run).display()));
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn messages(path: &Path) -> Vec<String> {
    lines(path).iter().map(|line| line["message"].as_str().unwrap().to_string()).collect()
}

#[test]
fn each_run_has_its_own_lines_and_the_early_ones_too() {
    let home = tempfile::tempdir().unwrap();
    logged(|| {
        info!("of no run");
        let (ebb, flow) = (span(), span());
        ebb.in_scope(|| info!("early ebb"));
        flow.in_scope(|| info!("early flow"));
        begin(&flow, &home, "flow");
        begin(&ebb, &home, "ebb");
        for (n, run) in [&ebb, &flow, &ebb].into_iter().enumerate() {
            // A span of somebody else's does not stand in between.
            run.in_scope(|| tracing::info_span!("step").in_scope(|| info!(n, "late")));
        }
        info!("of no run");
    });
    assert_eq!(messages(&place(&home, "ebb")), ["early ebb", "late", "late"]);
    assert_eq!(messages(&place(&home, "flow")), ["early flow", "late"]);
    assert_eq!(lines(&place(&home, "flow"))[1]["n"], 1);
}

#[test]
fn a_line_has_its_fields_one_by_one() {
    let home = tempfile::tempdir().unwrap();
    logged(|| {
        let run = span();
        begin(&run, &home, "r");
        let _in = run.enter();
        tracing::warn!(what = ?Some("\u{1b}\n"), n = -2, u = u64::MAX, f = 0.5, is = true, "said");
    });
    let text = std::fs::read_to_string(place(&home, "r")).unwrap();
    let (time, rest) = text.split_once("Z\",").unwrap();
    assert!(time.starts_with("{\"timestamp\":\"2") && time.len() == 40, "{time}");
    let expected = r#""level":"WARN","message":"said","what":"Some(\"\\u{1b}\\n\")","n":-2,"u":18446744073709551615,"f":0.5,"is":true,"target":"#;
    assert!(rest.starts_with(expected), "{rest}");
    assert!(rest.ends_with("\"}\n"), "{rest}");
}

#[test]
fn a_run_that_goes_on_goes_on_with_its_log() {
    let home = tempfile::tempdir().unwrap();
    let attempt = |said: &'static str| {
        logged(|| {
            let run = span();
            begin(&run, &home, "r");
            run.in_scope(|| info!("{said}"));
        });
    };
    attempt("first");
    let mut file = OpenOptions::new().append(true).open(place(&home, "r")).unwrap();
    file.write_all(b"{\"message\":\"torn").unwrap();
    attempt("second");
    let text = std::fs::read_to_string(place(&home, "r")).unwrap();
    let ends: Vec<_> = text.lines().map(|line| line.ends_with('}')).collect();
    assert_eq!(ends, [true, false, true], "{text}");
    assert!(text.lines().nth(2).unwrap().contains("second"), "{text}");
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_a_log() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    logged(|| begin(&span(), &home, "r"));
    let mode = std::fs::metadata(place(&home, "r")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_newest_are_kept_and_those_of_runs_at_work() {
    let home = tempfile::tempdir().unwrap();
    let names = || {
        let entries = std::fs::read_dir(home.path().join("logs")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let age = |name: &str, seconds| {
        let file = OpenOptions::new().append(true).open(home.path().join("logs").join(name));
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        file.unwrap().set_modified(long_ago).unwrap();
    };
    logged(|| {
        let slow = span();
        begin(&slow, &home, "slow");
        age("slow.log", 1);
        std::fs::write(home.path().join("logs/note.txt"), "not a log").unwrap();
        for n in 0..KEPT as u64 + 5 {
            begin(&span(), &home, &format!("quick-{n:02}"));
            age(&format!("quick-{n:02}.log"), 100 + n);
        }
        assert_eq!(names().len(), KEPT + 2, "the slow one, and the file that is none");
        assert!(names().contains(&"slow.log".into()), "it is still written to");
        assert!(!names().contains(&"quick-04.log".into()), "{:?}", names());
        assert!(names().contains(&"quick-05.log".into()), "{:?}", names());
        drop(slow);
        begin(&span(), &home, "last");
        assert!(!names().contains(&"slow.log".into()), "it has ended, long ago");
    });
}

#[test]
fn what_is_said_early_is_bounded() {
    let home = tempfile::tempdir().unwrap();
    logged(|| {
        let run = span();
        run.in_scope(|| (0..1000).for_each(|n| info!(n, "{}", "x".repeat(500))));
        begin(&run, &home, "r");
        run.in_scope(|| info!("late"));
    });
    let lines = lines(&place(&home, "r"));
    let size = std::fs::metadata(place(&home, "r")).unwrap().len();
    assert!(size <= EARLY as u64 + 500, "{size}");
    assert_eq!(lines[lines.len() - 2]["n"], lines.len() - 2, "the first ones");
    assert_eq!(lines[lines.len() - 1]["message"], "late");
}

#[test]
fn a_home_that_is_not_there_is_not_made() {
    let home = tempfile::tempdir().unwrap();
    logged(|| {
        let run = span();
        run.record("log", display(home.path().join("none/logs/r.log").display()));
        run.in_scope(|| info!("late"));
    });
    assert!(!home.path().join("none").exists());
}

#[test]
fn work_on_another_thread_stays_with_the_run() {
    let home = tempfile::tempdir().unwrap();
    logged(|| {
        let run = span();
        begin(&run, &home, "r");
        let listening = tracing::dispatcher::get_default(Clone::clone);
        let say = |text: &'static str| {
            let listening = listening.clone();
            move || tracing::dispatcher::with_default(&listening, || info!("{text}"))
        };
        let own = run.in_scope(|| in_run(say("own")));
        std::thread::spawn(own).join().unwrap();
        std::thread::spawn(say("nobody's")).join().unwrap();
    });
    assert_eq!(messages(&place(&home, "r")), ["own"]);
}

/// A step that says a word for each item, while another run is at its own.
struct Talk(&'static str, Arc<Barrier>);

impl Step for Talk {
    fn name(&self) -> &str {
        "talk"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl Stage<String> for Talk {
    type Out = String;

    async fn run(&self, line: String, _cx: &tidemill_pipeline::Context) -> Result<String> {
        self.1.wait().await;
        info!(name = self.0, "talking");
        Ok(line)
    }
}

fn talking(name: &'static str, meet: &Arc<Barrier>) -> Job {
    let (talk, again) = (Talk(name, Arc::clone(meet)), move |line: String| async move {
        info!(name, "mapping");
        Ok(line)
    });
    Pipeline::named(name).read(Lines::of(["one", "two", "three"])).then(talk).map(again).into()
}

#[tokio::test]
async fn two_pipelines_at_work_at_once_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let subscriber = tracing_subscriber::registry().with(RunLogs::default());
    // For this thread, which does all the work of these runs but what blocks.
    let _listening = tracing::subscriber::set_default(subscriber);
    let home = Arc::new(Home::open(folder.path(), HomeOptions::owner()).unwrap());
    let meet = Arc::new(Barrier::new(2));
    let (ebb, flow) = (talking("ebb", &meet), talking("flow", &meet));
    let (ebb, flow) =
        tokio::join!(home.run(&ebb, RunOptions::default()), home.run(&flow, RunOptions::default()));
    for report in [ebb.unwrap(), flow.unwrap()] {
        let log = lines(&home.log(&report.run));
        let said = |message: &str| log.iter().filter(|line| line["message"] == message).count();
        assert_eq!((said("talking"), said("mapping")), (3, 3), "{log:#?}");
        assert_eq!((said("run begun"), said("run ended")), (1, 1), "{log:#?}");
        let names = log.iter().filter_map(|line| line["name"].as_str());
        assert!(names.into_iter().all(|name| name == report.pipeline), "{log:#?}");
        let own = log.iter().filter_map(|line| line["run"].as_str());
        assert!(own.into_iter().all(|run| run == report.run), "{log:#?}");
    }
}

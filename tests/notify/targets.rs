//! What each kind of target gets, and what its answer means.

use super::{file, name_targets};
use crate::support::http::{Reply, Request, Server};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use tempfile::TempDir;
use tidemill::notify::Targets;
use tidemill_pipeline::run::Counts;
use tidemill_pipeline::serve::{Notice, NoticeKind, Notify};
use tidemill_pipeline::{Error, Verdict};

fn home(lines: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    name_targets(home.path(), lines);
    home
}

fn notice(kind: NoticeKind) -> Notice {
    Notice {
        kind,
        pipeline: "news".into(),
        run: Some("20261120T020000Z-7f3a9c".into()),
        text: "the run halted: model_missing".into(),
        help: Some("ollama pull qwen3:8b".into()),
        items: Some(Counts { done: 12, unchanged: 3, waiting: 2, parked: 1 }),
        mill: "abc".into(),
        at: 1_795_140_000_000,
    }
}

/// What a target got that is named by this line; `URL` is the server's address.
async fn got(line: &str, kind: NoticeKind) -> Request {
    let server = Server::start(|_| Reply::full(200, "text/plain", "ok"));
    let home = home(&line.replace("URL", &server.url()));
    let targets = Targets::of(home.path()).unwrap();
    targets.send("t", &notice(kind)).await.unwrap();
    let mut requests = server.requests();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

#[tokio::test]
async fn a_webhook_gets_the_notice_as_json() {
    let request = got("t webhook URL/hook/s3cret?x=1 token=tk_9", NoticeKind::Failed).await;
    assert_eq!(
        (&*request.method, &*request.path, &*request.query),
        ("POST", "/hook/s3cret", "x=1")
    );
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("authorization"), Some("Bearer tk_9"));
    assert_eq!(request.header("user-agent"), Some(concat!("tidemill/", env!("CARGO_PKG_VERSION"))));
    let body: Notice = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body, notice(NoticeKind::Failed));
}

#[tokio::test]
async fn a_topic_of_ntfy_gets_a_title_a_priority_and_a_text() {
    let request = got("t ntfy URL/t0pic", NoticeKind::Failed).await;
    assert_eq!((&*request.method, &*request.path), ("POST", "/t0pic"));
    assert_eq!(request.header("title"), Some("news: a run failed"));
    assert_eq!(request.header("priority"), Some("4"));
    assert_eq!(request.header("tags"), Some("rotating_light"));
    assert_eq!(request.header("authorization"), None);
    let lines = "the run halted: model_missing\n\
                 12 done, 3 unchanged, 2 waiting, 1 parked\n\
                 → ollama pull qwen3:8b\n\
                 run 20261120T020000Z-7f3a9c of news";
    assert_eq!(std::str::from_utf8(&request.body).unwrap(), lines);
    let request = got("t ntfy URL/t0pic on=done token=tk_1", NoticeKind::Done).await;
    assert_eq!(request.header("priority"), Some("2"));
    assert_eq!(request.header("authorization"), Some("Bearer tk_1"));
}

#[tokio::test]
async fn a_check_is_pinged_and_told_beside_it_of_a_failure() {
    let line = "t ping URL/ping/uuid";
    for (kind, path) in [
        (NoticeKind::Done, "/ping/uuid"),
        (NoticeKind::Failed, "/ping/uuid/fail"),
        (NoticeKind::Test, "/ping/uuid"),
    ] {
        let request = got(line, kind).await;
        assert_eq!((&*request.method, &*request.path), ("POST", path), "{kind:?}");
        let text = std::str::from_utf8(&request.body).unwrap();
        assert!(text.starts_with("the run halted: model_missing\n12 done"), "{text}");
    }
}

/// A secret in the address and one behind it.
const LINE: &str = "t webhook URL/h00k/s3cret token=s3cret-too";

/// The error of sending to a server that answers like this; it shows no secret, however it is seen.
async fn refused(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static, away: bool) -> Error {
    let server = Server::start(reply);
    let home = home(&LINE.replace("URL", &server.url()));
    let targets = Targets::of(home.path()).unwrap();
    if away {
        server.go_away();
    }
    let error = targets.send("t", &notice(NoticeKind::Failed)).await.unwrap_err();
    for seen in [format!("{error:?}"), error.to_string(), format!("{targets:?}")] {
        assert!(!seen.contains("s3cret") && !seen.contains("h00k"), "{seen}");
    }
    assert!(server.requests().len() <= 1, "it is sent once");
    error
}

fn is_retry(error: &Error) -> bool {
    matches!(error.verdict(), Verdict::Retry { .. })
}

#[tokio::test]
async fn an_answer_says_whether_it_is_worth_another_try() {
    for status in [500, 502, 503, 408, 429] {
        let error = refused(move |_| Reply::full(status, "text/plain", "s3cret"), false).await;
        assert!(is_retry(&error), "{status}: {error:?}");
        assert_eq!(error.reason(), format!("http_{status}"));
    }
    for status in [400, 401, 403, 404, 410, 413] {
        let error = refused(move |_| Reply::full(status, "text/plain", "s3cret"), false).await;
        assert_eq!(error.verdict(), Verdict::Park, "{status}");
        assert!(error.guidance().is_some());
    }
}

#[tokio::test]
async fn a_target_that_is_away_is_tried_again() {
    let error = refused(|_| Reply::new(200), true).await;
    assert!(is_retry(&error), "{error:?}");
    assert_eq!(error.reason(), "notify_away");
    let error = refused(|_| Reply::dropped(), false).await;
    assert!(is_retry(&error), "{error:?}");
}

#[tokio::test]
async fn a_delay_that_is_asked_for_is_handed_on() {
    let busy =
        |delay: &'static str| move |_: &Request| Reply::new(429).header("retry-after", delay);
    let asked = refused(busy("7"), false).await.verdict();
    assert_eq!(asked, Verdict::Retry { after: Some(Duration::from_secs(7)) });
    let ages = refused(busy("999999999"), false).await.verdict();
    assert_eq!(ages, Verdict::Retry { after: Some(Duration::from_secs(3600)) });
    let dated = refused(busy("Fri, 20 Nov 2026 02:00:00 GMT"), false).await.verdict();
    assert_eq!(dated, Verdict::Retry { after: None });
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(|_| Reply::full(200, "text/plain", "ok"));
    let url = elsewhere.url();
    let error = refused(move |_| Reply::new(307).header("location", &url), false).await;
    assert!(is_retry(&error), "{error:?}");
    assert!(error.guidance().unwrap().contains("redirects"));
    assert_eq!(elsewhere.requests().len(), 0, "the notice went where nobody said");
}

#[test]
fn targets_are_told_what_their_line_says() {
    let home = home(
        "# ours\nphone ntfy https://x.example/t\nhook webhook https://x.example/h on=done,failed\n\
         beat ping https://x.example/p\n",
    );
    let targets = Targets::of(home.path()).unwrap();
    assert_eq!(targets.targets(NoticeKind::Failed), ["phone", "hook", "beat"]);
    assert_eq!(targets.targets(NoticeKind::Done), ["hook", "beat"]);
    for kind in [NoticeKind::Parked, NoticeKind::Away, NoticeKind::Yield] {
        assert_eq!(targets.targets(kind), ["phone"]);
    }
    assert_eq!(targets.targets(NoticeKind::Test).len(), 3);
}

#[tokio::test]
async fn what_is_changed_meanwhile_counts_and_what_is_wrong_does_not() {
    let home = tempfile::tempdir().unwrap();
    let targets = Targets::of(home.path()).unwrap();
    let names = || targets.targets(NoticeKind::Test);
    assert_eq!(names(), [""; 0]);
    name_targets(home.path(), "a ntfy https://x.example/t\n");
    assert_eq!(names(), ["a"]);
    name_targets(home.path(), "b nonsense\n");
    assert_eq!(names(), ["a"], "as it was when it was in order");
    fs::remove_file(file(home.path())).unwrap();
    assert_eq!(names(), [""; 0]);
    let error = targets.send("a", &notice(NoticeKind::Test)).await.unwrap_err();
    assert_eq!((error.verdict(), error.reason()), (Verdict::Park, "notify_gone"));
}

#[test]
fn what_others_may_read_is_refused() {
    for (path, mode, cure) in
        [("secrets/notify", 0o640, "chmod 600"), ("secrets", 0o755, "chmod 700")]
    {
        let home = home("a ntfy https://x.example/s3cret\n");
        fs::set_permissions(home.path().join(path), Permissions::from_mode(mode)).unwrap();
        let error = Targets::of(home.path()).unwrap_err();
        assert_eq!(error.reason(), "secrets_open");
        assert!(error.guidance().unwrap().starts_with(cure), "{error}");
    }
}

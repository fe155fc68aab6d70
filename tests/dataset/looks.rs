//! `ls`, `show`, `schema` and `head`: what a person sees.

use super::yard::{First, Yard, key, second};
use serde_json::json;

#[test]
fn ls_counts_runs_dates_and_files_of_each_pipeline() {
    let yard = Yard::years();
    std::fs::create_dir_all(
        yard.nas().join("notes/news/dt=2026-04-01/run=20260401T000000Z-ffffff"),
    )
    .unwrap();
    let listed = yard.json(&["ls"]);
    let listed = listed.as_array().unwrap();
    let short: Vec<_> = listed
        .iter()
        .map(|one| {
            json!([
                one["dataset"],
                one["pipeline"],
                one["runs"],
                one["first"],
                one["last"],
                one["files"],
                one["untrusted"]
            ])
        })
        .collect();
    let expected = [
        json!(["notes", "coast", 3, "2025-03-01", "2026-03-01", 3, 0]),
        json!(["notes", "news", 6, "2024-03-01", "2026-03-01", 6, 1]),
    ];
    assert_eq!(short, expected);
    assert!(listed.iter().all(|one| one["bytes"].as_u64() > Some(1000)), "{listed:?}");
    let told = yard.run(&["ls"]).code(0).says("1 run folder without a whole manifest");
    assert!(
        told.stdout.contains("notes    news         6  2024-03-01  2026-03-01"),
        "{}",
        told.stdout
    );
}

#[test]
fn show_lists_dates_in_a_range() {
    let yard = Yard::years();
    let days = yard.json(&["show", "notes", "--since", "2025-01-01", "--pipeline", "news"]);
    let dates: Vec<_> = days.as_array().unwrap().iter().map(|day| day["dt"].clone()).collect();
    assert_eq!(dates, ["2025-03-01", "2025-07-01", "2026-03-01"]);
    assert_eq!(yard.json(&["show", "notes", "--since", "2025-01-01"]).as_array().unwrap().len(), 6);
    assert_eq!(yard.json(&["show", "notes", "--since", "2031-01-01"]), json!([]));
}

#[test]
fn schema_says_since_when_and_until_when_a_column_is_there() {
    let yard = Yard::years();
    let columns = yard.json(&["schema", "notes"]);
    let column = |name: &str| {
        let all = columns.as_array().unwrap();
        all.iter()
            .find(|column| column["column"] == name)
            .unwrap_or_else(|| panic!("{name}"))
            .clone()
    };
    let score = json!({"column": "score", "type": "real", "since": "2024-03-01", "until": null});
    assert_eq!(column("score"), score);
    let draft =
        json!({"column": "draft", "type": "boolean", "since": "2024-03-01", "until": "2024-11-01"});
    assert_eq!(column("draft"), draft);
    assert_eq!(column("language")["since"], "2025-03-01");
    assert_eq!(
        (column("tags")["type"].as_str(), column("dt")["type"].as_str()),
        (Some("text"), Some("date"))
    );
    let first = yard.json(&["schema", "notes", "--until", "2024-12-31"]);
    let integer =
        json!({"column": "score", "type": "integer", "since": "2024-03-01", "until": null});
    assert!(first.as_array().unwrap().contains(&integer), "{first}");
}

#[test]
fn head_shows_the_newest_run_first_and_no_more_than_asked() {
    let yard = Yard::years();
    let rows = yard.json(&["head", "notes", "-n", "7", "--columns", "dt,title,score"]);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 7);
    assert_eq!(rows[0]["dt"], "2026-03-01");
    assert_eq!(rows[0].as_object().unwrap().keys().collect::<Vec<_>>().len(), 3);
    let told = yard.run(&["head", "notes"]).code(0).stdout;
    assert_eq!(told.lines().count(), 11, "{told}");
    assert!(told.lines().next().unwrap().starts_with("dt "), "{told}");
    assert!(!told.contains("_key"), "{told}");
}

#[test]
fn a_page_cannot_drive_the_terminal_and_no_line_is_too_long() {
    let yard = Yard::empty();
    let title = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}".to_owned() + &"very long ".repeat(40);
    let row = super::yard::Second { title, ..second(1) };
    yard.add("news", "2026-03-01", 0, [(key(1), row)].into_iter());
    let told = yard.run(&["head", "notes"]).code(0).stdout;
    assert!(!told.chars().any(|c| c != '\n' && c.is_control() || c == '\u{202e}'), "{told:?}");
    assert!(told.lines().all(|line| line.chars().count() <= 100), "{told}");
}

#[test]
fn a_home_knows_its_archive() {
    let yard = Yard::empty();
    let row = First { title: "Ebb".into(), score: 1, draft: false };
    yard.add("news", "2026-03-01", 0, [(key(1), row)].into_iter());
    let nowhere = yard.place.run(&["dataset", "ls"]).code(2);
    assert!(nowhere.stderr.contains("home"), "{}", nowhere.stderr);
    yard.place.run(&["demo"]).code(0);
    let told = yard.place.json(0, &["dataset", "ls"]);
    assert!(told.to_string().contains("llm_summaries"), "{told}");
    let rows = yard.place.json(0, &["dataset", "head", "llm_summaries", "-n", "3"]);
    assert_eq!(rows.as_array().unwrap().len(), 3);
    let raw = yard.place.run(&["dataset", "head", "raw_scrapes"]).code(2);
    let raw = raw.says("WARC").says("replay --from raw_scrapes").says("part-0000.warc.gz");
    assert_eq!(raw.stdout, "");
    yard.place.run(&["dataset", "show", "raw_scrapes"]).code(0);
}

//! Tests of many runs read as one table.

use super::tests::{sealed, sealed_keyed};
use super::{Scan, Type};
use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};
use std::path::Path;
use tidemill_pipeline::Result;
use tidemill_pipeline::tier::{ArchivedRun, atomic};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct First {
    title: String,
    score: i64,
    old: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Second {
    title: String,
    score: f64,
    language: Option<String>,
}

/// Three years: the score became a real number, one column went and one came.
fn years(folder: &Path) -> Result<Vec<ArchivedRun>> {
    let first = |n: i64| First { title: format!("a{n}"), score: n, old: n % 2 == 0 };
    let second = |n: i64| Second {
        title: format!("b{n}"),
        score: n as f64 + 0.5,
        language: Some("en".into()),
    };
    Ok(vec![
        sealed(folder, ("2024-05-01", "20240501T020000Z-aaaaaa"), &[first(0), first(1), first(2)])?,
        sealed(folder, ("2025-05-01", "20250501T020000Z-bbbbbb"), &[second(0), second(1)])?,
        sealed(folder, ("2026-05-01", "20260501T020000Z-cccccc"), &[second(7)])?,
    ])
}

fn texts(frame: &DataFrame, name: &str) -> Vec<String> {
    let column = frame.column(name).unwrap();
    (0..column.len()).map(|n| column.get(n).unwrap().to_string().replace('"', "")).collect()
}

#[test]
fn columns_come_go_and_widen_over_the_years() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let scan = Scan::of(&years(folder.path())?)?;
    let told: Vec<_> = scan
        .columns()
        .iter()
        .filter(|column| !column.name.starts_with('_'))
        .map(|c| (c.name.as_str(), c.holds, c.since.to_string(), c.last.to_string()))
        .collect();
    let (first, second, last) = ("2024-05-01", "2025-05-01", "2026-05-01");
    let expected = [
        ("title", Type::Text, first, last),
        ("score", Type::Real, first, last),
        ("old", Type::Bool, first, first),
        ("language", Type::Text, second, last),
        ("dt", Type::Date, first, last),
        ("run", Type::Text, first, last),
        ("pipeline", Type::Text, first, last),
    ];
    let told: Vec<_> = told.iter().map(|t| (t.0, t.1, t.2.as_str(), t.3.as_str())).collect();
    assert_eq!(told, expected);
    let frame = scan.select(&["dt", "title", "score", "old", "language"])?.frame()?;
    assert_eq!(texts(&frame, "title"), ["a0", "a1", "a2", "b0", "b1", "b7"]);
    assert_eq!(texts(&frame, "score"), ["0.0", "1.0", "2.0", "0.5", "1.5", "7.5"]);
    assert_eq!(texts(&frame, "old"), ["true", "false", "true", "null", "null", "null"]);
    assert_eq!(texts(&frame, "language")[2..4], ["null", "en"]);
    assert_eq!(texts(&frame, "dt")[5], "2026-05-01");
    Ok(())
}

#[test]
fn the_newest_version_of_a_key_counts_and_within_a_run_its_last_row() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut runs = years(folder.path())?;
    let item = |title: &str| Second { title: title.into(), score: 0.0, language: None };
    let (once, again, other) = (item("once"), item("again"), item("other"));
    let keyed = [("k1".to_owned(), &once), ("new".to_owned(), &other), ("k1".to_owned(), &again)];
    // Filed under an early date, but run last: a replay.
    runs.push(sealed_keyed(folder.path(), ("2024-05-01", "20260601T020000Z-dddddd"), &keyed)?);
    let scan = Scan::of(&runs)?.newest();
    assert_eq!(texts(&scan.frame()?, "title"), ["a2", "b7", "other", "again"]);
    #[cfg(feature = "sql")]
    assert_eq!(texts(&scan.lazy()?.collect()?, "title"), ["a2", "b7", "other", "again"]);
    Ok(())
}

#[test]
fn a_text_that_was_a_number_is_refused_with_both_files() -> Result<()> {
    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Changed {
        score: String,
    }
    let folder = tempfile::tempdir()?;
    let mut runs = years(folder.path())?;
    let changed = Changed { score: "many".into() };
    runs.push(sealed(folder.path(), ("2027-05-01", "20270501T020000Z-dddddd"), &[changed])?);
    let error = Scan::of(&runs).unwrap_err();
    assert_eq!(error.reason(), "foreign_schema");
    for part in ["`score` is real in", "text in", "dt=2025-05-01", "dt=2027-05-01"] {
        assert!(error.message().contains(part), "{part}: {error}");
    }
    assert!(error.guidance().unwrap().contains("--since"));
    Ok(())
}

#[test]
fn a_file_that_is_no_parquet_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let runs = years(folder.path())?;
    atomic::replace(&runs[1].folder.join("part-0000.parquet"), b"PAR1 but not really PAR1")?;
    let error = Scan::of(&runs).unwrap_err();
    assert_eq!(error.reason(), "no_parquet");
    assert!(error.message().contains("dt=2025-05-01"), "{error}");
    assert!(error.guidance().unwrap().contains("verify"));
    Ok(())
}

#[cfg(feature = "sql")]
mod lazy {
    use super::*;
    use polars::prelude::{LazyFrame, col, lit};

    fn collected(frame: LazyFrame) -> DataFrame {
        frame.collect().unwrap()
    }

    #[test]
    fn a_lazy_frame_is_what_the_frames_are() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let scan = Scan::of(&years(folder.path())?)?;
        let (lazy, frame) = (collected(scan.lazy()?), scan.frame()?);
        assert!(lazy.equals_missing(&frame), "{lazy:?} {frame:?}");
        Ok(())
    }

    #[test]
    fn a_filter_on_a_partition_opens_no_other_file() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let runs = years(folder.path())?;
        let scan = Scan::of(&runs)?;
        // What is looked at from now on fails, but in the second year.
        for run in [&runs[0], &runs[2]] {
            atomic::replace(&run.folder.join("part-0000.parquet"), b"not a file of ours any more")?;
        }
        let day = chrono::NaiveDate::from_ymd_opt(2025, 5, 1).unwrap();
        let kept = [
            col("dt").eq(lit(day)),
            col("dt").gt(lit(day.pred_opt().unwrap())).and(col("dt").lt_eq(lit(day))),
            col("run").eq(lit("20250501T020000Z-bbbbbb")),
            col("run").gt(lit("2025")).and(col("run").lt(lit("2026"))).and(col("score").gt(lit(0))),
        ];
        for filter in kept {
            let frame = collected(scan.lazy()?.filter(filter).select([col("title")]));
            assert_eq!(texts(&frame, "title"), ["b0", "b1"]);
        }
        let none = collected(scan.lazy()?.filter(col("pipeline").eq(lit("elsewhere"))));
        assert_eq!(none.height(), 0);
        assert!(scan.lazy()?.collect().is_err(), "the others cannot be read");
        Ok(())
    }
}

//! The program around the cases: its arguments, and its exit code.

use super::child::{self, Order};
use super::figures::Figures;
use super::ground;
use std::process::ExitCode;
use tidemill_pipeline::{Error, Result};

/// A case: measures with so many items, or with its own number of them, and shows its figures.
pub(crate) type Case = (&'static str, fn(Option<u64>, &mut Figures) -> Result<()>);

/// What a child process does; it answers with what it found, by name.
pub(crate) type Work = (&'static str, fn(&Order) -> Result<Vec<(&'static str, f64)>>);

/// Runs the cases that the arguments name, or all of them; in a child process, its work.
pub(crate) fn main(cases: &[Case], works: &[Work]) -> ExitCode {
    let ended = match child::order() {
        Ok(Some((name, order))) => as_child(works, &name, &order).map(|()| 0),
        Ok(None) => as_parent(cases),
        Err(error) => Err(error),
    };
    ground::ended(ended)
}

fn as_child(works: &[Work], name: &str, order: &Order) -> Result<()> {
    let work = works.iter().find(|work| work.0 == name);
    let (_, work) = work.ok_or_else(|| Error::halt(format!("no work is named {name}")))?;
    let found = work(order)?;
    child::answer(&found)
}

/// How many bounds were missed.
fn as_parent(cases: &[Case]) -> Result<u32> {
    let (items, named) = arguments()?;
    let unknown = named.iter().find(|name| cases.iter().all(|case| case.0 != *name));
    if let Some(name) = unknown {
        let all: Vec<_> = cases.iter().map(|case| case.0).collect();
        return Err(Error::halt(format!("no case is named {name}; there are: {}", all.join(", "))));
    }
    let place = ground::fresh_folder()?;
    let mut figures = Figures::begin(&ground::disk(place.path())?);
    drop(place);
    for (name, case) in cases {
        if named.is_empty() || named.iter().any(|wanted| wanted == name) {
            figures.case(name);
            case(items, &mut figures).map_err(|error| error.context(*name))?;
        }
    }
    Ok(figures.missed())
}

/// `[--items N] [CASE …]`; `--bench` comes from cargo.
fn arguments() -> Result<(Option<u64>, Vec<String>)> {
    let (mut items, mut named) = (None, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {}
            "--items" => items = Some(number(&arguments.next().unwrap_or_default())?),
            other if other.starts_with('-') => {
                return Err(Error::halt(format!("`{other}` is unknown: [--items N] [CASE ...]")));
            }
            case => named.push(case.to_string()),
        }
    }
    Ok((items, named))
}

/// A number of items: at least four, since one case takes a quarter of them.
fn number(text: &str) -> Result<u64> {
    let number = text.parse().ok().filter(|number| *number >= 4);
    number.ok_or_else(|| Error::halt(format!("--items needs a number from 4 on, not `{text}`")))
}

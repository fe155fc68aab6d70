//! Promise: a person can see what happens, try it, mend it and take it back from the command line.

mod logs;
mod orders;
mod parked;
mod plan;
mod progress;
mod rollback;
mod runs;
mod singles;
mod status;
mod trial;

use crate::support::program::Place;

/// The ids of the runs, newest first.
fn ids(place: &Place) -> Vec<String> {
    let runs = place.json(0, &["runs"]);
    runs.as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_string()).collect()
}

#[test]
fn every_new_verb_has_help_that_ends_with_an_example() {
    let place = Place::new();
    for verb in [
        &["try"][..],
        &["runs"],
        &["runs", "ls"],
        &["runs", "show"],
        &["runs", "logs"],
        &["rollback"],
        &["parked", "ls"],
        &["parked", "show"],
        &["parked", "retry"],
        &["parked", "drop"],
    ] {
        let mut arguments = verb.to_vec();
        arguments.push("--help");
        let help = place.run(&arguments).code(0).stdout;
        assert!(help.contains("Example:  tidemill "), "{verb:?}: {help}");
    }
}

#[test]
fn verbs_that_change_a_home_do_not_make_one() {
    let place = Place::new();
    for verb in [
        &["rollback", "x"][..],
        &["parked", "retry", "--all"],
        &["parked", "drop", "--all"],
        &["runs"],
        &["plan"],
    ] {
        place.run(verb).code(2).says("there is no mill in");
        assert!(!place.home().exists(), "{verb:?} made the home");
    }
}

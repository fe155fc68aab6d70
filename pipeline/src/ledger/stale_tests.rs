//! What counts as stale, and why.

use super::*;
use crate::Fingerprint;
use crate::build::Memory;

fn node(verb: &str, name: &str, version: u32) -> Node {
    Node {
        verb: verb.into(),
        name: name.into(),
        version,
        yields: "Page".into(),
        memory: Memory::Remembered,
        fills: None,
        configured: Fingerprint::of(&1),
        fingerprint: Fingerprint::of(&1),
    }
}

fn chain() -> Vec<Node> {
    vec![node("read", "feed", 1), node("then", "summarise", 1), node("map", "map-2", 0)]
}

/// Seven items that the first chain did, and a newest run with the second one.
fn done(first: Vec<Node>, newest: Vec<Node>) -> Done {
    Done {
        items: [(1, 7)].into(),
        chains: [(1, first), (2, newest)].into(),
        runs: vec![(1, "one".into(), 1), (2, "two".into(), 2), (3, "three".into(), 2)],
    }
}

fn whys(done: &Done, today: &[Node]) -> Vec<(usize, String, Why)> {
    let stale = done.stale(today).steps.into_iter();
    stale.map(|step| (step.place, step.step, step.why)).collect()
}

#[test]
fn the_same_steps_make_nothing_stale_and_another_source_neither() {
    let done = done(chain(), chain());
    assert_eq!(done.stale(&chain()), Stale { items: 0, of: 7, steps: vec![] });
    let mut today = chain();
    today[0] = node("read", "crawl", 9);
    assert_eq!(done.stale(&today).items, 0);
}

#[test]
fn a_version_goes_before_a_configuration_and_that_before_what_was_found() {
    let mut found = chain();
    found[1].fingerprint = Fingerprint::of(&2);
    let done = done(chain(), found);
    let since = Some("two".to_string());
    assert_eq!(whys(&done, &chain()), [(1, "summarise".into(), Why::Prepared { since })]);
    let mut today = chain();
    today[1].configured = Fingerprint::of(&3);
    assert_eq!(whys(&done, &today), [(1, "summarise".into(), Why::Configured)]);
    today[1].version = 2;
    let why = Why::Version { was: 1, now: 2 };
    assert_eq!(why.to_string(), "done by version 1, now 2");
    assert_eq!(whys(&done, &today), [(1, "summarise".into(), why)]);
    assert_eq!(done.stale(&today).items, 7);
}

#[test]
fn a_step_that_comes_or_goes_is_named_and_closures_behind_it_only_move() {
    let mut longer = chain();
    longer.insert(1, node("then", "extract", 1));
    longer[3].name = "map-3".into();
    let added = done(chain(), chain());
    assert_eq!(whys(&added, &longer), [(1, "extract".into(), Why::Added)]);
    let removed = done(longer.clone(), longer);
    assert_eq!(whys(&removed, &chain()), [(1, "extract".into(), Why::Removed)]);
}

#[test]
fn behind_an_entry_only_what_lies_behind_it_counts() {
    let done = done(chain(), chain());
    let mut today = chain();
    today[1].fingerprint = Fingerprint::of(&2);
    today[2].fills = Some("other".into());
    let whys = |entry| done.behind(1, &today, entry);
    let prepared = (1, "summarise".to_string(), Why::Prepared { since: None });
    assert_eq!(whys(0)[0], prepared);
    assert!(whys(1).iter().all(|(place, ..)| *place > 1), "{:?}", whys(1));
    assert!(whys(2).is_empty(), "{:?}", whys(2));
    assert!(done.behind(99, &today, 0).is_empty(), "nothing is known of that chain");
}

#[test]
fn a_step_that_went_before_the_entry_is_no_reason_and_one_behind_it_is() {
    let mut longer = chain();
    longer.insert(1, node("then", "fetch", 1));
    let done = done(longer.clone(), longer);
    assert!(done.behind(1, &chain(), 1).is_empty(), "it stood before `summarise`");
    let removed = (1, "fetch".to_string(), Why::Removed);
    assert_eq!(done.behind(1, &chain(), 0), [removed]);
}

#[test]
fn a_spliced_chain_is_the_old_one_up_to_the_entry_and_todays_behind_it() {
    let (mut before, mut today) = (chain(), chain());
    before[1].fingerprint = Fingerprint::of("old model");
    today[1].fingerprint = Fingerprint::of("configured");
    today[2].fingerprint = Fingerprint::of("new");
    let spliced = spliced(&before, &today, 1);
    let prints: Vec<_> = spliced.iter().map(|node| node.fingerprint).collect();
    assert_eq!(prints[1..], [before[1].fingerprint, today[2].fingerprint]);
    let other = vec![node("read", "crawl", 1)];
    assert_eq!(super::spliced(&other, &today, 1).len(), today.len(), "the entry was not there");
}

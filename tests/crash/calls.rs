//! Which answers were paid for twice, and whether a kill excuses it.

use super::task::WORKERS;
use crate::support::fake_ollama::Prompt;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// The end of a child process.
#[derive(Debug, Clone)]
pub(super) struct Death {
    pub(super) at: Instant,
    /// When all that it had sent was counted.
    pub(super) over: Instant,
    /// The point it died at; `None` when it was killed from outside, and then `at` is exact.
    pub(super) point: Option<String>,
    /// Answers that were sent to it and are lost.
    pub(super) lost: usize,
}

/// What the ledger said after each process, against what the model server was asked later.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// How often an item had been asked for when its answer was first seen in the ledger.
    settled: HashMap<String, usize>,
}

impl Journal {
    /// Items whose answer is in the ledger.
    pub(super) fn len(&self) -> usize {
        self.settled.len()
    }

    /// Compares when a process has ended that was started at `since`. Says how many answers are lost
    /// that were sent to it.
    pub(super) fn compare(
        &mut self,
        journaled: &HashSet<String>,
        prompts: &[Prompt],
        since: Instant,
    ) -> usize {
        let mut lost = 0;
        for prompt in prompts {
            let key = item(prompt);
            if journaled.contains(key) {
                self.settled.entry(key.to_owned()).or_insert(prompt.started);
            } else if prompt.sent_at.last().is_some_and(|sent| *sent >= since) {
                lost += 1;
            }
        }
        for key in self.settled.keys() {
            assert!(journaled.contains(key), "the answer for {key} was in the ledger and is gone");
        }
        // Each worker asks for its next item only when the answer for the last one is durable.
        assert!(lost <= WORKERS, "{lost} answers are lost, more than there are workers");
        lost
    }

    /// At the end: no answer that was in the ledger was asked for again.
    pub(super) fn at_end(&self, prompts: &[Prompt]) {
        for prompt in prompts {
            let key = item(prompt);
            if let Some(then) = self.settled.get(key) {
                assert_eq!(
                    prompt.started, *then,
                    "{key} was asked for again, its answer was there"
                );
            }
        }
    }
}

/// The item that a prompt is about.
pub(super) fn item(prompt: &Prompt) -> &str {
    let said = prompt.text.strip_prefix("user: ").unwrap_or(&prompt.text);
    said.split(' ').next().unwrap_or(said)
}

/// How old each answer that is lost was when its process was killed from outside: a few
/// milliseconds, the time of a commit. An error when a second call has no death to excuse it.
pub(super) fn repeats(prompt: &Prompt, deaths: &[Death]) -> Result<Vec<Duration>, String> {
    let mut ages = Vec::new();
    for pair in prompt.started_at.windows(2) {
        let [begun, again] = [pair[0], pair[1]];
        let Some(death) = deaths.iter().find(|death| begun <= death.over && death.over <= again)
        else {
            return Err(format!("{} was asked for twice by one process", item(prompt)));
        };
        for sent in prompt.sent_at.iter().filter(|sent| (begun..again).contains(*sent)) {
            // Of a process that killed itself we only know when we saw it.
            if death.point.is_none() {
                ages.push(death.at.saturating_duration_since(*sent));
            }
        }
    }
    Ok(ages)
}

/// An item asked for at these milliseconds and answered at those.
fn prompt(now: Instant, asked: &[u64], sent: &[u64]) -> Prompt {
    let at = |ms: &u64| now + Duration::from_millis(*ms);
    Prompt {
        text: "user: grain-00007 ear 0".into(),
        started: asked.len(),
        answered: sent.len(),
        started_at: asked.iter().map(at).collect(),
        sent_at: sent.iter().map(at).collect(),
    }
}

fn death(now: Instant, ms: u64, point: Option<&str>) -> Death {
    let at = now + Duration::from_millis(ms);
    let over = at + Duration::from_millis(60);
    Death { at, over, point: point.map(str::to_owned), lost: 0 }
}

#[test]
fn only_a_death_in_between_excuses_a_second_call() {
    let now = Instant::now();
    let one = prompt(now, &[10, 200], &[60, 250]);
    assert_eq!(item(&one), "grain-00007");
    let ages = repeats(&one, &[death(now, 100, None)]);
    assert_eq!(ages, Ok(vec![Duration::from_millis(40)]));
    assert_eq!(repeats(&one, &[death(now, 120, Some("call.answered"))]), Ok(vec![]));
    assert!(repeats(&one, &[]).unwrap_err().contains("one process"));
    assert!(repeats(&one, &[death(now, 150, None)]).unwrap_err().contains("one process"));
    assert!(repeats(&one, &[death(now, 260, None)]).unwrap_err().contains("one process"));
    // Asked by a process that was dying and answered when it was dead: nobody had it.
    let late = prompt(now, &[110, 200], &[150, 250]);
    assert_eq!(repeats(&late, &[death(now, 100, None)]), Ok(vec![Duration::ZERO]));
}

#[test]
#[should_panic(expected = "its answer was there")]
fn an_answer_that_is_in_the_ledger_is_never_asked_for_again() {
    let (now, mut journal) = (Instant::now(), Journal::default());
    let there = HashSet::from(["grain-00007".to_owned()]);
    assert_eq!(journal.compare(&there, &[prompt(now, &[10], &[20])], now), 0);
    journal.at_end(&[prompt(now, &[10], &[20])]);
    journal.at_end(&[prompt(now, &[10, 50], &[20])]);
}

#[test]
#[should_panic(expected = "more than there are workers")]
fn no_more_answers_may_be_lost_than_there_are_workers() {
    let now = Instant::now();
    let sent = vec![prompt(now, &[10], &[20]); WORKERS + 1];
    let earlier = vec![prompt(now, &[10], &[20]); WORKERS];
    let later = now + Duration::from_millis(30);
    assert_eq!(Journal::default().compare(&HashSet::new(), &earlier, now), WORKERS);
    assert_eq!(Journal::default().compare(&HashSet::new(), &sent, later), 0);
    Journal::default().compare(&HashSet::new(), &sent, now);
}

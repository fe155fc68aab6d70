//! What a page's summary would cost, told from its length: exactly where one call is enough.

use super::budget::{Need, Plan, weigh};
use super::condense::{longest_answer, note_words};
use super::prompt::{About, Ask, system, user};
use serde::{Deserialize, Serialize};
use tidemill_pipeline::replay::{Cost, Foreseen};

/// Tokens by [`weigh`] of a tokenizer that nobody has met: as far as the budget believes in any.
const ANY_FACTOR: (f64, f64) = (0.3, 4.0);

/// The fence around a page has 32 digits of a hash, which weigh between a third and two thirds each.
const FENCE: f64 = 32.0 / 3.0;

/// A page's length, as the budget measures it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Measure {
    /// Words of its plain text: with as many as its summary may have, none is made.
    words: u64,
    /// What is summed up, by [`weigh`].
    body: f64,
    /// Title and language in the prompt, by [`weigh`].
    head: f64,
}

impl Measure {
    pub(super) fn of(words: u64, text: &str, title: &str, language: Option<&str>) -> Self {
        let frame = |about| weigh(&user(Ask::Part, 100, about, ""));
        let head = frame(About { title, under: "", language });
        let bare = frame(About { title: "", under: "", language: None });
        // Without the fence's digits, which are others for each title.
        Self { words, body: weigh(text).ceil(), head: (head - bare + FENCE).max(0.0).ceil() }
    }
}

/// What a summary of so many words would cost with a model of this context.
///
/// `frame` is that of [`frame`], which is the same for all pages.
pub(super) fn foreseen(past: Option<&Cost>, words: u32, frame: f64, context: u32) -> Foreseen {
    let unknown = Foreseen { least: 0, most: None, tokens: 0 };
    let Some(past) = past else { return unknown };
    let measure =
        past.measure.clone().and_then(|json| serde_json::from_value::<Measure>(json).ok());
    let Some(measure) = measure else { return unknown };
    if measure.words <= u64::from(words) {
        return Foreseen::default();
    }
    let frame = frame + measure.head;
    let tokens = tokens(past, &measure, frame, words);
    let need = |frame: f64, factor: f64| Need {
        frame,
        body: measure.body,
        num_predict: longest_answer(words),
        factor,
        pieces: 1,
        context,
    };
    let (fewest, most) = factors(past, &measure, frame);
    let (high, low) = (need(frame + FENCE, most), need(frame - 2.0 * FENCE, fewest));
    if need(frame + FENCE, 1.0).is_small() || fits(&high) {
        return Foreseen::exactly(1, tokens);
    }
    let pieces = |need: &Need| Plan::new(need).ok().map(|plan| (need.body / plan.piece).ceil());
    let least = match pieces(&low) {
        None => 0, // not even the instructions fit: it is set aside
        Some(n) if n <= 1.0 => 1,
        Some(n) => n as u32 + 1,
    };
    // Pieces end at headings and paragraphs, so there may be twice as many, and as many merges.
    let most = pieces(&high).or_else(|| pieces(&need(frame + FENCE, 1.0)));
    let most = most.map(|n| (4.0 * n) as u32 + 2);
    Foreseen { least, most, tokens }
}

/// Between which factors the budget will plan. It begins with 1; what the last answers took tells of
/// the tokenizer, and another model's is seldom twice as fine.
fn factors(past: &Cost, measure: &Measure, frame: f64) -> (f64, f64) {
    if past.prompt_tokens == 0 || past.calls == 0 {
        return ANY_FACTOR;
    }
    let weight = measure.body + frame * f64::from(past.calls);
    let seen = past.prompt_tokens as f64 / weight;
    let (fewest, most) = ANY_FACTOR;
    ((seen / 2.0).clamp(fewest, 1.0), (seen * 2.0).clamp(1.0, most))
}

fn fits(need: &Need) -> bool {
    Plan::new(need).is_ok_and(|plan| need.body <= plan.piece)
}

/// The prompt without title and text, by [`weigh`].
pub(super) fn frame(words: u32) -> f64 {
    let words = note_words(words);
    let about = About { title: "", under: "", language: None };
    weigh(&system(Ask::Part, words)) + weigh(&user(Ask::Part, words, about, ""))
}

/// As many as last time; where they were not counted, as usual for such a length.
fn tokens(past: &Cost, measure: &Measure, frame: f64, words: u32) -> u64 {
    let prompt = match past.prompt_tokens {
        0 => ((measure.body + frame) * 0.6) as u64,
        counted => counted,
    };
    let output = match past.output_tokens {
        0 => u64::from(words) * 3 / 2,
        counted => counted,
    };
    prompt + output
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn past(words: u64, body: f64) -> Cost {
        let measure = serde_json::to_value(Measure { words, body, head: 20.0 }).unwrap();
        Cost { measure: Some(measure), ..Cost::default() }
    }

    #[test]
    fn pages_of_one_call_are_foreseen_exactly_and_short_ones_take_none() {
        assert_eq!(foreseen(Some(&past(40, 60.0)), 80, frame(80), 8192), Foreseen::default());
        let small = foreseen(Some(&past(400, 700.0)), 80, frame(80), 4096);
        assert_eq!((small.least, small.most), (1, Some(1)));
        assert!(small.tokens > 300, "{small:?}");
        let counted = Cost { calls: 1, prompt_tokens: 4000, ..past(6000, 9000.0) };
        let medium = foreseen(Some(&counted), 80, frame(80), 32_768);
        assert_eq!((medium.least, medium.most), (1, Some(1)));
        let by_guess = foreseen(Some(&past(6000, 9000.0)), 80, frame(80), 32_768);
        assert!(by_guess.least == 1 && by_guess.most > Some(1), "{by_guess:?}");
    }

    #[test]
    fn long_pages_have_a_range_and_unknown_ones_none() {
        let long = foreseen(Some(&past(60_000, 90_000.0)), 80, frame(80), 8192);
        let most = long.most.unwrap();
        assert!(long.least > 2 && most > long.least, "{long:?}");
        assert_eq!(foreseen(None, 80, frame(80), 8192).most, None);
        let other = Cost { measure: Some(json!({ "a": 1 })), ..Cost::default() };
        assert_eq!(foreseen(Some(&other), 80, frame(80), 8192).most, None);
    }
}

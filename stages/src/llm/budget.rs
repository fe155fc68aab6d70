//! How many tokens a text takes, which context a request asks for, and whether an answer was cut.
//!
//! Servers cut prompts silently: 200 OK, and a summary of half a page. So every request is planned
//! to fit by an estimate that begins pessimistic and learns, and every answer is checked against
//! what the server counted.

use super::backend::{Answer, Request};
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tidemill_pipeline::{Error, Result};

/// The smallest context asked for, in tokens; the others are its doubles. Few sizes, because
/// another size makes the server load the model again.
const SMALLEST: u32 = 4096;
/// What a chat template adds to a prompt, in tokens, at most.
const TEMPLATE: f64 = 64.0;
/// No tokenizer is known to take fewer tokens than this share of [`weigh`].
const LEAST: f64 = 0.42;

/// The tokens of a text for a pessimistic tokenizer: three bytes a token for words, 1.5 for digits
/// and signs, one character a token for Chinese, Japanese and Korean.
pub(super) fn weigh(text: &str) -> f64 {
    text.chars().map(weight).sum()
}

fn weight(c: char) -> f64 {
    match c {
        'a'..='z' | 'A'..='Z' | ' ' => 1.0 / 3.0,
        c if c.is_ascii() => 1.0 / 1.5,
        c if is_cjk(c) => 1.0,
        c => c.len_utf8() as f64 / 3.0,
    }
}

/// Chinese, Japanese and Korean: scripts where one character is about half a word.
pub(super) fn is_cjk(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11ff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

/// The scripts that tokenizers treat alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    Latin,
    Cjk,
    Other,
}

impl Script {
    /// The script that prevails in a text.
    pub(super) fn of(text: &str) -> Self {
        let (mut latin, mut cjk, mut other) = (0_usize, 0_usize, 0_usize);
        for c in text.chars() {
            match c {
                c if c.is_ascii() => latin += 1,
                c if is_cjk(c) => cjk += 3,
                _ => other += 2,
            }
        }
        match (latin, cjk, other) {
            (l, c, o) if c > l && c >= o => Self::Cjk,
            (l, _, o) if o > l => Self::Other,
            _ => Self::Latin,
        }
    }
}

/// What a model's tokenizer really takes, learned from the counts in its answers.
#[derive(Debug, Default)]
pub(super) struct Calibration(Mutex<[Ratio; 3]>);

/// Tokens by [`weigh`]: running mean and deviation, as TCP keeps its round trips.
#[derive(Debug, Clone, Copy, Default)]
struct Ratio {
    mean: Option<f64>,
    deviation: f64,
}

impl Calibration {
    /// By what to multiply [`weigh`]: 1 at first, then a value that few texts exceed.
    pub(super) fn factor(&self, script: Script) -> f64 {
        let ratio = self.ratios()[script as usize];
        ratio.mean.map_or(1.0, |mean| (mean + 2.0 * ratio.deviation).clamp(0.3, 4.0))
    }

    /// Learns from a prompt that was counted whole.
    pub(super) fn learn(&self, script: Script, weight: f64, tokens: u64) {
        if weight < 100.0 {
            return; // the chat template would prevail
        }
        let seen = tokens as f64 / weight;
        let ratio = &mut self.ratios()[script as usize];
        let Some(mean) = ratio.mean else {
            *ratio = Ratio { mean: Some(seen), deviation: seen / 8.0 };
            return;
        };
        ratio.deviation = 0.75 * ratio.deviation + 0.25 * (seen - mean).abs();
        ratio.mean = Some(0.75 * mean + 0.25 * seen);
    }

    /// Learns that a prompt planned with this factor did not fit.
    pub(super) fn overflowed(&self, script: Script, factor: f64) {
        let ratio = &mut self.ratios()[script as usize];
        if ratio.mean.is_none_or(|mean| mean < factor) {
            *ratio = Ratio { mean: Some(factor), deviation: factor / 8.0 };
        }
    }

    fn ratios(&self) -> MutexGuard<'_, [Ratio; 3]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the plan of a document is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    /// Everything in the prompt but the text, by [`weigh`].
    pub(super) frame: f64,
    /// The text, by [`weigh`].
    pub(super) body: f64,
    /// The longest answer, in tokens.
    pub(super) num_predict: u32,
    /// Tokens by [`weigh`].
    pub(super) factor: f64,
    /// The least number of pieces.
    pub(super) pieces: u32,
    /// The largest context, in tokens.
    pub(super) context: u32,
}

impl Need {
    /// Whether it fits the smallest context, however the tokenizer cuts.
    pub(super) fn is_small(&self) -> bool {
        self.room(SMALLEST.min(self.context)) >= self.frame + self.body
    }

    /// Room for a prompt in this context, in tokens. Twice the answer is kept free: one that ran
    /// out of room is asked for once more with double the room.
    fn room(&self, context: u32) -> f64 {
        f64::from(context) * 0.95 - 2.0 * f64::from(self.num_predict) - TEMPLATE
    }
}

/// How a document is put to the model. Journaled, so that a resumed run asks the same questions
/// whatever was learned about the tokenizer meanwhile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The context, in tokens.
    pub(super) num_ctx: u32,
    /// The longest answer, in tokens; twice that fits.
    pub(super) num_predict: u32,
    /// The largest piece, by [`weigh`].
    pub(super) piece: f64,
    /// Tokens by [`weigh`].
    pub(super) factor: f64,
}

impl Plan {
    /// The smallest context that takes all of it; the largest one, and pieces, when none does.
    ///
    /// # Errors
    /// Parks (`context_too_small`) when the instructions alone fill the context.
    pub(super) fn new(need: &Need) -> Result<Self> {
        let wanted = (need.frame + need.body) * need.factor;
        let mut num_ctx = SMALLEST.min(need.context);
        while need.room(num_ctx) < wanted && num_ctx < need.context {
            num_ctx = num_ctx.saturating_mul(2).min(need.context);
        }
        let most = need.room(num_ctx) / need.factor - need.frame;
        if most < 100.0 {
            return Err(Error::park(format!(
                "a context of {num_ctx} tokens has no room for a page beside the instructions"
            ))
            .because("context_too_small")
            .help("use a model with a larger context, or ask for fewer words"));
        }
        let share = need.body / f64::from(need.pieces.max(1)) * 1.05;
        let piece = if need.pieces > 1 { most.min(share.max(50.0)) } else { most };
        Ok(Self { num_ctx, num_predict: need.num_predict, piece, factor: need.factor })
    }
}

/// Why an answer does not stand for the whole of what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The model saw only a part of the prompt, or the context ran full.
    Context,
    /// The answer reached its longest length.
    Length,
}

/// Whether the answer was cut; `None` is good.
pub(super) fn cut(request: &Request, answer: &Answer) -> Option<Cut> {
    let weight = weigh(&request.system) + weigh(&request.user);
    let bytes = (request.system.len() + request.user.len()) as u64;
    let context = u64::from(request.options.num_ctx);
    let saw_all = match answer.prompt_tokens {
        // Old servers leave the count out when they had the prompt in memory. Then only a prompt
        // that fits whatever the tokenizer is trusted.
        None => weight + f64::from(request.options.num_predict) <= context as f64,
        Some(seen) => {
            let too_few = (seen as f64) < 0.9 * LEAST * weight;
            // Ollama keeps half of the context and two tokens when it cuts; a token is a byte or
            // more, so a prompt of fewer bytes cannot have been cut.
            let half = seen.abs_diff(context / 2) <= 4 && bytes > context;
            let full = seen + answer.output_tokens.unwrap_or(0) + 4 > context;
            !(too_few || half || full)
        }
    };
    match answer.done_reason.as_str() {
        _ if !saw_all => Some(Cut::Context),
        "length" => Some(Cut::Length),
        _ => None,
    }
}

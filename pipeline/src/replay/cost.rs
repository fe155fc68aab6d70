//! Costs: what a step's answer took from a model, and what the next one would.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an answer for one item cost, remembered by key and step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Answers of a model that went into it, those from memory too.
    pub calls: u32,
    /// Tokens of all prompts, where they were counted.
    pub prompt_tokens: u64,
    /// Tokens of all answers, where they were counted.
    pub output_tokens: u64,
    /// What the step tells its calls from, in a form of its own: a length, for instance.
    pub measure: Option<Value>,
}

impl Cost {
    /// Whether there is nothing to remember.
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What an answer would cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreseen {
    /// Calls to a model at least.
    pub least: u32,
    /// Calls to a model at most, as long as it answers as asked; `None` when nobody can know.
    pub most: Option<u32>,
    /// Tokens of prompts and answers, about.
    pub tokens: u64,
}

impl Default for Foreseen {
    /// Nothing.
    fn default() -> Self {
        Self::exactly(0, 0)
    }
}

impl Foreseen {
    /// Exactly so many calls, of about so many tokens in all.
    #[must_use]
    pub fn exactly(calls: u32, tokens: u64) -> Self {
        Self { least: calls, most: Some(calls), tokens }
    }
}

//! One page becomes one summary: in one call when it fits, else piece by piece and merged.

use super::backend::{Answer, Backend, Options, Request};
use super::budget::{Calibration, Cut, Need, Plan, Script, cut, weigh};
use super::chunk::{Piece, pack, split};
use super::clean::spoken;
use super::prompt::{About, Ask, PROMPT_VERSION, system, user};
use std::time::Duration;
use tidemill_pipeline::{Context, Error, Fingerprint, Result, Verdict};

/// How often a page is planned anew before it is set aside.
const PLANS: u32 = 8;
/// How long a busy server is waited for within one call; then the engine's own tries count.
const BUSY_AT_MOST: Duration = Duration::from_secs(600);

/// What the answers cost, journaled ones included: the same whether the run was interrupted or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spent {
    /// Answers used.
    pub(super) calls: u32,
    /// Tokens of all prompts, where the server counted them.
    pub(super) prompt_tokens: u64,
    /// Tokens of all answers, where the server counted them.
    pub(super) output_tokens: u64,
}

/// The work on one page.
pub(super) struct Condense<'a> {
    pub(super) cx: &'a Context,
    pub(super) backend: &'a dyn Backend,
    pub(super) calibration: &'a Calibration,
    /// How the model answers; context and length are planned per page.
    pub(super) options: Options,
    pub(super) title: &'a str,
    pub(super) language: Option<&'a str>,
    pub(super) words: u32,
    pub(super) spent: Spent,
}

/// Why a plan came to no end.
enum Stop {
    Cut(Cut),
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Condense<'_> {
    /// The summary of the text.
    ///
    /// # Errors
    /// Those of [`Backend::chat`]; parks as `answer_cut` or `context_too_small` when no plan gives
    /// a whole answer, as `empty_answer` when the model says nothing.
    pub(super) async fn run(&mut self, text: &str) -> Result<String> {
        let script = Script::of(text);
        let (mut least_factor, mut pieces) = (0.0, 1);
        let mut last = Cut::Context;
        for attempt in 0..PLANS {
            let plan = self.plan(text, script, attempt, least_factor, pieces).await?;
            match self.follow(&plan, script, text).await {
                Ok(summary) => return Ok(summary),
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Cut(Cut::Context)) => {
                    least_factor = plan.factor * 1.5;
                    self.calibration.overflowed(script, least_factor);
                    last = Cut::Context;
                }
                Err(Stop::Cut(Cut::Length)) if pieces < 4 => {
                    pieces *= 2;
                    last = Cut::Length;
                }
                Err(Stop::Cut(Cut::Length)) => return Err(never_whole(Cut::Length)),
            }
        }
        Err(never_whole(last))
    }

    /// The plan of this attempt. What is known of the tokenizer changes, so a plan that depends on
    /// it is journaled: a resumed run asks the same questions, and finds their answers.
    async fn plan(
        &self,
        text: &str,
        script: Script,
        attempt: u32,
        least_factor: f64,
        pieces: u32,
    ) -> Result<Plan> {
        let facts = self.backend.facts();
        let frame = self.request(Ask::Part, self.note_words(), "", "");
        let key = Fingerprint::of(&("llm plan", PROMPT_VERSION, &facts.model_id, facts.context))
            .and(&(self.title, self.words, attempt, pieces, text));
        let mut need = Need {
            frame: weigh(&frame.system) + weigh(&frame.user),
            body: weigh(text),
            num_predict: longest_answer(self.words),
            factor: 1.0,
            pieces,
            context: facts.context,
        };
        if attempt == 0 && need.is_small() {
            return Plan::new(&need);
        }
        need.factor = self.calibration.factor(script).max(least_factor);
        self.cx.decide(key, async move { Plan::new(&need) }).await
    }

    async fn follow(&mut self, plan: &Plan, script: Script, text: &str) -> Result<String, Stop> {
        let pieces = split(text, plan.piece);
        if let [only] = pieces.as_slice() {
            return self.ask(plan, script, Ask::Whole, self.words, only).await;
        }
        let mut notes = Vec::with_capacity(pieces.len());
        for piece in &pieces {
            notes.push(self.ask(plan, script, Ask::Part, self.note_words(), piece).await?);
        }
        while notes.len() > 1 {
            let groups = pack(notes, plan.piece);
            let words = if groups.len() == 1 { self.words } else { self.note_words() };
            notes = Vec::with_capacity(groups.len());
            for group in groups {
                notes.push(self.merge(plan, script, words, group).await?);
            }
        }
        Ok(notes.pop().unwrap_or_default())
    }

    /// One note out of several; a note alone stays as it is.
    async fn merge(
        &mut self,
        plan: &Plan,
        script: Script,
        words: u32,
        group: Vec<String>,
    ) -> Result<String, Stop> {
        let text = group.join("\n\n");
        if group.len() < 2 {
            return Ok(text);
        }
        self.ask(plan, script, Ask::Merge, words, &Piece { under: String::new(), text }).await
    }

    /// One question; once more with twice the room when the answer ran out of it, once more with
    /// another seed when it is empty.
    async fn ask(
        &mut self,
        plan: &Plan,
        script: Script,
        ask: Ask,
        words: u32,
        piece: &Piece,
    ) -> Result<String, Stop> {
        let mut request = self.request(ask, words, &piece.under, &piece.text);
        request.options.num_ctx = plan.num_ctx;
        request.options.num_predict = plan.num_predict;
        let seed = request.options.seed;
        loop {
            let answer = match self.call(&request).await {
                Err(error) if error.reason() == "context_overflow" => {
                    return Err(Stop::Cut(Cut::Context));
                }
                other => other?,
            };
            match cut(&request, &answer) {
                Some(Cut::Length) if request.options.num_predict == plan.num_predict => {
                    request.options.num_predict = plan.num_predict.saturating_mul(2);
                    continue;
                }
                Some(cut) => return Err(Stop::Cut(cut)),
                None => {}
            }
            if let Some(tokens) = answer.prompt_tokens {
                let weight = weigh(&request.system) + weigh(&request.user);
                self.calibration.learn(script, weight, tokens);
            }
            let said = spoken(&answer.text);
            if !said.is_empty() {
                return Ok(said);
            }
            if request.options.seed != seed {
                return Err(Error::park(format!("{} answered nothing, twice", answer.model))
                    .because("empty_answer")
                    .help("try another model, or look at the page with `extract`")
                    .into());
            }
            request.options.seed = seed.wrapping_add(1);
        }
    }

    fn request(&self, ask: Ask, words: u32, under: &str, text: &str) -> Request {
        let about = About { title: self.title, under, language: self.language };
        Request {
            system: system(ask, words),
            user: user(ask, words, about, text),
            options: self.options.clone(),
        }
    }

    /// One journaled call.
    async fn call(&mut self, request: &Request) -> Result<Answer> {
        let key = request.key(&self.backend.facts().model_id);
        let answer = self.cx.remember(key, self.patiently(request, key)).await?;
        let (prompt, output) =
            (answer.prompt_tokens.unwrap_or(0), answer.output_tokens.unwrap_or(0));
        self.cx.spent(prompt, output);
        self.spent.calls += 1;
        self.spent.prompt_tokens += prompt;
        self.spent.output_tokens += output;
        Ok(answer)
    }

    /// A busy server is no failure of this page: it is waited for, up to a bound.
    async fn patiently(&self, request: &Request, key: Fingerprint) -> Result<Answer> {
        let mut waited = Duration::ZERO;
        let mut tries = 0;
        loop {
            // The run is to stop, or to make room for another one: what is answered is remembered.
            if self.cx.stopping() {
                return Err(Error::wait("the run was stopped before this was asked")
                    .because("interrupted")
                    .help("run it again: it goes on where it was"));
            }
            let error = match self.backend.chat(request).await {
                Err(error) if error.reason() == "model_busy" && waited < BUSY_AT_MOST => error,
                other => return other,
            };
            let pause = pause(&error, tries, key);
            self.cx.sleep(pause).await;
            if self.cx.stopping() {
                return Err(error);
            }
            waited += pause;
            tries += 1;
        }
    }

    fn note_words(&self) -> u32 {
        note_words(self.words)
    }
}

/// Notes on pieces are no shorter than this, or what matters is lost before the merge.
pub(super) fn note_words(words: u32) -> u32 {
    words.max(100)
}

/// The longest answer to a question about a piece, in tokens.
pub(super) fn longest_answer(words: u32) -> u32 {
    note_words(words).saturating_mul(4).saturating_add(64)
}

/// What the server asked for, else half a second doubled up to 30; with a jitter of a quarter that
/// the key decides, so that waiting items do not come back together.
fn pause(error: &Error, tries: u32, key: Fingerprint) -> Duration {
    if let Verdict::Retry { after: Some(asked) } = error.verdict() {
        return asked;
    }
    let base = Duration::from_millis(500 << tries.min(6)).min(Duration::from_secs(30));
    let [first, ..] = key.as_bytes();
    base.mul_f64(0.75 + f64::from(*first) / 512.0)
}

fn never_whole(cut: Cut) -> Error {
    let what = match cut {
        Cut::Context => "the page does not fit the model's context in any size of pieces",
        Cut::Length => "the model does not come to an end, even on small pieces",
    };
    Error::park(what)
        .because("answer_cut")
        .help("try another model; the page stays parked, and no half of it is published")
}

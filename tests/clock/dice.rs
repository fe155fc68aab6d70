//! Seeded cron expressions that are made together with their meaning, so that nothing is parsed twice.

/// A small generator of numbers (splitmix64): the same seed gives the same expressions.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of `low..=high`.
    pub(super) fn of(&mut self, low: u32, high: u32) -> u32 {
        low + u32::try_from(self.roll() % u64::from(high - low + 1)).unwrap()
    }

    pub(super) fn pick<'a, T>(&mut self, choice: &'a [T]) -> &'a T {
        let last = u32::try_from(choice.len() - 1).unwrap();
        &choice[self.of(0, last) as usize]
    }
}

/// A field: how it is written, and the values that it means.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) text: String,
    pub(super) values: Vec<u32>,
}

const DAYS: [&str; 7] = ["sun", "Mon", "TUE", "wed", "Thursday", "fri", "sat"];

/// A field of the values `low..=high`; days of the week may wrap and have names.
pub(super) fn part(dice: &mut Dice, low: u32, high: u32, week: bool) -> Part {
    let mut texts = Vec::new();
    let mut values = Vec::new();
    for _ in 0..dice.of(1, 2) {
        let (text, more) = piece(dice, low, high, week);
        texts.push(text);
        values.extend(more);
    }
    Part { text: texts.join(","), values }
}

fn piece(dice: &mut Dice, low: u32, high: u32, week: bool) -> (String, Vec<u32>) {
    let from = dice.of(low, high);
    let step = dice.of(1, 4);
    let shown = |value: u32, dice: &mut Dice| match dice.of(0, 2) {
        0 if week => DAYS[value as usize % 7].to_string(),
        1 if week && value.is_multiple_of(7) => "7".into(),
        _ => (if week { value % 7 } else { value }).to_string(),
    };
    match dice.of(0, 2) {
        0 => (shown(from, dice), vec![from]),
        kind => {
            // A wrapped week ends behind Saturday, a plain range at the end of the field.
            let to = dice.of(from, if week { from + 6 } else { high });
            let step = if kind == 1 { 1 } else { step };
            let values = (from..=to).step_by(step as usize);
            let values = values.map(|value| if week { value % 7 } else { value }).collect();
            let mut text = format!("{}-{}", shown(from, dice), shown(to, dice));
            if week && from == 0 && to == 0 {
                // From Sunday to Sunday, which `0-7` would make a week.
                text = "0-0".into();
            }
            if kind == 2 {
                text.push_str(&format!("/{step}"));
            }
            (text, values)
        }
    }
}

/// A field that is `*` or `*/n`.
pub(super) fn star(dice: &mut Dice, low: u32, high: u32) -> Part {
    let step = dice.of(1, (high - low + 1).min(20));
    let text = if step == 1 { "*".into() } else { format!("*/{step}") };
    Part { text, values: (low..=high).step_by(step as usize).collect() }
}

//! The table of figures: each beside its reference, with the bound that it holds or misses.

/// What a figure must not be below, and not above.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Bound {
    /// Only to be looked at.
    pub(crate) const NONE: Self = Self { least: f64::NEG_INFINITY, most: f64::INFINITY };

    /// Not above this.
    pub(crate) const fn at_most(most: f64) -> Self {
        Self { most, ..Self::NONE }
    }
}

/// A figure and what it is compared with, both in the same unit.
#[derive(Debug)]
pub(crate) struct Figure<'a> {
    /// What was measured.
    pub(crate) what: &'a str,
    /// How much it is.
    pub(crate) value: f64,
    /// In which unit.
    pub(crate) unit: &'a str,
    /// The reference of the same run, and its name.
    pub(crate) reference: Option<(f64, &'a str)>,
    /// The bound.
    pub(crate) bound: Bound,
}

/// Prints figures as they come, and counts the bounds that were missed.
#[derive(Debug)]
pub(crate) struct Figures {
    missed: u32,
}

#[expect(clippy::print_stdout, reason = "a bench prints its table")]
impl Figures {
    /// The head of the table.
    pub(crate) fn begin(disk: &str) -> Self {
        println!("disk: {disk}\n");
        println!(
            "{:<46} {:>20} {:>38} {:>7}  bound",
            "figure", "measured", "reference of the same run", "ratio"
        );
        Self { missed: 0 }
    }

    /// The line before the figures of a case.
    pub(crate) fn case(&self, name: &str) {
        println!("{name}");
    }

    /// One figure.
    pub(crate) fn add(&mut self, figure: &Figure<'_>) {
        let unit = figure.unit;
        let (reference, ratio) = match figure.reference {
            Some((value, name)) => {
                let ratio = Some(figure.value / value).filter(|ratio| ratio.is_finite());
                let ratio = ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
                (format!("{value:.2} {unit} {name}"), ratio)
            }
            None => (String::new(), String::new()),
        };
        let bound = self.held(figure);
        let value = format!("{:.2} {unit}", figure.value);
        println!("  {:<44} {value:>20} {reference:>38} {ratio:>7}  {bound}", figure.what);
    }

    /// How many bounds were missed.
    pub(crate) fn missed(&self) -> u32 {
        self.missed
    }

    /// The bound and whether it holds. A figure that is no number misses each bound.
    fn held(&mut self, figure: &Figure<'_>) -> String {
        let (Bound { least, most }, unit) = (figure.bound, figure.unit);
        let bound = match (least.is_finite(), most.is_finite()) {
            (false, false) => return String::new(),
            (false, true) => format!("<= {most:.2} {unit}"),
            (true, false) => format!(">= {least:.2} {unit}"),
            (true, true) => format!("{least:.2} to {most:.2} {unit}"),
        };
        let held = (least..=most).contains(&figure.value);
        self.missed += u32::from(!held);
        format!("{bound}  {}", if held { "held" } else { "MISSED" })
    }
}

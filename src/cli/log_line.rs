//! A line of a run's log: one JSON object.

use serde::Serializer;
use serde_json::Value;
use std::fmt::Debug;
use std::io;
use tidemill_pipeline::clock::{Clock, SystemClock};
use tracing::Event;
use tracing::field::{Field, Visit};
use tracing::span::Record;

/// What was said, field by field: when, how bad it is, the event's own fields, who said it.
pub(super) struct Line(Vec<(&'static str, Value)>);

impl Line {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let now = SystemClock.now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        let (level, target) = (event.metadata().level().as_str(), event.metadata().target());
        let mut line = Self(vec![("timestamp", now.into()), ("level", level.into())]);
        event.record(&mut line);
        line.0.push(("target", target.into()));
        line
    }

    /// The JSON object and the end of the line.
    ///
    /// # Errors
    /// Never in practice: texts and numbers have a JSON form.
    pub(super) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(256);
        let mut json = serde_json::Serializer::new(&mut bytes);
        json.collect_map(self.0.iter().map(|(name, value)| (name, value)))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.push((field.name(), value.into()));
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format!("{value:?}"));
    }
}

/// Where the log of a run is to lie, if that is what was recorded in its span just now.
pub(super) fn place(values: &Record<'_>) -> Option<String> {
    let mut place = Place(None);
    values.record(&mut place);
    place.0
}

struct Place(Option<String>);

impl Visit for Place {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "log" {
            self.0 = Some(format!("{value:?}"));
        }
    }
}

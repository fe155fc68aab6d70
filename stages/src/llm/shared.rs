//! Things that all stages of a mill share by name: gates by address, calibrations by model id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// One value per name, made when it is first asked for; held by `cx.shared`.
#[derive(Debug)]
pub(super) struct ByName<T>(Mutex<HashMap<String, Arc<T>>>);

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Default> ByName<T> {
    /// The value of this name.
    pub(super) fn of(&self, name: &str) -> Arc<T> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(values.entry(name.to_owned()).or_default())
    }
}

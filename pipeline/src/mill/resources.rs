//! Things of which there is one per mill: an HTTP client, a limiter, a cache.

use crate::{Error, Result};
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A map from type to the one value of that type, and turns at things by their name.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    values: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
    turns: Mutex<HashMap<String, (usize, Arc<Semaphore>)>>,
}

impl Resources {
    /// Waits for a turn at the thing of this name, which at most `most` may use at once.
    ///
    /// # Errors
    /// When two steps name different numbers for the same thing.
    pub(crate) async fn turn(&self, name: &str, most: usize) -> Result<OwnedSemaphorePermit> {
        let turns = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            let (limit, turns) = turns
                .entry(name.to_string())
                .or_insert_with(|| (most, Arc::new(Semaphore::new(most))));
            if *limit != most {
                return Err(Error::halt(format!(
                    "`{name}` is limited to {limit} by one step and to {most} by another"
                ))
                .because("bad_limit")
                .help("name the same number in every `.within(..)` of a thing"));
            }
            Arc::clone(turns)
        };
        turns.acquire_owned().await.map_err(|e| Error::halt("a limit is gone").caused_by(e))
    }

    /// The value of this type, made at the first call.
    pub(crate) fn get_or_make<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut map = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let held = map.get(&TypeId::of::<T>()).cloned();
        if let Some(value) = held.and_then(|any| any.downcast::<T>().ok()) {
            return value;
        }
        let value = Arc::new(make());
        map.insert(TypeId::of::<T>(), value.clone());
        value
    }
}

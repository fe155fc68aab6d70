//! Things of which there is one per mill: an HTTP client, a limiter, a cache.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A map from type to the one value of that type.
#[derive(Debug, Default)]
pub(crate) struct Resources(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Resources {
    /// The value of this type, made at the first call.
    pub(crate) fn get_or_make<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = map.get(&TypeId::of::<T>()).cloned();
        if let Some(value) = held.and_then(|any| any.downcast::<T>().ok()) {
            return value;
        }
        let value = Arc::new(make());
        map.insert(TypeId::of::<T>(), value.clone());
        value
    }
}

//! What an instance keeps from one request to the next, and for how long.
//!
//! What this does not do: keep anything of a request; what is kept is the same for all of them.
//!
//! Invariant: nothing kept is older than [`KEPT_MS_MAX`], so a changed variable or configuration
//! is in force everywhere after that time. A lock is held only between awaits; instances have one
//! thread.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use homeostat_stages::snapshot::Versioned;

/// How old a kept value may be, milliseconds. An instance under load answers hundreds of requests
/// in this time, which makes reading it again next to nothing; a person who applies a
/// configuration does not notice it.
const KEPT_MS_MAX: u64 = 250;

/// A value and when it was read.
struct Kept<T> {
    read_at: Instant,
    value: T,
}

impl<T: Clone> Kept<T> {
    fn new(value: T) -> Self {
        Self { read_at: Instant::now(), value }
    }

    fn recent(&self) -> Option<T> {
        (self.read_at.elapsed() < Duration::from_millis(KEPT_MS_MAX)).then(|| self.value.clone())
    }
}

/// By name; those the manifest gives, so they are few.
static VARIABLES: Mutex<BTreeMap<String, Kept<Arc<str>>>> = Mutex::new(BTreeMap::new());

/// The configuration with the bytes it was read from: reading bytes is cheap, making a
/// configuration of them is not.
struct KeptConfig {
    from: Vec<u8>,
    config: Kept<Arc<Versioned>>,
}

static CONFIG: Mutex<Option<KeptConfig>> = Mutex::new(None);

/// The variable as it was read lately.
pub(crate) fn variable(name: &str) -> Option<Arc<str>> {
    lock(&VARIABLES).get(name)?.recent()
}

/// Keeps a variable just read.
pub(crate) fn keep_variable(name: &str, value: Arc<str>) {
    lock(&VARIABLES).insert(name.to_owned(), Kept::new(value));
}

/// The configuration as it was read lately.
pub(crate) fn config() -> Option<Arc<Versioned>> {
    lock(&CONFIG).as_ref()?.config.recent()
}

/// The configuration made of the same bytes before, which is then as good as just read.
pub(crate) fn config_of(bytes: &[u8]) -> Option<Arc<Versioned>> {
    let mut kept = lock(&CONFIG);
    let kept = kept.as_mut().filter(|kept| kept.from == bytes)?;
    kept.config = Kept::new(kept.config.value.clone());
    Some(kept.config.value.clone())
}

/// Keeps the configuration that was made of bytes just read.
pub(crate) fn keep_config(bytes: Vec<u8>, config: Arc<Versioned>) {
    *lock(&CONFIG) = Some(KeptConfig { from: bytes, config: Kept::new(config) });
}

/// Forgets the configuration: another was published.
pub(crate) fn forget_config() {
    *lock(&CONFIG) = None;
}

fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

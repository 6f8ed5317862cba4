//! The host's ticker: rings what has work and no worker.

use homeostat_flow::{Cell, RedisError, ScriptStore, Store, StoreError, TickReport};

use crate::connection::NativeRedis;

/// Ticks over one kept connection.
pub struct Ticker {
    store: ScriptStore<NativeRedis>,
}

impl Ticker {
    /// A ticker for the cell behind `url`; nothing is sent yet.
    ///
    /// # Errors
    /// [`RedisError::Refused`] when the URL is none of Redis.
    pub fn new(url: &str, cell: Cell) -> Result<Self, RedisError> {
        Ok(Self { store: ScriptStore::new(NativeRedis::new(url)?, cell) })
    }

    /// Ticks once.
    ///
    /// # Errors
    /// [`StoreError`] when Redis cannot be reached; the next tick opens a new connection.
    pub async fn tick(&self) -> Result<TickReport, StoreError> {
        self.store.tick().await
    }

    /// The store it ticks, for metrics and readiness.
    pub fn store(&self) -> &ScriptStore<NativeRedis> {
        &self.store
    }
}

/// Ticks once over a connection of its own.
///
/// # Errors
/// [`StoreError`] when Redis cannot be reached.
pub async fn tick_once(url: &str, cell: Cell) -> Result<TickReport, StoreError> {
    Ticker::new(url, cell)?.tick().await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The host spawns its ticker on a runtime of several threads.
    #[test]
    fn a_tick_may_move_between_threads() {
        fn assert_send<T: Send>(_: T) {}
        let ticker = Ticker::new("redis://127.0.0.1:1", Cell::new(1, &[])).expect("a URL");
        assert_send(ticker.tick());
        assert_send(tick_once("redis://127.0.0.1:1", Cell::new(1, &[])));
    }
}

//! The flow's ports over tokio and redis-rs, for the host, tests and benches.
//!
//! What it does not do: it holds no logic; a command goes out, its reply comes back flattened, as
//! Spin's own client would hand it over.

mod bells;
mod clock;
mod connection;
mod tick;

pub use bells::Bells;
pub use clock::SteadyClock;
pub use connection::{CONNECT_TIMEOUT, NativeRedis, RESPONSE_TIMEOUT};
pub use tick::{Ticker, tick_once};

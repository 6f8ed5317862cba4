//! A place that is told of incidents: keeps what it takes, and can be down.
//!
//! What this does not do: verify a signature; whoever asks looks at the headers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::server::{Answer, Received, Server, StandIn};

/// A running stand-in.
#[derive(Debug)]
pub struct Sink {
    state: Arc<State>,
    /// Requests and failure switches.
    pub server: Server,
}

#[derive(Debug, Default)]
struct State {
    down: AtomicBool,
    taken: Mutex<Vec<Received>>,
}

impl Sink {
    /// Starts it on a free port, up.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> std::io::Result<Self> {
        let state = Arc::new(State::default());
        let server = Server::start(state.clone()).await?;
        Ok(Self { state, server })
    }

    /// From now on it answers 503 and keeps nothing.
    pub fn go_down(&self) {
        self.state.down.store(true, Ordering::SeqCst);
    }

    /// From now on it takes what comes.
    pub fn come_up(&self) {
        self.state.down.store(false, Ordering::SeqCst);
    }

    /// Everything it took, oldest first.
    pub fn taken(&self) -> Vec<Received> {
        self.state.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl StandIn for State {
    fn answer(&self, request: &Received) -> Answer {
        if request.method != "POST" {
            return Answer::text(405, "method not allowed");
        }
        if self.down.load(Ordering::SeqCst) {
            return Answer::text(503, "down");
        }
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        Answer::text(204, "")
    }
}

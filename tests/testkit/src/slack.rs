//! Slack's incoming webhook: keeps the messages, refuses what Slack refuses.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::server::{Answer, Received, Server, StandIn};

/// The path of the one webhook that exists; a secret, as at Slack.
const HOOK_PATH: &str = "/services/T0HOME0/B0STAT0/standinsecret";

/// A running stand-in.
#[derive(Debug)]
pub struct Slack {
    state: Arc<State>,
    /// Requests and failure switches.
    pub server: Server,
}

#[derive(Debug, Default)]
struct State {
    messages: Mutex<Vec<Value>>,
}

impl Slack {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> std::io::Result<Self> {
        let state = Arc::new(State::default());
        let server = Server::start(state.clone()).await?;
        Ok(Self { state, server })
    }

    /// The whole address of the webhook: a secret, as at Slack.
    pub fn hook_url(&self) -> String {
        format!("{}{HOOK_PATH}", self.server.origin())
    }

    /// Every message taken, oldest first.
    pub fn messages(&self) -> Vec<Value> {
        self.state.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl StandIn for State {
    fn answer(&self, request: &Received) -> Answer {
        if request.path != HOOK_PATH {
            return Answer::text(404, "no_service");
        }
        if request.method != "POST" {
            return Answer::text(405, "method_not_allowed");
        }
        let message = request.json();
        if !message.is_object() {
            return Answer::text(400, "invalid_payload");
        }
        let has_text = message.get("text").and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        if !has_text && message.get("blocks").is_none() && message.get("attachments").is_none() {
            return Answer::text(400, "no_text");
        }
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        Answer::text(200, "ok")
    }
}

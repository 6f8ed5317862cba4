//! GitLab: one project's webhook, the list of what it sent, and the button that sends it again.
//!
//! Like GitLab it repeats nothing by itself, keeps the `Idempotency-Key` of an event over its
//! repetitions, and takes few resends a minute.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::http;
use crate::server::{Answer, Received, Server, StandIn};

/// GitLab's own limit on resends; a minute is longer than a test.
const RESENDS_MAX: usize = 5;
const PAGE: usize = 20;

/// The project's number.
pub const PROJECT: u64 = 42;
/// The webhook's number.
pub const HOOK: u64 = 7;

/// A running stand-in.
#[derive(Debug)]
pub struct Gitlab {
    state: Arc<State>,
    /// Requests and failure switches.
    pub server: Server,
}

#[derive(Debug)]
struct State {
    token: String,
    hook_token: String,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    url: Option<String>,
    events: Vec<Event>,
    resends: usize,
}

/// An event that was sent.
#[derive(Debug, Clone)]
pub struct Event {
    /// GitLab's number of it.
    pub id: u64,
    /// The same when it is sent again.
    pub key: String,
    /// What was sent.
    pub body: Value,
    /// The status of the answer; `None` when there was none.
    pub status: Option<u16>,
}

impl Gitlab {
    /// Starts it on a free port: its API takes `token`, its webhook carries `hook_token`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(token: &str, hook_token: &str) -> std::io::Result<Self> {
        let (token, hook_token) = (token.to_owned(), hook_token.to_owned());
        let state = Arc::new(State { token, hook_token, kept: Mutex::default() });
        let server = Server::start(Arc::new(Api(state.clone()))).await?;
        Ok(Self { state, server })
    }

    /// From now on its webhook goes to this address; before, it goes nowhere.
    pub fn send_hooks_to(&self, url: &str) {
        self.state.lock().url = Some(url.to_owned());
    }

    /// Sends a pipeline event.
    pub async fn send(&self, body: Value) {
        let event = {
            let mut kept = self.state.lock();
            let id = kept.events.len() as u64 + 1;
            let event = Event { id, key: format!("00000000-0000-4000-8000-{id:012}"), body, status: None };
            kept.events.push(event.clone());
            event
        };
        self.state.carry(event).await;
    }

    /// Everything it sent, repetitions among it, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.state.lock().events.clone()
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn carry(&self, event: Event) {
        let url = self.lock().url.clone();
        let Some(url) = url else { return };
        let headers = [
            ("content-type", "application/json"),
            ("user-agent", "GitLab/standin"),
            ("x-gitlab-event", "Pipeline Hook"),
            ("x-gitlab-token", self.hook_token.as_str()),
            ("idempotency-key", event.key.as_str()),
        ];
        let body = event.body.to_string().into_bytes();
        let answered = match http::request("POST", &url, &headers, body) {
            Ok(request) => http::send(request).await.ok(),
            Err(_) => None,
        };
        let status = answered.map(|answer| answer.status().as_u16());
        if let Some(kept) = self.lock().events.iter_mut().find(|kept| kept.id == event.id) {
            kept.status = status;
        }
    }
}

struct Api(Arc<State>);

impl StandIn for Api {
    fn answer(&self, request: &Received) -> Answer {
        let refused = |status: u16, message: &str| Answer::json(status, &json!({"message": message}));
        if request.headers.get("private-token") != Some(&self.0.token) {
            return refused(401, "401 Unauthorized");
        }
        let parts = request.parts();
        let ["api", "v4", "projects", project, "hooks", hook, "events", rest @ ..] = parts.as_slice() else {
            return refused(404, "404 Not Found");
        };
        if (*project, *hook) != (PROJECT.to_string().as_str(), HOOK.to_string().as_str()) {
            return refused(404, "404 Not Found");
        }
        match (request.method.as_str(), rest) {
            ("GET", []) => self.list(request),
            ("POST", [id, "resend"]) => self.resend(id.parse().unwrap_or(0)),
            _ => refused(404, "404 Not Found"),
        }
    }
}

impl Api {
    /// Newest first, a page at a time.
    fn list(&self, request: &Received) -> Answer {
        let page = request.query.get("page").and_then(|text| text.parse::<usize>().ok()).unwrap_or(1);
        let kept = self.0.lock();
        let before = page.saturating_sub(1) * PAGE;
        let next = (kept.events.len() > before + PAGE).then(|| ("x-next-page", (page + 1).to_string()));
        let shown = kept.events.iter().rev().skip(before).take(PAGE);
        let shown = shown.map(|event| {
            json!({
                "id": event.id,
                "trigger": "pipeline_hooks",
                "request_headers": {"Idempotency-Key": event.key, "X-Gitlab-Event": "Pipeline Hook"},
                "request_data": event.body,
                "response_status": event.status.map_or("internal error".to_owned(), |status| status.to_string()),
            })
        });
        Answer::json(200, &Value::Array(shown.collect())).continued(next)
    }

    fn resend(&self, id: u64) -> Answer {
        let again = {
            let mut kept = self.0.lock();
            if kept.resends >= RESENDS_MAX {
                return Answer::json(
                    429,
                    &json!({"message": "This endpoint has been requested too many times"}),
                );
            }
            kept.resends += 1;
            let Some(event) = kept.events.iter().find(|event| event.id == id).cloned() else {
                return Answer::json(404, &json!({"message": "404 Not Found"}));
            };
            let again = Event { id: kept.events.len() as u64 + 1, status: None, ..event };
            kept.events.push(again.clone());
            again
        };
        let state = self.0.clone();
        tokio::spawn(async move { state.carry(again).await });
        Answer::json(201, &json!({"response_status": 200}))
    }
}

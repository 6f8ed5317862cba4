//! Signs webhooks and carries them, one after another, each once.
//!
//! GitHub repeats nothing by itself; [`Courier::redeliver`] is the button on its settings page.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::mpsc;

use super::hooks::Hook;
use crate::http;

/// Webhooks waiting to be carried; a story sends a few dozen.
const QUEUE_MAX: usize = 4096;

/// A webhook that was sent, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// GitHub's number of this try.
    pub number: u64,
    /// When it ended, milliseconds since the epoch.
    pub at_ms: u64,
    /// `X-GitHub-Delivery`.
    pub id: String,
    /// `X-GitHub-Event`.
    pub event: String,
    /// The bytes that were signed.
    pub body: Vec<u8>,
    /// The answer's status; `None` when none came.
    pub status: Option<u16>,
    /// The answer's body.
    pub answer: serde_json::Value,
}

/// Carries webhooks.
pub struct Courier {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Hook>,
}

struct Shared {
    secret: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    url: Option<String>,
    deliveries: Vec<Delivery>,
}

impl Courier {
    pub(super) fn new(secret: &str) -> Self {
        let shared = Arc::new(Shared { secret: secret.to_owned(), state: Mutex::default() });
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(carry_all(shared.clone(), waiting));
        Self { shared, queue }
    }

    pub(super) fn deliver_to(&self, url: &str) {
        self.shared.lock().url = Some(url.to_owned());
    }

    /// Puts webhooks in the queue, in order.
    pub fn send_all(&self, hooks: impl IntoIterator<Item = Hook>) {
        for hook in hooks {
            // Full only when a test floods a stopped app: then the rest is lost, as at GitHub.
            let _ = self.queue.try_send(hook);
        }
    }

    /// Every delivery so far, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.lock().deliveries.clone()
    }

    /// Sends the delivery of this number again without waiting; `false` when there is none.
    pub(super) fn attempt(&self, number: u64) -> bool {
        let again = self.deliveries().into_iter().find(|one| one.number == number);
        let shared = self.shared.clone();
        let Some(again) = again else { return false };
        tokio::spawn(async move { carry(&shared, again).await });
        true
    }

    /// Sends a delivery again: same id, same bytes. `None` when there is no such delivery.
    pub async fn redeliver(&self, id: &str) -> Option<Delivery> {
        let again = self.deliveries().into_iter().find(|one| one.id == id)?;
        Some(carry(&self.shared, again).await)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `sha256=` and the HMAC SHA-256 of the body in hex, as in `X-Hub-Signature-256`.
pub fn sign(secret: &str, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

async fn carry_all(shared: Arc<Shared>, mut waiting: mpsc::Receiver<Hook>) {
    let mut count = 0;
    while let Some(hook) = waiting.recv().await {
        count += 1;
        let body = hook.payload.to_string().into_bytes();
        let delivery = Delivery {
            number: 0,
            at_ms: 0,
            id: delivery_id(count),
            event: hook.event,
            body,
            status: None,
            answer: serde_json::Value::Null,
        };
        carry(&shared, delivery).await;
    }
}

/// A UUID in form: the time of sending and a count, so that no two runs share one.
fn delivery_id(count: u64) -> String {
    let now = crate::now_ms();
    format!("{:08x}-{:04x}-4000-8000-{:012x}", now >> 16, now & 0xffff, count)
}

async fn carry(shared: &Shared, mut delivery: Delivery) -> Delivery {
    let url = shared.lock().url.clone();
    let Some(url) = url else { return delivery };
    let signature = sign(&shared.secret, &delivery.body);
    let headers = [
        ("content-type", "application/json"),
        ("user-agent", "GitHub-Hookshot/standin"),
        ("x-github-event", delivery.event.as_str()),
        ("x-github-delivery", delivery.id.as_str()),
        ("x-github-hook-id", "1"),
        ("x-hub-signature-256", signature.as_str()),
    ];
    let answered = match http::request("POST", &url, &headers, delivery.body.clone()) {
        Ok(request) => http::send(request).await.ok(),
        Err(_) => None,
    };
    delivery.status = answered.as_ref().map(|answer| answer.status().as_u16());
    delivery.answer = answered.as_ref().map_or(serde_json::Value::Null, http::json);
    delivery.at_ms = crate::now_ms();
    let mut state = shared.lock();
    delivery.number = state.deliveries.len() as u64 + 1;
    state.deliveries.push(delivery.clone());
    delivery
}

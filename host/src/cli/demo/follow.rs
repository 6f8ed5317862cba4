//! What the app says of itself, over its HTTP API.

use std::time::Duration;

use homeostat_testkit::http;
use homeostat_testkit::server::eventually;
use serde_json::Value;

/// The app's API with the token it takes. No `Debug`: it holds the token.
pub(super) struct Api {
    url: String,
    authorization: String,
}

/// A line of an incident's timeline.
pub(super) struct Item {
    /// In plain words.
    pub(super) text: String,
    /// `finding`, `plan`, `attempt`, `outcome`, `operator`, `note`.
    pub(super) kind: String,
}

impl Api {
    pub(super) fn new(url: &str, token: &str) -> Self {
        Self { url: url.to_owned(), authorization: format!("Bearer {token}") }
    }

    /// The JSON at a path; `Null` when there is none.
    pub(super) async fn get(&self, path: &str) -> Value {
        let headers = [("authorization", self.authorization.as_str())];
        let request = http::request("GET", &format!("{}{path}", self.url), &headers, Vec::new());
        let Ok(request) = request else { return Value::Null };
        match http::send(request).await {
            Ok(answer) if answer.status() == 200 => http::json(&answer),
            _ => Value::Null,
        }
    }

    /// The newest incident of a service, whole.
    pub(super) async fn incident(&self, service: &str) -> Option<Value> {
        let list = self.get("/api/v1/incidents").await;
        let items = list["items"].as_array()?;
        let id = items.iter().find(|one| one["service"] == service)?["id"].as_str()?;
        let whole = self.get(&format!("/api/v1/incidents/{id}")).await;
        whole.is_object().then_some(whole)
    }

    /// The incident of a service once it satisfies a condition; `each` sees every state on the way.
    pub(super) async fn watch(
        &self,
        service: &str,
        within: Duration,
        mut each: impl FnMut(&Value),
        done: impl Fn(&Value) -> bool,
    ) -> Option<Value> {
        eventually(within, async || {
            let incident = self.incident(service).await?;
            each(&incident);
            done(&incident).then_some(incident)
        })
        .await
    }

    /// Waits until the JSON at a path satisfies a condition.
    pub(super) async fn until(&self, path: &str, within: Duration, done: impl Fn(&Value) -> bool) -> Option<Value> {
        eventually(within, async || Some(self.get(path).await).filter(|found| done(found))).await
    }
}

/// The lines of an incident's timeline, oldest first.
pub(super) fn timeline(incident: &Value) -> Vec<Item> {
    let items = incident["timeline"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    items.iter().map(|item| Item { text: text(&item["text"]), kind: text(&item["fact"]["kind"]) }).collect()
}

/// Whether the timeline has all of these kinds, in this order.
pub(super) fn goes(incident: &Value, kinds: &[&str]) -> bool {
    let items = timeline(incident);
    let mut left = items.iter();
    kinds.iter().all(|kind| left.any(|item| item.kind == *kind))
}

//! What the app says of itself, over its HTTP API, to a client with a token.

use std::time::Duration;

use serde_json::Value;

use crate::http;
use crate::server::eventually;

/// A client of the API. No `Debug`: it holds the token.
pub struct Api {
    url: String,
    authorization: String,
}

/// A line of an incident's timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// In plain words.
    pub text: String,
    /// `finding`, `plan`, `attempt`, `outcome`, `operator`, `note`.
    pub kind: String,
}

impl Api {
    /// A client of the app at `http://host:port`.
    pub fn new(url: &str, token: &str) -> Self {
        Self { url: url.to_owned(), authorization: format!("Bearer {token}") }
    }

    /// The JSON at a path; `Null` when there is none.
    pub async fn get(&self, path: &str) -> Value {
        let headers = [("authorization", self.authorization.as_str())];
        let request = http::request("GET", &format!("{}{path}", self.url), &headers, Vec::new());
        let Ok(request) = request else { return Value::Null };
        match http::send(request).await {
            Ok(answer) if answer.status() == 200 => http::json(&answer),
            _ => Value::Null,
        }
    }

    /// The newest incident of a service, whole.
    pub async fn incident(&self, service: &str) -> Option<Value> {
        let list = self.get(&format!("/api/v1/incidents?service={service}")).await;
        let id = list["items"].as_array()?.first()?["id"].as_str()?.to_owned();
        let whole = self.get(&format!("/api/v1/incidents/{id}")).await;
        whole.is_object().then_some(whole)
    }

    /// The incident of a service once it satisfies a condition; `each` sees every state on the way.
    pub async fn watch(
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

    /// The incident of a service once it is resolved.
    pub async fn resolved(&self, service: &str, within: Duration) -> Option<Value> {
        self.watch(service, within, |_| {}, |incident| incident["state"] == "resolved").await
    }

    /// The JSON at a path once it satisfies a condition.
    pub async fn until(&self, path: &str, within: Duration, done: impl Fn(&Value) -> bool) -> Option<Value> {
        eventually(within, async || Some(self.get(path).await).filter(|found| done(found))).await
    }
}

/// The lines of an incident's timeline, oldest first.
pub fn timeline(incident: &Value) -> Vec<Item> {
    let items = incident["timeline"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    items.iter().map(|item| Item { text: text(&item["text"]), kind: text(&item["fact"]["kind"]) }).collect()
}

/// Whether the timeline has all of these kinds, in this order.
pub fn goes(incident: &Value, kinds: &[&str]) -> bool {
    let items = timeline(incident);
    let mut left = items.iter();
    kinds.iter().all(|kind| left.any(|item| item.kind == *kind))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::goes;

    #[test]
    fn kinds_are_looked_for_in_order() {
        let incident = json!({"timeline": [{"fact": {"kind": "finding"}}, {"fact": {"kind": "note"}}, {"fact": {"kind": "plan"}}]});
        assert!(goes(&incident, &["finding", "plan"]));
        assert!(!goes(&incident, &["plan", "finding"]));
        assert!(!goes(&incident, &["finding", "outcome"]));
    }
}

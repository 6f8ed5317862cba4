//! How what happens gets to the app.

use anyhow::{Context, Result, bail, ensure};
use homeostat_testkit::senders;
use serde_json::Value;

use crate::scenario::ToldBy;
use crate::stage::Stage;

/// How often a sender tries a delivery: real ones try at least so often.
const TRIES: usize = 3;

impl Stage {
    pub(crate) async fn tell(&mut self, events: Vec<Value>) -> Result<()> {
        match self.told_by {
            ToldBy::Api => self.submit(&events).await,
            ToldBy::Webhook => self.deliver(events).await,
        }
    }

    async fn submit(&self, events: &[Value]) -> Result<()> {
        for event in events {
            let (status, answer) = self.ask("POST", "/api/v1/events", event).await?;
            ensure!(status == 202, "{status} {answer}");
        }
        Ok(())
    }

    /// All in one delivery, which is sent again as it is when the app did not take it.
    async fn deliver(&mut self, events: Vec<Value>) -> Result<()> {
        self.deliveries += 1;
        let id = format!("delivery-{}", self.deliveries);
        let secret = self.land.secrets().webhook.clone();
        let sent = senders::generic(&Value::Array(events), &id, self.now_ms(), &secret);
        let sent = sent.context("it cannot be signed")?;
        let headers: Vec<_> =
            sent.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        for sent_before in 0..TRIES {
            let (status, answer) = self.send("POST", &sent.path, &headers, sent.body.clone()).await?;
            if status < 500 {
                ensure!(status == 202, "{status} {answer}");
                if sent_before > 0 {
                    self.timeline.says(&format!("the sender sends it again: {}", taken(&answer)));
                }
                return Ok(());
            }
            self.timeline.says(&format!("the sender is answered {status}"));
        }
        bail!("not taken in {TRIES} tries")
    }
}

fn taken(answer: &Value) -> String {
    let accepted = answer["accepted"].as_array().map_or(0, Vec::len);
    let duplicate = if answer["duplicate"] == true { ", known before" } else { "" };
    format!("{accepted} accepted{duplicate}")
}

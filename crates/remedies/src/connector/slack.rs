//! Slack: tell people, through an incoming webhook.
//!
//! Class `at-most-once`: Slack cannot be asked whether a message arrived, so an unknown result is
//! not repeated. The webhook's URL is a secret and is put in by the shell; what is recorded has a
//! placeholder in its place.
//! Source: <https://api.slack.com/messaging/webhooks>,
//! <https://api.slack.com/reference/surfaces/formatting#escaping>.

use homeostat_schema::types::Plan;
use http::Method;
use serde_json::json;

use super::check;
use super::wire::{Call, Effect, Heard, Step};
use super::{Auth, ConnectorError, LookFirst};
use crate::text;

/// Slack cuts a section at 3,000 characters; escaping makes at most five of one.
const MESSAGE_CHARS_MAX: usize = 560;

const HEADERS: &[(&str, &str)] = &[("content-type", "application/json; charset=utf-8")];

/// Tells people once.
#[derive(Debug)]
pub(super) struct Notify {
    url: String,
    look: LookFirst,
    head: String,
    message: String,
    footer: String,
}

impl Notify {
    pub(super) fn open(plan: &Plan, origin: &str, look: LookFirst) -> Result<Self, ConnectorError> {
        let version = plan.version.as_deref().or(plan.commit.as_deref()).unwrap_or("unknown release");
        Ok(Self {
            url: format!("{}/webhook", check::origin(origin)?),
            look,
            head: safe(&format!("{} in {} ({version})", plan.service, plan.env)),
            message: safe(&plan.reason),
            footer: safe(&format!("Homeostat incident {}", plan.incident)),
        })
    }

    pub(super) fn act(&self) -> Call {
        let section = |text: String| json!({"type": "section", "text": {"type": "mrkdwn", "text": text}});
        let body = json!({
            "text": format!("{}: {}", self.head, self.message),
            "blocks": [
                section(format!("*{}*", self.head)),
                section(self.message.clone()),
                {"type": "context", "elements": [{"type": "mrkdwn", "text": self.footer}]},
            ],
        });
        Call {
            method: Method::POST,
            url: self.url.clone(),
            auth: Auth::SlackWebhook,
            effect: Effect::Changes,
            body: Some(body),
            shown: None,
            headers: HEADERS,
        }
    }

    pub(super) fn start(&mut self) -> Step {
        match self.look {
            LookFirst::No => Step::Send(self.act()),
            LookFirst::Yes => {
                let why = "an earlier try may have reached Slack, and Slack cannot be asked; not repeated";
                Step::Unknown(why.to_owned())
            }
        }
    }

    pub(super) fn hear(&mut self, heard: Heard) -> Step {
        match heard {
            Heard::Ok(..) => Step::Done("Slack took the message".to_owned()),
            Heard::Refused(_, why) => Step::Failed(format!("Slack did not take the message: {why}")),
            Heard::Unclear(why) => {
                Step::Unknown(format!("Slack may have taken the message, not repeated: {why}"))
            }
        }
    }
}

/// Text of any origin as Slack's mrkdwn: bounded, on one line, and with no mention or link in it.
fn safe(untrusted: &str) -> String {
    let flat = text::cut(&text::scrubbed(untrusted), MESSAGE_CHARS_MAX);
    flat.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

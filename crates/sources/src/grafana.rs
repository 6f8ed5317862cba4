//! Grafana's webhook contact point, and the webhook notifier of Grafana 8 and before.
//!
//! What this does not do: read the form it shares with Alertmanager (see [`crate::alerts`]).
//!
//! Invariant: data that is missing, and alerts about it, never become a firing alert.

use homeostat_schema::types::{EventKind, Signal, Status};
use homeostat_schema::wire::flat::{self, SIGNALS_MAX};
use serde::Deserialize;

use crate::authenticate::{Scheme, Signatures, Stamp};
use crate::draft::Draft;
use crate::labels::{Address, Firsts, LABEL_NAMES, Pairs, link};
use crate::lenient::{Part, Word};
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::said::attribute;
use crate::source::{BODY_MAX, Profile};
use crate::{alerts, json};

/// Its own default name for the header of its signature.
const SIGNATURE: &str = "x-grafana-alerting-signature";
/// What our docs have the header of the signed time called; it has no default name.
const TIMESTAMP: &str = "x-grafana-alerting-timestamp";

/// Grafana. It signs the body, or the time and the body where it is given a header for the time.
pub(crate) const PROFILE: Profile = Profile {
    name: "grafana",
    body_max: BODY_MAX,
    schemes: &[
        Scheme::HmacBody { header: SIGNATURE, prefix: "", signatures: Signatures::One },
        Scheme::HmacTimestamped {
            header: SIGNATURE,
            prefix: "",
            stamp: Stamp::Header(TIMESTAMP),
            before: "",
            separator: ":",
        },
        Scheme::Bearer,
        Scheme::Basic,
    ],
    read: read_delivery,
};

/// What the legacy notifier's button "Send Test" calls its rule.
const LEGACY_TEST_RULE: &str = "Test notification";

/// The fields of the legacy form; `ruleName` tells it from the newer one.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Legacy {
    #[serde(rename = "ruleId")]
    rule_id: Word,
    #[serde(rename = "ruleName")]
    rule_name: Word,
    #[serde(rename = "ruleUrl")]
    rule_url: Address,
    state: Word,
    #[serde(rename = "evalMatches")]
    matches: Option<Firsts<Match, SIGNALS_MAX>>,
    tags: Option<Pairs>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Match {
    metric: Word,
    value: Part<f64>,
    tags: Option<Pairs>,
}

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    let legacy: Legacy = json::object(raw.body)?;
    let reading = match legacy.rule_name.as_str() {
        Some(_) => read_legacy(legacy),
        None => alerts::read(json::object(raw.body)?, LABEL_NAMES)?,
    };
    Ok(Read { id: None, reading })
}

/// It carries no time and no count, so each notification is an event of its own.
fn read_legacy(rule: Legacy) -> Reading {
    let state = rule.state.as_str().unwrap_or_default();
    let status = match state {
        "alerting" => Status::Firing,
        "ok" => Status::Resolved,
        "paused" => return Reading::Ignored("the rule was paused".to_owned()),
        "" | "no_data" | "unknown" => Status::Unknown,
        other => Status::named(other),
    };
    let mut said = flat::Draft::saying(EventKind::Alert, status);
    said.title = rule.rule_name.0.clone();
    said.test = rule.rule_name.as_str() == Some(LEGACY_TEST_RULE);
    said.url = link(&rule.rule_url);
    let matches = rule.matches.map(|matches| matches.items).unwrap_or_default();
    describe(&mut said, rule.tags, &matches);
    attribute(&mut said, "rule", rule.rule_id.as_str());
    if state == "no_data" {
        return Reading::Items(vec![alerts::blind(Draft::of(said), None)]);
    }
    said.signals = matches.iter().filter_map(Match::signal).collect();
    Reading::Items(vec![Draft::of(said)])
}

/// Names come from the rule's tags, and from those of the series that matched first.
fn describe(said: &mut flat::Draft, tags: Option<Pairs>, matches: &[Match]) {
    let mut labels = matches.first().and_then(|first| first.tags.clone()).unwrap_or_default();
    labels.0.extend(tags.unwrap_or_default().0);
    LABEL_NAMES.describe(said, &labels);
    attribute(said, "severity", labels.get("severity"));
    attribute(said, "instance", labels.get("instance"));
}

impl Match {
    fn signal(&self) -> Option<Signal> {
        let value = self.value.0.filter(|value| value.is_finite())?;
        Some(Signal { name: self.metric.0.clone()?, value, unit: String::new(), samples: 1 })
    }
}

#[cfg(test)]
mod tests;

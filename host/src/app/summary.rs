//! What is shown once everything is loaded: routes and channels, as `spin up` shows them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::plan::Plan;
use crate::trigger_redis::shown;

/// The routes, the channels and the address, one a line.
pub(super) fn text(plan: &Plan, http_addr: SocketAddr) -> String {
    let mut lines = vec!["Available Routes:".to_owned()];
    for (route, component) in &plan.http {
        let (path, wildcard) = match route.value.strip_suffix("/...") {
            Some(path) => (path, " (wildcard)"),
            None => (route.value.as_str(), ""),
        };
        lines.push(format!("  {component}: http://{http_addr}{path}{wildcard}"));
    }
    for (address, channels) in channels(plan) {
        lines.push(format!("Active Channels on {}:", shown(address)));
        for (channel, components) in channels {
            lines.push(format!("  {channel}: [{}]", components.join(", ")));
        }
    }
    if plan.dev_mode {
        lines.push(
            "DEVELOPMENT MODE: unsigned webhooks and calls without a token are accepted on this machine"
                .to_owned(),
        );
    }
    lines.push(format!("{} serves http://{http_addr}", plan.name));
    lines.join("\n")
}

type Channels<'a> = BTreeMap<&'a str, Vec<&'a str>>;

fn channels(plan: &Plan) -> BTreeMap<&str, Channels<'_>> {
    let mut by_address: BTreeMap<&str, Channels<'_>> = BTreeMap::new();
    for trigger in &plan.redis {
        let channels = by_address.entry(&trigger.address).or_default();
        channels.entry(&trigger.channel).or_default().push(&trigger.component);
    }
    by_address
}

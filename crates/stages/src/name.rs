//! The stages, and the names of their state fields and timers.

use homeostat_flow::{Shard, Stage};

/// Judges events; one field a service.
pub const DETECT: Stage = Stage::new("detect");
/// Weighs changes and counts findings; an environment's shard each, one field for its changes and
/// one a disaster.
pub const COORDINATE: Stage = Stage::new("coordinate");
/// Decides what to do about findings; one field a service.
pub const PLAN: Stage = Stage::new("plan");
/// Carries plans out, one at a time; one field an attempt.
pub const ACT: Stage = Stage::new("act");
/// Learns from outcomes; one field in all.
pub const LEARN: Stage = Stage::new("learn");

/// Tells sinks what happened, one delivery at a time; a shard and one field a waiting delivery.
pub const EMIT: Stage = Stage::new("emit");
/// Asks senders what they sent, and Prometheus for numbers; one field each, in the global shard.
pub const RECONCILE: Stage = Stage::new("reconcile");

/// Every stage, in the order of the loop.
pub const STAGES: [Stage; 7] = [DETECT, COORDINATE, PLAN, ACT, LEARN, EMIT, RECONCILE];

/// Service shards of a new installation; fixed from then on.
pub const SHARDS_DEFAULT: u32 = 4;

/// The timer that asks whether a service fell silent.
pub(crate) const SILENCE: &str = "silence";
/// The timer that asks for an attempt's verification; followed by the attempt's id.
pub(crate) const VERIFY: &str = "verify:";
/// The timer after which a finished attempt's mark is dropped.
pub(crate) const FORGET: &str = "forget";
/// The timer that tries a delivery again; followed by how often it was tried.
pub(crate) const AGAIN: &str = "again:";
/// The timer that looks at a disaster; followed by its name.
pub(crate) const DISASTER: &str = "disaster:";
/// The timer that asks a sender what it sent; followed by the reconciler's id.
pub(crate) const LOOK: &str = "look:";

/// The detect stage's field for one service.
pub fn service_field(env: &str, service: &str) -> String {
    format!("svc:{env}/{service}")
}

/// The coordinate stage's field for the changes and symptoms of its environment.
pub(crate) const CAUSES_FIELD: &str = "causes";

/// What a disaster is called: the coordinate stage's field for it, its timer, and in the place of a
/// service's name, which has no colon.
pub(crate) fn disaster(name: &str) -> String {
    format!("{DISASTER}{name}")
}

/// The plan stage's field for one service.
pub fn case_field(env: &str, service: &str) -> String {
    format!("case:{env}/{service}")
}

/// The act stage's field for one attempt.
pub fn attempt_field(key: &str) -> String {
    format!("attempt:{key}")
}

/// The learn stage's only field.
pub(crate) const POLICY_FIELD: &str = "policy";

/// Splits `svc:<env>/<service>` or `case:<env>/<service>`; environments have no slash.
pub(crate) fn split_field(field: &str) -> Option<(&str, &str)> {
    field.split_once(':')?.1.split_once('/')
}

/// The shard that owns a service in every environment.
pub fn shard_of_service(service: &str, shards: u32) -> Shard {
    homeostat_flow::cell::shard_of(service, shards)
}

/// The shards a stage works on: `learn` and `reconcile` are global, `emit` has one a sink (see
/// [`Shard::outlet`]) and `coordinate` one an environment, both by the configuration, the others are
/// per service.
pub fn shards_of_stage(stage: Stage, shards: u32) -> Vec<Shard> {
    match stage {
        EMIT | COORDINATE => Vec::new(),
        LEARN | RECONCILE => vec![Shard::global()],
        _ => (0..shards).map(Shard::service).collect(),
    }
}

//! The stages, and the names of their state fields and timers.

use homeostat_flow::{Shard, Stage};

/// Judges events; one field a service.
pub const DETECT: Stage = Stage::new("detect");
/// Decides what to do about findings; one field a service.
pub const PLAN: Stage = Stage::new("plan");
/// Carries plans out, one at a time; one field an attempt.
pub const ACT: Stage = Stage::new("act");
/// Learns from outcomes; one field in all.
pub const LEARN: Stage = Stage::new("learn");

/// Every stage, in the order of the loop.
pub const STAGES: [Stage; 4] = [DETECT, PLAN, ACT, LEARN];

/// Service shards of a new installation; fixed from then on.
pub const SHARDS_DEFAULT: u32 = 4;

/// The timer that asks whether a service fell silent.
pub(crate) const SILENCE: &str = "silence";
/// The timer that asks for an attempt's verification; followed by the attempt's id.
pub(crate) const VERIFY: &str = "verify:";
/// The timer after which a finished attempt's mark is dropped.
pub(crate) const FORGET: &str = "forget";

/// The detect stage's field for one service.
pub fn service_field(env: &str, service: &str) -> String {
    format!("svc:{env}/{service}")
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

/// The shards a stage works on: `learn` is global, the others are per service.
pub fn shards_of_stage(stage: Stage, shards: u32) -> Vec<Shard> {
    if stage == LEARN { vec![Shard::global()] } else { (0..shards).map(Shard::service).collect() }
}

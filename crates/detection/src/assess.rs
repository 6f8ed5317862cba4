//! "How is this service since then?": the verdict from what came in since, and nothing else.
//!
//! A failed run is cured when the same run succeeded at a higher attempt, or a newer run of the
//! same name on the same branch did. A failed deployment is cured when one that ended later
//! succeeded, and not while observations since then are bad; observations alone, when they are
//! fine, will do too (a remedy need not be a deployment). High latency and errors are judged by
//! observations since; errors under an objective are well only when it is proven ([`crate::verify`]).
//! When nothing came in that could tell, the answer is blind.

use homeostat_schema::types::{Assessment, AssessmentRequest, FindingKind, Health, Verdict};

use crate::{
    deployment, error_rate, latency,
    observation::Observation,
    score::{self, Part, Standing, evidence},
    settings::Settings,
    state::ServiceState,
};

/// Senders give times in whole seconds: something that happened within the second in which an
/// attempt ended may bear a time before it.
const SENDER_RESOLUTION_MS: u64 = 1000;

/// Answers an assessment request from the state of the service it is about.
///
/// One that says that high errors are over ends their finding, so that it is found when they come back.
pub fn assess(
    state: &mut ServiceState,
    request: &AssessmentRequest,
    settings: &Settings,
    now_ms: u64,
) -> Assessment {
    let health = health(state, request, settings, now_ms);
    if request.kind == FindingKind::ErrorRateHigh && health.verdict == Verdict::Healthy {
        state.mended(now_ms);
    }
    Assessment {
        attempt: request.attempt.clone(),
        incident: request.incident.clone(),
        env: request.env.clone(),
        service: request.service.clone(),
        health,
        at: now_ms,
    }
}

fn health(state: &ServiceState, request: &AssessmentRequest, settings: &Settings, now_ms: u64) -> Health {
    match request.kind {
        FindingKind::RunFailed => match state.runs.part_since(request) {
            Some(part) => score::health(vec![part], settings),
            None => score::nothing_known("nothing was heard of the run since"),
        },
        _ => of_service(state, request, settings, now_ms),
    }
}

fn of_service(state: &ServiceState, request: &AssessmentRequest, settings: &Settings, now_ms: u64) -> Health {
    let since = since(state, request.since);
    let deployment = deployment::part_since(&state.releases, request.since);
    let latency = latency::part(&since, settings);
    let errors = errors(state, request, &since, settings);
    let queue = state.queue.as_ref().zip(settings.capacity.as_ref());
    let queue = queue.and_then(|(queue, capacity)| queue.part_since(request.since, now_ms, capacity));
    let missing = match request.kind {
        FindingKind::CapacityLow => queue.is_none(),
        FindingKind::LatencyHigh => latency.is_none(),
        FindingKind::ErrorRateHigh => errors.is_none(),
        FindingKind::Blind => latency.is_none() && errors.is_none(),
        _ => deployment.is_none() && latency.is_none() && errors.is_none(),
    };
    // What was to be cured comes first: the first reason is the one that people are told.
    let in_order = match request.kind {
        FindingKind::ErrorRateHigh => [errors, latency, deployment, queue],
        FindingKind::LatencyHigh => [latency, errors, deployment, queue],
        FindingKind::CapacityLow => [queue, latency, errors, deployment],
        _ => [deployment, latency, errors, queue],
    };
    // A version that was called bad and still takes traffic is not cured, whatever else is seen.
    let canary = state.canary.as_ref().and_then(|canary| canary.part_since(request.since, settings));
    let mut parts: Vec<Part> = canary.into_iter().chain(in_order.into_iter().flatten()).collect();
    if missing {
        let evidence = evidence("telemetry", "no observation came in since that could tell");
        parts.push(Part { standing: Standing::Blind, evidence });
    }
    score::health(parts, settings)
}

/// Against high errors under an objective, what is proven of the counts since the attempt; else, and
/// where those cannot tell, the fixed threshold, or the share that the finding was about when that is
/// lower.
fn errors(
    state: &ServiceState,
    request: &AssessmentRequest,
    since: &[&Observation],
    settings: &Settings,
) -> Option<Part> {
    let budget = state.budget.as_ref().filter(|_| request.kind == FindingKind::ErrorRateHigh);
    let Some(budget) = budget else { return error_rate::part(since, settings.error_rate_max) };
    let rate_max = budget.allowed().unwrap_or(1.0).min(settings.error_rate_max);
    let threshold = error_rate::part(since, rate_max);
    budget.verified(request.since, since, threshold.as_ref()).or(threshold)
}

fn since(state: &ServiceState, since_ms: u64) -> Vec<&Observation> {
    let at_min_ms = since_ms - since_ms % SENDER_RESOLUTION_MS;
    let is_since = |one: &&Observation| one.seen_ms >= since_ms && one.at_ms >= at_min_ms;
    state.window.items().iter().filter(is_since).collect()
}

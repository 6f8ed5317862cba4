//! What is told of an incident and its remedy, read and verified by others' libraries.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "the verifier reads the real clock")]

use cdevents_sdk::CDEvent;
use homeostat_emit::cdevents::{self, CdEvent};
use homeostat_emit::delivery::{Delivery, Outcome, judge};
use homeostat_emit::happening::{of_attempt, of_incident};
use homeostat_emit::sign::SigningKey;
use homeostat_schema::config::Sink;
use homeostat_schema::secret::Secret;
use homeostat_schema::types::{
    Attempt, AttemptResult, Event, EventKind, Incident, IncidentState, Remedy, Status, TimelineFact,
};
use homeostat_schema::wire;
use serde_json::Value;
use standardwebhooks::Webhook;

const SOURCE: &str = "/homeostat";
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Far in the future of every clock would be refused; the verifier looks at the real one.
fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

/// The schema's own example of an incident, with one item of each kind in its timeline.
fn incident(state: IncidentState) -> Incident {
    let golden = include_bytes!("../../schema/tests/golden/1.0/incident.json");
    Incident { state, ..wire::decode(golden).unwrap() }
}

fn attempt(remedy: Remedy, attempt_result: AttemptResult) -> Attempt {
    let found = incident(IncidentState::Acting).timeline.into_iter().find_map(|item| match item.fact {
        TimelineFact::Attempt(attempt) => Some(attempt),
        _ => None,
    });
    Attempt { remedy, attempt_result, ..found.unwrap() }
}

fn kinds(told: &[CdEvent]) -> Vec<&str> {
    told.iter().map(|event| event.context.kind.as_str()).collect()
}

/// An event of CDEvents' own as the reference library reads it: it refuses what is not in the schema.
fn read_by_others(event: &CdEvent) {
    let json = serde_json::to_value(event).unwrap();
    let read: CDEvent =
        serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert_eq!(read.ty(), event.context.kind);
    assert_eq!(read.id().to_string(), event.context.id);
}

#[test]
fn each_change_of_an_incident_is_told_once() {
    use IncidentState as State;
    let check = |before: Option<State>, after: State, expected: &[&str]| {
        let told = of_incident(before.map(incident).as_ref(), &incident(after), SOURCE);
        assert_eq!(kinds(&told), expected, "{before:?} -> {after}");
        told.iter().filter(|event| event.context.kind.starts_with("dev.cdevents.")).for_each(read_by_others);
    };
    let detected = "dev.cdevents.incident.detected.0.3.0";
    let escalated = "dev.cdeventsx.homeostat-incident.escalated.0.1.0";
    check(None, State::Open, &[detected]);
    check(None, State::Acting, &[detected]);
    check(None, State::Escalated, &[detected, escalated]);
    check(Some(State::Open), State::Open, &[]);
    check(Some(State::Open), State::Acting, &[]);
    check(Some(State::Acting), State::Verifying, &[]);
    check(
        Some(State::Open),
        State::AwaitingApproval,
        &["dev.cdeventsx.homeostat-incident.approvalrequested.0.1.0"],
    );
    check(Some(State::Verifying), State::Escalated, &[escalated]);
    check(Some(State::Escalated), State::Escalated, &[]);
    check(Some(State::Verifying), State::Resolved, &["dev.cdevents.incident.resolved.0.3.0"]);
}

#[test]
fn another_incident_is_told_as_a_new_one() {
    let other = Incident { id: "another".to_owned(), ..incident(IncidentState::Open) };
    let told = of_incident(Some(&other), &incident(IncidentState::Open), SOURCE);
    assert_eq!(kinds(&told), ["dev.cdevents.incident.detected.0.3.0"]);
}

#[test]
fn a_remedy_is_told_by_what_it_did() {
    let check = |remedy: Remedy, result: AttemptResult, expected: &str, artifact: Option<&str>| {
        let told =
            of_attempt(&attempt(remedy, result), Some(&incident(IncidentState::Verifying)), SOURCE).unwrap();
        assert_eq!(told.context.kind, expected);
        assert_eq!(told.subject.content["artifactId"].as_str(), artifact);
        assert_eq!(told.context.chain_id.as_deref(), Some("i1"));
        if expected.starts_with("dev.cdevents.") {
            read_by_others(&told);
        }
    };
    let finished = "dev.cdeventsx.homeostat-remedy.finished.0.1.0";
    let good = Some("pkg:generic/shop@1.2.9");
    check(Remedy::Rollback, AttemptResult::Done, "dev.cdevents.service.rolledback.0.3.0", good);
    check(Remedy::Redeploy, AttemptResult::Done, "dev.cdevents.service.deployed.0.3.0", good);
    check(Remedy::Rollback, AttemptResult::Failed, finished, None);
    check(Remedy::Rollback, AttemptResult::DryRun, finished, None);
    check(Remedy::RerunFailedJobs, AttemptResult::Done, finished, None);
}

#[test]
fn no_word_of_a_person_a_payload_or_a_request_is_told() {
    let mut told = of_incident(None, &incident(IncidentState::Escalated), SOURCE);
    told.extend(of_attempt(
        &attempt(Remedy::Restart, AttemptResult::Unknown),
        Some(&incident(IncidentState::Open)),
        SOURCE,
    ));
    let text = serde_json::to_string(&told).unwrap();
    // An operator's name and reason, an exchange's address and body, an attempt's detail.
    for word in ["\"ann\"", "\"known\"", "api.github.com", "ref", "created", "what happened"] {
        assert!(!text.contains(word), "`{word}` is told: {text}");
    }
}

#[test]
fn the_same_happening_has_the_same_id() {
    let told =
        || of_incident(Some(&incident(IncidentState::Open)), &incident(IncidentState::Resolved), SOURCE);
    assert_eq!(told(), told());
    let ids: std::collections::BTreeSet<String> =
        of_incident(None, &incident(IncidentState::Escalated), SOURCE)
            .into_iter()
            .chain(told())
            .map(|event| event.context.id)
            .collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_request_is_signed_so_that_others_verify_it() {
    let event = of_incident(None, &incident(IncidentState::Open), SOURCE).remove(0);
    let delivery = Delivery::new("team", &event).unwrap();
    let sink = Sink {
        name: "team".to_owned(),
        url: "https://events.example.com/in".to_owned(),
        source: SOURCE.to_owned(),
    };
    let keys = [SigningKey::parse(&Secret::new(KEY)).ok().unwrap()];
    let request = delivery.request(&sink, &keys, now_ms()).unwrap();
    assert_eq!(request.uri(), "https://events.example.com/in");
    assert_eq!(request.headers()["content-type"], "application/cloudevents+json");
    assert_eq!(request.headers()["webhook-id"], event.context.id);
    let verifier = Webhook::new(KEY).unwrap();
    verifier.verify(request.body(), request.headers()).unwrap();
    let mut forged = request.body().clone();
    forged.push(b' ');
    assert!(verifier.verify(&forged, request.headers()).is_err());
    let envelope: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(envelope["specversion"], "1.0");
    for (of_envelope, of_event) in [
        ("id", &event.context.id),
        ("type", &event.context.kind),
        ("time", &event.context.timestamp),
        ("subject", &event.subject.id),
    ] {
        assert_eq!(envelope[of_envelope].as_str(), Some(of_event.as_str()));
    }
    assert_eq!(serde_json::from_value::<CdEvent>(envelope["data"].clone()).unwrap(), event);
}

#[test]
fn only_2xx_is_taken() {
    let check = |status: u16, taken: bool| assert_eq!(judge(status) == Outcome::Taken, taken, "{status}");
    check(200, true);
    check(204, true);
    check(302, false);
    check(400, false);
    check(410, false);
    check(429, false);
    check(503, false);
}

fn event(kind: EventKind, status: Status) -> Event {
    let golden = include_bytes!("../../schema/tests/golden/1.0/event.json");
    Event { kind, status, ..wire::decode(golden).unwrap() }
}

#[test]
fn events_that_were_taken_in_have_the_types_of_cdevents() {
    let check = |kind: EventKind, status: Status, expected: Option<&str>| {
        let event = event(kind.clone(), status.clone());
        let read = cdevents::of_event(&event);
        let name = read.first().map(|read| read.context.kind.as_str());
        assert_eq!(name, expected.map(|name| format!("dev.cdevents.{name}")).as_deref(), "{kind} {status}");
        read.iter().for_each(read_by_others);
    };
    check(EventKind::Run, Status::Queued, Some("pipelinerun.queued.0.3.0"));
    check(EventKind::Run, Status::Waiting, Some("pipelinerun.queued.0.3.0"));
    check(EventKind::Run, Status::Running, Some("pipelinerun.started.0.3.0"));
    check(EventKind::Run, Status::Failure, Some("pipelinerun.finished.0.3.0"));
    check(EventKind::Run, Status::Skipped, None);
    check(EventKind::Job, Status::Queued, None);
    check(EventKind::Job, Status::Running, Some("taskrun.started.0.3.0"));
    check(EventKind::Job, Status::Cancelled, Some("taskrun.finished.0.3.0"));
    check(EventKind::Deployment, Status::Running, None);
    check(EventKind::Deployment, Status::Success, Some("service.upgraded.0.3.0"));
    check(EventKind::Rollback, Status::Success, Some("service.rolledback.0.3.0"));
    check(EventKind::Rollback, Status::Failure, None);
    check(EventKind::Release, Status::Success, Some("artifact.published.0.3.0"));
    check(EventKind::Alert, Status::Firing, Some("incident.detected.0.3.0"));
    check(EventKind::Alert, Status::Resolved, Some("incident.resolved.0.3.0"));
    check(EventKind::Change, Status::Success, None);
    check(EventKind::Observation, Status::Unknown, None);
    check(EventKind::Other("tea-break".to_owned()), Status::Success, None);
}

#[test]
fn what_a_sender_calls_things_is_kept() {
    let with = |name: &str, value: &str| {
        let mut event = event(EventKind::Change, Status::Success);
        event.attributes = vec![
            (name.to_owned(), value.to_owned()),
            ("subject".to_owned(), "https://example.com/pulls/7".to_owned()),
            ("repository".to_owned(), "https://example.com/acme".to_owned()),
        ];
        cdevents::of_event(&event).pop()
    };
    let merged = with("cdevent", "change.merged").unwrap();
    assert_eq!(merged.context.kind, "dev.cdevents.change.merged.0.3.0");
    assert_eq!(merged.subject.id, "https://example.com/pulls/7");
    assert_eq!(merged.subject.content["repository"]["id"], "https://example.com/acme");
    read_by_others(&merged);
    assert_eq!(with("cdevent", "change.forged"), None);
}

#[test]
fn a_senders_own_time_is_kept_when_it_is_one() {
    let told = |at: &str| {
        let mut event = event(EventKind::Run, Status::Success);
        event.attributes = vec![("told-at".to_owned(), at.to_owned())];
        let told = cdevents::of_event(&event).pop().unwrap();
        read_by_others(&told);
        told.context.timestamp
    };
    let ours = homeostat_schema::time::display(event(EventKind::Run, Status::Success).occurred_at);
    assert_eq!(told("1015-01-11T20:01:11+01:00"), "1015-01-11T19:01:11Z");
    assert_eq!(told("last Tuesday"), ours);
    assert_eq!(told(""), ours);
}

#[test]
fn what_was_deployed_is_told_of_each_image_too() {
    let check = |kind: EventKind, status: Status, expected: &[(&str, &str)]| {
        let mut event = event(kind, status);
        event.attributes = vec![
            ("subject".to_owned(), "argocd/shop".to_owned()),
            ("images".to_owned(), "ghcr.io/acme/shop:1 ghcr.io/acme/shop:2".to_owned()),
        ];
        let told = cdevents::of_event(&event);
        told.iter().for_each(read_by_others);
        let ids: std::collections::BTreeSet<_> = told.iter().map(|one| &one.context.id).collect();
        assert_eq!(ids.len(), told.len(), "each has an id of its own");
        let found: Vec<_> =
            told.iter().map(|one| (one.context.kind.as_str(), one.subject.id.as_str())).collect();
        assert_eq!(found, expected);
    };
    let image = ("dev.cdevents.service.deployed.0.3.0", "argocd/shop/shop");
    check(
        EventKind::Deployment,
        Status::Success,
        &[("dev.cdevents.service.upgraded.0.3.0", "argocd/shop"), image, image],
    );
    check(EventKind::Deployment, Status::Running, &[]);
    check(EventKind::Rollback, Status::Success, &[("dev.cdevents.service.rolledback.0.3.0", "argocd/shop")]);
}

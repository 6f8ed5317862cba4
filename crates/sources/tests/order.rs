//! The deliveries of a run, in every order, end in the same state.
//!
//! Read by their source and digested as the detector does it. Nothing orders a sender's deliveries:
//! they overtake each other, come twice, and come when the run is long over.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

use homeostat_detection::{ServiceState, Settings, observe};
use homeostat_schema::config::Config;
use homeostat_schema::time;
use homeostat_schema::types::Event;
use homeostat_sources::{Admitted, Delivery, Normalised, Source, normalise};
use http::{HeaderMap, HeaderName};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What one sender tells of one run.
struct Story {
    source: Source,
    /// The headers of each delivery besides its content type, and its body.
    deliveries: Vec<(Vec<(&'static str, String)>, Value)>,
}

impl Story {
    /// Each delivery as it is when it arrives: the time of receipt says nothing of the order.
    fn events(&self) -> Vec<Event> {
        self.deliveries.iter().map(|(headers, body)| event(self.source, headers, body)).collect()
    }
}

fn event(source: Source, pairs: &[(&'static str, String)], body: &Value) -> Event {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    for (name, value) in pairs {
        headers.insert(HeaderName::from_static(name), value.parse().unwrap());
    }
    let body = body.to_string();
    let delivery = Delivery {
        source: source.into(),
        admitted: Admitted::Verified,
        headers: &headers,
        body: body.as_bytes(),
        received_at_ms: time::parse("2026-03-01T10:12:00Z").unwrap(),
        seed: [0; 10],
    };
    match normalise(&delivery, &Config::default()) {
        Normalised::Items(mut items) if items.len() == 1 => items.remove(0).event,
        other => panic!("{body}: {other:?}"),
    }
}

fn github() -> Story {
    let run = |action: &str, attempt: u32, conclusion: Value, minute: u32| {
        let body = json!({
            "action": action,
            "workflow_run": {
                "id": 30433642, "run_attempt": attempt, "name": "Build", "conclusion": conclusion,
                "head_sha": "acb5820ced9479c074f688cc328bf03f341a511d", "head_branch": "main",
                "head_repository": {"id": 7}, "updated_at": format!("2026-03-01T10:{minute:02}:00Z"),
            },
            "repository": {"id": 7, "full_name": "acme/shop"},
        });
        (github_headers("workflow_run", &format!("run-{action}-{attempt}")), body)
    };
    let job = |status: &str, conclusion: Value, minute: u32| {
        let body = json!({
            "action": status,
            "workflow_job": {
                "id": 41, "run_id": 30433642, "run_attempt": 1, "name": "test", "status": status,
                "conclusion": conclusion, "created_at": "2026-03-01T10:01:00Z",
                "started_at": "2026-03-01T10:01:00Z",
                "completed_at": (status == "completed").then(|| format!("2026-03-01T10:{minute:02}:00Z")),
            },
            "repository": {"id": 7, "full_name": "acme/shop"},
        });
        (github_headers("workflow_job", &format!("job-{status}")), body)
    };
    let deliveries = vec![
        run("requested", 1, json!(null), 0),
        run("in_progress", 1, json!(null), 1),
        job("queued", json!(null), 1),
        job("in_progress", json!(null), 2),
        job("completed", json!("failure"), 3),
        run("completed", 1, json!("failure"), 3),
    ];
    Story { source: Source::GITHUB, deliveries }
}

fn github_headers(event: &str, delivery: &str) -> Vec<(&'static str, String)> {
    vec![("x-github-event", event.to_owned()), ("x-github-delivery", delivery.to_owned())]
}

fn gitlab() -> Story {
    let project = || json!({"path_with_namespace": "acme/shop"});
    let pipeline = |status: &str, finished: Value| {
        let body = json!({
            "object_kind": "pipeline", "project": project(),
            "object_attributes": {
                "id": 31, "name": "Build", "ref": "main", "status": status, "finished_at": finished,
                "created_at": "2026-03-01 10:00:00 UTC",
            },
        });
        (vec![("idempotency-key", format!("pipeline-{status}"))], body)
    };
    let job = |status: &str| {
        let body = json!({
            "object_kind": "build", "project": project(), "build_id": 380, "build_name": "test",
            "build_status": status, "build_started_at": "2026-03-01 10:01:00 UTC", "pipeline_id": 31,
        });
        (vec![("idempotency-key", format!("job-{status}"))], body)
    };
    let deliveries = vec![
        pipeline("pending", json!(null)),
        pipeline("running", json!(null)),
        job("running"),
        job("failed"),
        pipeline("failed", json!("2026-03-01 10:05:00 UTC")),
    ];
    Story { source: Source::GITLAB, deliveries }
}

fn bitbucket() -> Story {
    let status = |state: &str, minute: u32| {
        let body = json!({
            "repository": {"uuid": "{1}", "full_name": "acme/shop"},
            "commit_status": {
                "key": "3343801", "name": "Pipeline #4 for main", "state": state, "refname": "main",
                "commit": {"hash": "bdf6fac0"}, "updated_on": format!("2026-03-01T10:{minute:02}:00+00:00"),
            },
        });
        let key = if minute == 0 { "repo:commit_status_created" } else { "repo:commit_status_updated" };
        (vec![("x-event-key", key.to_owned()), ("x-request-uuid", format!("status-{minute}"))], body)
    };
    Story {
        source: Source::BITBUCKET,
        deliveries: vec![status("INPROGRESS", 0), status("INPROGRESS", 1), status("FAILED", 2)],
    }
}

/// The state that these events end in, as it is stored.
fn state_after<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<u8> {
    let settings = Settings::of(&Config::default(), "unknown", "shop", 1);
    let none = ServiceState::decode(None).unwrap();
    let take = |state, event: &Event| observe(state, event, &settings, event.received_at).state;
    events.into_iter().fold(none, take).encode()
}

/// Calls `seen` with every order of the events.
fn in_every_order<'a>(
    rest: &mut Vec<&'a Event>,
    order: &mut Vec<&'a Event>,
    seen: &mut impl FnMut(&[&'a Event]),
) {
    if rest.is_empty() {
        seen(order);
    }
    for at in 0..rest.len() {
        order.push(rest.remove(at));
        in_every_order(rest, order, seen);
        rest.insert(at, order.pop().unwrap());
    }
}

#[test]
fn every_order_of_a_runs_deliveries_ends_in_the_same_state() {
    let check = |story: &Story, orders: usize| {
        let events = story.events();
        let expected = state_after(&events);
        assert!(String::from_utf8_lossy(&expected).contains("failure"), "the run failed");
        let mut counted = 0;
        let compare = &mut |order: &[&Event]| {
            counted += 1;
            let ids: Vec<&str> = order.iter().map(|event| event.id.as_str()).collect();
            assert_eq!(state_after(order.iter().copied()), expected, "{ids:?}");
        };
        in_every_order(&mut events.iter().collect(), &mut Vec::new(), compare);
        assert_eq!(counted, orders);
    };
    check(&github(), 720);
    check(&gitlab(), 120);
    check(&bitbucket(), 6);
}

/// A second attempt that succeeded, after the first.
fn two_attempts() -> Vec<Event> {
    let mut story = github();
    let again: Vec<_> = story
        .deliveries
        .iter()
        .filter(|(_, body)| body.get("workflow_run").is_some())
        .map(|(headers, body)| {
            let mut body = body.clone();
            body["workflow_run"]["run_attempt"] = json!(2);
            body["workflow_run"]["updated_at"] = json!("2026-03-01T10:10:00Z");
            if body["action"] == "completed" {
                body["workflow_run"]["conclusion"] = json!("success");
            }
            let delivery = format!("{}-again", headers[1].1);
            (github_headers("workflow_run", &delivery), body)
        })
        .collect();
    story.deliveries.extend(again);
    story.events()
}

proptest! {
    #[test]
    fn a_second_attempt_redeliveries_and_disorder_end_in_the_same_state(
        order in Just(two_attempts()).prop_shuffle(),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let expected = state_after(&two_attempts());
        let redelivered = again.iter().map(|at| at.get(&order));
        prop_assert_eq!(state_after(order.iter().chain(redelivered)), expected);
    }
}

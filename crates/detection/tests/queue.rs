//! A queue that is going to pass its limit, one story each.
#![allow(missing_docs, reason = "a test")]

mod common;

use common::{Service, event};
use homeostat_detection::{assess, capacity, environment::troubles, observe};
use homeostat_schema::types::{
    AssessmentRequest, Correlation, Event, EventKind, FindingKind, Signal, Status, Verdict,
};

const MINUTE: u64 = 60_000;
/// Five minutes, the forecast's step.
const STEP: u64 = 5 * MINUTE;
/// A replica takes ten items a second.
const CAPACITY: capacity::Settings =
    capacity::Settings { queue_max: 1_000.0, per_replica: 10.0, replicas_min: 2, replicas_max: 20 };

fn report(at_ms: u64, queue: f64, load: f64, replicas: Option<f64>) -> Event {
    let signal = |name: &str, value: f64| Signal { name: name.into(), value, unit: "1".into(), samples: 1 };
    let mut event = event(EventKind::Observation, Status::Unknown, at_ms);
    event.signals = vec![signal("queue", queue), signal("load", load)];
    event.signals.extend(replicas.map(|replicas| signal("replicas", replicas)));
    event
}

/// A service that says what it can carry.
struct Line(Service);

impl Line {
    fn new() -> Self {
        Self(Service { capacity: Some(CAPACITY), ..Service::default() })
    }

    /// Calm hours: five replicas, twenty items a second, a report a minute.
    fn calm(hours: u64) -> Self {
        let mut line = Self::new();
        (0..hours * 60).for_each(|minute| line.0.take(&report(minute * MINUTE, 5.0, 20.0, Some(5.0))));
        line
    }

    fn verdict_and_text(&self) -> (Verdict, String) {
        let health = self.0.health();
        let told = health.because.iter().find(|one| one.metric == "queue").expect("a queue").text.clone();
        (health.verdict, told)
    }

    fn assess(&mut self, since: u64, now_ms: u64) -> Verdict {
        let request = AssessmentRequest {
            attempt: "a".into(),
            incident: "i".into(),
            env: common::ENV.into(),
            service: common::SERVICE.into(),
            kind: FindingKind::CapacityLow,
            correlation: Correlation { run: None, run_attempt: None, deployment: None, pull_request: None },
            since,
        };
        let settings = self.0.settings();
        assess(&mut self.0.state, &request, &settings, now_ms).health.verdict
    }
}

#[test]
fn a_queue_that_will_pass_is_found_before_it_does_with_the_replicas_that_prevent_it() {
    let mut line = Line::calm(3);
    assert_eq!(line.0.kinds(), []);
    assert_eq!(line.verdict_and_text().0, Verdict::Healthy);
    // More comes than five replicas take; a thousand are waiting after some 100 s.
    let from = 180 * MINUTE;
    let mut queue = 5.0;
    for minute in 0..30 {
        line.0.take(&report(from + minute * MINUTE, queue, 55.0, Some(5.0)));
        if !line.0.findings.is_empty() {
            break;
        }
        queue += 60.0 * 5.0;
    }
    assert_eq!(line.0.kinds(), [FindingKind::CapacityLow]);
    assert!(queue < 1_000.0, "found at {queue} of 1000");
    assert_eq!(troubles(&line.0.state), [FindingKind::CapacityLow]);
    let finding = &line.0.findings[0];
    assert_eq!(finding.health.verdict, Verdict::Bad);
    let first = &finding.health.because[0];
    assert!(
        first.text.contains("passes its limit in") && first.text.contains("scale up by"),
        "{}",
        first.text
    );
    let wanted = finding.health.because.iter().find(|one| one.metric == "replicas").expect("a number");
    assert!(wanted.observed == 5.0 && (8.0..=20.0).contains(&wanted.bound), "{wanted:?}");
    // Replicas come, the queue is worked off: over after five calm minutes.
    let at = line.0.now_ms;
    (1..=4).for_each(|minute| line.0.take(&report(at + minute * MINUTE, 5.0, 20.0, Some(12.0))));
    assert_eq!(troubles(&line.0.state), [FindingKind::CapacityLow]);
    (5..=30).for_each(|minute| line.0.take(&report(at + minute * MINUTE, 5.0, 20.0, Some(12.0))));
    assert_eq!(troubles(&line.0.state), []);
    assert_eq!(line.0.kinds(), [FindingKind::CapacityLow]);
}

#[test]
fn nothing_is_said_before_the_forecast_is_known() {
    let mut line = Line::new();
    let until = 12 * STEP;
    (0..until / MINUTE).for_each(|minute| line.0.take(&report(minute * MINUTE, 900.0, 500.0, Some(2.0))));
    let (verdict, text) = line.verdict_and_text();
    assert_eq!((line.0.kinds(), verdict), (vec![], Verdict::Watching));
    assert!(text.contains("forecast once it is known for long enough"), "{text}");
    (0..30).for_each(|minute| line.0.take(&report(until + minute * MINUTE, 900.0, 500.0, Some(2.0))));
    assert_eq!(line.0.kinds(), [FindingKind::CapacityLow]);
}

#[test]
fn what_is_no_report_changes_nothing() {
    let mut line = Line::calm(3);
    let (now, before) = (line.0.now_ms, line.verdict_and_text());
    for (why, event) in [
        ("again", report(now, 5_000.0, 20.0, Some(5.0))),
        ("older", report(now - MINUTE, 5_000.0, 20.0, Some(5.0))),
        ("no number", report(now + 1, f64::NAN, 20.0, Some(5.0))),
        ("below nothing", report(now + 1, -1.0, 20.0, Some(5.0))),
        ("no load", report(now + 1, 5_000.0, f64::INFINITY, Some(5.0))),
        ("no replicas at all", report(now + 1, 5_000.0, 20.0, Some(0.0))),
    ] {
        line.0.take(&event);
        assert_eq!(line.verdict_and_text(), before, "{why}");
    }
    // Replicas that are not told again are as many as before.
    line.0.take(&report(now + MINUTE, 6.0, 20.0, None));
    assert!(line.verdict_and_text().1.contains("5 replicas take"), "{}", line.verdict_and_text().1);
    // A service of which nobody said what it can carry has no queue.
    let mut unsaid = Service::after(&[report(1, 5_000.0, 20.0, Some(5.0))]);
    unsaid.take(&report(2, 5_000.0, 20.0, Some(5.0)));
    assert!(unsaid.health().because.iter().all(|one| one.metric != "queue"));
}

#[test]
fn a_queue_that_still_reports_does_not_hide_that_requests_are_no_longer_counted() {
    let mut line = Line::new();
    for minute in 0..10 {
        line.0.take(&common::errors(0.0, 100, minute * MINUTE));
        line.0.take(&report(minute * MINUTE + 1, 5.0, 20.0, Some(5.0)));
    }
    (10..14).for_each(|minute| line.0.take(&report(minute * MINUTE, 5.0, 20.0, Some(5.0))));
    line.0.recheck(14 * MINUTE);
    assert_eq!(line.0.kinds(), [FindingKind::Blind]);
    // Where a queue is all there is, it is telemetry.
    let mut alone = Line::new();
    (0..14).for_each(|minute| alone.0.take(&report(minute * MINUTE, 5.0, 20.0, Some(5.0))));
    alone.0.recheck(14 * MINUTE);
    assert_eq!(alone.0.kinds(), []);
    alone.0.recheck(20 * MINUTE);
    assert_eq!(alone.0.kinds(), [FindingKind::Blind]);
}

#[test]
fn after_a_day_of_silence_it_learns_anew_and_the_state_stays_small() {
    let mut line = Line::calm(60);
    let bytes = line.0.state.encode().len();
    assert!(bytes < 8_000, "{bytes} bytes");
    let later = (60 * 60 + 26 * 60) * MINUTE;
    line.0.take(&report(later, 900.0, 500.0, Some(2.0)));
    assert!(line.verdict_and_text().1.contains("known for long enough"), "{}", line.verdict_and_text().1);
    assert_eq!(line.0.kinds(), []);
    let decoded = homeostat_detection::ServiceState::decode(Some(&line.0.state.encode())).unwrap();
    let settings = line.0.settings();
    let next = report(later + MINUTE, 900.0, 500.0, Some(2.0));
    let on = |state| observe(state, &next, &settings, later + MINUTE).state.encode();
    assert_eq!(on(decoded), on(line.0.state.clone()), "a state that was stored goes on as the same");
}

#[test]
fn new_replicas_are_given_ten_minutes() {
    let mut line = Line::calm(3);
    let from = 180 * MINUTE;
    (0..30).for_each(|minute| line.0.take(&report(from + minute * MINUTE, 400.0, 60.0, Some(5.0))));
    assert_eq!(line.0.kinds(), [FindingKind::CapacityLow]);
    let since = line.0.now_ms + 1;
    assert_eq!(line.assess(since, since + MINUTE), Verdict::Blind, "nothing was told since");
    line.0.take(&report(since + MINUTE, 400.0, 60.0, Some(5.0)));
    assert_eq!(line.assess(since, since + 2 * MINUTE), Verdict::Watching);
    assert_eq!(line.assess(since, since + 11 * MINUTE), Verdict::Bad);
    line.0.take(&report(since + 3 * MINUTE, 100.0, 60.0, Some(20.0)));
    assert_eq!(line.assess(since, since + 4 * MINUTE), Verdict::Healthy);
}

//! Two versions side by side.

use futures::executor::block_on;
use homeostat_flow::Store;
use homeostat_schema::types::{Correlation, Event, EventKind, Signal, Status, TimelineFact, Verdict};
use homeostat_stages::name;
use homeostat_stages::view::{self, ComparisonView};

use super::World;

/// How far the errors of a report are from their mean, as coins fall.
const CALM: [i64; 8] = [12, -25, 3, 19, -8, -14, 22, -9];
/// Reports come so often.
const REPORT_MS: u64 = 5_000;

impl World {
    pub(crate) fn deployed(&self, commit: &str, at_ms: u64) {
        self.went_out(commit, Status::Success, at_ms);
    }

    fn went_out(&self, commit: &str, status: Status, at_ms: u64) {
        let correlation = Correlation {
            run: None,
            run_attempt: None,
            deployment: Some(commit.to_owned()),
            pull_request: None,
        };
        let commit = Some(commit.to_owned());
        let event = Event { kind: EventKind::Deployment, commit, correlation, ..self.run_ended(status, 1) };
        self.send(&Event { occurred_at: at_ms, ..event });
    }

    fn reported(&self, arm: &str, bad: u64, requests: u64, at_ms: u64) {
        let signal = |name: &str, value: u64| Signal {
            name: name.to_owned(),
            value: value as f64,
            unit: "{request}".to_owned(),
            samples: 1,
        };
        let event = Event {
            kind: EventKind::Observation,
            signals: vec![signal("requests", requests), signal("errors", bad)],
            attributes: vec![("arm".to_owned(), arm.to_owned())],
            occurred_at: at_ms,
            ..self.run_ended(Status::Unknown, 1)
        };
        self.send(&event);
    }

    /// Time goes on, and whoever is to look does.
    fn goes_on(&self, ms: u64) {
        let end_ms = self.store.now_ms() + ms;
        while let Some(due) = self.store.next_due_ms().filter(|due| *due <= end_ms) {
            self.store.advance_ms(due.saturating_sub(self.store.now_ms()));
            block_on(self.store.tick()).expect("a tick");
            self.settle();
        }
        self.store.advance_ms(end_ms - self.store.now_ms());
        self.settle();
    }

    /// `good` runs for six minutes and `next` beside it for four, told at once.
    fn rolled_out(&self, new_bad: u64) -> ComparisonView {
        self.store.advance_ms(600_000);
        let (good_ms, next_ms) = (self.store.now_ms() - 600_000, self.store.now_ms() - 240_000);
        self.deployed("good000", good_ms);
        for turn in 1..120_u64 {
            let at_ms = good_ms + turn * REPORT_MS;
            let off = |by: u64| CALM[((turn + by) % 8) as usize];
            if at_ms == next_ms {
                self.deployed("next000", next_ms);
            }
            if at_ms > next_ms {
                self.reported("canary", new_bad.saturating_add_signed(off(3) / 3), 5_000, at_ms);
            }
            self.reported("baseline", 450_u64.saturating_add_signed(off(0)), 45_000, at_ms);
        }
        self.settle();
        let stored = self.store.view(&view::comparison_key("stage", "shop")).expect("a comparison");
        serde_json::from_slice(stored.value().expect("a value")).expect("its form")
    }
}

#[test]
fn a_canary_with_half_as_many_errors_again_is_an_incident_that_shows_how_the_evidence_grew() {
    let world = World::new("");
    let told = world.rolled_out(75);
    assert_eq!((told.verdict, told.commit.as_deref()), (Verdict::Bad, Some("next000")));
    assert!(told.statistic >= told.bound, "{told:?}");
    let incident = world.incident();
    let plot = incident.timeline.iter().find_map(|item| match &item.fact {
        TimelineFact::Finding(finding) => finding.plot.clone(),
        _ => None,
    });
    let plot = plot.expect("a plot");
    let last = plot.points.last().expect("a point");
    assert!(plot.points.len() > 2 && last.statistic >= plot.bound, "{plot:?}");
}

#[test]
fn a_canary_as_good_as_the_version_before_is_healthy_for_who_asks_and_no_incident() {
    let world = World::new("");
    let told = world.rolled_out(50);
    assert_eq!((told.verdict, told.commit.as_deref()), (Verdict::Healthy, Some("next000")), "{told:?}");
    assert!(told.heard_at.is_some());
    let plot = told.plot.expect("a plot");
    assert!((2..=60).contains(&plot.points.len()), "{}", plot.points.len());
    assert!(!world.store.view_keys().iter().any(|key| key.starts_with("incident:")));
}

#[test]
fn a_release_that_took_over_is_left_alone_and_the_next_one_keeps_nobody_waiting() {
    let world = World::new("");
    world.went_out("good000", Status::Success, world.store.now_ms());
    let report = |baseline: u64, canary: Option<u64>| {
        let now_ms = world.store.now_ms();
        world.reported("baseline", baseline / 100, baseline, now_ms);
        canary.into_iter().for_each(|canary| world.reported("canary", canary / 100, canary, now_ms));
        world.goes_on(REPORT_MS);
    };
    (0..60).for_each(|_| report(45_000, None));
    world.went_out("next000", Status::Running, world.store.now_ms());
    (0..60).for_each(|_| report(45_000, Some(5_000)));
    world.went_out("next000", Status::Success, world.store.now_ms());
    (0..120).for_each(|_| report(50_000, None));
    // The next release goes out when nobody tells of arms any more.
    world.went_out("last000", Status::Running, world.store.now_ms());
    world.goes_on(20_000);
    let incidents = world.store.view_keys();
    assert!(!incidents.iter().any(|key| key.starts_with("incident:")), "{incidents:?}");
    let shard = name::shard_of_service("shop", name::SHARDS_DEFAULT);
    assert_eq!(world.store.unread(name::DETECT, &shard).len(), 0);
}

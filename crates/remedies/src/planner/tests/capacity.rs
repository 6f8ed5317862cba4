//! A service is given the replicas the detector asks for, where somebody said how far it may grow.

use homeostat_schema::config::{Capacity, Config, Mode};
use homeostat_schema::types::{Evidence, Finding, FindingKind, Remedy, Target};

use super::Story;
use crate::testing::{config, finding};

/// Three work.
fn wanted(kind: FindingKind, metric: &str, bound: f64) -> Finding {
    let mut finding = finding("f1", kind);
    finding.health.because.push(Evidence {
        metric: metric.into(),
        observed: 3.0,
        bound,
        unit: "{replica}".into(),
        samples: 1,
        text: "3 replicas work".into(),
        events: Vec::new(),
    });
    finding
}

fn bounded() -> Config {
    let mut config = config(Mode::Act);
    let capacity = Capacity { queue_max: 100.0, per_replica: 1.0, replicas_min: 1, replicas_max: 9 };
    config.services[0].capacity.insert("stage".into(), capacity);
    config
}

#[test]
fn the_number_decides_and_nothing_else() {
    let check = |found: Finding, expected: (&str, Option<u32>)| {
        let mut story = Story::new(bounded());
        story.finds(found);
        let plan = story.dispatched.first().expect("a plan");
        assert_eq!((plan.remedy.name(), plan.replicas), expected);
    };
    let of = |bound| wanted(FindingKind::CapacityLow, Evidence::REPLICAS, bound);
    check(of(5.0), ("scale-up", Some(5)));
    check(of(3.0), ("notify", None));
    check(of(2.0), ("notify", None));
    check(of(f64::NAN), ("notify", None));
    check(of(f64::INFINITY), ("notify", None));
    // The configuration of now is the bound, whatever was found under another.
    check(of(9.0), ("scale-up", Some(9)));
    check(of(20_000.0), ("scale-up", Some(9)));
    check(wanted(FindingKind::CapacityLow, "load", 5.0), ("notify", None));
    check(wanted(FindingKind::LatencyHigh, Evidence::REPLICAS, 5.0), ("rollback", None));
}

#[test]
fn nothing_is_scaled_of_which_nobody_said_how_far_it_may_grow() {
    let mut story = Story::new(config(Mode::Act));
    story.finds(wanted(FindingKind::CapacityLow, Evidence::REPLICAS, 5.0));
    assert_eq!(story.remedies(), ["notify"]);
    let mut story = Story::new(bounded());
    story.finds(wanted(FindingKind::CapacityLow, Evidence::REPLICAS, 5.0));
    assert!(matches!(story.last(&Remedy::ScaleUp).target, Target::Kubernetes(_)));
}

//! Random stories: whatever happens, in whatever order, the invariants hold.

use std::collections::BTreeSet;

use homeostat_schema::config::Mode;
use homeostat_schema::types::{
    Attempt, AttemptResult, Finding, FindingKind, Guard, OperatorVerb, Plan, Remedy, Verdict,
};
use homeostat_schema::wire;
use proptest::prelude::*;

use super::{Command, Fact, Story, answer, assessed};
use crate::guards::mode_of;
use crate::planner::{ATTEMPTS_PER_INCIDENT_MAX, CASE_BYTES_MAX, timeline};
use crate::testing::{config, finding, health};

#[derive(Debug, Clone)]
enum Happening {
    Found { id: u8, kind: u8, release: u8, irreversible: bool, signed: bool, wordy: bool },
    Answered { which: usize, result: u8, wordy: bool },
    Rang(usize),
    Assessed { which: usize, verdict: u8, score: u8 },
    Said(u8),
    Passed(u16),
    Mode(u8),
    KillSwitch(bool),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (any::<u8>(), 0..5_u8, 0..6_u8, any::<bool>(), 0..9_u8, 0..12_u8).prop_map(
            |(id, kind, release, irreversible, signed, wordy)| Happening::Found {
                id, kind, release, irreversible: irreversible && id % 4 == 0, signed: signed > 0, wordy: wordy == 0
            }
        ),
        4 => (0..4_usize, 0..8_u8, any::<bool>()).prop_map(|(which, result, wordy)| Happening::Answered { which, result, wordy }),
        4 => (0..6_usize).prop_map(Happening::Rang),
        4 => (0..4_usize, 0..4_u8, 0..=100_u8)
            .prop_map(|(which, verdict, score)| Happening::Assessed { which, verdict, score }),
        1 => (0..5_u8).prop_map(Happening::Said),
        2 => any::<u16>().prop_map(Happening::Passed),
        1 => (0..6_u8).prop_map(Happening::Mode),
        1 => any::<bool>().prop_map(Happening::KillSwitch),
    ]
}

fn found(id: u8, kind: u8, release: u8) -> Finding {
    let kinds = [
        FindingKind::DeploymentFailed,
        FindingKind::RunFailed,
        FindingKind::LatencyHigh,
        FindingKind::ErrorRateHigh,
        FindingKind::Blind,
    ];
    let mut finding = finding(&format!("f{id}"), kinds[usize::from(kind) % kinds.len()].clone());
    finding.commit = (release > 0).then(|| format!("{release:040x}"));
    finding.version = (release > 1).then(|| format!("v{release}"));
    finding
}

/// As long and as awkward as a payload can make it.
fn wordy(mut finding: Finding) -> Finding {
    let long = "\"\u{1F525}\n".repeat(2000);
    let mut evidence = finding.health.because[0].clone();
    (evidence.text, evidence.metric, evidence.unit) = (long.clone(), long.clone(), long.clone());
    evidence.events = vec![long.clone(); 20];
    finding.health.because = vec![evidence; 20];
    (finding.version, finding.commit) = (Some(long.clone()), Some(long.clone()));
    (finding.correlation.run, finding.correlation.deployment) = (Some(long.clone()), Some(long.clone()));
    finding.id = format!("{}{long}", finding.id);
    finding
}

fn chatty(mut attempt: Attempt, plan: &Plan) -> Attempt {
    let request = plan.preview.clone().expect("a dispatched plan has a preview");
    let request = homeostat_schema::types::Request { body: "\"\n".repeat(5000), ..request };
    attempt.exchanges = vec![homeostat_schema::types::Exchange { request, status: 200, took: 5 }; 12];
    attempt.detail = "\u{1}x".repeat(5000);
    attempt
}

fn happens(story: &mut Story, what: &Happening) -> Vec<Command> {
    match what {
        Happening::Found { id, kind, release, irreversible, signed, wordy: long } => {
            let mut finding = found(*id, *kind, *release);
            (finding.irreversible, finding.trust.signed) = (*irreversible, *signed);
            story.hears(Fact::Finding(if *long { wordy(finding) } else { finding }))
        }
        Happening::Answered { which, result, wordy } => {
            let Some(plan) = story.dispatched.iter().rev().nth(*which).cloned() else { return Vec::new() };
            let results =
                [AttemptResult::Done, AttemptResult::Failed, AttemptResult::Unknown, AttemptResult::DryRun];
            let result = results.get(usize::from(*result)).copied().unwrap_or(AttemptResult::Done);
            let attempt = answer(&plan, result, "answered", story.now_ms);
            story.hears(Fact::Attempt(if *wordy { chatty(attempt, &plan) } else { attempt }))
        }
        Happening::Rang(which) => {
            let Some((name, at)) = story.timers.iter().rev().nth(*which).cloned() else { return Vec::new() };
            story.now_ms = story.now_ms.max(at);
            story.hears(Fact::VerifyDue { attempt: name })
        }
        Happening::Assessed { which, verdict, score } => {
            let Some(asked) = story.asked.iter().rev().nth(*which).cloned() else { return Vec::new() };
            let verdict = Verdict::ALL[usize::from(*verdict) % Verdict::ALL.len()];
            story.hears(assessed(&asked, health(verdict, f64::from(*score), "looked"), story.now_ms))
        }
        Happening::Said(verb) => {
            let verbs =
                [OperatorVerb::Approve, OperatorVerb::Approve, OperatorVerb::Approve, OperatorVerb::Reject];
            let verb = verbs.get(usize::from(*verb)).copied().unwrap_or(OperatorVerb::Resolve);
            if story.incident.is_some() {
                story.says(verb);
            }
            Vec::new()
        }
        Happening::Passed(seconds) => {
            story.pass(u64::from(*seconds) / 16);
            Vec::new()
        }
        Happening::Mode(mode) => {
            let modes = [Mode::Observe, Mode::Suggest, Mode::Approve];
            let mode = modes.get(usize::from(*mode)).copied().unwrap_or(Mode::Act);
            story.config.environments.get_mut("stage").expect("stage is configured").mode = mode;
            Vec::new()
        }
        Happening::KillSwitch(on) => {
            story.config.kill_switch = *on;
            Vec::new()
        }
    }
}

/// What a plan may never be, whatever came before.
fn dispatched_rightly(story: &Story, plan: &Plan) {
    let mode = mode_of(&story.config, &plan.env, &plan.service);
    assert!(matches!(mode, Mode::Approve | Mode::Act), "nothing is sent in mode {mode:?}");
    assert!(plan.guards.iter().all(|check| check.passed), "dispatched past {:?}", plan.guards);
    assert!(plan.preview.is_some());
    if plan.remedy == Remedy::Notify {
        return;
    }
    assert!(!story.config.kill_switch);
    let approved = plan.guards.iter().any(|check| check.guard == Guard::Approval);
    assert!(mode == Mode::Act || approved);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_bounds_hold(happenings in prop::collection::vec(happening(), 1..80)) {
        let mut story = Story::new(config(Mode::Act));
        let mut keys = BTreeSet::new();
        let mut answered: BTreeSet<String> = BTreeSet::new();
        for what in &happenings {
            if let Happening::Answered { which, .. } = what {
                answered.extend(story.dispatched.iter().rev().nth(*which).map(|plan| plan.idempotency_key.clone()));
            }
            let before = story.dispatched.len();
            happens(&mut story, what);
            for plan in story.dispatched[before..].iter().cloned() {
                dispatched_rightly(&story, &plan);
                prop_assert!(keys.insert(plan.idempotency_key.clone()), "{} came twice", plan.idempotency_key);
            }
            let flying = story.dispatched.iter()
                .filter(|plan| plan.remedy != Remedy::Notify && !answered.contains(&plan.idempotency_key));
            prop_assert!(flying.count() <= 1, "two remedies in flight");
            prop_assert!(story.case.encode().len() <= CASE_BYTES_MAX);
            if let Some(incident) = &story.incident {
                prop_assert!(incident.timeline.len() <= timeline::ITEMS_MAX);
                let of_this = story.dispatched.iter()
                    .filter(|plan| plan.incident == incident.id && plan.remedy != Remedy::Notify);
                prop_assert!(of_this.count() <= ATTEMPTS_PER_INCIDENT_MAX as usize);
                prop_assert!(wire::decode::<homeostat_schema::types::Incident>(&wire::encode(incident)).is_ok());
            }
        }
    }

    #[test]
    fn the_same_story_ends_the_same(happenings in prop::collection::vec(happening(), 1..40)) {
        let (mut one, mut two) = (Story::new(config(Mode::Act)), Story::new(config(Mode::Act)));
        for what in &happenings {
            prop_assert_eq!(happens(&mut one, what), happens(&mut two, what));
        }
        prop_assert_eq!(one.case.encode(), two.case.encode());
    }
}

#[test]
fn a_full_timeline_says_how_much_was_dropped_and_stays_small() {
    let mut story = Story::new(config(Mode::Suggest));
    for n in 0..300_u32 {
        let plain = finding(&format!("f{n}"), FindingKind::LatencyHigh);
        story.pass(1).digests(Fact::Finding(if n % 2 == 0 { wordy(plain) } else { plain }));
    }
    let bytes = story.case.encode().len();
    assert!(bytes <= CASE_BYTES_MAX, "{bytes}");
    let timeline = &story.incident().timeline;
    assert!(timeline.len() <= timeline::ITEMS_MAX);
    let last = &timeline.last().expect("there are items").text;
    assert!(
        last.starts_with("the timeline is full: ") && last.ends_with("more item(s) were dropped"),
        "{last}"
    );
}

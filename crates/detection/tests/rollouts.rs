//! Rollouts as they happen: they end, their senders are slow, in step or not, and fail. What is told
//! here is what a service's own events tell, in the order in which they arrive.
#![allow(missing_docs, reason = "a test")]

mod common;
mod simulate;

use common::{S, Service, deployment, event, settings};
use homeostat_detection::{ServiceState, comparison};
use homeostat_schema::types::{Event, EventKind, Finding, FindingKind, Signal, Status, Verdict};
use proptest::prelude::*;
use simulate::Chance;

/// When the new version begins to go out.
const OUT_MS: u64 = 1200 * S;
const HALF_AN_HOUR: u64 = 1800 * S;
/// Requests that fail of all, while all is well.
const USUAL: f64 = 0.01;

fn signal(name: &str, value: f64, samples: u64) -> Signal {
    Signal { name: name.into(), value, unit: "1".into(), samples }
}

fn of_arm(arm: Option<&str>, signals: Vec<Signal>, at_ms: u64) -> Event {
    let mut event = event(EventKind::Observation, Status::Unknown, at_ms);
    event.id = format!("{}-{at_ms}", arm.unwrap_or("whole"));
    event.attributes = arm.map(|arm| ("arm".to_owned(), arm.to_owned())).into_iter().collect();
    event.signals = signals;
    event
}

fn counted(arm: Option<&str>, bad: u64, requests: u64, at_ms: u64) -> Event {
    of_arm(arm, vec![signal("requests", requests as f64, 1), signal("errors", bad as f64, 1)], at_ms)
}

fn unread(arm: Option<&str>, at_ms: u64) -> Event {
    let mut event = of_arm(arm, Vec::new(), at_ms);
    event.id = format!("unread-{}", event.id);
    event.attributes.push(("scrape".to_owned(), "failed".to_owned()));
    event
}

fn later(mut event: Event, delay_ms: u64) -> Event {
    event.received_at += delay_ms;
    event
}

/// How an arm tells of itself.
#[derive(Debug, Clone, Copy)]
struct Sender {
    arm: Option<&'static str>,
    /// Requests a second.
    rate: u64,
    bad: f64,
    every_ms: u64,
    offset_ms: u64,
    delay_ms: u64,
}

impl Sender {
    fn tells(self, chance: &mut Chance, from_ms: u64, to_ms: u64) -> Vec<Event> {
        let times = (from_ms..to_ms).step_by(self.every_ms as usize);
        let told = times.map(|at_ms| {
            let tally = chance.tally(self.rate * self.every_ms / S, self.bad, 1);
            let one = counted(self.arm, tally.bad, tally.total, at_ms + self.offset_ms);
            later(one, self.delay_ms)
        });
        told.collect()
    }
}

const OLD: Sender =
    Sender { arm: Some("baseline"), rate: 90, bad: USUAL, every_ms: 5 * S, offset_ms: 0, delay_ms: 0 };
const NEW: Sender = Sender { arm: Some("canary"), rate: 10, ..OLD };
/// After the new version took over, the old label is everybody's.
const ALL: Sender = Sender { rate: 100, ..OLD };
const WHOLE: Sender = Sender { arm: None, rate: 100, offset_ms: 1, ..OLD };

fn first_release() -> [Event; 2] {
    [deployment("d1", "v1", Status::Running, S), deployment("d1", "v1", Status::Success, 2 * S)]
}

fn begun() -> Event {
    deployment("d2", "v2", Status::Running, OUT_MS)
}

fn ended(status: Status, at_ms: u64) -> Event {
    deployment("d2", "v2", status, at_ms)
}

/// Tells all of it as it arrives, and looks when somebody is to look. What was looked at is not due
/// again at once.
fn play(events: impl IntoIterator<Item = Event>) -> Service {
    let mut events: Vec<Event> = events.into_iter().collect();
    events.sort_by_key(|event| event.received_at);
    let mut service = Service::default();
    for event in events {
        look(&mut service, event.received_at);
        service.take(&event);
    }
    service
}

fn look(service: &mut Service, until_ms: u64) {
    while let Some(due) = service.recheck_at_ms.filter(|due| *due <= until_ms) {
        let now_ms = due.max(service.now_ms);
        service.recheck(now_ms);
        assert!(service.recheck_at_ms.is_none_or(|due| due > now_ms), "due again at {now_ms}");
    }
}

/// One release beside the other for half an hour, from [`OUT_MS`] on.
fn side_by_side(old: Sender, new: Sender) -> Service {
    let mut chance = Chance::of(1);
    let to_ms = OUT_MS + HALF_AN_HOUR;
    let mut all: Vec<Event> = first_release().into();
    all.extend(old.tells(&mut chance, 10 * S, to_ms));
    all.push(begun());
    all.extend(new.tells(&mut chance, OUT_MS, to_ms));
    play(all.into_iter().filter(|event| event.received_at < to_ms))
}

fn gate(service: &Service) -> Verdict {
    comparison(&service.state, &settings()).expect("arms were heard").verdict
}

fn one(service: &Service) -> &Finding {
    let [finding] = service.findings.as_slice() else { panic!("{:?}", service.kinds()) };
    finding
}

/// Both report well for half an hour; then the deployment ends, and what follows is told.
fn after_the_end(status: Status, then: &[Sender]) -> Service {
    let mut chance = Chance::of(3);
    let (end, to_ms) = (OUT_MS + HALF_AN_HOUR, OUT_MS + 2 * HALF_AN_HOUR);
    let mut all: Vec<Event> = first_release().into();
    all.extend(OLD.tells(&mut chance, 10 * S, end));
    all.push(begun());
    all.extend(NEW.tells(&mut chance, OUT_MS, end));
    all.push(ended(status, end));
    for sender in then {
        all.extend(sender.tells(&mut chance, end, to_ms));
    }
    play(all)
}

#[test]
fn a_rollout_that_ends_is_not_held_against_its_release() {
    let found = |then: &[Sender]| after_the_end(Status::Success, then).kinds();
    assert_eq!(found(&[ALL]), [], "everybody is the baseline again");
    assert_eq!(found(&[Sender { arm: Some("canary"), ..ALL }]), [], "the new one keeps its label");
    let service = after_the_end(Status::Success, &[ALL]);
    assert_eq!(service.health().verdict, Verdict::Healthy);
    // Pods of the old version go a while after.
    let mut lingering = Chance::of(4);
    let end = OUT_MS + HALF_AN_HOUR;
    let mut all: Vec<Event> = first_release().into();
    all.extend(OLD.tells(&mut lingering, 10 * S, end + HALF_AN_HOUR));
    all.push(begun());
    all.extend(NEW.tells(&mut lingering, OUT_MS, end + 40 * S));
    all.push(ended(Status::Success, end));
    assert_eq!(play(all).kinds(), []);
}

#[test]
fn arms_that_are_told_of_only_during_a_rollout_leave_nothing_behind() {
    let mut chance = Chance::of(21);
    let end = OUT_MS + 600 * S;
    let mut all: Vec<Event> = first_release().into();
    all.extend(Sender { every_ms: 15 * S, ..WHOLE }.tells(&mut chance, 10 * S, 7200 * S));
    all.push(begun());
    all.extend(OLD.tells(&mut chance, OUT_MS, end));
    all.extend(NEW.tells(&mut chance, OUT_MS, end));
    all.push(ended(Status::Success, end));
    all.push(deployment("d3", "v3", Status::Running, 7200 * S));
    let mut service = play(all);
    assert_eq!(service.kinds(), []);
    assert_eq!(service.health().because.iter().filter(|because| because.metric == "canary").count(), 0);
    // Nobody reports any more: that is found once, and not looked at for ever.
    look(&mut service, 9000 * S);
    assert_eq!(service.kinds(), [FindingKind::Blind]);
}

#[test]
fn a_release_that_never_had_a_new_version_beside_the_old_one_is_let_be() {
    let mut chance = Chance::of(5);
    let mut all: Vec<Event> = first_release().into();
    all.extend(OLD.tells(&mut chance, 10 * S, 7200 * S));
    all.extend([begun(), ended(Status::Success, OUT_MS + 30 * S)]);
    all.push(deployment("d3", "v3", Status::Running, 3600 * S));
    assert_eq!(play(all).kinds(), []);
}

#[test]
fn a_release_that_was_taken_back_is_not_found_a_second_time() {
    let mut chance = Chance::of(6);
    let back = OUT_MS + 120 * S;
    let mut all: Vec<Event> = first_release().into();
    all.extend(OLD.tells(&mut chance, 10 * S, back));
    all.push(begun());
    all.extend(Sender { bad: 0.3, ..NEW }.tells(&mut chance, OUT_MS, back));
    let mut rollback = deployment("d3", "v1", Status::Success, back);
    rollback.kind = EventKind::Rollback;
    all.push(rollback);
    all.extend(ALL.tells(&mut chance, back, back + HALF_AN_HOUR));
    let service = play(all);
    let finding = one(&service);
    assert_eq!((finding.kind.clone(), finding.version.as_deref()), (FindingKind::ErrorRateHigh, Some("v2")));
}

#[test]
fn a_bad_release_that_ended_and_was_taken_back_unannounced_is_not_silent() {
    let mut chance = Chance::of(22);
    let ill = Sender { bad: 0.3, ..NEW };
    let (end, back) = (OUT_MS + 120 * S, OUT_MS + 240 * S);
    let mut all: Vec<Event> = first_release().into();
    all.extend(OLD.tells(&mut chance, 10 * S, back + HALF_AN_HOUR));
    all.extend([begun(), ended(Status::Success, end)]);
    all.extend(ill.tells(&mut chance, OUT_MS, back));
    // One report comes long after it was taken back.
    all.extend(NEW.tells(&mut chance, back + 300 * S, back + 305 * S));
    assert_eq!(play(all).kinds(), [FindingKind::ErrorRateHigh]);
}

#[test]
fn a_new_version_that_falls_silent_is_found_once_and_explained() {
    let mut chance = Chance::of(7);
    let mut all: Vec<Event> = first_release().into();
    all.extend(OLD.tells(&mut chance, 10 * S, OUT_MS + HALF_AN_HOUR));
    all.push(begun());
    all.extend(NEW.tells(&mut chance, OUT_MS, OUT_MS + 60 * S));
    let service = play(all.clone());
    let finding = one(&service);
    assert_eq!((finding.kind.clone(), finding.health.verdict), (FindingKind::DeploymentFailed, Verdict::Bad));
    assert!(finding.found_at <= OUT_MS + 300 * S, "{}", finding.found_at);
    let because = &finding.health.because[0];
    assert!(because.text.contains("the new one has been silent for"), "{}", because.text);
    assert!(because.observed >= because.bound, "{because:?}");
    let texts: Vec<&str> = finding.health.because.iter().map(|because| because.text.as_str()).collect();
    assert!(texts.iter().any(|text| text.starts_with("errors: canary ")), "{texts:?}");
    assert!(texts.contains(&"another verdict takes a new deployment, or the event `resolved`"), "{texts:?}");
    assert_eq!(gate(&service), Verdict::Bad);
    // It comes back, and is judged anew.
    let back = OUT_MS + HALF_AN_HOUR;
    all.extend(OLD.tells(&mut chance, back, back + HALF_AN_HOUR));
    all.extend(NEW.tells(&mut chance, back, back + HALF_AN_HOUR));
    let service = play(all);
    assert_eq!(service.kinds(), [FindingKind::DeploymentFailed]);
    assert_eq!(gate(&service), Verdict::Healthy);
}

#[test]
fn a_new_version_whose_target_is_down_is_bad_and_not_blind() {
    let check = |down_from_ms: u64, announced: bool| {
        let mut chance = Chance::of(8);
        let mut all: Vec<Event> = first_release().into();
        all.extend(OLD.tells(&mut chance, 10 * S, OUT_MS + HALF_AN_HOUR));
        let mut begun = begun();
        if announced {
            begun.attributes.push(("arm".to_owned(), "canary".to_owned()));
        }
        all.push(begun);
        all.extend(NEW.tells(&mut chance, OUT_MS, down_from_ms));
        if !announced {
            let down = (down_from_ms..OUT_MS + HALF_AN_HOUR).step_by(5 * S as usize);
            all.extend(down.map(|at_ms| unread(Some("canary"), at_ms)));
        }
        let service = play(all);
        let finding = one(&service);
        assert_eq!(finding.kind, FindingKind::DeploymentFailed, "{down_from_ms}");
        assert!(finding.found_at <= down_from_ms + 330 * S, "{}", finding.found_at);
    };
    check(OUT_MS + 120 * S, false);
    // Never up at all: its target is known, or its deployment says that it is there.
    check(OUT_MS, false);
    check(OUT_MS, true);
}

#[test]
fn a_canary_without_requests_is_there() {
    let mut chance = Chance::of(9);
    let mut all: Vec<Event> = first_release().into();
    all.extend(OLD.tells(&mut chance, 10 * S, OUT_MS + HALF_AN_HOUR));
    all.push(begun());
    let times = (OUT_MS..OUT_MS + HALF_AN_HOUR).step_by(5 * S as usize);
    all.extend(times.map(|at_ms| counted(Some("canary"), 0, 0, at_ms)));
    let service = play(all);
    assert_eq!(service.kinds(), []);
    assert_eq!(gate(&service), Verdict::Watching);
}

#[test]
fn slow_telemetry_is_neither_silence_nor_cover() {
    let check = |every_s: u64, offset_s: u64, new_s: u64, old_s: u64| {
        let old = Sender { every_ms: every_s * S, delay_ms: old_s * S, ..OLD };
        let new = Sender { every_ms: every_s * S, offset_ms: offset_s * S, delay_ms: new_s * S, ..NEW };
        let shown = format!("every {every_s} s, {offset_s} s apart, {new_s} and {old_s} s late");
        let well = side_by_side(old, new);
        assert_eq!(well.kinds(), [], "{shown}");
        // Six reports in half an hour prove nothing good yet.
        let expected = if every_s > 60 { Verdict::Watching } else { Verdict::Healthy };
        assert_eq!(gate(&well), expected, "{shown}");
        let ill = side_by_side(old, Sender { bad: 10.0 * USUAL, ..new });
        assert_eq!(ill.kinds(), [FindingKind::ErrorRateHigh], "{shown}");
    };
    for every_s in [5, 10, 15, 60] {
        for late_s in [0, 2, 8, 20, 45] {
            check(every_s, 0, late_s, 0);
            check(every_s, 0, 0, late_s);
        }
        check(every_s, every_s / 3, 0, 0);
        check(every_s, every_s - 1, 2, 0);
    }
    check(60, 31, 0, 0);
    check(300, 0, 0, 0);
}

#[test]
fn a_clock_that_is_wrong_is_not_silence_and_is_told() {
    // Ninety seconds behind: heard, and never comparable.
    let behind = Sender { delay_ms: 90 * S, offset_ms: 0, ..NEW };
    let service = side_by_side(OLD, behind);
    assert_eq!(service.kinds(), []);
    let told = comparison(&service.state, &settings()).expect("arms were heard");
    assert_eq!(told.verdict, Verdict::Watching);
    assert!(told.because.text.contains("too late to be compared"), "{}", told.because.text);
}

#[test]
fn pods_that_report_in_the_same_second_all_count() {
    let check = |bad_pods: u64, expected: &[FindingKind]| {
        let mut chance = Chance::of(10);
        let mut all: Vec<Event> = first_release().into();
        let mut pods = |arm: &'static str, count: u64, bad: u64, from_ms: u64, to_ms: u64| {
            for at_ms in (from_ms..to_ms).step_by(5 * S as usize) {
                for pod in 0..count {
                    let share = if pod < bad { 0.9 } else { USUAL };
                    let tally = chance.tally(45, share, 1);
                    let mut event = counted(Some(arm), tally.bad, tally.total, at_ms);
                    event.id = format!("{arm}-{pod}-{at_ms}");
                    all.push(event);
                }
            }
        };
        pods("baseline", 10, 0, 10 * S, OUT_MS + HALF_AN_HOUR);
        pods("canary", 5, bad_pods, OUT_MS, OUT_MS + HALF_AN_HOUR);
        all.push(begun());
        // The last one of five is the broken one, as pods are told in order.
        all.reverse();
        assert_eq!(play(all).kinds(), expected, "{bad_pods} bad ones");
    };
    check(0, &[]);
    check(1, &[FindingKind::ErrorRateHigh]);
}

#[test]
fn one_request_in_the_first_step_does_not_settle_what_latency_is() {
    for first in [1, 40] {
        let told = |arm: &str, ms: f64, samples: u64, at_ms: u64| {
            of_arm(Some(arm), vec![signal("latency-ms", ms, samples)], at_ms)
        };
        let mut all: Vec<Event> = first_release().into();
        all.push(told("baseline", 100.0, first, 10 * S));
        let usual = |at_ms: u64| 100.0 + (at_ms / 5000 % 7) as f64;
        for at_ms in (15 * S..OUT_MS + HALF_AN_HOUR).step_by(5000) {
            all.push(told("baseline", usual(at_ms), 400, at_ms));
            if at_ms >= OUT_MS {
                all.push(told("canary", 4.0 * usual(at_ms), 400, at_ms));
            }
        }
        all.push(begun());
        assert_eq!(play(all).kinds(), [FindingKind::LatencyHigh], "{first}");
    }
}

#[test]
fn what_cannot_be_read_is_blind_within_a_minute_and_no_longer_than_that() {
    for (every_s, reports) in [(15, 60), (30, 60), (15, 1), (300, 3)] {
        let mut chance = Chance::of(11);
        let end = 10 * S + reports * every_s * S;
        let mut all: Vec<Event> = first_release().into();
        all.extend(Sender { every_ms: every_s * S, ..WHOLE }.tells(&mut chance, 10 * S, end));
        all.extend((1..40).map(|step| unread(None, end + step * 15 * S)));
        let service = play(all.clone());
        let finding = one(&service);
        assert_eq!(finding.kind, FindingKind::Blind);
        assert!(finding.found_at <= end + 60 * S, "{every_s}");
        assert_eq!(service.health().verdict, Verdict::Blind);
        all.extend(WHOLE.tells(&mut chance, end + 600 * S, end + 700 * S));
        let service = play(all);
        assert_ne!(service.health().verdict, Verdict::Blind);
    }
}

#[test]
fn numbers_that_come_after_an_outage_are_judged() {
    let mut chance = Chance::of(12);
    let back = OUT_MS + 480 * S;
    let mut all: Vec<Event> = first_release().into();
    all.extend(OLD.tells(&mut chance, 10 * S, OUT_MS));
    all.push(begun());
    all.extend((OUT_MS..back).step_by(5 * S as usize).map(|at_ms| unread(None, at_ms)));
    let kept = OLD.tells(&mut chance, OUT_MS, back).into_iter();
    let kept = kept.chain(Sender { bad: 0.2, ..NEW }.tells(&mut chance, OUT_MS, back));
    let mut kept: Vec<Event> = kept.collect();
    kept.sort_by_key(|event| event.occurred_at);
    all.extend(kept.into_iter().map(|event| Event { received_at: back, ..event }));
    assert_eq!(play(all).kinds(), [FindingKind::Blind, FindingKind::ErrorRateHigh]);
}

#[test]
fn one_old_report_does_not_put_off_the_next_look() {
    let mut service = side_by_side(OLD, NEW);
    let due = service.recheck_at_ms.expect("somebody looks again");
    let buffered = counted(Some("baseline"), 4, 450, service.now_ms - 600 * S);
    service.take(&Event { id: "buffered".into(), received_at: service.now_ms, ..buffered });
    assert_eq!(service.recheck_at_ms, Some(due));
}

/// A state that the form before this one wrote: sixty seconds of a canary.
const FORM_1: &[u8] = include_bytes!("data/service-form-1.json");

#[test]
fn a_comparison_of_the_first_form_goes_on_where_it_was() {
    let state = ServiceState::decode(Some(FORM_1)).expect("the first form");
    let told = comparison(&state, &settings()).expect("arms were heard");
    assert_eq!((told.verdict, told.because.samples), (Verdict::Watching, 600));
    let mut service = Service { state, now_ms: 660 * S, ..Service::default() };
    let mut chance = Chance::of(13);
    let mut both = OLD.tells(&mut chance, 660 * S, 900 * S);
    both.extend(Sender { bad: 0.2, ..NEW }.tells(&mut chance, 660 * S, 900 * S));
    both.sort_by_key(|event| event.received_at);
    both.iter().for_each(|event| service.take(event));
    assert_eq!(one(&service).kind, FindingKind::ErrorRateHigh);
    let again = ServiceState::decode(Some(&service.state.encode())).expect("just written");
    assert_eq!(again, service.state);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever their pace and however late, two versions that are alike are let be, and a look is
    /// never due again at the time it was made.
    #[test]
    fn alike_is_never_found_whoever_tells_of_it(
        old_s in 1_u64..40,
        new_s in 1_u64..40,
        offset_ms in 0_u64..40_000,
        old_late_ms in 0_u64..30_000,
        new_late_ms in 0_u64..30_000,
        ends_s in 60_u64..1800,
        status in prop::sample::select(vec![Status::Success, Status::Cancelled, Status::Superseded]),
    ) {
        let mut chance = Chance::of(14);
        let old = Sender { every_ms: old_s * S, delay_ms: old_late_ms, ..OLD };
        let new = Sender { every_ms: new_s * S, offset_ms, delay_ms: new_late_ms, ..NEW };
        let (end, to_ms) = (OUT_MS + ends_s * S, OUT_MS + HALF_AN_HOUR + 600 * S);
        let mut all: Vec<Event> = first_release().into();
        all.extend(old.tells(&mut chance, 10 * S, to_ms));
        all.push(begun());
        all.extend(new.tells(&mut chance, OUT_MS, end));
        all.push(ended(status, end));
        let service = play(all.into_iter().filter(|event| event.received_at < to_ms));
        prop_assert_eq!(service.kinds(), []);
    }
}

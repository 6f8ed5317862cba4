//! Whole lives of services that are well: releases of every style, senders of every pace, late, twice
//! and out of order, telemetry that fails now and then. What is told goes through the detector as it
//! is wired, not to the judge alone.
#![allow(missing_docs, reason = "a test")]

mod common;
mod simulate;

use common::{S, Service, deployment, event};
use homeostat_schema::types::{Event, EventKind, Finding, FindingKind, Signal, Status};
use simulate::Chance;

const MINUTE: u64 = 60 * S;
/// Seeds that are played.
const LIVES: u64 = 32;

/// How a service tells of itself, for its whole life.
#[derive(Debug, Clone)]
struct World {
    seed: u64,
    /// Requests a second, on average over the day.
    rate: f64,
    /// The share of requests that fails, in bursts of so many.
    bad: f64,
    burst: u64,
    /// Between two reports of a replica of the old version, and of the new one.
    every_ms: u64,
    canary_every_ms: u64,
    offset_ms: u64,
    /// How late reports come, on average; 20 seconds at most.
    late_ms: f64,
    pods: u64,
    /// The part of the requests that the new version gets.
    share: f64,
    /// The share of reports that is told twice.
    twice: f64,
    /// Whether the old version has its label also when there is no other.
    labelled: bool,
    latency: Latency,
    /// The share of scrapes that fails.
    failing: f64,
    /// How many times more errors the last version has, and how much slower it is.
    canary_bad: f64,
    canary_slow: f64,
}

/// How latency is told.

#[derive(Debug, Clone, Copy, PartialEq)]
enum Latency {
    None,
    /// One request's.
    Single,
    /// A quantile of many.
    Level,
    /// One request's, in the event's own field.
    Field,
}

/// How a release goes out.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Style {
    /// Beside the old version, which it follows.
    Canary,
    /// The same, with more and more of the requests.
    Ramp,
    /// Beside the old version, which stays.
    Cancelled,
    /// In place of the old version.
    Plain,
}

const STYLES: [Style; 4] = [Style::Canary, Style::Ramp, Style::Cancelled, Style::Plain];
/// What a ramp gives to the new version, one after the other.
const RAMP: [f64; 4] = [0.05, 0.25, 0.5, 0.9];

fn pick<T: Copy>(chance: &mut Chance, of: &[T]) -> T {
    of[(chance.bits() % of.len() as u64) as usize]
}

impl World {
    fn of(seed: u64) -> Self {
        let chance = &mut Chance::of(seed);
        let every_ms = pick(chance, &[1, 5, 10, 15, 30, 60]) * S;
        Self {
            seed,
            rate: pick(chance, &[0.5, 5.0, 20.0, 100.0, 300.0]),
            bad: pick(chance, &[0.0, 0.001, 0.005, 0.02]),
            burst: pick(chance, &[1, 1, 1, 10]),
            every_ms,
            canary_every_ms: pick(chance, &[every_ms, every_ms, 5 * S, 15 * S, 60 * S]),
            offset_ms: chance.bits() % 60_000,
            late_ms: pick(chance, &[0.0, 0.0, 500.0, 3_000.0, 15_000.0]),
            pods: pick(chance, &[1, 1, 2, 5]),
            share: pick(chance, &[0.05, 0.1, 0.25, 0.5]),
            twice: pick(chance, &[0.0, 0.0, 0.05]),
            labelled: chance.unit() < 0.7,
            latency: pick(chance, &[Latency::None, Latency::Single, Latency::Level, Latency::Field]),
            failing: pick(chance, &[0.0, 0.0, 0.01]),
            canary_bad: 1.0,
            canary_slow: 1.0,
        }
    }
}

struct Life {
    world: World,
    chance: Chance,
    events: Vec<Event>,
    serial: u64,
}

fn signal(name: &str, value: f64, samples: u64) -> Signal {
    Signal { name: name.into(), value, unit: "1".into(), samples }
}

impl Life {
    fn push(&mut self, mut event: Event) {
        self.serial += 1;
        event.id = format!("{}-{}", event.id, self.serial);
        if self.world.late_ms > 0.0 && matches!(event.kind, EventKind::Observation) {
            let late = -self.world.late_ms * (1.0 - self.chance.unit()).ln();
            event.received_at += late.min(20_000.0) as u64;
        }
        if self.chance.unit() < self.world.twice {
            let mut again = event.clone();
            again.received_at += 1000;
            self.events.push(again);
        }
        self.events.push(event);
    }

    /// Reports of one arm from one time to another, with these parts of the requests one after the other.
    fn arm(&mut self, arm: Option<&str>, shares: &[f64], times: (f64, f64), (from_ms, to_ms): (u64, u64)) {
        let world = self.world.clone();
        let canary = arm == Some("canary");
        let every_ms = if canary { world.canary_every_ms } else { world.every_ms };
        let offset = if canary { world.offset_ms % every_ms } else { 0 };
        let first = from_ms.div_ceil(every_ms) * every_ms + offset;
        for at_ms in (first..to_ms).step_by(every_ms as usize) {
            let share = shares[((at_ms - from_ms) * shares.len() as u64 / (to_ms - from_ms)) as usize];
            if self.chance.unit() < world.failing {
                let mut event = event(EventKind::Observation, Status::Unknown, at_ms);
                event.attributes.extend(arm.map(|arm| ("arm".to_owned(), arm.to_owned())));
                event.attributes.push(("scrape".to_owned(), "failed".to_owned()));
                self.push(event);
                continue;
            }
            for _ in 0..world.pods {
                let day = 1.0 + 0.6 * (at_ms as f64 / 86_400_000.0 * std::f64::consts::TAU).sin();
                let mean = world.rate * share * day * every_ms as f64 / 1000.0 / world.pods as f64;
                let total = if mean > 200.0 {
                    (mean + mean.sqrt() * (self.chance.unit() - 0.5) * 3.0) as u64
                } else {
                    self.chance.poisson(mean)
                };
                let tally = self.chance.tally(total, (world.bad * times.0).min(1.0), world.burst);
                let mut event = event(EventKind::Observation, Status::Unknown, at_ms);
                event.attributes.extend(arm.map(|arm| ("arm".to_owned(), arm.to_owned())));
                event.signals =
                    vec![signal("requests", tally.total as f64, 1), signal("errors", tally.bad as f64, 1)];
                let ms = times.1 * 100.0 * (0.7 * (self.chance.unit() + self.chance.unit() - 1.0)).exp();
                match world.latency {
                    Latency::None => {}
                    Latency::Single => event.signals.push(signal("latency-ms", ms, 1)),
                    Latency::Level => {
                        let level = times.1 * 100.0 * (0.1 * (self.chance.unit() - 0.5)).exp();
                        event.signals.push(signal("latency-ms", level, total));
                    }
                    Latency::Field => event.latency = Some(ms),
                }
                self.push(event);
            }
        }
    }
}

/// A life of so many releases, of which the last is under way when it ends, and as bad as its world
/// says.
fn life(world: World, releases: u64) -> Vec<Event> {
    let mut chance = Chance::of(world.seed ^ 0x5eed);
    let old = world.labelled.then_some("baseline");
    let mut life = Life { world, chance: Chance::of(chance.bits()), events: Vec::new(), serial: 0 };
    life.push(deployment("d0", "v0", Status::Running, S));
    life.push(deployment("d0", "v0", Status::Success, 2 * S));
    let mut now = 3 * S;
    for at in 1..=releases {
        let calm = (5 + chance.bits() % 40) * MINUTE;
        life.arm(old, &[1.0], (1.0, 1.0), (now, now + calm));
        now += calm;
        let (name, version) = (format!("d{at}"), format!("v{at}"));
        let last = at == releases;
        let style = if last { Style::Canary } else { pick(&mut chance, &STYLES) };
        let out = (1 + chance.bits() % 30) * MINUTE + if last { 30 * MINUTE } else { 0 };
        let end = now + if style == Style::Plain { 40 * S } else { out };
        life.push(deployment(&name, &version, Status::Running, now));
        let times = if last { (life.world.canary_bad, life.world.canary_slow) } else { (1.0, 1.0) };
        let shares: &[f64] = match style {
            Style::Plain => &[0.0],
            Style::Ramp => &RAMP,
            Style::Canary | Style::Cancelled => &[life.world.share],
        };
        let others: Vec<f64> = shares.iter().map(|share| 1.0 - share).collect();
        let label = if style == Style::Plain { old } else { Some("baseline") };
        life.arm(label, &others, (1.0, 1.0), (now, end));
        if style != Style::Plain {
            life.arm(Some("canary"), shares, times, (now + 20 * S, end));
        }
        let status = if style == Style::Cancelled { Status::Cancelled } else { Status::Success };
        if !last {
            life.push(deployment(&name, &version, status, end));
        }
        now = end;
    }
    life.events
}

fn play(mut events: Vec<Event>) -> Service {
    events.sort_by_key(|event| event.received_at);
    let mut service = Service::default();
    for event in events {
        while let Some(due) = service.recheck_at_ms.filter(|due| *due <= event.received_at) {
            let now = due.max(service.now_ms);
            service.recheck(now);
            assert!(service.recheck_at_ms.is_none_or(|due| due > now));
        }
        service.take(&event);
    }
    service
}

/// Shown with what may have led to it.
fn shown(world: &World, finding: &Finding) -> String {
    let text = finding.health.because.first().map(|because| because.text.as_str());
    format!("{:?} of {:?} at {} s: {text:?}\n{world:?}", finding.kind, finding.version, finding.found_at / S)
}

/// Six releases each. In 400 such lives, 2,400 releases, none was found, and blind were only services
/// of which scrapes fail.
#[test]
fn whoever_is_well_is_let_be() {
    for seed in 0..LIVES {
        let world = World::of(seed);
        for finding in play(life(world.clone(), 6)).findings {
            let unread = finding.kind == FindingKind::Blind && world.failing > 0.0;
            assert!(unread, "{}", shown(&world, &finding));
        }
    }
}

fn found(kind: &FindingKind, worse: impl Fn(&mut World)) {
    for seed in 0..LIVES {
        let mut world = World::of(seed);
        (world.rate, world.burst, world.failing) = (world.rate.max(20.0), 1, 0.0);
        worse(&mut world);
        let service = play(life(world.clone(), 3));
        let findings: Vec<_> =
            service.findings.iter().map(|one| (&one.kind, one.version.as_deref())).collect();
        assert_eq!(findings, [(kind, Some("v3"))], "{world:?}");
    }
}

#[test]
fn a_new_version_with_ten_times_the_errors_is_found_in_every_world() {
    found(&FindingKind::ErrorRateHigh, |world| {
        (world.bad, world.canary_bad) = (world.bad.max(0.005), 10.0);
    });
}

#[test]
fn a_new_version_that_is_five_times_as_slow_is_found_in_every_world() {
    found(&FindingKind::LatencyHigh, |world| {
        world.latency = if world.latency == Latency::None { Latency::Level } else { world.latency };
        world.canary_slow = 5.0;
        // Single latencies are compared once there are two hundred.
        (world.every_ms, world.canary_every_ms) = (5 * S, world.canary_every_ms.min(15 * S));
    });
}

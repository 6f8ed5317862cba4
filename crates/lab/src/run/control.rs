//! What must fail, on lives that the judge looks at as well: detectors that know nothing, and the
//! judge shown what it must not fall for.

use homeostat_detection::judge::Arm;
use homeostat_detection::sequential::Tally;

use super::Life;
use super::counts::{end, tell};
use crate::frozen::Frozen;
use crate::record::{Lines, Said};
use crate::seed::Random;
use crate::sim::counts::Tick;
use crate::system::Ours;

pub(super) fn life(life: Life, ticks: &[Tick], frozen: &Frozen, lines: &mut Lines) {
    let name = life.name();
    let mut say = |system: &str, said: &Said| lines.decision(&name, &format!("control:{system}"), said);
    say("null", &Said::default());
    say("random", &at_random(&mut life.random("control"), frozen));
    say("swapped", &judged(ticks.iter().map(swapped), frozen, tell));
    say("zero", &judged(ticks.iter().map(without_errors), frozen, tell));
    say("duplicated", &judged(ticks.iter().copied(), frozen, tell_twice));
    say("silent", &judged(ticks.iter().copied(), frozen, tell_without_canary));
    say("blind", &judged(ticks.iter().copied(), frozen, tell_until_blind));
}

/// Calls every second life, at any time.
fn at_random(random: &mut Random, frozen: &Frozen) -> Said {
    let mut said = Said::default();
    if random.chance(0.5) {
        said.call(random.below(u64::from(frozen.counts.life_s)) as f64);
    }
    said
}

fn judged(ticks: impl Iterator<Item = Tick>, frozen: &Frozen, tell: fn(&mut Ours, &Tick, &Frozen)) -> Said {
    let mut ours = Ours::new(&frozen.judge);
    for tick in ticks {
        tell(&mut ours, &tick, frozen);
        if ours.called() {
            break;
        }
    }
    ours.said
}

/// The arms' names are mixed up; before the canary's start there is only one.
fn swapped(tick: &Tick) -> Tick {
    if tick.at_s < 0 {
        return *tick;
    }
    Tick { at_s: tick.at_s, baseline: tick.canary, canary: tick.baseline }
}

fn without_errors(tick: &Tick) -> Tick {
    let clean = |tally: Tally| Tally { bad: 0, ..tally };
    Tick { at_s: tick.at_s, baseline: clean(tick.baseline), canary: clean(tick.canary) }
}

/// Everything twice, the canary first; nothing is new in what comes again.
fn tell_twice(ours: &mut Ours, tick: &Tick, frozen: &Frozen) {
    let at_s = end(tick, frozen);
    for _ in 0..2 {
        if tick.at_s >= 0 {
            ours.counts(Some(Arm::Canary), at_s, tick.canary);
        }
        ours.counts(Some(Arm::Baseline), at_s, tick.baseline);
    }
}

fn tell_without_canary(ours: &mut Ours, tick: &Tick, frozen: &Frozen) {
    if tick.at_s < i64::from(frozen.controls.silent_from_s) {
        return tell(ours, tick, frozen);
    }
    ours.counts(Some(Arm::Baseline), end(tick, frozen), tick.baseline);
}

fn tell_until_blind(ours: &mut Ours, tick: &Tick, frozen: &Frozen) {
    if tick.at_s < i64::from(frozen.controls.blind_from_s) {
        return tell(ours, tick, frozen);
    }
    ours.event("scrape_failed", end(tick, frozen));
    ours.wait(end(tick, frozen));
}

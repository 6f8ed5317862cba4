//! S6: is it fixed? A call here is the proof that it is; the hold-out after it is not waited for,
//! so that a false proof counts even where the hold-out would have caught it.

use homeostat_detection::sequential::{Dispersion, Tally};
use homeostat_detection::verify::{Before, Counted, Verdict, Verification};

use super::{Life, OURS};
use crate::frozen::Frozen;
use crate::record::{Lines, Said};
use crate::seed::Random;
use crate::sim::repair::{self, Repair, Service};

/// Some time.
const ATTEMPT_MS: u64 = 1_704_067_200_000;

pub(super) fn life(life: Life, repair: Repair, frozen: &Frozen, lines: &mut Lines) {
    let mut random = life.random("life");
    let before = before(&frozen.repair, repair, &mut random);
    let said = said(&before, &frozen.repair, repair, &mut random);
    lines.decision(&life.name(), OURS, &said);
}

/// What was counted before the attempt.
fn before(service: &Service, repair: Repair, random: &mut Random) -> Before {
    let mut dispersion = Dispersion::default();
    let mut usual = Tally::default();
    for _ in 0..repair.usual_s / service.tick_s {
        let tally = repair::tick(service, 1.0, repair.spread, random);
        dispersion.observe(tally);
        usual = usual.plus(tally);
    }
    let ticks =
        (0..service.bad_s / service.tick_s).map(|_| repair::tick(service, repair.was, repair.spread, random));
    let bad = ticks.fold(Tally::default(), Tally::plus);
    Before { usual, bad, dispersion: dispersion.estimate().unwrap_or(1.0), attempt_ms: ATTEMPT_MS }
}

fn said(before: &Before, service: &Service, repair: Repair, random: &mut Random) -> Said {
    let mut said = Said::default();
    // Where the two rates cannot be told apart nothing is ever called fixed.
    let Ok(mut verification) = Verification::begin(before) else { return said };
    for index in 1..=u64::from(service.life_s / service.tick_s) {
        let after_s = index * u64::from(service.tick_s);
        let now_ms = ATTEMPT_MS + after_s * 1000;
        let tally = repair::tick(service, repair.is, repair.spread, random);
        verification.observe(Counted { source: "lab", at_ms: now_ms - 1, tally }, now_ms);
        match verification.judge(now_ms, None).verdict {
            Verdict::Proven | Verdict::Fixed => {
                said.call(after_s as f64);
                return said;
            }
            Verdict::Worse => return said,
            _ => {}
        }
    }
    said
}

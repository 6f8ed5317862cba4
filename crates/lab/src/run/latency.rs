//! S2: the judge on latencies.

use homeostat_detection::judge::Arm;

use super::{Life, OURS};
use crate::frozen::Frozen;
use crate::record::Lines;
use crate::sim::latency::{self, Slowdown};
use crate::system::Ours;

pub(super) fn life(life: Life, slowdown: Slowdown, frozen: &Frozen, lines: &mut Lines) {
    let mut ours = Ours::new(&frozen.judge);
    for tick in latency::Life::new(&frozen.latency, slowdown, life.random("life")) {
        let end = tick.at_s + i64::from(frozen.latency.tick_s);
        ours.samples(Arm::Baseline, end, tick.baseline);
        if tick.at_s >= 0 {
            ours.samples(Arm::Canary, end, tick.canary);
        }
        if ours.called() {
            break;
        }
    }
    lines.decision(&life.name(), OURS, &ours.said);
}

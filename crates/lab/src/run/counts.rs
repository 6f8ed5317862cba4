//! S1: the judge and the peers on the same counts.

use homeostat_detection::judge::Arm;

use super::{Life, OURS, control, peers};
use crate::cell::Who;
use crate::frozen::Frozen;
use crate::record::{Lines, Said};
use crate::sim::counts::{self, Fault, Tick, World};
use crate::system::Ours;

/// What is lived.
pub(super) struct Lived<'a> {
    pub(super) world: &'a World,
    pub(super) spread: f64,
    pub(super) fault: Fault,
}

pub(super) fn life(life: Life, lived: &Lived, frozen: &Frozen, lines: &mut Lines) {
    let simulate = |part: &str, fault| {
        counts::life(lived.world, &frozen.counts, lived.spread, fault, &mut life.random(part))
    };
    let ticks = simulate("life", lived.fault);
    let name = life.name();
    lines.decision(&name, OURS, &ours(&ticks, frozen));
    match life.cell.who {
        Who::Ours => {}
        Who::Peers => {
            let before = simulate("before", Fault::NONE);
            peers(&name, &frozen.peers, &ticks, &before, lines);
        }
        Who::Controls => control::life(life, &ticks, frozen, lines),
    }
}

/// When a tick is over.
pub(super) fn end(tick: &Tick, frozen: &Frozen) -> i64 {
    tick.at_s + i64::from(frozen.counts.tick_s)
}

/// What the judge says, until it calls.
fn ours(ticks: &[Tick], frozen: &Frozen) -> Said {
    let mut ours = Ours::new(&frozen.judge);
    for tick in ticks {
        tell(&mut ours, tick, frozen);
        if ours.called() {
            break;
        }
    }
    ours.said
}

/// Tells the judge of both arms.
pub(super) fn tell(ours: &mut Ours, tick: &Tick, frozen: &Frozen) {
    ours.counts(Some(Arm::Baseline), end(tick, frozen), tick.baseline);
    if tick.at_s >= 0 {
        ours.counts(Some(Arm::Canary), end(tick, frozen), tick.canary);
    }
}

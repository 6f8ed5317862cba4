//! S7: every deployment of a fleet, each a rollout of its own.
//!
//! The labels name the cell by what is true of a deployment; how many there are of each is the
//! world's, not the plan's.

use homeostat_detection::judge::{Arm, Settings};

use super::{Life, OURS};
use crate::cell::{FLEET_BAD, FLEET_GOOD};
use crate::frozen::Frozen;
use crate::record::Lines;
use crate::seed::opaque;
use crate::sim::fleet::{Fault, World, told};
use crate::system::Ours;

pub(super) fn world(life: Life, frozen: &Frozen, lines: &mut Lines) {
    let fleet = &frozen.fleet;
    let mut random = life.random("world");
    let world = World::new(fleet, &mut random);
    let settings = Settings { grace_ms: frozen.fleet_grace_ms, ..frozen.judge.clone() };
    for (number, deployment) in world.deployments.iter().enumerate() {
        let name = opaque(life.seed, &life.cell.name, 1 + number as u64);
        let bad = deployment.fault != Fault::None;
        lines.label(&name, if bad { FLEET_BAD } else { FLEET_GOOD });
        let ticks = world.ticks(fleet, deployment, &mut random);
        let mut ours = Ours::new(&settings);
        let mut deployed = false;
        for told in told(fleet, &ticks, &mut random) {
            if !deployed && told.arrives_ms >= 0 {
                ours.event("deployed", 0);
                deployed = true;
            }
            let arm = if told.of_canary { Arm::Canary } else { Arm::Baseline };
            ours.counts_stamped(arm, told.stamp_ms, told.arrives_ms, told.tally);
            if ours.called() {
                break;
            }
        }
        lines.decision(&name, OURS, &ours.said);
    }
}

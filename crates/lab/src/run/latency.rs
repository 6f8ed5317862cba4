//! S2: the judge and the peers on the same latencies.

use homeostat_detection::judge::Arm;

use super::{Life, OURS, peers};
use crate::cell::Who;
use crate::frozen::Frozen;
use crate::record::{Lines, Said};
use crate::sim::latency::{self, Slowdown, Tick};
use crate::system::Ours;

pub(super) fn life(life: Life, slowdown: Slowdown, frozen: &Frozen, lines: &mut Lines) {
    let simulate = |part: &str, slowdown| -> Vec<Tick> {
        latency::Life::new(&frozen.latency, slowdown, life.random(part)).collect()
    };
    let ticks = simulate("life", slowdown);
    let name = life.name();
    lines.decision(&name, OURS, &ours(&ticks, frozen));
    if life.cell.who == Who::Peers {
        let before = simulate("before", Slowdown::NONE);
        peers(&name, &frozen.latency_peers, &ticks, &before, lines);
    }
}

/// What the judge says, until it calls.
fn ours(ticks: &[Tick], frozen: &Frozen) -> Said {
    let mut ours = Ours::new(&frozen.judge);
    for tick in ticks {
        let end = tick.at_s + i64::from(frozen.latency.tick_s);
        ours.samples(Arm::Baseline, end, tick.baseline.clone());
        if tick.at_s >= 0 {
            ours.samples(Arm::Canary, end, tick.canary.clone());
        }
        if ours.called() {
            break;
        }
    }
    ours.said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frozen::FrozenError;
    use crate::run::peer;
    use crate::seed::Random;

    /// A setting that asks for what latencies do not have would never call.
    #[test]
    fn every_peer_notices_a_canary_a_hundred_times_as_slow() -> Result<(), FrozenError> {
        let frozen = Frozen::embedded()?;
        let simulate = |part: &str, all| -> Vec<Tick> {
            let slowdown = Slowdown { all, ..Slowdown::NONE };
            latency::Life::new(&frozen.latency, slowdown, Random::of(0, part, 0)).collect()
        };
        let (ticks, before) = (simulate("life", 100.0), simulate("before", 1.0));
        for plan in &frozen.latency_peers {
            for setting in [plan.default, plan.best] {
                let called = peer(&setting, &ticks, &before).is_some_and(|said| said.calls_s.len() == 1);
                assert!(called, "{} {setting:?}", plan.name);
            }
        }
        Ok(())
    }
}

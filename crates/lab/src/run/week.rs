//! S3: the judge on a stream with no control, and beside it the usual rule: a z-score against an
//! exponentially weighted past.

use homeostat_detection::sequential::Tally;

use super::{Life, OURS};
use crate::frozen::Frozen;
use crate::peers::ewma::Past;
use crate::record::{Lines, Said};
use crate::sim::week::{self, Worse};
use crate::system::Ours;

/// What is lived.
pub(super) struct Lived {
    pub(super) spread: f64,
    pub(super) worse: Option<Worse>,
    pub(super) life_s: u32,
}

/// The rule beside it; a call counts anew after it went back below.
const EWMA: &str = "ewma-z5";
const EWMA_WEIGHT: f64 = 0.05;
const EWMA_Z: f64 = 5.0;

pub(super) fn life(life: Life, lived: &Lived, frozen: &Frozen, lines: &mut Lines) {
    let stream = &frozen.week;
    let tick_s = i64::from(stream.tick_s);
    let (from, to) = (-i64::from(frozen.week_plan.history_s) / tick_s, i64::from(lived.life_s) / tick_s);
    let mut random = life.random("life");
    let mut ours = Ours::new(&frozen.judge);
    let mut ewma = Ewma::default();
    for index in from..to {
        let at_s = index * tick_s;
        if index == 0 {
            ours.event("deployed", 0);
        }
        let tally = week::tick(stream, lived.spread, lived.worse, at_s as f64, &mut random);
        let calls = ours.said.calls_s.len();
        ours.counts(None, at_s + tick_s, tally);
        ewma.look(at_s + tick_s, tally);
        // Somebody dealt with the call and said so.
        if ours.said.calls_s.len() > calls {
            if lived.worse.is_some() {
                break;
            }
            ours.event("resolved", at_s + tick_s);
        }
    }
    lines.decision(&life.name(), OURS, &ours.said);
    lines.decision(&life.name(), EWMA, &ewma.said);
}

#[derive(Default)]
struct Ewma {
    past: Past,
    above: bool,
    said: Said,
}

impl Ewma {
    fn look(&mut self, at_s: i64, tally: Tally) {
        let above = self.past.z(tally.share(), EWMA_WEIGHT).is_some_and(|z| z > EWMA_Z);
        if above && !self.above && at_s > 0 {
            self.said.call(at_s as f64);
        }
        self.above = above;
    }
}

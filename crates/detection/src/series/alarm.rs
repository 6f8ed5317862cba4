//! Has the series moved, and stayed there? Bets on the residual from what is usual.
//!
//! Two betting Shiryaev–Roberts detectors, one for each direction, on the residual of a robust
//! level (with the time of day taken off once it is known). As long as residuals are expected to be
//! no larger than they were in the worst block of the history they are measured by, a false alarm
//! comes on average after at least [`RUN_LENGTH`] values. Where a series wanders more than it did
//! in its history, that is found, rightly, to be a shift.
//!
//! What this does not do: say that the series is well again.

use serde::{Deserialize, Serialize};

use super::level::Level;
use super::season::Season;
use crate::sequential::EDetector;

/// Values between two false alarms, on average at least; of each direction.
pub(super) const RUN_LENGTH: f64 = 1e5;
/// Residuals are bounded: this many spreads are the most that counts.
const CAP: f64 = 8.0;
/// How fast the level follows; slow, so that a shift is seen before it is usual.
const RATE: f64 = 0.001;
/// Values in a block of the history, and blocks that say what is usual before any bet. A series
/// that wanders is above its level for a while: the highest block is the healthy mean.
const BLOCK: u32 = 60;
const BLOCKS: u32 = 10;
/// The healthy mean is taken to be this much above the highest past one.
const MEAN_MARGIN: f64 = 1.1;
/// The healthy mean of capped residuals is at least this: about that of normal noise.
const MEAN_MIN: f64 = 0.06;

/// The state of both directions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Alarm {
    level: Level,
    seen: u32,
    /// Of the block so far, and the highest of a whole block; of each direction.
    sums: [f64; 2],
    highest: [f64; 2],
    detectors: Option<[EDetector; 2]>,
}

impl Alarm {
    /// Takes a finite value, beside what is usual at the time of day if that is told; true when the series has moved. It then starts anew.
    pub(super) fn observe(&mut self, at_ms: i64, value: f64, season: Option<&Season>) -> bool {
        let value = value - season.map_or(0.0, |season| season.offset(at_ms));
        let residual = self.level.residual(value);
        let bets = [residual, -residual].map(|side| side.clamp(0.0, CAP) / CAP);
        self.level.observe(value, RATE);
        let Some(detectors) = &mut self.detectors else {
            self.learn(bets);
            return false;
        };
        for (detector, bet) in detectors.iter_mut().zip(bets) {
            detector.observe(bet);
        }
        let moved = self.value() >= RUN_LENGTH;
        if moved {
            *self = Self::default();
        }
        moved
    }

    /// The larger of the two detectors' values; 0 while it learns.
    pub(super) fn value(&self) -> f64 {
        self.detectors.iter().flatten().map(EDetector::value).fold(0.0, f64::max)
    }

    fn learn(&mut self, bets: [f64; 2]) {
        self.seen += 1;
        for (sum, bet) in self.sums.iter_mut().zip(bets) {
            *sum += bet;
        }
        if !self.seen.is_multiple_of(BLOCK) {
            return;
        }
        for (highest, sum) in self.highest.iter_mut().zip(&mut self.sums) {
            *highest = highest.max(*sum / f64::from(BLOCK));
            *sum = 0.0;
        }
        if self.seen >= BLOCK * BLOCKS {
            let means = self.highest.map(|mean| (MEAN_MARGIN * mean).max(MEAN_MIN));
            self.detectors = Some(means.map(|mean| EDetector::new(1.0, mean)));
        }
    }
}

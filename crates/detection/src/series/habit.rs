//! Which values are usual at which hour: a table of counts.
//!
//! What this does not do: weeks and holidays.
//! Invariant: [`HOURS`] times [`BINS`] counts of one byte, whatever is counted.

use serde::{Deserialize, Serialize};

const HOURS: usize = 24;
const BINS: usize = 24;
const HOUR_MS: i64 = 3_600_000;
/// Bins are this dense around the level, and logarithmic further away.
const DENSITY: f64 = 1.79;
/// When a count is above this, all of its hour are halved: a few weeks are remembered.
const COUNT_MAX: u8 = 250;
/// What was never seen counts as if it was seen this often.
const PRIOR: f64 = 0.3;

/// The counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Habit {
    counts: Vec<u8>,
}

impl Default for Habit {
    fn default() -> Self {
        Self { counts: vec![0; HOURS * BINS] }
    }
}

impl Habit {
    /// How rare a residual (in spreads) was at this hour, −ln of its share; then counts it.
    pub(super) fn observe(&mut self, at_ms: i64, residual: f64) -> f64 {
        let hour = usize::try_from(at_ms.div_euclid(HOUR_MS).rem_euclid(24)).unwrap_or_default();
        let Some(row) = self.counts.get_mut(hour * BINS..(hour + 1) * BINS) else { return 0.0 };
        let all: u32 = row.iter().map(|count| u32::from(*count)).sum();
        let Some(count) = row.get_mut(bin(residual)) else { return 0.0 };
        #[expect(clippy::cast_precision_loss, reason = "a small constant")]
        let share = (f64::from(*count) + PRIOR) / (f64::from(all) + PRIOR * BINS as f64);
        *count += 1;
        if *count > COUNT_MAX {
            row.iter_mut().for_each(|count| *count /= 2);
        }
        -share.ln()
    }

    /// Whether a stored one is well formed.
    pub(super) fn is_sound(&self) -> bool {
        self.counts.len() == HOURS * BINS && self.counts.iter().all(|count| *count <= COUNT_MAX)
    }
}

fn bin(residual: f64) -> usize {
    let bin = (12.0 + DENSITY * residual.asinh()).clamp(0.0, 23.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 23")]
    let bin = bin as usize;
    bin
}

//! How unusual a value is, from 0 to 1: several views of it, each held against its own past.
//!
//! What this does not do: keep a rate of false alarms. It opens tickets and is never a reason to
//! roll back; see `alarm` for the detector that keeps one.

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use super::level::Level;
use super::season::Season;

/// Views of a value.
const FEATURES: usize = 4;
/// So many powers of ten are the score 1.
const SURPRISE_MAX: f64 = 12.0;
/// What was surprising stays in mind: a share of it is gone with each value.
const HOLD: f64 = 0.997;
/// A value that surprises less than what is still in mind counts for this much.
const SHADOW: f64 = 0.3;

/// The state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Novelty {
    level: Level,
    season: Season,
    histograms: [Histogram; FEATURES],
    last: Option<f64>,
    held: f64,
}

impl Default for Novelty {
    fn default() -> Self {
        Self {
            level: Level::default(),
            season: Season::default(),
            histograms: std::array::from_fn(|_| Histogram::default()),
            last: None,
            held: 0.0,
        }
    }
}

impl Novelty {
    /// Scores a finite value from what came before it, and takes it.
    pub(super) fn observe(&mut self, at_ms: i64, value: f64) -> f64 {
        let unit = self.level.unit();
        let residual = self.level.residual(value);
        let change = self.last.map_or(0.0, |last| super::level::in_units(value - last, unit).abs());
        let seasonal = self.season.usual(at_ms).map_or(0.0, |usual| usual.residual(value, unit / 4.0).abs());
        let features = [residual.max(0.0), (-residual).max(0.0), change, seasonal];
        let mut surprise = 0.0_f64;
        for (histogram, feature) in self.histograms.iter_mut().zip(features) {
            surprise = surprise.max(histogram.surprise(feature));
            histogram.observe(feature);
        }
        self.level.observe(value, 0.002);
        self.season.observe(at_ms, value);
        self.last = Some(value);
        self.hold(surprise) / SURPRISE_MAX
    }

    fn hold(&mut self, surprise: f64) -> f64 {
        let surprise = surprise.min(SURPRISE_MAX);
        self.held *= HOLD;
        if surprise > self.held {
            self.held = surprise;
            surprise
        } else {
            surprise * SHADOW
        }
    }

    /// What is usual at each time of day.
    pub(super) fn season(&self) -> &Season {
        &self.season
    }

    /// Whether a stored one is well formed.
    pub(super) fn is_sound(&self) -> bool {
        self.season.is_sound() && self.histograms.iter().all(Histogram::is_sound)
    }
}

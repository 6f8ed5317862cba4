//! What a closed batch says of one stream, by its kind.

use super::batch::{Batch, Content, Lane};
use super::histogram::Histogram;
use crate::sequential::{Arms, Tally};

/// Both arms' counts; an arm that told nothing has none.
pub(super) fn arms(batch: &Batch, stream: u8) -> Arms {
    Arms { canary: tally(batch, stream, Lane::Canary), baseline: tally(batch, stream, Lane::Baseline) }
}

/// One lane's counts.
pub(super) fn tally(batch: &Batch, stream: u8, lane: Lane) -> Tally {
    match batch.content(stream, lane) {
        Some(Content::Counts(tally)) => *tally,
        _ => Tally::default(),
    }
}

/// One lane's measurements.
pub(super) fn values(batch: &Batch, stream: u8, lane: Lane) -> Histogram {
    match batch.content(stream, lane) {
        Some(Content::Values(values)) => values.clone(),
        _ => Histogram::default(),
    }
}

/// One lane's last level.
pub(super) fn level(batch: &Batch, stream: u8, lane: Lane) -> Option<f64> {
    match batch.content(stream, lane) {
        Some(Content::Level { value, .. }) => Some(*value),
        _ => None,
    }
}

//! Has a series of means moved, and stayed there? [`Series`](super::Series) without its score.
//!
//! What this does not do: keep a clock. Callers give evenly spaced means, each once and in order.

use serde::{Deserialize, Serialize};

use super::alarm::Alarm;
use super::season::Season;
use crate::stored::{self, Packed, StoredError};

/// The stored form's version, and what it is called.
const FORM: u32 = 1;
const WHAT: &str = "what is usual";
/// A series that is younger has no time of day, milliseconds.
const YOUNG_MS: i64 = 3_600_000;

/// The state: 200 bytes, and 900 more once it is an hour old and may follow the time of day.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Shift {
    alarm: Alarm,
    season: Option<Season>,
    first_ms: Option<i64>,
}

impl Shift {
    /// Takes a finite mean; true when the series has moved. It then learns anew.
    pub(crate) fn observe(&mut self, at_ms: i64, mean: f64, seasonal: bool) -> bool {
        let first_ms = *self.first_ms.get_or_insert(at_ms);
        if !seasonal {
            self.season = None;
        } else if at_ms.saturating_sub(first_ms) >= YOUNG_MS {
            self.season.get_or_insert_default();
        }
        let moved = self.alarm.observe(at_ms, mean, self.season.as_ref());
        if let Some(season) = &mut self.season {
            season.observe(at_ms, mean);
        }
        moved
    }
}

impl Packed for Shift {
    fn packed(&self) -> Vec<u8> {
        stored::pack(FORM, self)
    }

    fn unpacked(bytes: &[u8]) -> Result<Self, StoredError> {
        let state: Self = stored::unpack(WHAT, FORM, bytes)?;
        let sound = state.season.as_ref().is_none_or(Season::is_sound);
        if sound { Ok(state) } else { Err(StoredError::Damaged { what: WHAT }) }
    }
}

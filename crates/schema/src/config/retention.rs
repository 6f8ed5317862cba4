//! `[retention]`: how long what was received is kept.

use serde::{Deserialize, Serialize};

use super::Invalid;

/// A month of hours: replay is for mending yesterday, not for an archive.
const BODIES_HOURS_MAX: u32 = 30 * 24;

/// How long what was received is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Whole deliveries, those not understood and those that became events, compressed and
    /// encrypted with the key in the variable `body_key`, for replay; hours, 0 to 720; 0 keeps
    /// none. Without a key none is kept. Default: 72.
    pub bodies_hours: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { bodies_hours: 72 }
    }
}

impl Retention {
    /// How long such a delivery is kept, milliseconds.
    pub fn bodies_ms(&self) -> u64 {
        u64::from(self.bodies_hours) * 3_600_000
    }

    pub(super) fn validate(&self) -> Result<(), Invalid> {
        super::validate::within("retention.bodies_hours", self.bodies_hours, 0..=BODIES_HOURS_MAX)
    }
}

//! What is remembered from one look to the next, bounded.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::rhythm::Rhythm;

/// The form this version writes and reads.
const FORM: u32 = 1;

/// Missing deliveries remembered at once; beyond them the oldest by name are counted as given up.
pub(crate) const PENDING_MAX: usize = 1_000;
/// Firing alerts remembered as taken in.
pub(crate) const ALERTS_MAX: usize = 1_000;

/// What a reconciler knows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// What was asked: the memory of another question is of no use.
    pub(crate) ask: String,
    /// Everything up to here was looked at: the sender's own order.
    pub(crate) until: u64,
    /// Failed scrapes were told up to here, milliseconds since the epoch.
    #[serde(default)]
    pub(crate) told: u64,
    /// What did not arrive yet, by the id it would arrive under.
    pub(crate) pending: BTreeMap<String, Pending>,
    /// What will not be asked for any more, as long as it is still listed.
    #[serde(default)]
    pub(crate) let_go: BTreeSet<String>,
    /// Alerts that were taken in and fire still.
    pub(crate) alerts: BTreeSet<String>,
    /// When the source usually speaks.
    pub(crate) rhythm: Rhythm,
    /// Looks that failed one after another.
    pub(crate) failures: u32,
}

/// A delivery that did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// What to ask the sender for.
    pub(crate) delivery: u64,
    /// How often it was asked for.
    pub(crate) asked: u32,
    /// When, the last time.
    pub(crate) asked_at_ms: u64,
}

/// What was remembered cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not the JSON of any version.
    #[error("what the reconciler remembers is not readable")]
    Json(#[from] serde_json::Error),
    /// Written by a version this one does not know.
    #[error("what the reconciler remembers has form {0}, this version reads form {FORM}")]
    UnknownForm(u32),
}

#[derive(Serialize, Deserialize)]
struct Stored {
    form: u32,
    memory: Memory,
}

impl Memory {
    /// Reads what was remembered; nothing is the memory of a first look.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are no memory, or one of an unknown form.
    pub fn decode(bytes: Option<&[u8]>) -> Result<Self, DecodeError> {
        let Some(bytes) = bytes else { return Ok(Self::default()) };
        let stored: Stored = serde_json::from_slice(bytes)?;
        if stored.form == FORM { Ok(stored.memory) } else { Err(DecodeError::UnknownForm(stored.form)) }
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        // Texts, finite numbers and records only, so this cannot fail; empty bytes are refused.
        serde_json::to_vec(&Stored { form: FORM, memory: self.clone() }).unwrap_or_default()
    }

    /// Looks that failed one after another.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Deliveries that did not arrive yet.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }
}

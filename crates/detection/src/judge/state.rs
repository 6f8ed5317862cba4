//! The state of a rollout as bytes: compact, versioned.

use super::rollout::Rollout;
use crate::stored::{self, Packed, StoredError};

/// The stored form's version.
const SCHEMA: u32 = 1;

impl Rollout {
    /// Reads a stored state; nothing stored is a rollout nobody heard of.
    ///
    /// # Errors
    /// [`StoredError`] when the bytes are not a state, or one of an unknown form.
    pub fn decode(bytes: Option<&[u8]>) -> Result<Self, StoredError> {
        bytes.map_or_else(|| Ok(Self::default()), |bytes| stored::unpack("the rollout", SCHEMA, bytes))
    }

    /// The stored form: at most 1 KB with one metric of counts, 4 KB with one of measurements.
    pub fn encode(&self) -> Vec<u8> {
        stored::pack(SCHEMA, self)
    }
}

impl Packed for Rollout {
    fn packed(&self) -> Vec<u8> {
        self.encode()
    }

    fn unpacked(bytes: &[u8]) -> Result<Self, StoredError> {
        Self::decode(Some(bytes))
    }
}

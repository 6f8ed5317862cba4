//! The state of a rollout as bytes: compact, versioned.

use super::rollout::{Later, Rollout};
use crate::stored::{self, Packed, StoredError};

/// The stored form's version.
const FORM: u32 = 2;
/// What it is called in an error.
const WHAT: &str = "the rollout";
/// How long a slot of the first form was, which counted them; milliseconds.
const SLOT_MS_OF_FORM_1: u64 = 30_000;

impl Rollout {
    /// Reads a stored state; nothing stored is a rollout nobody heard of.
    ///
    /// # Errors
    /// [`StoredError`] when the bytes are not a state, or one of an unknown form.
    pub fn decode(bytes: Option<&[u8]>) -> Result<Self, StoredError> {
        let Some(bytes) = bytes else { return Ok(Self::default()) };
        match stored::form(WHAT, bytes)? {
            (1, rest) => Self::of_form_1(rest),
            _ => stored::unpack(WHAT, FORM, bytes),
        }
    }

    /// The first form ends where [`Later`] begins.
    fn of_form_1(bytes: &[u8]) -> Result<Self, StoredError> {
        let whole = [bytes, &stored::bare(&Later::default())].concat();
        let mut rollout: Self = stored::read(WHAT, &whole)?;
        rollout.silence.count_from(SLOT_MS_OF_FORM_1);
        Ok(rollout)
    }

    /// The stored form: at most 1 KB with one metric of counts, 4 KB with one of measurements.
    pub fn encode(&self) -> Vec<u8> {
        stored::pack(FORM, self)
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

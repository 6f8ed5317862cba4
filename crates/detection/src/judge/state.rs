//! The state of a rollout as bytes: compact, versioned.

use super::rollout::Rollout;

/// The stored form's version.
const SCHEMA: u32 = 1;

/// A stored state could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not a state of any version.
    #[error("the stored state of the rollout is not readable")]
    Form(#[from] postcard::Error),
    /// Written by a version this one does not know.
    #[error(
        "the stored state of the rollout has form {0}, this version reads form {SCHEMA}: run the version that wrote it"
    )]
    UnknownForm(u32),
}

impl Rollout {
    /// Reads a stored state; nothing stored is a rollout nobody heard of.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are not a state, or one of an unknown form.
    pub fn decode(bytes: Option<&[u8]>) -> Result<Self, DecodeError> {
        let Some(bytes) = bytes else { return Ok(Self::default()) };
        let (schema, rest) = postcard::take_from_bytes::<u32>(bytes)?;
        if schema != SCHEMA {
            return Err(DecodeError::UnknownForm(schema));
        }
        Ok(postcard::from_bytes(rest)?)
    }

    /// The stored form: at most 1 KB with one metric of counts, 4 KB with one of measurements.
    ///
    /// # Errors
    /// None that a rollout can cause; the encoder's type has one.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        Ok(postcard::to_allocvec(&(SCHEMA, self))?)
    }
}

//! How the states of this crate are kept: JSON with a version of its form inside, or, where room
//! counts, postcard with the version before it.
//!
//! What this does not do: migrate. What is read knows its earlier forms ([`form`]); a state of any
//! other is refused, not guessed at and not replaced by an empty one. A field that JSON may lack has
//! a default.

use serde::{Serialize, de::DeserializeOwned};

/// A stored state could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// Not the JSON of any version.
    #[error("the stored state of {what} is not readable")]
    Json {
        /// What the state is of.
        what: &'static str,
        /// Where reading stopped.
        source: serde_json::Error,
    },
    /// Not the bytes of any version.
    #[error("the stored state of {what} is not readable")]
    Packed {
        /// What the state is of.
        what: &'static str,
        /// What is wrong.
        source: postcard::Error,
    },
    /// Readable, and not something this version would write.
    #[error("the stored state of {what} is damaged")]
    Damaged {
        /// What the state is of.
        what: &'static str,
    },
    /// Written by a version that this one does not know.
    #[error(
        "the stored state of {what} has form {found}, this version reads form {known}: run the version that wrote it"
    )]
    UnknownForm {
        /// What the state is of.
        what: &'static str,
        /// The form it has.
        found: u32,
        /// The form that is read.
        known: u32,
    },
}

#[derive(serde::Deserialize)]
struct Form {
    schema: u32,
}

/// Reads a stored state; nothing stored is `None`.
pub(crate) fn decode<T: DeserializeOwned>(
    what: &'static str,
    known: u32,
    bytes: Option<&[u8]>,
) -> Result<Option<T>, StoredError> {
    let Some(bytes) = bytes else { return Ok(None) };
    let json = |source| StoredError::Json { what, source };
    let found = serde_json::from_slice::<Form>(bytes).map_err(json)?.schema;
    if found != known {
        return Err(StoredError::UnknownForm { what, found, known });
    }
    serde_json::from_slice(bytes).map(Some).map_err(json)
}

/// The stored form.
pub(crate) fn encode(state: &impl Serialize) -> Vec<u8> {
    // Cannot fail: strings, whole and finite numbers only. Were it to, the empty bytes are refused
    // by `decode`, not taken for an empty state.
    serde_json::to_vec(state).unwrap_or_default()
}

/// Reads a packed state.
pub(crate) fn unpack<T: DeserializeOwned>(
    what: &'static str,
    known: u32,
    bytes: &[u8],
) -> Result<T, StoredError> {
    let (found, rest) = form(what, bytes)?;
    if found != known {
        return Err(StoredError::UnknownForm { what, found, known });
    }
    read(what, rest)
}

/// The form of a packed state, and the state itself.
pub(crate) fn form<'a>(what: &'static str, bytes: &'a [u8]) -> Result<(u32, &'a [u8]), StoredError> {
    postcard::take_from_bytes(bytes).map_err(|source| StoredError::Packed { what, source })
}

/// Reads a state without its form.
pub(crate) fn read<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, StoredError> {
    postcard::from_bytes(bytes).map_err(|source| StoredError::Packed { what, source })
}

/// A state without its form.
pub(crate) fn bare(state: &impl Serialize) -> Vec<u8> {
    // Cannot fail, as in `pack`.
    postcard::to_allocvec(state).unwrap_or_default()
}

/// The packed form.
pub(crate) fn pack(form: u32, state: &impl Serialize) -> Vec<u8> {
    // Cannot fail: every part has a length that is known. Were it to, the empty bytes are refused
    // by `unpack`, not taken for an empty state.
    postcard::to_allocvec(&(form, state)).unwrap_or_default()
}

/// A state that is part of another one's JSON, as the text of its packed form.
pub(crate) trait Packed: Sized {
    /// The packed form.
    fn packed(&self) -> Vec<u8>;

    /// Reads it.
    fn unpacked(bytes: &[u8]) -> Result<Self, StoredError>;
}

/// For `#[serde(with = "stored::text")]`: base64, a third longer than the bytes.
pub(crate) mod text {
    use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::Packed;

    pub(crate) fn serialize<T: Packed, S: Serializer>(state: &T, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD_NO_PAD.encode(state.packed()))
    }

    pub(crate) fn deserialize<'de, T: Packed, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = STANDARD_NO_PAD.decode(text).map_err(de::Error::custom)?;
        T::unpacked(&bytes).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_known_form_is_refused() {
        let check = |bytes: Option<&[u8]>, expected: &str| {
            let got = decode::<serde_json::Value>("a thing", 2, bytes);
            let text = got.map_or_else(|error| error.to_string(), |state| format!("{state:?}"));
            assert!(text.contains(expected), "{text}");
        };
        check(None, "None");
        check(Some(br#"{"schema":2,"a":1}"#), "Some");
        check(Some(br#"{"schema":3}"#), "form 3, this version reads form 2");
        check(Some(b""), "not readable");
        check(Some(br#"{"a":1}"#), "not readable");
    }

    #[test]
    fn what_is_not_a_known_packed_form_is_refused() {
        let check = |bytes: &[u8], expected: &str| {
            let got = unpack::<u8>("a thing", 2, bytes);
            let text = got.map_or_else(|error| error.to_string(), |state| format!("{state:?}"));
            assert!(text.contains(expected), "{text}");
        };
        check(&pack(2, &7_u8), "7");
        check(&pack(3, &7_u8), "form 3, this version reads form 2");
        check(&[], "not readable");
        check(&[2], "not readable");
    }
}

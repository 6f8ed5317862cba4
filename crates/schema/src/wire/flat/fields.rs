//! The fields of a flat event, taken one by one.

use serde_json::{Map, Value};

use super::{ATTRIBUTES_MAX, FieldError, URL_BYTES_MAX, bounded};
use crate::number::finite;
use crate::time;

/// What has not been taken yet. `null` counts as absent.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn new(fields: Map<String, Value>) -> Self {
        Self(fields.into_iter().filter(|(_, value)| !value.is_null()).collect())
    }

    /// The first of these names that is there. The others are left, to become attributes.
    fn take<'a>(&mut self, names: &[&'a str]) -> Option<(&'a str, Value)> {
        names.iter().find_map(|name| self.0.remove(*name).map(|value| (*name, value)))
    }

    /// A text, or a number as text. Cut to its bound, except for an address.
    pub(super) fn text(&mut self, names: &[&str]) -> Result<Option<String>, FieldError> {
        match self.take(names) {
            None => Ok(None),
            Some(("url", Value::String(text))) => Ok(Some(text).filter(|text| text.len() <= URL_BYTES_MAX)),
            Some((_, Value::String(text))) => Ok(bounded(&text)),
            Some((_, Value::Number(number))) => Ok(Some(number.to_string())),
            Some((name, _)) => wrong(name, "a text is expected"),
        }
    }

    /// A finite number of at least 0.
    pub(super) fn amount(&mut self, names: &[&str]) -> Result<Option<f64>, FieldError> {
        let Some((name, value)) = self.take(names) else { return Ok(None) };
        let amount = value.as_f64().and_then(|amount| finite(amount).ok()).filter(|amount| *amount >= 0.0);
        amount.map_or_else(|| wrong(name, "a number of at least 0 is expected"), |amount| Ok(Some(amount)))
    }

    /// A whole number; a fraction is cut off.
    pub(super) fn count(&mut self, names: &[&str]) -> Result<Option<u64>, FieldError> {
        let Some((name, value)) = self.take(names) else { return Ok(None) };
        match (value.as_u64(), value.as_f64()) {
            (Some(count), _) => Ok(Some(count)),
            (None, Some(amount)) if (0.0..COUNT_BELOW).contains(&amount) => Ok(Some(amount as u64)),
            _ => wrong(name, "a whole number of at least 0 is expected"),
        }
    }

    /// A whole number of at most 32 bits.
    pub(super) fn small_count(&mut self, names: &[&str]) -> Result<Option<u32>, FieldError> {
        let Some((name, value)) = self.take(names) else { return Ok(None) };
        let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
        count.map_or_else(|| wrong(name, "a small whole number is expected"), |count| Ok(Some(count)))
    }

    /// An RFC 3339 text, or milliseconds since the epoch.
    pub(super) fn time(&mut self, names: &[&str]) -> Result<Option<u64>, FieldError> {
        let Some((name, value)) = self.take(names) else { return Ok(None) };
        let expected = "an RFC 3339 time or milliseconds since 1970 is expected";
        match &value {
            Value::String(text) => match time::parse(text.trim()) {
                Ok(ms) => Ok(Some(ms)),
                Err(error) => wrong(name, &error.to_string()),
            },
            _ => value.as_u64().map_or_else(|| wrong(name, expected), |ms| Ok(Some(ms))),
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, names: &[&str]) -> Result<Vec<String>, FieldError> {
        let Some((name, value)) = self.take(names) else { return Ok(Vec::new()) };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let texts = value.as_array().and_then(|list| list.iter().map(text).collect());
        texts.map_or_else(|| wrong(name, "a list of texts is expected"), Ok)
    }

    /// True only where it says so.
    pub(super) fn flag(&mut self, names: &[&str]) -> Result<bool, FieldError> {
        match self.take(names) {
            None => Ok(false),
            Some((_, Value::Bool(flag))) => Ok(flag),
            Some((name, _)) => wrong(name, "true or false is expected"),
        }
    }

    /// What nobody took, as texts, in order of the names; at most [`ATTRIBUTES_MAX`].
    pub(super) fn rest(self) -> Vec<(String, String)> {
        let attribute = |(name, value): (String, Value)| {
            let text = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            Some((bounded(&name)?, bounded(&text).unwrap_or_default()))
        };
        self.0.into_iter().filter_map(attribute).take(ATTRIBUTES_MAX).collect()
    }
}

/// 2 to the power of 53: below it, every whole number has a float of its own.
const COUNT_BELOW: f64 = 9_007_199_254_740_992.0;

fn wrong<T>(field: &str, reason: &str) -> Result<T, FieldError> {
    Err(FieldError { field: field.to_owned(), reason: reason.to_owned() })
}

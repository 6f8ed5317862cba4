//! Inputs that the tests of all readers share.
//!
//! What this does not do: appear outside of tests.

use http::{HeaderMap, HeaderName};
use proptest::prelude::*;
use serde_json::Value;

use crate::draft::Draft;
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::source::Source;

/// Any JSON value, some levels deep.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(Value::from("2026-03-01T10:00:00Z")),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z_]{1,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Headers of a test.
pub(crate) fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let parsed =
        pairs.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
    parsed.collect()
}

/// What the source reads of a body.
pub(crate) fn read(source: Source, pairs: &[(&str, &str)], body: &[u8]) -> Result<Read, NotUnderstood> {
    source.read(&Raw { headers: &headers(pairs), body })
}

/// The only thing a body says.
pub(crate) fn only(source: Source, pairs: &[(&str, &str)], body: &Value) -> Draft {
    match read(source, pairs, body.to_string().as_bytes()).map(|read| read.reading) {
        Ok(Reading::Items(mut items)) if items.len() == 1 => items.remove(0),
        other => panic!("{other:?}"),
    }
}

/// Why a body makes no event, though it was understood.
pub(crate) fn ignored(source: Source, pairs: &[(&str, &str)], body: &Value) -> String {
    match read(source, pairs, body.to_string().as_bytes()).map(|read| read.reading) {
        Ok(Reading::Ignored(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// Reads any bytes, and the body with each of its values in turn replaced by `with`: neither may
/// panic, and what comes of it is within bounds.
pub(crate) fn survives(source: Source, pairs: &[(&str, &str)], bytes: &[u8], body: &Value, with: &Value) {
    bounded(&read(source, pairs, bytes));
    for at in 0..places(body) {
        let mut changed = body.clone();
        replace(&mut changed, &mut at.clone(), with);
        bounded(&read(source, pairs, changed.to_string().as_bytes()));
    }
}

fn places(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(places).sum(),
        Value::Object(fields) => fields.values().map(places).sum(),
        _ => 0,
    }
}

fn replace(value: &mut Value, at: &mut usize, with: &Value) -> bool {
    if *at == 0 {
        *value = with.clone();
        return true;
    }
    *at -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| replace(item, at, with)),
        Value::Object(fields) => fields.values_mut().any(|item| replace(item, at, with)),
        _ => false,
    }
}

fn bounded(read: &Result<Read, NotUnderstood>) {
    let Ok(Read { id, reading: Reading::Items(items) }) = read else { return };
    assert!(id.as_ref().is_none_or(|id| id.len() <= 2_048));
    for item in items {
        let said = &item.said;
        let texts = [&said.title, &said.version, &said.commit, &said.branch, &said.actor, &said.service_name];
        assert!(texts.into_iter().flatten().all(|text| text.chars().count() <= 256));
        assert!(said.attributes.iter().all(|(_, value)| value.chars().count() <= 256));
        assert!(item.subject.as_ref().is_none_or(|subject| subject.id.len() <= 2_048 && subject.attempt > 0));
    }
}

//! What a component is told of a reply or an error.
//!
//! Purpose: the interface knows four kinds of values and one list of them; every reply is one of
//! these, as in Spin, or an error.
//! Invariant: nothing larger than [`REPLY_BYTES_MAX`] is passed on.

use ::redis::{RedisError, Value};

use crate::bindings::redis::{Error, RedisResult};

/// The largest reply that is passed on, in bytes, as in Spin.
pub const REPLY_BYTES_MAX: usize = 128 << 20;

/// Whatever went wrong is `other`, as in Spin: also what the interface calls a wrong type.
pub(super) fn answer(error: &RedisError) -> Error {
    Error::Other(error.to_string())
}

/// A value as it is.
///
/// # Errors
/// One that is larger than [`REPLY_BYTES_MAX`].
pub(super) fn bounded_value(value: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Error> {
    bounded(value.as_ref().map_or(0, Vec::len)).map(|()| value)
}

/// A reply as one list.
///
/// # Errors
/// One that has no place in the interface or is larger than [`REPLY_BYTES_MAX`].
pub(super) fn flattened(reply: Value) -> Result<Vec<RedisResult>, Error> {
    let mut flat = Vec::new();
    flatten(reply, &mut flat)?;
    bounded(flat.iter().map(bytes).sum()).map(|()| flat)
}

fn bounded(bytes: usize) -> Result<(), Error> {
    if bytes > REPLY_BYTES_MAX {
        return Err(Error::Other(format!("a reply of {bytes} bytes; the most is {REPLY_BYTES_MAX}")));
    }
    Ok(())
}

/// What a result takes of memory.
fn bytes(result: &RedisResult) -> usize {
    let held = match result {
        RedisResult::Nil | RedisResult::Int64(_) => 0,
        RedisResult::Status(text) => text.len(),
        RedisResult::Binary(bytes) => bytes.len(),
    };
    size_of::<RedisResult>() + held
}

/// Flattens a reply: lists in lists become one list, nothing becomes `nil`, a truth value a number,
/// other numbers their text.
///
/// # Errors
/// A reply that has no place in the interface (maps, errors inside lists).
fn flatten(value: Value, into: &mut Vec<RedisResult>) -> Result<(), Error> {
    into.push(match value {
        Value::Nil => RedisResult::Nil,
        Value::Int(number) => RedisResult::Int64(number),
        Value::Boolean(truth) => RedisResult::Int64(truth.into()),
        Value::Double(number) => RedisResult::Binary(number.to_string().into_bytes()),
        Value::BulkString(bytes) | Value::BigNumber(bytes) => RedisResult::Binary(bytes),
        Value::SimpleString(text) => RedisResult::Status(text),
        Value::Okay => RedisResult::Status("OK".to_owned()),
        Value::Array(items) | Value::Set(items) => {
            return items.into_iter().try_for_each(|item| flatten(item, into));
        }
        Value::ServerError(error) => return Err(answer(&error.into())),
        other => return Err(Error::Other(format!("a reply of this kind cannot be passed on: {other:?}"))),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: Value, expected: &str) {
        let flat = flattened(value).expect("it flattens");
        assert_eq!(format!("{flat:?}"), expected);
    }

    #[test]
    fn replies_are_flattened_and_nothing_is_nil() {
        check(Value::Nil, "[RedisResult::Nil]");
        check(Value::Array(Vec::new()), "[]");
        check(Value::Okay, "[RedisResult::Status(\"OK\")]");
        let nested = Value::Array(vec![
            Value::Int(1),
            Value::Array(vec![Value::Nil, Value::SimpleString("a".to_owned())]),
            Value::BulkString(vec![7]),
        ]);
        check(
            nested,
            "[RedisResult::Int64(1), RedisResult::Nil, RedisResult::Status(\"a\"), RedisResult::Binary([7])]",
        );
    }

    #[test]
    fn numbers_of_the_newer_protocol_are_text_or_a_number() {
        check(Value::Boolean(true), "[RedisResult::Int64(1)]");
        check(Value::Double(0.5), "[RedisResult::Binary([48, 46, 53])]");
        check(Value::BigNumber(vec![49, 50]), "[RedisResult::Binary([49, 50])]");
    }

    #[test]
    fn maps_and_what_is_too_large_are_refused() {
        assert!(flattened(Value::Map(Vec::new())).is_err());
        assert!(bounded(REPLY_BYTES_MAX).is_ok());
        assert!(bounded(REPLY_BYTES_MAX + 1).is_err());
    }
}

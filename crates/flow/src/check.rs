//! What an effect must look like before it may reach a store.
//!
//! A step's effects are checked right after the step, so that a bad one is its input's failure
//! and nobody else's; and once more in front of the store's own commit.

use crate::cell::Cell;
use crate::limits::{
    ADD_MAX, EFFECTS_MAX, FIELDS_MAX, IDS_MAX, NAME_BYTES_MAX, TIME_MS_MAX, VALUE_BYTES_MAX,
};
use crate::name::{Shard, Stage};
use crate::step::{Effects, Output, Timer, Write};
use crate::store::{DeadLetter, Ingest};

/// Checks effects against the cell and the bounds.
///
/// # Errors
/// The first problem, in words.
pub(crate) fn effects(cell: &Cell, effects: &Effects) -> Result<(), String> {
    for (field, value) in &effects.state {
        name("state field", field)?;
        value_size("state field", value.as_deref().unwrap_or_default())?;
    }
    for output in &effects.outputs {
        self::output(cell, output)?;
    }
    for timer in &effects.timers {
        self::timer(timer)?;
    }
    effects.writes.iter().try_for_each(write)
}

/// Checks that one input does not want too much.
///
/// # Errors
/// Which kind of effect, and how many.
pub(crate) fn count(effects: &Effects) -> Result<(), String> {
    let counts = [
        ("state fields", effects.state.len()),
        ("outputs", effects.outputs.len()),
        ("timers", effects.timers.len()),
        ("writes", effects.writes.len()),
    ];
    match counts.into_iter().find(|(_, many)| *many > EFFECTS_MAX) {
        Some((what, many)) => Err(format!("{many} {what} from one input, at most {EFFECTS_MAX} are allowed")),
        None => Ok(()),
    }
}

/// Checks that a stage is one of the cell's: an entry for another would never be read.
///
/// # Errors
/// The stage's name.
pub(crate) fn stage(cell: &Cell, stage: Stage) -> Result<(), String> {
    if cell.stages().contains(&stage) { Ok(()) } else { Err(format!("unknown stage `{stage}`")) }
}

/// Checks a list of state fields.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn fields(fields: &[String]) -> Result<(), String> {
    if fields.len() > FIELDS_MAX {
        return Err(format!("{} state fields named, at most {FIELDS_MAX} are allowed", fields.len()));
    }
    fields.iter().try_for_each(|field| name("state field", field))
}

/// Checks a payload's size.
///
/// # Errors
/// How large it is.
pub(crate) fn value_size(what: &str, value: &[u8]) -> Result<(), String> {
    if value.len() <= VALUE_BYTES_MAX {
        Ok(())
    } else {
        Err(format!("a {what} of {} bytes, at most {VALUE_BYTES_MAX} are allowed", value.len()))
    }
}

/// Checks an event from outside.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn ingest(cell: &Cell, event: &Ingest<'_>) -> Result<(), String> {
    stage(cell, event.stage)?;
    if event.ids.len() > IDS_MAX {
        return Err(format!("an event with {} ids, at most {IDS_MAX} are allowed", event.ids.len()));
    }
    event.ids.iter().try_for_each(|id| name("event id", id))?;
    fields(event.fields)?;
    value_size("payload", event.payload)
}

/// The inbox a dead letter came from.
///
/// # Errors
/// Which part of it this cell does not have.
pub(crate) fn home(cell: &Cell, letter: &DeadLetter) -> Result<(Stage, Shard), String> {
    let stage = cell.stage(&letter.stage).ok_or_else(|| format!("unknown stage `{}`", letter.stage))?;
    let shard = Shard::parse(&letter.shard).ok_or_else(|| format!("`{}` is no shard", letter.shard))?;
    Ok((stage, shard))
}

fn name(what: &str, name: &str) -> Result<(), String> {
    match name.len() {
        0 => Err(format!("a {what} without a name")),
        length if length > NAME_BYTES_MAX => {
            Err(format!("a {what} name of {length} bytes, at most {NAME_BYTES_MAX} are allowed"))
        }
        _ => Ok(()),
    }
}

fn time(what: &str, at_ms: u64) -> Result<(), String> {
    if at_ms <= TIME_MS_MAX { Ok(()) } else { Err(format!("{what} {at_ms} is beyond {TIME_MS_MAX}")) }
}

fn output(cell: &Cell, output: &Output) -> Result<(), String> {
    stage(cell, output.stage)?;
    if Shard::parse(output.shard.as_str()).is_none() {
        return Err(format!("an output for `{}`, which is no shard", output.shard));
    }
    fields(&output.fields)?;
    value_size("payload", &output.payload)
}

fn timer(timer: &Timer) -> Result<(), String> {
    match timer {
        Timer::Set { name: timer, fields: needed, due_ms } => {
            name("timer", timer)?;
            fields(needed)?;
            time("a due time", *due_ms)
        }
        Timer::Cancel { name: timer, fields: needed } => {
            name("timer", timer)?;
            fields(needed)
        }
    }
}

fn write(write: &Write) -> Result<(), String> {
    match write {
        Write::Set { key, value, ttl_ms } => {
            name("read model", key)?;
            if *ttl_ms == Some(0) {
                return Err(format!("read model `{key}` with no time to live"));
            }
            time("a time to live", ttl_ms.unwrap_or(1))?;
            value_size("read model", value)
        }
        Write::Delete { key } => name("read model", key),
        Write::HashSet { key, field, value } => {
            name("read model", key)?;
            name("read model field", field)?;
            value_size("read model", value)
        }
        Write::Add { key, field, by } => {
            name("read model", key)?;
            name("read model field", field)?;
            if by.unsigned_abs() <= ADD_MAX.unsigned_abs() {
                Ok(())
            } else {
                Err(format!("a step of {by}, at most {ADD_MAX} is allowed"))
            }
        }
        Write::Rank { key, member, score, keep } => {
            name("read model", key)?;
            name("member", member)?;
            kept(key, *keep)?;
            time("a score", *score)
        }
        Write::Unrank { key, member } => {
            name("read model", key)?;
            name("member", member)
        }
        Write::Append { key, payload, keep } => {
            name("read model", key)?;
            kept(key, *keep)?;
            value_size("payload", payload)
        }
    }
}

fn kept(key: &str, keep: u32) -> Result<(), String> {
    if keep > 0 { Ok(()) } else { Err(format!("read model `{key}` that keeps nothing")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Ring;

    const ONE: Stage = Stage::new("one");

    fn check(given: Effects, expected: Result<(), &str>) {
        let cell = Cell::new(2, &[ONE]);
        let found = effects(&cell, &given);
        match expected {
            Ok(()) => assert_eq!(found, Ok(())),
            Err(part) => {
                let text = found.expect_err("must be refused");
                assert!(text.contains(part), "`{text}` does not say `{part}`");
            }
        }
    }

    fn output_to(stage: Stage) -> Effects {
        let output =
            Output { stage, shard: Shard::service(0), fields: vec![], payload: vec![], ring: Ring::Now };
        Effects { outputs: vec![output], ..Effects::default() }
    }

    fn one_write(write: Write) -> Effects {
        Effects { writes: vec![write], ..Effects::default() }
    }

    #[test]
    fn effects_out_of_bounds_are_named() {
        check(Effects::default(), Ok(()));
        check(output_to(ONE), Ok(()));
        check(output_to(Stage::new("nowhere")), Err("unknown stage `nowhere`"));
        let timer = Timer::Set { name: "t".to_owned(), fields: vec![], due_ms: TIME_MS_MAX + 1 };
        check(Effects { timers: vec![timer], ..Effects::default() }, Err("due time"));
        let key = || "k".to_owned();
        check(one_write(Write::Rank { key: key(), member: key(), score: 1, keep: 0 }), Err("keeps nothing"));
        check(one_write(Write::Add { key: key(), field: key(), by: i64::MIN + 1 }), Err("a step of"));
        check(one_write(Write::Set { key: key(), value: vec![], ttl_ms: Some(0) }), Err("no time to live"));
        check(one_write(Write::Delete { key: String::new() }), Err("without a name"));
        check(one_write(Write::Delete { key: "x".repeat(NAME_BYTES_MAX + 1) }), Err("513 bytes"));
        check(Effects { state: vec![(String::new(), None)], ..Effects::default() }, Err("without a name"));
    }
}

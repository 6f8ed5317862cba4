//! How operations become script arguments, and flat replies become answers.

use std::collections::BTreeMap;

use crate::fields;
use crate::name::{Kind, Shard, Stage, home_keys, key, view_key};
use crate::redis::Reply;
use crate::step::{Effects, Input, Output, State, Timer, Write};
use crate::store::{Batch, Commit, DeadLetter, Fetched, StoreError};

/// The keys and arguments of one script call.
pub(crate) struct Call {
    pub(crate) keys: Vec<String>,
    pub(crate) args: Vec<Vec<u8>>,
}

impl Call {
    /// A call on one stage of one shard, with what every script starts with.
    pub(crate) fn new(stage: Stage, shard: &Shard, bell_ms: u64) -> Self {
        let mut call = Self { keys: home_keys(stage, shard), args: Vec::new() };
        call.arg(stage.as_str()).arg(shard.as_str()).arg(stage.channel()).number(bell_ms);
        call
    }

    pub(crate) fn arg(&mut self, arg: impl Into<Vec<u8>>) -> &mut Self {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn number(&mut self, number: impl std::fmt::Display) -> &mut Self {
        self.arg(number.to_string())
    }

    /// The position of a key in KEYS, counted from 1 as Lua does.
    fn position(&mut self, known: &mut BTreeMap<String, usize>, key: String) -> usize {
        if let Some(position) = known.get(&key) {
            return *position;
        }
        self.keys.push(key.clone());
        known.insert(key, self.keys.len());
        self.keys.len()
    }
}

/// The id a consumed timer had, its member in the sorted set; `None` for an entry.
pub(crate) fn member_of(input: &Input) -> Option<String> {
    input.timer.as_ref().map(|name| fields::timer_member(&input.fields, name))
}

/// A commit as arguments, in the order `lua/commit.lua` reads them.
pub(crate) fn commit_call(commit: &Commit<'_>, bell_ms: u64, dead_max: u32) -> Call {
    let mut call = Call::new(commit.stage, commit.shard, bell_ms);
    let entries = commit.consumed.iter().filter(|input| input.timer.is_none());
    let cursor = entries.clone().next_back().map_or("", |input| input.id.as_str());
    call.arg(commit.token).number(commit.seq).number(commit.lease_ms).number(commit.open);
    call.arg(cursor).number(entries.count()).number(commit.consumed.len());
    match &commit.failed {
        Some(failure) => {
            call.arg(failure.input.id.as_str()).arg(failure.error).number(failure.tries);
            call.arg(member_of(failure.input).unwrap_or_default());
        }
        None => {
            call.arg("").arg("").number(0).arg("");
        }
    }
    call.number(dead_max).number(commit.consumed.len());
    for input in commit.consumed {
        call.arg(input.id.as_str());
    }
    for member in commit.consumed.iter().filter_map(member_of) {
        call.arg("untimer").arg(member);
    }
    effect_args(&mut call, commit.effects);
    call
}

fn effect_args(call: &mut Call, effects: &Effects) {
    let mut known = BTreeMap::new();
    let last: BTreeMap<&str, &Option<Vec<u8>>> =
        effects.state.iter().map(|(field, value)| (field.as_str(), value)).collect();
    for (field, value) in last {
        match value {
            Some(value) => call.arg("state").arg(fields::escape(field)).arg(value.as_slice()),
            None => call.arg("drop").arg(fields::escape(field)),
        };
    }
    for timer in &effects.timers {
        match timer {
            Timer::Set { name, fields, due_ms } => {
                call.arg("timer").number(due_ms).arg(fields::timer_member(fields, name))
            }
            Timer::Cancel { name, fields } => call.arg("untimer").arg(fields::timer_member(fields, name)),
        };
    }
    for output in &effects.outputs {
        output_args(call, &mut known, output);
    }
    for write in &effects.writes {
        write_args(call, &mut known, write);
    }
}

fn output_args(call: &mut Call, known: &mut BTreeMap<String, usize>, output: &Output) {
    let inbox = call.position(known, key(Kind::Inbox, output.stage, &output.shard));
    let bell = call.position(known, key(Kind::Bell, output.stage, &output.shard));
    call.arg("output").number(inbox).number(bell).arg(output.stage.as_str()).arg(output.stage.channel());
    call.arg(output.shard.as_str()).arg(fields::join(&output.fields)).arg(output.payload.as_slice());
}

fn write_args(call: &mut Call, known: &mut BTreeMap<String, usize>, write: &Write) {
    let at = call.position(known, view_key(write_key(write)));
    match write {
        Write::Set { value, ttl_ms: None, .. } => call.arg("set").number(at).arg(value.as_slice()),
        Write::Set { value, ttl_ms: Some(ttl), .. } => {
            call.arg("setpx").number(at).arg(value.as_slice()).number(ttl)
        }
        Write::Delete { .. } => call.arg("del").number(at),
        Write::HashSet { field, value, .. } => {
            call.arg("hset").number(at).arg(field.as_str()).arg(value.as_slice())
        }
        Write::Add { field, by, .. } => call.arg("add").number(at).arg(field.as_str()).number(by),
        Write::Rank { member, score, keep, .. } => {
            call.arg("rank").number(at).number(score).arg(member.as_str()).number(keep)
        }
        Write::Unrank { member, .. } => call.arg("unrank").number(at).arg(member.as_str()),
        Write::Append { payload, keep, .. } => {
            call.arg("append").number(at).number(keep).arg(payload.as_slice())
        }
    };
}

/// The key a write goes to, relative to `hs:v:`.
pub(crate) fn write_key(write: &Write) -> &str {
    match write {
        Write::Set { key, .. }
        | Write::Delete { key }
        | Write::HashSet { key, .. }
        | Write::Add { key, .. }
        | Write::Rank { key, .. }
        | Write::Unrank { key, .. }
        | Write::Append { key, .. } => key,
    }
}

/// Reads a flat reply from the front.
pub(crate) struct Answer {
    operation: &'static str,
    values: std::vec::IntoIter<Reply>,
}

impl Answer {
    pub(crate) fn new(operation: &'static str, values: Vec<Reply>) -> Self {
        Self { operation, values: values.into_iter() }
    }

    pub(crate) fn odd(&self, detail: impl Into<String>) -> StoreError {
        StoreError::Protocol { operation: self.operation, detail: detail.into() }
    }

    pub(crate) fn value(&mut self) -> Result<Reply, StoreError> {
        self.values.next().ok_or_else(|| self.odd("it ends too early"))
    }

    pub(crate) fn text(&mut self) -> Result<String, StoreError> {
        Ok(self.value()?.text())
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, StoreError> {
        Ok(self.value()?.into_bytes().unwrap_or_default())
    }

    pub(crate) fn number<N: TryFrom<i64>>(&mut self) -> Result<N, StoreError> {
        let value = self.value()?;
        let number = value.number().and_then(|number| N::try_from(number).ok());
        number.ok_or_else(|| self.odd(format!("`{}` where a number was expected", value.text())))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.as_slice().is_empty()
    }

    /// The first word; a refusal becomes an error here, for all operations.
    pub(crate) fn verdict(&mut self) -> Result<String, StoreError> {
        let word = self.text()?;
        if word == "refused" { Err(StoreError::Refused(self.text()?)) } else { Ok(word) }
    }
}

/// The answer of `lua/fetch.lua`.
pub(crate) fn fetched(mut answer: Answer) -> Result<Fetched, StoreError> {
    match answer.verdict()?.as_str() {
        "busy" => Ok(Fetched::Busy),
        "idle" => {
            answer.value()?;
            Ok(Fetched::Idle { dead: answer.number()? })
        }
        "batch" => batch(answer).map(Fetched::Batch),
        other => Err(answer.odd(format!("verdict `{other}`"))),
    }
}

fn batch(mut answer: Answer) -> Result<Batch, StoreError> {
    let token = answer.text()?;
    let (seq, now_ms) = (answer.number()?, answer.number()?);
    let (tries, dead) = (answer.number()?, answer.number()?);
    let many: u32 = answer.number()?;
    let inputs = (0..many).map(|_| input(&mut answer)).collect::<Result<Vec<_>, _>>()?;
    let many: u32 = answer.number()?;
    let mut state = State::default();
    for _ in 0..many {
        let field = fields::unescape(&answer.text()?);
        state.0.insert(field, answer.value()?.into_bytes());
    }
    Ok(Batch { token, seq, now_ms, tries, dead, inputs, state })
}

fn input(answer: &mut Answer) -> Result<Input, StoreError> {
    let kind = answer.text()?;
    let id = answer.text()?;
    let needed = fields::split(&answer.text()?);
    if kind == "t" {
        return Ok(Input { id, fields: needed, timer: Some(answer.text()?), payload: Vec::new() });
    }
    Ok(Input { id, fields: needed, timer: None, payload: answer.bytes()? })
}

/// One row of `lua/dead.lua`.
pub(crate) fn dead_letter(answer: &mut Answer) -> Result<DeadLetter, StoreError> {
    let (id, stage, shard) = (answer.text()?, answer.text()?, answer.text()?);
    let (input_id, error) = (answer.text()?, answer.text()?);
    let needed = fields::split(&answer.text()?);
    let payload = answer.bytes()?;
    let member = answer.text()?;
    let timer = member.split_once('|').map(|(_, name)| name.to_owned());
    let input = Input { id: input_id, fields: needed, timer, payload };
    Ok(DeadLetter { id, stage, shard, input, error, at_ms: answer.number()? })
}

//! How operations become script arguments, and flat replies become answers.

use std::collections::BTreeMap;

use crate::fields;
use crate::limits::RUN_MAX;
use crate::name::{Kind, Shard, Stage, home_keys, key, view_key};
use crate::redis::Reply;
use crate::step::{Effects, Input, Output, State, Timer, Write};
use crate::store::{Batch, Commit, DeadLetter, Fetched, Ring, StoreError};

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
    call.arg(cursor).number(entries.clone().count()).number(commit.consumed.len());
    match &commit.failed {
        Some(failure) => {
            call.arg(failure.input.id.as_str()).arg(failure.error).number(failure.tries);
            call.arg(member_of(failure.input).unwrap_or_default());
        }
        None => {
            call.arg("").arg("").number(0).arg("");
        }
    }
    let ids: Vec<_> = entries.map(|input| input.id.as_str()).collect();
    let timers: Vec<_> = commit.consumed.iter().filter(|input| input.timer.is_some()).collect();
    call.number(dead_max).arg(ids.join(" ")).number(timers.len());
    for timer in &timers {
        call.arg(timer.id.as_str());
    }
    let mut operations = Operations { call, known: BTreeMap::new(), open: None };
    for member in timers.into_iter().filter_map(member_of) {
        operations.one("untimer").arg(member);
    }
    operations.effects(commit.effects);
    operations.call
}

/// Operations as arguments: those of one kind that follow each other make one run, which the
/// script carries out in one command where Redis has one.
struct Operations {
    call: Call,
    known: BTreeMap<String, usize>,
    /// The run that may go on.
    open: Option<Run>,
}

struct Run {
    name: &'static str,
    /// The ranking, and how many members it keeps.
    ranking: Option<(usize, u32)>,
    /// Where the number of its operations stands.
    count_at: usize,
    many: usize,
}

impl Operations {
    fn one(&mut self, name: &'static str) -> &mut Call {
        self.next(name, None)
    }

    /// The place for the arguments of one more operation.
    fn next(&mut self, name: &'static str, ranking: Option<(usize, u32)>) -> &mut Call {
        let goes_on = |run: &&mut Run| run.name == name && run.ranking == ranking && run.many < RUN_MAX;
        if let Some(run) = self.open.as_mut().filter(goes_on) {
            run.many += 1;
            if let Some(count) = self.call.args.get_mut(run.count_at) {
                *count = run.many.to_string().into_bytes();
            }
        } else {
            self.call.arg(name).number(1);
            self.open = Some(Run { name, ranking, count_at: self.call.args.len() - 1, many: 1 });
            if let Some((at, keep)) = ranking {
                self.call.number(at).number(keep);
            }
        }
        &mut self.call
    }

    /// All but what a later one takes the place of: the last word on a state field, a timer and a
    /// plain read model stands. Writes to one read model keep their order; read models do not
    /// depend on each other.
    fn effects(&mut self, effects: &Effects) {
        let state: BTreeMap<_, _> = effects.state.iter().map(|(field, value)| (field, value)).collect();
        for (field, value) in &state {
            if let Some(value) = value {
                self.one("state").arg(fields::escape(field)).arg(value.as_slice());
            }
        }
        for (field, _) in state.iter().filter(|(_, value)| value.is_none()) {
            self.one("drop").arg(fields::escape(field));
        }
        self.timers(&effects.timers);
        for output in &effects.outputs {
            self.output(output);
        }
        let mut writes: Vec<_> = effects.writes.iter().collect();
        writes.sort_by_key(|write| write.key());
        for (index, write) in writes.iter().enumerate() {
            if !writes.get(index + 1).is_some_and(|later| replaces(later, write)) {
                self.write(write);
            }
        }
    }

    fn timers(&mut self, timers: &[Timer]) {
        let last: BTreeMap<_, _> = timers.iter().map(|timer| (timer.id(), timer)).collect();
        for ((fields, name), timer) in &last {
            if let Timer::Set { due_ms, .. } = timer {
                self.one("timer").number(due_ms).arg(fields::timer_member(fields, name));
            }
        }
        for ((fields, name), _) in last.iter().filter(|(_, timer)| matches!(timer, Timer::Cancel { .. })) {
            self.one("untimer").arg(fields::timer_member(fields, name));
        }
    }

    fn output(&mut self, output: &Output) {
        let inbox = self.position(key(Kind::Inbox, output.stage, &output.shard));
        let bell = self.position(key(Kind::Bell, output.stage, &output.shard));
        let call = self.one("output").number(inbox).number(bell);
        // Without a channel nothing is rung.
        let channel = if output.ring == Ring::Now { output.stage.channel() } else { String::new() };
        call.arg(output.stage.as_str()).arg(channel);
        call.arg(output.shard.as_str()).arg(fields::join(&output.fields)).arg(output.payload.as_slice());
    }

    fn write(&mut self, write: &Write) {
        let at = self.position(view_key(write.key()));
        match write {
            Write::Set { value, ttl_ms: None, .. } => self.one("set").number(at).arg(value.as_slice()),
            Write::Set { value, ttl_ms: Some(ttl), .. } => {
                self.one("setpx").number(at).arg(value.as_slice()).number(ttl)
            }
            Write::Delete { .. } => self.one("del").number(at),
            Write::HashSet { field, value, .. } => {
                self.one("hset").number(at).arg(field.as_str()).arg(value.as_slice())
            }
            Write::Add { field, by, .. } => self.one("add").number(at).arg(field.as_str()).number(by),
            Write::Rank { member, score, keep, .. } => {
                self.next("rank", Some((at, *keep))).number(score).arg(member.as_str())
            }
            Write::Unrank { member, .. } => self.one("unrank").number(at).arg(member.as_str()),
            Write::Append { payload, keep, .. } => {
                self.one("append").number(at).number(keep).arg(payload.as_slice())
            }
        };
    }

    /// The position of a key in KEYS, counted from 1 as Lua does.
    fn position(&mut self, key: String) -> usize {
        *self.known.entry(key).or_insert_with_key(|key| {
            self.call.keys.push(key.clone());
            self.call.keys.len()
        })
    }
}

/// Whether nothing of the earlier write is left after the later one.
fn replaces(later: &Write, earlier: &Write) -> bool {
    matches!((earlier, later), (Write::Set { .. }, Write::Set { .. })) && earlier.key() == later.key()
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
        Ok(self.value()?.into_text())
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
    let fields = (0..many).map(|_| answer.text()).collect::<Result<Vec<_>, _>>()?;
    let mut state = State::default();
    for field in fields {
        state.0.insert(fields::unescape(&field), answer.value()?.into_bytes());
    }
    Ok(Batch { token, seq, now_ms, tries, dead, inputs, state })
}

fn input(answer: &mut Answer) -> Result<Input, StoreError> {
    let id = answer.text()?;
    let needed = fields::split(&answer.text()?);
    // An entry's id begins with a digit.
    if id.starts_with("t:") {
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

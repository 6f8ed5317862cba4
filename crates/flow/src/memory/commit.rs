//! The commit in memory: everything is applied to a copy, which then takes the original's place.

use super::Inner;
use super::inbox::EntryId;
use super::view;
use crate::step::{Effects, Input, Timer};
use crate::store::{Commit, Committed, Failure, Ring, StoreError};

impl Inner {
    pub(super) fn commit(&mut self, commit: &Commit<'_>, bell_ms: u64) -> Result<Committed, StoreError> {
        let now_ms = self.now_ms;
        let inbox = self.inbox(commit.stage, commit.shard);
        if inbox.holder(now_ms) != Some(commit.token) {
            self.count("lost", commit.stage, 1);
            return Ok(Committed::Lost);
        }
        if inbox.seq != commit.seq {
            self.count("stale", commit.stage, 1);
            return Ok(Committed::Stale);
        }
        let mut next = self.clone();
        let dead = next.write(commit, bell_ms).map_err(StoreError::Refused)?;
        *self = next;
        let inbox = self.inbox(commit.stage, commit.shard);
        Ok(Committed::Done { seq: inbox.seq, now_ms: inbox.now_ms, dead })
    }

    /// Whether the failed input became a dead letter.
    fn write(&mut self, commit: &Commit<'_>, bell_ms: u64) -> Result<bool, String> {
        let now_ms = self.now_ms;
        let inbox = self.inbox(commit.stage, commit.shard);
        inbox.now_ms = inbox.now_ms.max(now_ms);
        for input in commit.consumed {
            inbox.consume(input);
        }
        self.apply(commit, commit.effects, bell_ms)?;
        let done = u32::try_from(commit.consumed.len()).unwrap_or(u32::MAX);
        let inbox = self.inbox(commit.stage, commit.shard);
        inbox.solo = inbox.solo.saturating_sub(done);
        inbox.seq += 1;
        inbox.open = commit.open;
        inbox.lease = Some((commit.token.to_owned(), now_ms + commit.lease_ms));
        self.count("committed", commit.stage, i64::from(done));
        commit.failed.as_ref().map_or(Ok(false), |failure| self.fail(commit, failure))
    }

    fn apply(&mut self, commit: &Commit<'_>, effects: &Effects, bell_ms: u64) -> Result<(), String> {
        let now_ms = self.now_ms;
        let inbox = self.inbox(commit.stage, commit.shard);
        for (field, value) in &effects.state {
            match value {
                Some(value) => inbox.state.insert(field.clone(), value.clone()),
                None => inbox.state.remove(field),
            };
        }
        for timer in &effects.timers {
            match timer {
                Timer::Set { name, fields, due_ms } => {
                    inbox.due.insert((fields.clone(), name.clone()), *due_ms);
                }
                Timer::Cancel { name, fields } => {
                    inbox.due.remove(&(fields.clone(), name.clone()));
                }
            }
        }
        for output in &effects.outputs {
            self.append(output.stage, &output.shard, output.fields.clone(), output.payload.clone());
            if output.ring == Ring::Now {
                self.ring_once(output.stage, &output.shard, bell_ms);
            }
        }
        effects.writes.iter().try_for_each(|write| view::apply(&mut self.views, write, now_ms))
    }

    fn fail(&mut self, commit: &Commit<'_>, failure: &Failure<'_>) -> Result<bool, String> {
        let inbox = self.inbox(commit.stage, commit.shard);
        let input = failure.input;
        if inbox.tries.get(&input.id).copied().unwrap_or(0) < failure.tries {
            inbox.errors.insert(input.id.clone(), failure.error.to_owned());
            inbox.solo = inbox.solo.max(1);
            return Ok(false);
        }
        let found = EntryId::parse(&input.id).and_then(|id| inbox.entry(&id));
        if input.timer.is_none() && found.is_none() {
            return Err(format!("NOENTRY {}", input.id));
        }
        let input: Input = input.clone();
        inbox.consume(&input);
        inbox.solo = inbox.solo.saturating_sub(1);
        self.bury(commit.stage, commit.shard, &input, failure.error);
        Ok(true)
    }
}

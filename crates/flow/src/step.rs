//! What a domain gives the flow: pure steps over inputs and state fields.

use std::collections::BTreeMap;

use crate::name::{Shard, Stage};
use crate::store::Ring;

/// What a step may know of the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Milliseconds since the epoch by the store's clock; never runs backwards in one shard.
    pub now_ms: u64,
    /// The shard being drained.
    pub shard: Shard,
    /// Derived from the input's id: the only source of randomness a step has.
    pub seed: u64,
}

/// One entry of the inbox, or one timer that fell due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The entry's stream id, or `t:<due ms>:<name>` for a timer.
    pub id: String,
    /// The state fields this input needs.
    pub fields: Vec<String>,
    /// The timer's name, for a timer.
    pub timer: Option<String>,
    /// The entry's payload; empty for a timer.
    pub payload: Vec<u8>,
}

/// The state fields fetched for an input; an absent field was never written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State(pub BTreeMap<String, Option<Vec<u8>>>);

impl State {
    /// The field's bytes, or `None` when it is not there.
    pub fn get(&self, field: &str) -> Option<&[u8]> {
        self.0.get(field).and_then(|value| value.as_deref())
    }

    /// Whether the field was fetched at all.
    pub fn knows(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }
}

/// An entry for an inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The stage whose inbox takes it.
    pub stage: Stage,
    /// The shard whose inbox takes it.
    pub shard: Shard,
    /// The state fields its step will need.
    pub fields: Vec<String>,
    /// Not parsed by the flow.
    pub payload: Vec<u8>,
    /// When a worker is called for it. Whatever the answer, entries of an inbox keep their order.
    pub ring: Ring,
}

/// A timer of this stage and shard; setting the same name (and fields) again moves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timer {
    /// Rings at the given time.
    Set {
        /// Names it, together with the fields.
        name: String,
        /// The state fields its step will need.
        fields: Vec<String>,
        /// Milliseconds since the epoch.
        due_ms: u64,
    },
    /// Takes it back.
    Cancel {
        /// The name it was set with.
        name: String,
        /// The fields it was set with.
        fields: Vec<String>,
    },
}

/// A write to a read model: everything the API lists. Keys are relative to `hs:v:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// A plain value.
    Set {
        /// Under `hs:v:`.
        key: String,
        /// The whole value.
        value: Vec<u8>,
        /// Time to live; `None` keeps it.
        ttl_ms: Option<u64>,
    },
    /// Removes a value, hash, ranking or list.
    Delete {
        /// Under `hs:v:`.
        key: String,
    },
    /// One field of a hash.
    HashSet {
        /// Under `hs:v:`.
        key: String,
        /// The hash's field.
        field: String,
        /// The whole value.
        value: Vec<u8>,
    },
    /// Adds to a counter: field `field` of the hash `key`.
    Add {
        /// Under `hs:v:`.
        key: String,
        /// The hash's field.
        field: String,
        /// May be negative.
        by: i64,
    },
    /// A member of a sorted set; the lowest are dropped beyond `keep`. The score of a member must
    /// not fall: else what is dropped depends on how inputs happen to be grouped.
    Rank {
        /// Under `hs:v:`.
        key: String,
        /// The member.
        member: String,
        /// Sorts it; milliseconds since the epoch as a rule.
        score: u64,
        /// How many members stay.
        keep: u32,
    },
    /// Takes a member out of a sorted set.
    Unrank {
        /// Under `hs:v:`.
        key: String,
        /// The member.
        member: String,
    },
    /// Appends to a stream, field `d`; the oldest are dropped beyond about `keep`.
    Append {
        /// Under `hs:v:`.
        key: String,
        /// The entry.
        payload: Vec<u8>,
        /// About how many entries stay.
        keep: u32,
    },
}

/// All a step wants done, committed at once or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// State fields to write, or to remove with `None`.
    pub state: Vec<(String, Option<Vec<u8>>)>,
    /// Entries for inboxes, in order.
    pub outputs: Vec<Output>,
    /// Timers of this stage and shard.
    pub timers: Vec<Timer>,
    /// Read models.
    pub writes: Vec<Write>,
    /// Lines for the log once all of it is committed; nothing reads them back.
    pub notes: Vec<String>,
}

impl Effects {
    /// Adds what a later input of the same batch wants, in order.
    pub fn absorb(&mut self, later: Self) {
        self.state.extend(later.state);
        self.outputs.extend(later.outputs);
        self.timers.extend(later.timers);
        self.writes.extend(later.writes);
        self.notes.extend(later.notes);
    }

    /// How many there are to commit, of all kinds.
    pub(crate) fn len(&self) -> usize {
        self.state.len() + self.outputs.len() + self.timers.len() + self.writes.len()
    }
}

impl Timer {
    /// What tells it from others: its fields and its name.
    pub(crate) fn id(&self) -> (Vec<String>, String) {
        let (Self::Set { name, fields, .. } | Self::Cancel { name, fields }) = self;
        (fields.clone(), name.clone())
    }
}

impl Write {
    /// The key it goes to, relative to `hs:v:`.
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Set { key, .. }
            | Self::Delete { key }
            | Self::HashSet { key, .. }
            | Self::Add { key, .. }
            | Self::Rank { key, .. }
            | Self::Unrank { key, .. }
            | Self::Append { key, .. } => key,
        }
    }
}

/// What a step answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Commit these.
    Done(Effects),
    /// Fetch these further fields and ask again.
    Need(Vec<String>),
}

/// A step could not digest its input: it is tried alone, then dead-lettered with this text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StepError(pub String);

/// A stage's work: `(state, input, now) -> (state, outputs, timers)`, nothing else.
pub trait Step {
    /// What it keeps in hand from one input of a batch to the next, so that what many inputs
    /// change is read, made and written once; `()` for a step that keeps nothing.
    ///
    /// It is empty before the first input. What of it is to last is in the effects of
    /// [`Step::put_down`], committed together with the inputs': grouped otherwise, the same inputs
    /// must leave the same behind.
    type Hand: Default;

    /// Whose inbox this works on.
    fn stage(&self) -> Stage;

    /// Digests one input. Must be a pure function of its arguments and of the step's own
    /// frozen configuration. It changes the hand only when it is [`Verdict::Done`]; what of the
    /// state is in hand is newer than what `state` says.
    ///
    /// # Errors
    /// [`StepError`] when the input cannot be digested; the flow isolates and dead-letters it.
    fn apply(
        &self,
        hand: &mut Self::Hand,
        context: &Context,
        input: &Input,
        state: &State,
    ) -> Result<Verdict, StepError>;

    /// The effects of what is in hand at the end of a batch. Pure, like [`Step::apply`].
    fn put_down(&self, _hand: Self::Hand, _now_ms: u64) -> Effects {
        Effects::default()
    }
}

/// What is known of an external call after it was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    /// It was done; the bytes are the action's own account of it.
    Done(Vec<u8>),
    /// It was refused for certain: nothing happened.
    Failed(Vec<u8>),
    /// Nobody can say: it may or may not have happened.
    Unknown(Vec<u8>),
}

/// How an intent stands before its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// Nothing to call: it has a result already, or is held back. Commit these.
    Settled(Effects),
    /// Not started: commit these (the mark) without moving the cursor, then call.
    Mark(Effects),
    /// The mark is there: an earlier worker may have called. Look first.
    Started,
    /// Fetch these further fields and ask again.
    Need(Vec<String>),
}

/// The stage of external effects: one intent at a time, mark, look, call, result.
pub trait Action {
    /// Whose inbox this works on.
    fn stage(&self) -> Stage;

    /// Reads the intent against its state. Pure.
    ///
    /// # Errors
    /// [`StepError`] when the intent cannot be read.
    fn open(&self, context: &Context, input: &Input, state: &State) -> Result<Opening, StepError>;

    /// Carries it out; `look_first` when an earlier worker may have called already.
    /// Must end within `within_ms`, and says [`CallOutcome::Unknown`] when it cannot tell.
    fn call(&self, input: &Input, look_first: LookFirst, within_ms: u64)
    -> impl Future<Output = CallOutcome>;

    /// Turns the outcome into effects. Pure. Also called with `Unknown` for an intent that is
    /// given up (five workers died over it).
    ///
    /// # Errors
    /// [`StepError`] when the intent cannot be read.
    fn close(
        &self,
        context: &Context,
        input: &Input,
        state: &State,
        outcome: &CallOutcome,
    ) -> Result<Effects, StepError>;
}

/// Whether the call may have been made before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookFirst {
    /// First worker on this intent.
    No,
    /// A mark was found: ask the target before calling.
    Yes,
}

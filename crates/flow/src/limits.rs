//! Every bound of the flow, with its reason beside it.
//!
//! Invariant: a drain ends well within its lease, and so does an external call.

/// What a worker holds itself to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Inputs in one batch.
    pub batch: u32,
    /// How long a fetch or commit keeps the lease, in milliseconds. It must outlast one batch.
    pub lease_ms: u64,
    /// When a drain stops taking batches, in milliseconds since its first; less than half the lease.
    pub drain_ms: u64,
    /// Batches in one drain: a second bound, should the clock stand still.
    pub batches: u32,
    /// Tries an input has alone before it is a dead letter.
    pub tries: u32,
    /// The longest external call, in milliseconds; used by [`crate::drain_calls`] only.
    pub call_ms: u64,
    /// Kept free between the end of a call and the end of the lease, to commit its result.
    pub margin_ms: u64,
}

impl Limits {
    /// For stages of pure steps. Batch 256: a script then holds Redis for one millisecond, or for
    /// five when each input is about another service (docs/benchmarks.md).
    /// Three tries: a killing poison stops its stage and shard for up to four leases.
    pub const STEPS: Self = Self {
        batch: 256,
        lease_ms: 5_000,
        drain_ms: 2_000,
        batches: 1_000,
        tries: 3,
        call_ms: 0,
        margin_ms: 0,
    };

    /// For the stage of external calls, one at a time. Five tries: workers lost by chance must
    /// not give up an innocent intent, and giving up means a person is asked.
    pub const CALLS: Self = Self {
        batch: 1,
        lease_ms: 15_000,
        drain_ms: 2_000,
        batches: 64,
        tries: 5,
        call_ms: 10_000,
        margin_ms: 1_000,
    };
}

// The invariant of this module, for the defaults.
const _: () = assert!(Limits::STEPS.drain_ms * 2 < Limits::STEPS.lease_ms);
const _: () = assert!(Limits::CALLS.call_ms + Limits::CALLS.margin_ms < Limits::CALLS.lease_ms);

impl Default for Limits {
    fn default() -> Self {
        Self::STEPS
    }
}

/// What a store holds everyone to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How long a bell counts as under way, in milliseconds: the life of a lease, after which
    /// a lost bell no longer keeps others quiet.
    pub bell_ms: u64,
    /// Unread entries an inbox takes from outside before it answers full: a shard works off some
    /// ten thousand a second, so this is seconds of a flood, and tens of megabytes.
    pub inbox_max: u64,
    /// How long consumed entries stay for people to look at: an hour.
    pub keep_ms: u64,
    /// About how many dead letters stay.
    pub dead_max: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bell_ms: 5_000, inbox_max: 100_000, keep_ms: 3_600_000, dead_max: 10_000 }
    }
}

/// Further fetches of fields one input may ask for; more is a step that never settles.
pub const NEED_ROUNDS_MAX: u32 = 16;

/// State fields one input may name: scripts read them one by one while Redis waits.
pub const FIELDS_MAX: usize = 256;

/// Bytes of a field, timer or read model name; names are in every command.
pub const NAME_BYTES_MAX: usize = 512;

/// Bytes of one payload or value: the largest webhook body there is, 25 MB, and its envelope.
pub const VALUE_BYTES_MAX: usize = 32 << 20;

/// Effects of one input of each kind: keeps a commit script to a few milliseconds.
pub const EFFECTS_MAX: usize = 1_024;

/// The largest time or score: beyond it Redis's own numbers lose digits.
pub const TIME_MS_MAX: u64 = (1 << 53) - 1;

/// The largest single step of a counter: thousands of them stay within 64 bits.
pub const ADD_MAX: i64 = 1_000_000_000_000_000;

/// How many tries past its own a call may be handed out to be closed as unknown, before the
/// store buries it unasked: closing itself may be what kills the worker.
pub const CLOSING_TRIES: u32 = 2;

/// Effects after which a batch ends early, so that the sum over its inputs stays a short script.
pub const BATCH_EFFECTS_MAX: usize = 4_096;

/// Operations of one kind that a commit script carries out in one command; `MANY_MAX` in
/// `lua/prelude.lua`. A command holds Redis as long as it takes.
pub(crate) const RUN_MAX: usize = 1_000;

/// Ids one event may come under: a delivery id, and those of what it reports.
pub const IDS_MAX: usize = 16;

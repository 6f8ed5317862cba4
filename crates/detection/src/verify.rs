//! "Fixed" must be proven: was the error rate brought back after an attempt?
//!
//! Two e-processes run side by side on the error counts that follow the attempt, both on Poisson
//! likelihood ratios tempered by how bursty errors are (`e·ln(λ₁/λ₀) − n·(λ₁ − λ₀)`, over φ):
//!
//! * *fixed*: the rate is at least `λ₀ = √(usual · bad)`, less what that is uncertain by,
//!   against its being the usual one again. A remedy may take a while to work, so a small part of
//!   the stake is kept for beginning later; without it, every bad minute before the remedy works
//!   would have to be made up for.
//! * *worse*: the rate is at most the bad one, against its being higher still.
//!
//! Opens nothing; closes a case. *Proven* when the first reaches 20 after at least two batches: by
//! Ville's inequality a rate that is still at or above the boundary is called so with a chance of
//! at most 5 %, however often one looks. Then the rate is watched on (the hold-out), and *fixed* is
//! said when no relapse was seen in that time. *Worse* when the second reaches 20 before.
//!
//! What this does not do: look at anything but error counts (the caller names another stream that
//! got worse, and *fixed* waits), or conclude from silence: no requests is blind.
//!
//! Invariants: duplicates by source and time, and the order within a batch, change nothing; never
//! fixed by the mere passing of time.

use serde::{Deserialize, Serialize};

use crate::{
    number::float,
    recent::Recent,
    sequential::Tally,
    stored::{self, StoredError},
};

mod process;
mod text;

pub use crate::report::{Counted, Taken};
use process::{Process, Relapse};

/// The stored form's version.
const SCHEMA: u32 = 1;
/// Length of a batch in milliseconds: short, since it is also what the answer is rounded up to.
pub const BATCH_MS: u64 = 5_000;
/// An e-value that proves: its inverse is the chance to be wrong.
pub const PROOF: f64 = 20.0;
/// The sum that is a relapse. It is not an e-value of the whole hold-out but of each possible
/// onset; with 100 a rate that is the usual one is called a relapse in less than 1 % of hold-outs.
pub const RELAPSE: f64 = 100.0;
/// One batch is an accident.
pub const BATCHES_MIN: u64 = 2;
/// How long a rate that was brought back is watched for a relapse.
pub const HOLD_OUT_MS: u64 = 600_000;
/// How long after the attempt it may take until the proof is there.
pub const DEADLINE_MS: u64 = 3_600_000;
/// Without requests for this long nothing can be said.
pub const BLIND_AFTER_MS: u64 = 60_000;
/// Clocks differ by less; what is further ahead would close batches that are not over.
pub const AHEAD_MS_MAX: u64 = 2 * BATCH_MS;
/// The bad rate must be at least this many times the usual one: nearer ones cannot be told apart
/// in the time there is.
pub const RATIO_MIN: f64 = 1.2;

/// The boundary is put lower by so many of its standard errors, since the two rates are estimates:
/// without it, a rate at the true boundary was called fixed in up to 7 % of simulated hours.
const CAUTION: f64 = 0.6;

/// What cannot be verified by error counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// One of the two rates has no requests under it.
    #[error("there is no usual rate or no bad rate to hold the service against")]
    NothingCounted,
    /// Errors were not what was wrong, or there are too few of them.
    #[error(
        "the error rate before the attempt was not clearly above the usual one; verify by what was wrong"
    )]
    NotWorse,
}

/// What the attempt is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Before {
    /// Requests and errors while all was well.
    pub usual: Tally,
    /// Requests and errors while it was bad, until the attempt.
    pub bad: Tally,
    /// Variance of a batch's errors over their mean, at least 1; see
    /// [`crate::sequential::Dispersion::estimate`].
    pub dispersion: f64,
    /// When the attempt was done, milliseconds.
    pub attempt_ms: u64,
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Neither is proven.
    Checking,
    /// No requests for [`BLIND_AFTER_MS`]: nothing can be said, and nothing is.
    Blind,
    /// The rate came back; watched for a relapse.
    Proven,
    /// The rate came back and stayed.
    Fixed,
    /// The rate came back and rose again.
    Relapsed,
    /// It is worse than before the attempt: stop, and call a person.
    Worse,
    /// Not proven in time; never to be read as fixed.
    Unproven,
}

/// How it stands, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// How it stands.
    pub verdict: Verdict,
    /// The logarithm of the e-value of *fixed*.
    pub ln_fixed: f64,
    /// The logarithm of the e-value of *worse*.
    pub ln_worse: f64,
    /// What was counted since the attempt.
    pub since: Tally,
    /// When the rate was proven to be back, milliseconds.
    pub proven_ms: Option<u64>,
    /// When to look again though nothing came, milliseconds; `None` when it is decided.
    pub recheck_at_ms: Option<u64>,
    /// In plain words.
    pub text: String,
}

/// The state of one verification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    schema: u32,
    attempt_ms: u64,
    usual: f64,
    bad: f64,
    fixing: Process,
    worsening: Process,
    relapse: Relapse,
    recent: Recent,
    /// The batch that is open: its number, and what it holds.
    open: u64,
    pending: Tally,
    since: Tally,
    batches: u64,
    /// End of the last batch with requests in it.
    heard_ms: u64,
    proven_ms: Option<u64>,
    /// Decided, and when.
    ended: Option<(Verdict, u64)>,
}

impl Verification {
    /// Begins when an attempt is done.
    ///
    /// # Errors
    /// [`BeginError`] when the counts before it do not allow a verification.
    pub fn begin(before: &Before) -> Result<Self, BeginError> {
        if before.usual.total == 0 || before.bad.total == 0 {
            return Err(BeginError::NothingCounted);
        }
        let (usual, bad) = (smoothed(before.usual), before.bad.share());
        if bad < RATIO_MIN * usual {
            return Err(BeginError::NotWorse);
        }
        let dispersion = if before.dispersion.is_finite() { before.dispersion.max(1.0) } else { 1.0 };
        let boundary = (usual * bad).sqrt() * (-CAUTION * uncertainty(before, dispersion)).exp();
        if boundary <= usual {
            return Err(BeginError::NotWorse);
        }
        Ok(Self {
            schema: SCHEMA,
            attempt_ms: before.attempt_ms,
            usual,
            bad,
            fixing: Process::below(boundary, usual, dispersion),
            worsening: Process::above(bad, dispersion),
            relapse: Relapse::new(boundary, bad, dispersion),
            recent: Recent::default(),
            open: 0,
            pending: Tally::default(),
            since: Tally::default(),
            batches: 0,
            heard_ms: before.attempt_ms,
            proven_ms: None,
            ended: None,
        })
    }

    /// Reads a stored verification; nothing stored is `None`.
    ///
    /// # Errors
    /// [`StoredError`] when the bytes are not one, or one of an unknown form.
    pub fn decode(bytes: Option<&[u8]>) -> Result<Option<Self>, StoredError> {
        stored::decode("a verification", SCHEMA, bytes)
    }

    /// The stored form; below 1.5 KB.
    pub fn encode(&self) -> Vec<u8> {
        stored::encode(self)
    }

    /// Takes what one source counted.
    pub fn observe(&mut self, counted: Counted<'_>, now_ms: u64) -> Taken {
        if counted.at_ms > now_ms.saturating_add(AHEAD_MS_MAX) {
            return Taken::Ahead;
        }
        let Some(since_ms) = counted.at_ms.checked_sub(self.attempt_ms) else { return Taken::Late };
        let batch = since_ms / BATCH_MS;
        if batch < self.open || self.ended.is_some() {
            return Taken::Late;
        }
        if !self.recent.is_new(counted.source, counted.at_ms) {
            return Taken::Duplicate;
        }
        self.close_until(batch);
        if self.ended.is_some() {
            return Taken::Late;
        }
        self.pending = self.pending.plus(counted.tally);
        Taken::Counted
    }

    /// How it stands at `now_ms`. `worse_elsewhere` names another stream of the service that is
    /// worse than before (latency, traffic): *fixed* is not said while there is one.
    pub fn judge(&mut self, now_ms: u64, worse_elsewhere: Option<&str>) -> Judged {
        // A batch is complete a whole batch after its end: by then its reports are there.
        self.close_until((now_ms.saturating_sub(self.attempt_ms) / BATCH_MS).saturating_sub(1));
        if self.ended.is_none() {
            self.end_by_time(now_ms, worse_elsewhere);
        }
        let verdict = self.verdict(now_ms);
        Judged {
            verdict,
            ln_fixed: self.fixing.ln_e(),
            ln_worse: self.worsening.ln_e(),
            since: self.since.plus(self.pending),
            proven_ms: self.proven_ms,
            recheck_at_ms: self.ended.is_none().then(|| self.recheck_at_ms(now_ms)),
            text: self.text(verdict, now_ms, worse_elsewhere),
        }
    }

    fn verdict(&self, now_ms: u64) -> Verdict {
        match (self.ended, self.proven_ms) {
            (Some((verdict, _)), _) => verdict,
            (None, _) if now_ms >= self.heard_ms.saturating_add(BLIND_AFTER_MS) => Verdict::Blind,
            (None, Some(_)) => Verdict::Proven,
            (None, None) => Verdict::Checking,
        }
    }

    fn recheck_at_ms(&self, now_ms: u64) -> u64 {
        let due = match self.proven_ms {
            Some(proven_ms) => proven_ms.saturating_add(HOLD_OUT_MS),
            None => self.attempt_ms.saturating_add(DEADLINE_MS),
        };
        let blind = self.heard_ms.saturating_add(BLIND_AFTER_MS);
        // What is past and did not end it waits for other streams, or for requests.
        [due, blind]
            .into_iter()
            .filter(|at| *at > now_ms)
            .min()
            .unwrap_or(now_ms.saturating_add(BLIND_AFTER_MS))
    }

    /// Closes the open batch when a later one is due; batches without requests say nothing.
    fn close_until(&mut self, batch: u64) {
        if batch <= self.open {
            return;
        }
        let closed = std::mem::take(&mut self.pending);
        let end_ms = self.attempt_ms.saturating_add(self.open.saturating_add(1).saturating_mul(BATCH_MS));
        self.open = batch;
        if closed.total == 0 || self.ended.is_some() {
            return;
        }
        self.since = self.since.plus(closed);
        self.batches = self.batches.saturating_add(1);
        self.heard_ms = end_ms;
        self.weigh(closed, end_ms);
    }

    fn weigh(&mut self, closed: Tally, end_ms: u64) {
        if self.proven_ms.is_some() {
            self.relapse.observe(closed);
            if self.relapse.ln() >= RELAPSE.ln() {
                self.ended = Some((Verdict::Relapsed, end_ms));
            }
            return;
        }
        self.fixing.observe(closed);
        self.worsening.observe(closed);
        if self.batches < BATCHES_MIN {
            return;
        }
        if self.worsening.ln_e() >= PROOF.ln() {
            self.ended = Some((Verdict::Worse, end_ms));
        } else if self.fixing.ln_e() >= PROOF.ln() {
            self.proven_ms = Some(end_ms);
        }
    }

    fn end_by_time(&mut self, now_ms: u64, worse_elsewhere: Option<&str>) {
        match self.proven_ms {
            // What was not heard until the end of the hold-out does not count as quiet.
            Some(proven_ms) => {
                let held = self.heard_ms >= proven_ms.saturating_add(HOLD_OUT_MS);
                if held && worse_elsewhere.is_none() {
                    self.ended = Some((Verdict::Fixed, now_ms));
                }
            }
            None if now_ms >= self.attempt_ms.saturating_add(DEADLINE_MS) => {
                self.ended = Some((Verdict::Unproven, now_ms));
            }
            None => {}
        }
    }
}

/// The standard error of the boundary's logarithm, from the errors that both rates were counted
/// of.
fn uncertainty(before: &Before, dispersion: f64) -> f64 {
    let of = |tally: Tally| dispersion / float(tally.bad().max(1));
    0.5 * (of(before.usual) + of(before.bad)).sqrt()
}

/// A share that is above 0 even when nothing went wrong yet.
fn smoothed(tally: Tally) -> f64 {
    const HALF: f64 = 0.5;
    if tally.bad() == 0 { HALF / (float(tally.total) + 1.0) } else { tally.share() }
}

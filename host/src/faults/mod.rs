//! Faults on demand: what goes wrong in production once a month, when a test says so.
//!
//! Purpose: drop or double a doorbell; kill, pause, delay or fail an instance at one of its host
//! calls; lose a reply or an answer; move the clock. A rule names a component, a kind of call and
//! which one of them, so that the same rule strikes at the same place every time. A delay is a hold,
//! the clock moved by so much, and a release, so that nobody waits in real time.
//! Does not: draw at random, and is not reachable from the command line, a manifest or the
//! environment: only code that makes [`crate::app::Options`] can pass a [`Faults`].
//! Invariant: a rule strikes once; without a [`Faults`] nothing here runs.

mod clock;
pub(crate) mod guest;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

pub(crate) use clock::GuestClock;

/// What befalls a doorbell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BellFault {
    /// Nobody hears it.
    Drop,
    /// It is heard twice, at the same time.
    Double,
}

/// Which calls a rule counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Calls {
    /// Every host call: Redis, key-value, variables, outbound HTTP.
    Any,
    /// Redis commands that have each of these as their name or an argument, such as a script's digest
    /// and a stage.
    Redis(Vec<Vec<u8>>),
    /// Outbound requests, and Redis commands that are no plain reads. To end at any other call comes to
    /// the same as to end at the next of these, since nothing can be seen of it outside the instance.
    Changes,
    /// Outbound requests whose `METHOD path` contains this.
    Outbound(String),
}

/// Redis commands that the components send and that change nothing.
const READS: [&[u8]; 14] = [
    b"GET",
    b"HGET",
    b"HGETALL",
    b"HMGET",
    b"MGET",
    b"SISMEMBER",
    b"SMEMBERS",
    b"XLEN",
    b"XRANGE",
    b"XREVRANGE",
    b"ZCOUNT",
    b"ZREVRANGE",
    b"ZREVRANGEBYSCORE",
    b"ZREVRANK",
];

/// Before the call is carried out, or after it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// It is not carried out yet.
    Before,
    /// It was carried out; the guest has not heard of it.
    After,
}

/// What befalls a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// The instance ends, as if its machine had failed. At an outbound request it ends with its
    /// next host call, before which it is told that the connection was lost.
    Kill(When),
    /// The call fails and nothing is done.
    Fail,
    /// The call is carried out, and fails.
    Lose,
    /// The instance waits until [`Faults::release`].
    Hold(When),
    /// The same, for so long that it has given the call up: the call is carried out, and its result
    /// is lost.
    HoldAndLose(When),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    Bell(BellFault),
    Call(Calls, Strike),
}

/// One fault, at the `nth` doorbell or call that fits (from 1) after it was armed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    component: String,
    fault: Fault,
    nth: usize,
}

impl Rule {
    /// Strikes a component's doorbell.
    pub fn bell(component: &str, fault: BellFault, nth: usize) -> Self {
        Self { component: component.to_owned(), fault: Fault::Bell(fault), nth }
    }

    /// Strikes one of a component's calls.
    pub fn call(component: &str, calls: Calls, strike: Strike, nth: usize) -> Self {
        Self { component: component.to_owned(), fault: Fault::Call(calls, strike), nth }
    }
}

/// A call as rules see it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Seen<'a> {
    /// A Redis command, its name first.
    Redis(&'a [&'a [u8]]),
    /// An outbound request, `METHOD path`.
    Outbound(&'a str),
    /// Anything else.
    Other,
}

/// What became of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate<R> {
    /// It was carried out, and this is its result.
    Done(R),
    /// Nothing was done.
    Failed,
    /// It was carried out, and its result is lost.
    Lost,
}

/// The instance ends here.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("killed by a fault that a test asked for")]
pub(crate) struct Killed;

/// The faults of one application, shared by clones.
#[derive(Clone)]
pub struct Faults(Arc<Shared>);

struct Shared {
    rules: Mutex<Vec<Rule>>,
    /// Components whose last doorbell came to nothing.
    deaf: Mutex<BTreeSet<String>>,
    /// Counts releases.
    releases: watch::Sender<u64>,
    held: AtomicUsize,
    handling: AtomicUsize,
    clock: GuestClock,
}

impl Default for Faults {
    fn default() -> Self {
        Self(Arc::new(Shared {
            rules: Mutex::default(),
            deaf: Mutex::default(),
            releases: watch::Sender::new(0),
            held: AtomicUsize::new(0),
            handling: AtomicUsize::new(0),
            clock: GuestClock::default(),
        }))
    }
}

impl Faults {
    /// Lays a rule in wait.
    pub fn arm(&self, rule: Rule) {
        lock(&self.0.rules).push(rule);
    }

    /// Takes back every rule that has not struck yet.
    pub fn disarm(&self) {
        lock(&self.0.rules).clear();
    }

    /// How many rules have not struck yet.
    pub fn waiting(&self) -> usize {
        lock(&self.0.rules).len()
    }

    /// Instances held now.
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::SeqCst)
    }

    /// Message handlers at work now, the held ones among them.
    pub fn handling(&self) -> usize {
        self.0.handling.load(Ordering::SeqCst)
    }

    /// Whether the component's last doorbell came to nothing: nobody heard it, or who did was killed.
    pub fn is_deaf(&self, component: &str) -> bool {
        lock(&self.0.deaf).contains(component)
    }

    /// Lets everything go on that is held.
    pub fn release(&self) {
        self.0.releases.send_modify(|count| *count += 1);
    }

    pub(crate) fn guest_clock(&self) -> GuestClock {
        self.0.clock.clone()
    }

    /// How many times the component hears this doorbell.
    pub(crate) fn hears(&self, component: &str) -> usize {
        let struck = self.take(component, |fault| match fault {
            Fault::Bell(fault) => Some(*fault),
            Fault::Call(..) => None,
        });
        let mut deaf = lock(&self.0.deaf);
        if struck == Some(BellFault::Drop) {
            deaf.insert(component.to_owned());
            return 0;
        }
        deaf.remove(component);
        if struck == Some(BellFault::Double) { 2 } else { 1 }
    }

    /// Counts a message handler until the answer is dropped.
    pub(crate) fn handle(&self) -> Counted {
        Counted::new(self, |shared| &shared.handling)
    }

    /// Carries a call out under the rules.
    ///
    /// # Errors
    /// [`Killed`] when the instance must end.
    pub(crate) async fn around<R>(
        &self,
        component: &str,
        seen: Seen<'_>,
        work: impl Future<Output = R>,
    ) -> Result<Fate<R>, Killed> {
        let strike = self.take(component, |fault| match fault {
            Fault::Call(calls, strike) if calls.fit(seen) => Some(*strike),
            _ => None,
        });
        match strike {
            Some(Strike::Kill(When::Before)) => return Err(self.killed(component)),
            Some(Strike::Fail) => return Ok(Fate::Failed),
            Some(Strike::Hold(When::Before) | Strike::HoldAndLose(When::Before)) => self.hold().await,
            _ => {}
        }
        let result = work.await;
        match strike {
            Some(Strike::Kill(When::After)) => return Err(self.killed(component)),
            Some(Strike::Hold(When::After) | Strike::HoldAndLose(When::After)) => self.hold().await,
            _ => {}
        }
        match strike {
            Some(Strike::Lose | Strike::HoldAndLose(_)) => Ok(Fate::Lost),
            _ => Ok(Fate::Done(result)),
        }
    }

    /// For calls that cannot end their instance: it ends at its next one.
    pub(crate) fn kill_at_next_call(&self, component: &str) {
        self.arm(Rule::call(component, Calls::Any, Strike::Kill(When::Before), 1));
    }

    fn killed(&self, component: &str) -> Killed {
        lock(&self.0.deaf).insert(component.to_owned());
        Killed
    }

    async fn hold(&self) {
        let mut releases = self.0.releases.subscribe();
        let _held = Counted::new(self, |shared| &shared.held);
        // The sender lives in `self`, so waiting ends with a release only.
        let _released = releases.changed().await.is_ok();
    }

    /// Counts for every rule that fits, and takes the first whose turn it is.
    fn take<T>(&self, component: &str, fits: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let mut rules = lock(&self.0.rules);
        let mut struck = None;
        rules.retain_mut(|rule| {
            let Some(fault) = fits(&rule.fault).filter(|_| rule.component == component) else { return true };
            rule.nth = rule.nth.saturating_sub(1);
            if rule.nth > 0 || struck.is_some() {
                return true;
            }
            struck = Some(fault);
            false
        });
        struck
    }
}

impl Calls {
    fn fit(&self, seen: Seen<'_>) -> bool {
        match (self, seen) {
            (Self::Any, _) | (Self::Changes, Seen::Outbound(_)) => true,
            (Self::Changes, Seen::Redis(words)) => words.first().is_none_or(|name| !READS.contains(name)),
            (Self::Redis(wanted), Seen::Redis(words)) => {
                wanted.iter().all(|word| words.contains(&word.as_slice()))
            }
            (Self::Outbound(part), Seen::Outbound(line)) => line.contains(part),
            _ => false,
        }
    }
}

/// Counts while it lives.
pub(crate) struct Counted {
    faults: Faults,
    counter: fn(&Shared) -> &AtomicUsize,
}

impl Counted {
    fn new(faults: &Faults, counter: fn(&Shared) -> &AtomicUsize) -> Self {
        counter(&faults.0).fetch_add(1, Ordering::SeqCst);
        Self { faults: faults.clone(), counter }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.counter)(&self.faults.0).fetch_sub(1, Ordering::SeqCst);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

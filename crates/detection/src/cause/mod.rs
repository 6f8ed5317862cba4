//! Which of several overlapping changes explains a finding, if any.
//!
//! For every signature (service, kind, error class) each change of the last 72 hours in the
//! environment is a hypothesis, and *no change* is one more (after Gandalf, NSDI 2020: vote, veto and
//! decay, made Bayesian). The logarithm of a change's weight is the sum of
//!
//! * *prior*: how often changes of this kind to this service fail;
//! * *time*: the density of the delay from the change to the symptom, most of it within minutes;
//! * *split*: the e-value that those who have the change already are worse than those who have not;
//! * *distance*: a half for each call between the change's service and the symptom's;
//! * *veto*: one twentieth when the symptom was suspicious before the change already.
//!
//! A change after the symptom is no hypothesis at all. *Blame* is a posterior of 0.8 or more.
//! Signatures led by the same change within ten minutes of each other belong to one incident.
//!
//! What this does not do: measure. The e-values, and since when a stream is suspicious, are the
//! caller's; so is the call graph. Coincidence in time with no split and nothing else is weak
//! evidence, and the posterior says so.
//!
//! Invariants: at most 16 changes and 32 signatures an environment, 4 KB stored; telling the same
//! again changes nothing, nor does the order of telling (but for the name of an incident).

use serde::{Deserialize, Serialize};

use crate::{
    recent::{bounded_name, digest},
    stored::{self, StoredError},
};

mod blame;
mod calls;

pub use blame::{BLAME_MIN, Blame, Suspect, Terms};
pub use calls::Calls;

/// The stored form's version.
const SCHEMA: u32 = 1;
/// Changes that are hypotheses; the oldest goes. A busy environment has a few an hour.
pub const CHANGES_MAX: usize = 16;
/// Signatures that are open at once; the one that began first goes.
pub const SIGNATURES_MAX: usize = 32;
/// E-values of splits that are kept; the weakest goes.
pub const SPLITS_MAX: usize = 12;
/// Bytes kept of a change's id: a commit's whole hash. A longer one keeps its beginning.
pub const ID_BYTES_MAX: usize = 40;
/// Bytes kept of a service's name.
pub const SERVICE_BYTES_MAX: usize = 32;
/// A change is a hypothesis for so long.
pub const CHANGE_MS_MAX: u64 = 72 * 3_600_000;
/// Signatures led by the same change belong together when they began within this of each other.
pub const TOGETHER_MS: u64 = 600_000;
/// An e-value counts for no more in either direction, so that one split cannot outweigh a veto and
/// all else for ever.
const SPLIT_LN_MAX: f64 = 15.0;

/// An e-detector's value that is suspicious. In simulation a healthy stream (mean at 1/1.1 of the
/// bound) is at 1000 or above in 0.2 % of the time at most, at 100 in most of it and at 20 nearly
/// always: a lower bound would veto every change.
pub const SUSPICIOUS_MIN: f64 = 1_000.0;

/// Something that was changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change<'a> {
    /// What it is known by, such as a commit or a deployment.
    pub id: &'a str,
    /// What it changed.
    pub service: &'a str,
    /// When it began to take effect, milliseconds; told twice, the earlier time holds.
    pub at_ms: u64,
    /// How often changes of this kind to this service fail, a share: the mean of their Beta, 0.15
    /// ([`FAILURE_USUAL`]) as long as nothing is known.
    pub failure: f64,
}

/// The mean of Beta(1.5, 8.5): what is taken for a service without a history.
pub const FAILURE_USUAL: f64 = 0.15;

/// What a finding is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature<'a> {
    /// Whose symptom.
    pub service: &'a str,
    /// The finding's kind.
    pub kind: &'a str,
    /// The class of error; empty if there is none.
    pub class: &'a str,
}

/// A symptom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal<'a> {
    /// What it is known by.
    pub signature: Signature<'a>,
    /// When it began, milliseconds; told twice, the earlier time holds.
    pub began_ms: u64,
    /// Since when the e-detector on the same stream has been at [`SUSPICIOUS_MIN`] or above without
    /// a break; milliseconds.
    pub suspicious_ms: Option<u64>,
    /// Whether it is acted on or brought before a person; told twice, the last word holds.
    pub answered: bool,
}

/// The incident a finding belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouped {
    /// The same for all findings of the incident.
    pub key: String,
    /// How many findings it has by now.
    pub findings: usize,
    /// Whether another of them is answered.
    pub answered: bool,
    /// The change that leads it; none when *no change* does, and the finding stands alone.
    pub change: Option<String>,
}

/// Times in seconds: nothing is caused within one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct KnownChange(String, String, u64, u16);

impl KnownChange {
    fn id(&self) -> &str {
        &self.0
    }
    fn service(&self) -> &str {
        &self.1
    }
    fn at_s(&self) -> u64 {
        self.2
    }
    fn failure(&self) -> f64 {
        f64::from(self.3) / 1000.0
    }
}

/// Stored without names, 32 of them in 2 KB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct KnownSignature(u32, u64, u32, Option<Group>, #[serde(default)] bool);

impl KnownSignature {
    /// Digest of the signature.
    fn id(&self) -> u32 {
        self.0
    }
    fn began_s(&self) -> u64 {
        self.1
    }
    fn suspicious_s(&self) -> u64 {
        self.1.saturating_sub(self.2.into())
    }
    fn group(&self) -> Option<Group> {
        self.3
    }
    fn answered(&self) -> bool {
        self.4
    }
}

/// An incident: digest of the change that leads it, and when its first finding began, seconds.
type Group = (u32, u64);

/// Digest of the change, digest of the signature, hundredths of the e-value's logarithm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Split(u32, u32, i16);

/// The changes and symptoms of one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Causes {
    schema: u32,
    /// The oldest first.
    changes: Vec<KnownChange>,
    /// The one that began first, first.
    signatures: Vec<KnownSignature>,
    splits: Vec<Split>,
}

impl Default for Causes {
    fn default() -> Self {
        Self { schema: SCHEMA, changes: Vec::new(), signatures: Vec::new(), splits: Vec::new() }
    }
}

impl Causes {
    /// Reads a stored state; nothing stored is an environment nobody changed.
    ///
    /// # Errors
    /// [`StoredError`] when the bytes are not a state, or one of an unknown form.
    pub fn decode(bytes: Option<&[u8]>) -> Result<Self, StoredError> {
        Ok(stored::decode("causes", SCHEMA, bytes)?.unwrap_or_default())
    }

    /// The stored form; at most 4 KB.
    pub fn encode(&self) -> Vec<u8> {
        stored::encode(self)
    }

    /// Something was changed. The same id in two services, as a commit of a repository that both are
    /// built from, is two changes; what either of them leads is one incident all the same.
    pub fn change(&mut self, change: &Change<'_>) {
        self.insert(change);
        self.make_room(None);
    }

    /// What a service with a symptom knows of its own changes: however many others there were since,
    /// those make room first.
    pub fn own<'a>(&mut self, service: &str, changes: impl IntoIterator<Item = Change<'a>>) {
        changes.into_iter().take(CHANGES_MAX).for_each(|change| self.insert(&change));
        self.make_room(Some(&bounded_name(service, SERVICE_BYTES_MAX)));
    }

    fn insert(&mut self, change: &Change<'_>) {
        let id = bounded_name(change.id, ID_BYTES_MAX);
        let service = bounded_name(change.service, SERVICE_BYTES_MAX);
        let same = |known: &KnownChange| known.id() == id && known.service() == service;
        let earlier = self.changes.iter().find(|known| same(known)).map(KnownChange::at_s);
        let at_s = earlier.unwrap_or(u64::MAX).min(change.at_ms / 1000);
        self.changes.retain(|known| !same(known));
        self.changes.push(KnownChange(id, service, at_s, thousandths(change.failure)));
        self.changes.sort_by(|a, b| (a.at_s(), a.id(), a.service()).cmp(&(b.at_s(), b.id(), b.service())));
    }

    /// The oldest goes, one of `kept` last.
    fn make_room(&mut self, kept: Option<&str>) {
        while self.changes.len() > CHANGES_MAX {
            let oldest = self.changes.iter().position(|known| Some(known.service()) != kept);
            self.changes.remove(oldest.unwrap_or(0));
        }
        self.forget_splits();
    }

    /// A symptom was found.
    pub fn signal(&mut self, signal: &Signal<'_>) {
        let id = identity(&signal.signature);
        let old = self.signatures.iter().find(|known| known.id() == id).cloned();
        let began_s = old.as_ref().map_or(u64::MAX, KnownSignature::began_s).min(signal.began_ms / 1000);
        let suspicious_s = signal.suspicious_ms.map_or(began_s, |at_ms| at_ms / 1000);
        let known_s = old.as_ref().map_or(began_s, KnownSignature::suspicious_s);
        let early = began_s.saturating_sub(suspicious_s.min(known_s)).min(CHANGE_MS_MAX / 1000);
        let early = u32::try_from(early).unwrap_or(u32::MAX);
        self.signatures.retain(|known| known.id() != id);
        let group = old.and_then(|old| old.group());
        self.signatures.push(KnownSignature(id, began_s, early, group, signal.answered));
        self.signatures.sort_by_key(|known| (known.began_s(), known.id()));
        let surplus = self.signatures.len().saturating_sub(SIGNATURES_MAX);
        self.signatures.drain(..surplus);
        self.forget_splits();
    }

    /// The current e-value that those who have a change are worse, on the stream of a signature;
    /// `ln_e` is its logarithm. Ignored when one of the two is not known.
    pub fn split(&mut self, change: &str, signature: &Signature<'_>, ln_e: f64) {
        let (change, signature) =
            (identity_of_change(&bounded_name(change, ID_BYTES_MAX)), identity(signature));
        if !ln_e.is_finite() || !self.knows(change, signature) {
            return;
        }
        self.splits.retain(|split| (split.0, split.1) != (change, signature));
        self.splits.push(Split(change, signature, hundredths(ln_e)));
        self.splits.sort_by_key(|split| (std::cmp::Reverse(split.2.unsigned_abs()), split.0, split.1));
        self.splits.truncate(SPLITS_MAX);
    }

    /// A symptom is gone.
    pub fn cleared(&mut self, signature: &Signature<'_>) {
        let id = identity(signature);
        self.signatures.retain(|known| known.id() != id);
        self.forget_splits();
    }

    /// How every change explains a signature; `None` for one that was never told or is gone.
    pub fn blame(&self, signature: &Signature<'_>, calls: &Calls) -> Option<Blame> {
        let known = self.known(signature)?;
        let service = bounded_name(signature.service, SERVICE_BYTES_MAX);
        let suspects = self.changes.iter().filter_map(|change| {
            let split = self.split_of(change, known);
            Suspect::of(change, known, calls.hops(change.service(), &service), split)
        });
        Some(Blame::of(suspects.collect(), signature))
    }

    /// The incident a signature belongs to, from now on for good.
    pub fn incident(&mut self, signature: &Signature<'_>, calls: &Calls) -> Option<Grouped> {
        let known = self.known(signature)?;
        let group = match known.group() {
            Some(group) => group,
            None => self.group(known, self.blame(signature, calls)?.leading()),
        };
        let id = known.id();
        self.signatures.iter_mut().filter(|known| known.id() == id).for_each(|known| known.3 = Some(group));
        let change = self.changes.iter().find(|change| identity_of_change(change.id()) == group.0);
        let together = || self.signatures.iter().filter(|known| known.group() == Some(group));
        Some(Grouped {
            key: format!("cause-{:08x}-{}", group.0, group.1),
            findings: together().count(),
            answered: together().any(|known| known.id() != id && known.answered()),
            change: change.map(|change| change.id().to_owned()),
        })
    }

    /// That of the nearest signature with the same leading change, or a new one.
    fn group(&self, known: &KnownSignature, leading: Option<&Suspect>) -> Group {
        let Some(leading) = leading else { return (known.id(), known.began_s()) };
        let change = identity_of_change(&leading.change);
        let same = self.signatures.iter().filter_map(|other| {
            let group = other.group().filter(|(led_by, _)| *led_by == change)?;
            let apart = other.began_s().abs_diff(known.began_s());
            (apart <= TOGETHER_MS / 1000).then_some((apart, group))
        });
        same.min().map_or((change, known.began_s()), |(_, group)| group)
    }

    fn known(&self, signature: &Signature<'_>) -> Option<&KnownSignature> {
        let id = identity(signature);
        self.signatures.iter().find(|known| known.id() == id)
    }

    fn knows(&self, change: u32, signature: u32) -> bool {
        self.changes.iter().any(|known| identity_of_change(known.id()) == change)
            && self.signatures.iter().any(|known| known.id() == signature)
    }

    fn split_of(&self, change: &KnownChange, signature: &KnownSignature) -> Option<f64> {
        let change = identity_of_change(change.id());
        let split = self.splits.iter().find(|split| (split.0, split.1) == (change, signature.id()))?;
        Some(f64::from(split.2) / 100.0)
    }

    fn forget_splits(&mut self) {
        let mut splits = std::mem::take(&mut self.splits);
        splits.retain(|split| self.knows(split.0, split.1));
        self.splits = splits;
    }
}

/// 32 bits tell the few of one environment apart: two of 48 collide with a chance below 10^-6.
fn identity(signature: &Signature<'_>) -> u32 {
    folded(&[signature.service, signature.kind, signature.class])
}

fn identity_of_change(id: &str) -> u32 {
    folded(&[id])
}

fn folded(parts: &[&str]) -> u32 {
    let digest = digest(parts);
    u32::try_from((digest ^ (digest >> 32)) & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1 to 1000 before")]
fn thousandths(share: f64) -> u16 {
    let share = if share.is_finite() { share } else { FAILURE_USUAL };
    (share * 1000.0).round().clamp(1.0, 1000.0) as u16
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to a few thousand before")]
fn hundredths(ln_e: f64) -> i16 {
    (ln_e.clamp(-SPLIT_LN_MAX, SPLIT_LN_MAX) * 100.0).round() as i16
}

//! All that is remembered of one service in one environment, and its stored form.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use homeostat_schema::types::{Finding, FindingKind, Incident, Plan};
use serde::{Deserialize, Serialize};

use crate::guards::ATTEMPTS_COUNTED_MAX;

/// Findings remembered so that one delivered twice counts once, also after its incident closed.
const FINDINGS_REMEMBERED_MAX: usize = 64;
/// Releases whose attempts are counted one by one; see [`Ordinals`].
const RELEASES_COUNTED_MAX: usize = 32;
/// The stored form's version.
const FORM: u32 = 1;

/// All that is remembered of one service in one environment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Case {
    pub(super) open: Option<Open>,
    pub(super) past: VecDeque<Past>,
    pub(super) ordinals: Ordinals,
    pub(super) findings: VecDeque<String>,
    /// The attempt the act stage has not answered, also when its incident was closed meanwhile.
    pub(super) flying: Option<String>,
    pub(super) undone: Option<Undone>,
}

/// A stored case could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not the JSON of any version.
    #[error("the stored case is not readable")]
    Json(#[from] serde_json::Error),
    /// Written by a version this one does not know.
    #[error("the stored case has form {0}, this version reads form {FORM}: run the version that wrote it")]
    UnknownForm(u32),
}

#[derive(Deserialize)]
struct Form {
    form: u32,
}

#[derive(Deserialize)]
struct Stored {
    case: Case,
}

#[derive(Serialize)]
struct Storing<'a> {
    form: u32,
    case: &'a Case,
}

impl Case {
    /// Reads a stored case; nothing stored is the case of a service nothing ever happened to.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are not a case, or one of an unknown form.
    pub fn decode(bytes: Option<&[u8]>) -> Result<Self, DecodeError> {
        let Some(bytes) = bytes else { return Ok(Self::default()) };
        let form: Form = serde_json::from_slice(bytes)?;
        if form.form != FORM {
            return Err(DecodeError::UnknownForm(form.form));
        }
        let stored: Stored = serde_json::from_slice(bytes)?;
        Ok(stored.case)
    }

    /// The stored form: JSON of at most [`super::CASE_BYTES_MAX`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        // Cannot fail: texts, finite numbers, lists and records only. Were it to, `decode` refuses
        // the empty bytes rather than take them for a case with nothing in it.
        serde_json::to_vec(&Storing { form: FORM, case: self }).unwrap_or_default()
    }

    /// The open incident, if there is one.
    pub fn incident(&self) -> Option<&Incident> {
        self.open.as_ref().map(|open| &open.incident)
    }

    /// Whether this finding is new; remembers it.
    pub(super) fn meets(&mut self, finding: &str) -> bool {
        if self.findings.iter().any(|known| known == finding) {
            return false;
        }
        while self.findings.len() >= FINDINGS_REMEMBERED_MAX {
            self.findings.pop_front();
        }
        self.findings.push_back(finding.to_owned());
        true
    }

    /// The act stage answered.
    pub(super) fn landed(&mut self, attempt: &str) {
        self.flying.take_if(|flying| flying == attempt);
    }

    /// Counts an attempt that is on its way.
    pub(super) fn attempted(&mut self, key: &str, at_ms: u64) {
        self.flying = Some(key.to_owned());
        while self.past.len() >= ATTEMPTS_COUNTED_MAX {
            self.past.pop_front();
        }
        self.past.push_back(Past { at_ms, effect: Effect::Possible });
    }

    /// The last attempt turned out to have done nothing: no reason to cool down.
    pub(super) fn had_no_effect(&mut self) {
        if let Some(last) = self.past.back_mut() {
            last.effect = Effect::None;
        }
    }

    pub(super) fn attempts_ms(&self) -> Vec<u64> {
        self.past.iter().map(|past| past.at_ms).collect()
    }

    pub(super) fn last_effect_ms(&self) -> Option<u64> {
        self.past.iter().rev().find(|past| past.effect == Effect::Possible).map(|past| past.at_ms)
    }
}

/// The last rollback that may have been carried out. Its target now lies one revision back, so
/// that another rollback would bring it up again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Undone {
    /// The release that was rolled back.
    pub(super) release: String,
    /// The release that was gone back to, as far as it is known.
    version: Option<String>,
    commit: Option<String>,
}

impl Undone {
    pub(super) fn by(plan: &Plan, release: String) -> Self {
        let good = plan.last_good.as_ref();
        Self {
            release,
            version: good.and_then(|good| good.version.clone()),
            commit: good.and_then(|good| good.commit.clone()),
        }
    }

    /// Whether what is running is what was gone back to. In doubt it is: numbers that name no
    /// release, or another one when it is not known which was gone back to.
    pub(super) fn runs_in(&self, finding: &Finding, release: &str) -> bool {
        let same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
        if same(&self.commit, &finding.commit) || same(&self.version, &finding.version) {
            return true;
        }
        let numbers = matches!(finding.kind, FindingKind::LatencyHigh | FindingKind::ErrorRateHigh);
        let named = finding.commit.is_some() || finding.version.is_some();
        let known = self.commit.is_some() || self.version.is_some();
        numbers && (!named || (!known && release != self.release))
    }
}

/// An attempt made on the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Past {
    at_ms: u64,
    effect: Effect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Effect {
    Possible,
    None,
}

/// Numbers attempts per release, over all incidents, so that no idempotency key comes twice. A
/// release that no longer has a place of its own is covered by the floor.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Ordinals {
    by_release: BTreeMap<String, u32>,
    floor: u32,
}

impl Ordinals {
    /// The number of the next attempt on the release, from 1.
    pub(super) fn next(&self, release: &str) -> u32 {
        self.by_release.get(release).copied().unwrap_or(self.floor).saturating_add(1)
    }

    /// Uses that number up.
    pub(super) fn take(&mut self, release: &str) {
        let taken = self.next(release);
        if !self.by_release.contains_key(release) && self.by_release.len() >= RELEASES_COUNTED_MAX {
            let least = self.by_release.iter().min_by_key(|(_, count)| **count);
            if let Some((release, count)) = least.map(|(release, count)| (release.clone(), *count)) {
                self.floor = self.floor.max(count);
                self.by_release.remove(&release);
            }
        }
        self.by_release.insert(release.to_owned(), taken);
    }
}

/// The open incident and what is known beside what people see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Open {
    pub(super) incident: Incident,
    /// The finding that is worked on.
    pub(super) lead: Finding,
    pub(super) stage: Stage,
    /// A finding about a newer release that came while an attempt was in flight.
    pub(super) newer: Option<Finding>,
    /// The last plan made.
    pub(super) parent: Option<String>,
    pub(super) plans: u32,
    pub(super) attempts: u32,
    /// Remedies that had their turn, by release.
    pub(super) tried: BTreeSet<(String, String)>,
    /// Releases and finding kinds plans were made for.
    pub(super) considered: BTreeSet<(String, String)>,
    /// Reasons a person was told for.
    pub(super) told: BTreeSet<String>,
    /// Keys of messages on their way.
    pub(super) telling: BTreeSet<String>,
    /// Waits so far; names them.
    pub(super) waits: u32,
    pub(super) hands: Hands,
    /// How the service has been since then is what the next look asks.
    pub(super) since_ms: u64,
    /// Encoded bytes of the timeline.
    pub(super) bytes: usize,
    /// Items there was no room for.
    pub(super) dropped: u32,
}

/// Whether the planner may still start something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Hands {
    On,
    /// A person has it for good: a remedy did harm, cannot be told about, or was rejected.
    Off,
}

/// What the incident waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// Nothing, but a look from time to time.
    Idle(Option<Wait>),
    /// A person's yes or no.
    Approval(Plan),
    /// The act stage's answer.
    Acting(Flight),
    /// The time to look, then the detector's answer.
    Verifying(Flight),
}

/// An attempt under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Flight {
    pub(super) plan: Plan,
    /// Nobody knows whether it was done.
    pub(super) unknown: bool,
    pub(super) ended_ms: u64,
    /// How often the detector was asked.
    pub(super) looks: u32,
    /// It has been asked and has not answered.
    pub(super) asked: bool,
}

/// A look to come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Wait {
    pub(super) name: String,
    pub(super) purpose: Purpose,
    /// From 1.
    pub(super) look: u32,
    pub(super) asked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// Make the plan anew unless the trouble is over: the cooldown ended.
    Retry,
    /// See whether the trouble is over.
    Watch,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_ordinal_comes_twice_however_many_releases_there_are() {
        let mut ordinals = Ordinals::default();
        let mut used = BTreeSet::new();
        for round in 0..4 {
            for release in 0..(RELEASES_COUNTED_MAX * 2) {
                let release = format!("r{release}");
                assert!(used.insert((release.clone(), ordinals.next(&release))), "round {round} {release}");
                ordinals.take(&release);
            }
        }
    }

    #[test]
    fn the_first_attempt_on_a_release_is_number_one() {
        let mut ordinals = Ordinals::default();
        assert_eq!(ordinals.next("a"), 1);
        ordinals.take("a");
        assert_eq!((ordinals.next("a"), ordinals.next("b")), (2, 1));
    }

    #[test]
    fn what_is_no_case_is_refused() {
        for (bytes, expected) in [
            (&b""[..], "the stored case is not readable"),
            (b"{}", "the stored case is not readable"),
            (
                br#"{"form":2,"case":{}}"#,
                "the stored case has form 2, this version reads form 1: run the version that wrote it",
            ),
        ] {
            assert_eq!(Case::decode(Some(bytes)).unwrap_err().to_string(), expected);
        }
        assert_eq!(Case::decode(None).unwrap(), Case::default());
        assert_eq!(Case::decode(Some(&Case::default().encode())).unwrap(), Case::default());
    }
}

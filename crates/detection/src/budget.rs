//! Errors held against an objective: a share of requests that must go well.
//!
//! For a service with an objective this takes the place of the threshold of [`crate::error_rate`], as
//! far as requests were counted; everybody's requests count, not those of a canary, which is compared.
//! Opens when a *page* pair of [`crate::burn`] fires for errors of now: while the pair's short window
//! still reaches back before the newest release, or before the last finding ended, the errors since
//! must burn faster than its factor as well, [`burn::BAD_MIN`] of them at least. So a release answers
//! for its own errors only, and what is mended opens nothing because its errors are still in the
//! window. Closes when no page pair fires, with a new release, or when it is proven that an attempt
//! brought the rate back. A *ticket* pair opens nothing: the service is merely not called well.
//!
//! False alarms: those of [`crate::burn`].
//!
//! What this does not do: notice silence (telemetry does), or weigh rates of which nobody said how many
//! requests are behind them.
//!
//! Invariants: an event counts once; the state is below 9 KB.

use serde::{Deserialize, Serialize};

use crate::{
    burn::{BAD_MIN, Burn, Counted, Firing, Judged, Objective, Taken, Urgency, Verdict},
    latency::FINE_MIN,
    number::float,
    observation::{Errors, Observation},
    score::{Part, Standing, evidence},
    sequential::Tally,
    verify,
};

mod log;
mod trouble;

use trouble::{Calm, Trouble};

/// What a window may reach back beyond its length: one slot of the finest ring.
const SLOT_MS: u64 = 300_000;
/// Events named as evidence, as many as [`crate::error_rate`] pools.
const EVENTS_MAX: usize = crate::error_rate::POOL;

/// The state of one service's objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Budget {
    burn: Burn,
    /// Errors before this are not held against what runs now.
    from_ms: u64,
    /// What was counted since.
    since: Tally,
    calm: Calm,
    trouble: Option<Trouble>,
}

/// What the pairs say of the errors of now.
enum Said<'a> {
    Page(&'a Firing),
    /// A page, for errors that something else answers for.
    Past(&'a Firing),
    Ticket(&'a Firing),
    Within,
    Nothing,
}

impl Budget {
    pub(crate) fn new(objective: Objective) -> Self {
        Self {
            burn: Burn::new(objective),
            from_ms: 0,
            since: Tally::default(),
            calm: Calm::default(),
            trouble: None,
        }
    }

    /// Takes what an observation counted.
    pub(crate) fn take(&mut self, observation: &Observation, objective: Objective, now_ms: u64) {
        self.burn.hold_to(objective);
        let Some(tally) = observation.errors.and_then(counted) else { return };
        let report = Counted { source: &observation.event, at_ms: observation.at_ms, tally };
        if self.burn.observe(report, now_ms) != Taken::Counted {
            return;
        }
        if observation.at_ms >= self.from_ms {
            self.since = self.since.plus(tally);
        }
        self.trouble.take_if(|trouble| trouble.is_over(now_ms));
        // A sender whose clock is ahead must not make what was before an attempt one after it.
        let at_ms = observation.at_ms.min(observation.seen_ms);
        match &mut self.trouble {
            Some(trouble) => trouble.add(at_ms, tally),
            None => self.calm.add(at_ms, tally),
        }
    }

    /// How the errors stand, for a finding to open or close: bad opens it, fine closes it.
    pub(crate) fn standing(&mut self, open: bool, now_ms: u64) -> Option<Standing> {
        let judged = self.burn.judge(now_ms);
        match self.said(&judged, open, now_ms) {
            Said::Page(_) => Some(Standing::Bad),
            Said::Past(_) => Some(Standing::Doubtful),
            Said::Ticket(_) | Said::Within => Some(Standing::Fine),
            Said::Nothing => None,
        }
    }

    /// A finding opened.
    pub(crate) fn opened(&mut self, now_ms: u64) {
        let judged = self.burn.judge(now_ms);
        let Some(firing) = judged.firing.first() else { return };
        let allowed = (firing.factor * self.burn.objective().budget()).min(1.0);
        self.trouble.take_if(|trouble| trouble.is_closed());
        // One that a release interrupted goes on: what was usual is known from before it.
        if self.trouble.is_none() {
            self.trouble = Some(self.calm.ended(now_ms, allowed));
        }
    }

    /// The finding closed by itself.
    pub(crate) fn closed(&mut self, now_ms: u64) {
        self.begin(now_ms);
        if let Some(trouble) = &mut self.trouble {
            trouble.closed(now_ms);
        }
    }

    /// It was told that an attempt mended it.
    pub(crate) fn mended(&mut self, now_ms: u64) {
        self.begin(now_ms);
        self.trouble = None;
    }

    /// From now on something else answers for the errors.
    pub(crate) fn begin(&mut self, at_ms: u64) {
        (self.from_ms, self.since) = (at_ms, Tally::default());
    }

    /// How the budget stands; `None` while nothing was counted for an hour, or since the release.
    pub(crate) fn part(&self, open: bool, observations: &[&Observation], now_ms: u64) -> Option<Part> {
        let judged = self.burn.clone().judge(now_ms);
        let counts: Vec<&Observation> = with_counts(observations).collect();
        let said = self.said(&judged, open, now_ms);
        let (standing, firing) = match said {
            Said::Page(firing) => (Standing::Bad, Some(firing)),
            Said::Past(firing) | Said::Ticket(firing) => (Standing::Doubtful, Some(firing)),
            Said::Within if counts.is_empty() => return None,
            Said::Within if counts.len() < FINE_MIN => (Standing::Waiting, None),
            Said::Within => (Standing::Fine, None),
            Said::Nothing => return None,
        };
        let mut evidence = evidence("error-budget", &judged.text);
        if let Said::Past(_) = said {
            evidence.text.push_str("; not what was counted since the last release or finding");
        }
        let long = firing.map_or(judged.rates[0], |firing| firing.long);
        evidence.observed = long.burn;
        evidence.bound = firing.map_or(long.burn, |firing| firing.factor);
        evidence.samples = long.total as u64;
        evidence.events = ids(&counts);
        Some(Part { standing, evidence })
    }

    /// The share of errors that the open finding is about, 0 to 1.
    pub(crate) fn allowed(&self) -> Option<f64> {
        self.trouble.as_ref().map(|trouble| trouble.allowed)
    }

    /// Whether an attempt that ended at `since_ms` brought the rate back; `None` when that cannot be
    /// told from counts. `observations` are those since, and `threshold` what they are against a
    /// fixed one.
    pub(crate) fn verified(
        &self,
        since_ms: u64,
        observations: &[&Observation],
        threshold: Option<&Part>,
    ) -> Option<Part> {
        let judged = self.trouble.as_ref()?.verify(since_ms)?;
        if judged.since.total == 0 {
            // Nothing to weigh yet: as fine as it looks, it is not proven.
            return threshold.map(|part| Part { standing: not_fine(part.standing), ..part.clone() });
        }
        let standing = match judged.verdict {
            verify::Verdict::Worse => Standing::Worse,
            verify::Verdict::Relapsed => Standing::Bad,
            _ if judged.proven_ms.is_some() => Standing::Fine,
            _ => threshold.map_or(Standing::Waiting, |part| not_fine(part.standing)),
        };
        let mut evidence = evidence("error-rate", &judged.text);
        if let (Standing::Bad, Some(part)) = (standing, threshold) {
            evidence.text = format!("{}; {}", part.evidence.text, judged.text);
        }
        evidence.observed = judged.since.share();
        evidence.bound = self.allowed().unwrap_or_default();
        evidence.samples = judged.since.total;
        evidence.events = ids(&with_counts(observations).collect::<Vec<_>>());
        Some(Part { standing, evidence })
    }

    fn said<'a>(&self, judged: &'a Judged, open: bool, now_ms: u64) -> Said<'a> {
        let pages = || judged.firing.iter().filter(|firing| firing.pair.urgency == Urgency::Page);
        if let Some(firing) = pages().find(|firing| open || self.is_of_now(firing, now_ms)) {
            return Said::Page(firing);
        }
        match (pages().next(), judged.firing.first(), judged.verdict) {
            (Some(firing), _, _) => Said::Past(firing),
            (None, Some(firing), _) => Said::Ticket(firing),
            (None, None, Verdict::Blind) => Said::Nothing,
            (None, None, _) => Said::Within,
        }
    }

    /// Whether a pair fires for what came since the release, or since the last finding ended.
    fn is_of_now(&self, firing: &Firing, now_ms: u64) -> bool {
        let reach_ms = firing.short.window.length_ms().saturating_add(SLOT_MS);
        if now_ms >= self.from_ms.saturating_add(reach_ms) {
            return true;
        }
        let burn = self.since.share() / self.burn.objective().budget();
        float(self.since.bad()) >= BAD_MIN && burn > firing.factor
    }
}

/// What a threshold calls fine is not proven thereby.
fn not_fine(standing: Standing) -> Standing {
    if standing == Standing::Fine { Standing::Waiting } else { standing }
}

fn counted(errors: Errors) -> Option<Tally> {
    (errors.total > 0).then(|| Tally { total: errors.total, bad: errors.bad() })
}

fn with_counts<'a>(observations: &[&'a Observation]) -> impl Iterator<Item = &'a Observation> {
    observations.iter().copied().filter(|one| one.errors.and_then(counted).is_some())
}

fn ids(observations: &[&Observation]) -> Vec<String> {
    let last = observations.iter().skip(observations.len().saturating_sub(EVENTS_MAX));
    last.map(|one| one.event.clone()).collect()
}

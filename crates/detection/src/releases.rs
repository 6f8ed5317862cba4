//! The deployments of a service, and which release was good.
//!
//! A release is *good* when its deployment succeeded, a later deployment has started since, and
//! no finding about latency or errors opened on it before that. So the release running now is not
//! good yet (nobody knows how it ends), and one that had to be healed never becomes good.
//! Findings name the newest good release that is not the one in question.

use homeostat_schema::types::{Event, EventKind, Release};
use serde::{Deserialize, Serialize};

use crate::{
    progress::{Mark, Moved, Progress},
    text,
};

/// Deployments remembered: the running one, one under way, the good one, and two to spare for
/// deliveries out of order. Beyond it the oldest that is not the newest good one goes.
pub(crate) const DEPLOYMENTS_MAX: usize = 5;

/// One deployment or rollback, from all deliveries about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Deployment {
    pub(crate) key: String,
    pub(crate) mark: Mark,
    /// The earliest the sender told of it.
    pub(crate) started_ms: u64,
    /// The latest success the sender told of; kept when a newer one supersedes it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) succeeded_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) commit: Option<String>,
    pub(crate) irreversible: bool,
    /// Every delivery about it was signed.
    pub(crate) signed: bool,
    /// A finding about latency or errors opened on it.
    pub(crate) blemished: bool,
}

/// The deployments of one service, by start.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Releases(Vec<Deployment>);

/// What a delivery changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) moved: Moved,
    /// The state of this deployment before.
    pub(crate) before: Option<Progress>,
}

impl Deployment {
    fn begin(key: String, mark: Mark, event: &Event) -> Self {
        Self {
            key,
            started_ms: mark.at_ms,
            succeeded_ms: None,
            version: text::optional(event.version.as_ref()),
            commit: text::optional(event.commit.as_ref()),
            irreversible: false,
            signed: true,
            blemished: false,
            mark,
        }
    }

    /// Takes what every delivery adds, whatever its order.
    fn join(&mut self, mark: &Mark, event: &Event) {
        self.started_ms = self.started_ms.min(mark.at_ms);
        if mark.progress == Progress::Success {
            self.succeeded_ms = Some(self.succeeded_ms.map_or(mark.at_ms, |known| known.max(mark.at_ms)));
        }
        self.version = self.version.take().or_else(|| text::optional(event.version.as_ref()));
        self.commit = self.commit.take().or_else(|| text::optional(event.commit.as_ref()));
        self.irreversible |= event.irreversible;
        self.signed &= event.trust.signed;
    }

    /// It went out and was at most replaced since.
    pub(crate) fn went_out(&self) -> bool {
        self.succeeded_ms.is_some() && matches!(self.mark.progress, Progress::Success | Progress::Superseded)
    }

    /// The same version or commit.
    fn is_same_release(&self, version: Option<&String>, commit: Option<&String>) -> bool {
        let same = |ours: Option<&String>, theirs: Option<&String>| ours.is_some() && ours == theirs;
        same(self.version.as_ref(), version) || same(self.commit.as_ref(), commit)
    }

    /// It has a name, a version or a commit; without any, each event would be a new release.
    pub(crate) fn is_told_apart(&self) -> bool {
        self.version.is_some() || self.commit.is_some() || !text::is_of_event(&self.key)
    }

    fn start_order(&self) -> (u64, u64, &str) {
        (self.started_ms, self.mark.at_ms, &self.key)
    }

    fn end_order(&self) -> (u64, u64, u64, &str) {
        (self.mark.at_ms, self.started_ms, self.mark.seen_ms, &self.key)
    }
}

impl Releases {
    /// Takes one delivery about a deployment; `None` when its status says nothing.
    pub(crate) fn take(&mut self, event: &Event) -> Option<(String, Change)> {
        let (key, mark) = told(event)?;
        let change = match self.0.iter_mut().find(|known| known.key == key) {
            Some(known) => known.deliver(&mark, event),
            None => self.add(key.clone(), mark, event),
        };
        self.0.sort_by(|a, b| a.start_order().cmp(&b.start_order()));
        self.make_room();
        Some((key, change))
    }

    /// Whether a newer state of the event's deployment is known.
    pub(crate) fn have_overtaken(&self, event: &Event) -> bool {
        let Some((key, mark)) = told(event) else { return false };
        self.get(&key).is_some_and(|known| mark.is_before(&known.mark))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Deployment> {
        self.0.iter().find(|known| known.key == key)
    }

    /// The newest that ended well or badly: what the service was left with.
    pub(crate) fn newest_decided(&self) -> Option<&Deployment> {
        self.decided().max_by(|a, b| a.end_order().cmp(&b.end_order()))
    }

    /// What is running: the newest that went out.
    pub(crate) fn current(&self) -> Option<&Deployment> {
        let out = self.0.iter().filter(|known| known.went_out());
        out.max_by(|a, b| (a.succeeded_ms, a.start_order()).cmp(&(b.succeeded_ms, b.start_order())))
    }

    /// Whether anything is on its way out that started after the newest decided one.
    pub(crate) fn under_way(&self) -> Option<&Deployment> {
        let newest = self.0.last()?;
        newest.mark.progress.is_under_way().then_some(newest)
    }

    /// The release that observations are about: the newest started one, unless it came to nothing.
    /// One under way and one that failed count, because they may be serving already or still; but
    /// while a good release is being brought back, what is to be replaced stays in question.
    pub(crate) fn in_question(&self) -> Option<&Deployment> {
        self.0.get(self.place_in_question()?)
    }

    /// All that are remembered, by start.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Deployment> {
        self.0.iter()
    }

    /// The release that started last, by its key.
    pub(crate) fn newest(&self) -> Option<&Deployment> {
        self.0.last()
    }

    fn place_in_question(&self) -> Option<usize> {
        let counts = |place: &usize| {
            self.0
                .get(*place)
                .is_some_and(|known| !known.came_to_nothing() && !self.is_way_back(*place, known))
        };
        (0..self.0.len()).rev().find(counts)
    }

    fn is_way_back(&self, place: usize, one: &Deployment) -> bool {
        let (version, commit) = (one.version.as_ref(), one.commit.as_ref());
        let earlier = self.0.iter().take(place);
        one.mark.progress.is_under_way()
            && earlier.into_iter().any(|known| known.is_same_release(version, commit) && self.is_good(known))
    }

    /// When the newest release went out that can be told from others.
    pub(crate) fn newest_success_ms(&self) -> Option<u64> {
        let told_apart = |known: &&Deployment| known.is_told_apart();
        self.0.iter().filter(told_apart).filter_map(|known| known.succeeded_ms).max()
    }

    /// Notes that a finding opened on the release in question.
    pub(crate) fn blemish(&mut self) {
        let place = self.place_in_question();
        if let Some(known) = place.and_then(|place| self.0.get_mut(place)) {
            known.blemished = true;
        }
    }

    /// The newest good release that is not this one.
    pub(crate) fn last_good(&self, version: Option<&String>, commit: Option<&String>) -> Option<Release> {
        let good = self.newest_good(|known| !known.is_same_release(version, commit))?;
        let at = good.succeeded_ms.unwrap_or(good.mark.at_ms);
        Some(Release { version: good.version.clone(), commit: good.commit.clone(), at })
    }

    fn newest_good(&self, wanted: impl Fn(&Deployment) -> bool) -> Option<&Deployment> {
        // The last one started has no later deployment, so it cannot be good yet.
        let (_, earlier) = self.0.split_last()?;
        earlier.iter().rev().find(|known| self.is_good(known) && wanted(known))
    }

    fn is_good(&self, one: &Deployment) -> bool {
        let identified = one.version.is_some() || one.commit.is_some();
        let blemish = |other: &&Deployment| {
            other.blemished && other.is_same_release(one.version.as_ref(), one.commit.as_ref())
        };
        identified && one.signed && one.went_out() && !self.0.iter().any(|other| blemish(&other))
    }

    fn decided(&self) -> impl Iterator<Item = &Deployment> {
        self.0.iter().filter(|known| known.mark.progress.is_decided())
    }

    fn add(&mut self, key: String, mark: Mark, event: &Event) -> Change {
        let mut new = Deployment::begin(key, mark.clone(), event);
        new.join(&mark, event);
        self.0.push(new);
        Change { moved: Moved::Ahead, before: None }
    }

    fn make_room(&mut self) {
        while self.0.len() > DEPLOYMENTS_MAX {
            let good = self.newest_good(|_| true).map(|known| known.key.clone());
            let oldest = self.0.iter().position(|known| Some(&known.key) != good.as_ref());
            self.0.remove(oldest.unwrap_or(0));
        }
    }
}

impl Deployment {
    fn deliver(&mut self, mark: &Mark, event: &Event) -> Change {
        let before = Some(self.mark.progress);
        self.join(mark, event);
        Change { moved: self.mark.advance(mark), before }
    }

    fn came_to_nothing(&self) -> bool {
        !self.went_out()
            && matches!(self.mark.progress, Progress::Cancelled | Progress::Skipped | Progress::Superseded)
    }
}

/// Which deployment an event tells of, and its state.
fn told(event: &Event) -> Option<(String, Mark)> {
    // A sender's retry of a deployment is a deployment of its own.
    let mark = Mark { attempt: 1, ..Mark::of(event)? };
    Some((text::subject(event.correlation.deployment.as_ref(), event), mark))
}

/// Whether this kind of event is about a deployment.
pub(crate) fn is_about(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Deployment | EventKind::Rollback)
}

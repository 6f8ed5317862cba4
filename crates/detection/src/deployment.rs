//! A deployment or rollback that failed.
//!
//! Opens when a deployment's newest state becomes failure, unless one that ended later succeeded
//! already; once per deployment. Superseded, cancelled and skipped are not failures. Closes when a
//! deployment or rollback that ended later succeeds, whoever made it, so our own rollback closes
//! it too.

use homeostat_schema::identity::release_shown;
use homeostat_schema::types::Event;

use crate::{
    progress::{Moved, Progress},
    releases::{Deployment, Releases},
    score::{Part, Standing, evidence},
};

/// The effect of an attempt may be reported while its call is still being answered: a success that
/// came in this long before the attempt ended counts as since. Above any outbound call's timeout.
pub(crate) const GRACE_MS: u64 = 10_000;

/// Takes a delivery; the deployment's key when a finding opens.
pub(crate) fn take(releases: &mut Releases, event: &Event) -> Option<String> {
    let (key, change) = releases.take(event)?;
    let failed = releases.get(&key)?.mark.progress == Progress::Failure;
    let news = change.moved == Moved::Ahead && change.before != Some(Progress::Failure);
    (failed && news && is_what_is_left(releases, &key)).then_some(key)
}

fn is_what_is_left(releases: &Releases, key: &str) -> bool {
    releases.newest_decided().is_some_and(|newest| newest.key == key)
}

/// What the last deployments left the service with; `None` when none is known.
pub(crate) fn part(releases: &Releases) -> Option<Part> {
    match (releases.newest_decided(), releases.under_way()) {
        (Some(newest), None) => Some(decided(newest)),
        (Some(newest), Some(_)) if newest.mark.progress == Progress::Failure => Some(decided(newest)),
        (_, Some(under_way)) => Some(told(under_way, Standing::Waiting, "is under way")),
        (None, None) => None,
    }
}

/// The same from what came in since then.
pub(crate) fn part_since(releases: &Releases, since_ms: u64) -> Option<Part> {
    let with_grace_ms = since_ms.saturating_sub(GRACE_MS);
    let newest = releases.newest_decided().filter(|newest| match newest.mark.progress {
        Progress::Success => newest.mark.seen_ms >= with_grace_ms,
        _ => newest.mark.seen_ms >= since_ms,
    });
    let under_way = releases.under_way().filter(|one| one.mark.seen_ms >= with_grace_ms);
    match (newest, under_way) {
        (Some(newest), _) => Some(decided(newest)),
        (None, Some(one)) => Some(told(one, Standing::Waiting, "is under way")),
        (None, None) => None,
    }
}

fn decided(deployment: &Deployment) -> Part {
    match deployment.mark.progress {
        Progress::Failure => told(deployment, Standing::Bad, "failed"),
        _ => told(deployment, Standing::Fine, "succeeded"),
    }
}

fn told(deployment: &Deployment, standing: Standing, what: &str) -> Part {
    let release = deployment.version.as_ref().or(deployment.commit.as_ref());
    let text = match release {
        Some(release) => format!("the deployment of {} {what}", release_shown(release)),
        None => format!("the deployment {what}"),
    };
    let mut evidence = evidence("deployment", &text);
    evidence.observed = if standing == Standing::Bad { 1.0 } else { 0.0 };
    evidence.samples = 1;
    evidence.unit = "{failure}".to_owned();
    evidence.events = vec![deployment.mark.event.clone()];
    Part { standing, evidence }
}

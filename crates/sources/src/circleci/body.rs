//! The few fields read of CircleCI's payloads.

use homeostat_schema::wire::flat::URL_BYTES_MAX;
use serde::Deserialize;

use crate::lenient::{Moment, Part, Word};
use crate::said::short_ref;

/// One more than kept, so that an address that is too long is seen to be.
type Url = Word<{ URL_BYTES_MAX + 1 }>;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Body {
    #[serde(rename = "type")]
    pub(super) kind: Word,
    pub(super) id: Word,
    pub(super) happened_at: Moment,
    pub(super) project: Part<Project>,
    pub(super) pipeline: Part<Pipeline>,
    pub(super) workflow: Part<Unit>,
    pub(super) job: Part<Unit>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Project {
    pub(super) slug: Word,
}

/// A workflow or a job.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Unit {
    pub(super) id: Word,
    pub(super) name: Word,
    pub(super) status: Word,
    pub(super) url: Url,
    pub(super) created_at: Moment,
    pub(super) started_at: Moment,
    pub(super) stopped_at: Moment,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Pipeline {
    pub(super) id: Word,
    vcs: Part<Vcs>,
    trigger_parameters: Part<TriggerParameters>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Vcs {
    revision: Word,
    branch: Word,
    tag: Word,
    origin_repository_url: Url,
    target_repository_url: Url,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TriggerParameters {
    git: Part<Git>,
    circleci: Part<Trigger>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Git {
    checkout_sha: Word,
    branch: Word,
    tag: Word,
    #[serde(rename = "ref")]
    git_ref: Word,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Trigger {
    provider_login: Word,
    actor_id: Word,
}

impl Pipeline {
    fn git(&self) -> Option<&Git> {
        self.trigger_parameters.0.as_ref()?.git.0.as_ref()
    }

    pub(super) fn commit(&self) -> Option<String> {
        let of_vcs = self.vcs.0.as_ref().and_then(|vcs| vcs.revision.0.clone());
        of_vcs.or_else(|| self.git()?.checkout_sha.0.clone())
    }

    pub(super) fn branch_or_tag(&self) -> Option<String> {
        let of_vcs = self.vcs.0.as_ref().and_then(|vcs| vcs.branch.as_str().or(vcs.tag.as_str()));
        let of_git = || {
            let git = self.git()?;
            git.branch.as_str().or(git.tag.as_str()).or(git.git_ref.as_str())
        };
        of_vcs.or_else(of_git).and_then(short_ref)
    }

    /// Whether what was built comes from another repository than the one it was built for.
    pub(super) fn is_of_fork(&self) -> bool {
        let Some(vcs) = &self.vcs.0 else { return false };
        let (origin, target) = (vcs.origin_repository_url.as_str(), vcs.target_repository_url.as_str());
        origin.is_some() && target.is_some() && origin != target
    }

    /// Who started it; the commit's author may be someone else.
    pub(super) fn actor(&self) -> Option<String> {
        let trigger = self.trigger_parameters.0.as_ref()?.circleci.0.as_ref()?;
        trigger.provider_login.0.clone().or_else(|| trigger.actor_id.0.clone())
    }
}

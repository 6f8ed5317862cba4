//! What Bitbucket Data Center tells. Its times are numbers up to 10.2 and texts from 10.3 on.

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat::{self, ITEMS_MAX};

use super::payload::data_center::{Actor, Change, End, PullRequest, PullRequestHook, RefsHook};
use crate::draft::Draft;
use crate::forge::{CDEVENT, Review, branch_of, is_no_commit, note, one, owned};
use crate::reading::{NotUnderstood, Reading};
use crate::said::{joined_id, short_ref};

/// Every branch and tag of the push is an event of its own.
pub(super) fn refs_changed(hook: RefsHook) -> Result<Reading, NotUnderstood> {
    let name = hook.repository.as_ref().and_then(|repository| repository.full_name());
    let name = name.ok_or_else(|| NotUnderstood::missing("repository.project.key"))?;
    let changes = hook.changes.ok_or_else(|| NotUnderstood::missing("changes"))?;
    if changes.len() > ITEMS_MAX {
        return Err(NotUnderstood::new(format!("more than {ITEMS_MAX} changes in one push")));
    }
    let mut common = flat::Draft::saying(EventKind::Change, Status::Success);
    common.service_name = Some(name);
    common.occurred_at_ms = hook.date.map(|at| at.0);
    common.actor = hook.actor.and_then(Actor::name);
    let drafts: Vec<Draft> =
        changes.into_iter().filter_map(|change| change_draft(common.clone(), &change)).collect();
    if drafts.is_empty() {
        return Ok(Reading::Ignored("a branch or tag was deleted".to_owned()));
    }
    Ok(Reading::Items(drafts))
}

/// `None` when the branch or tag was deleted.
fn change_draft(mut said: flat::Draft, change: &Change) -> Option<Draft> {
    let to = owned(change.to_hash.as_ref()).filter(|hash| !is_no_commit(hash))?;
    let from = owned(change.from_hash.as_ref()).unwrap_or_default();
    let full_ref = owned(change.git_ref.as_ref()?.id.as_ref())?;
    said.branch = short_ref(&full_ref);
    said.commit = Some(to.clone());
    let created = branch_of(&full_ref).is_some() && is_no_commit(&from);
    note(&mut said, CDEVENT, created.then(|| "branch.created".to_owned()));
    let (name, at) = (said.service_name.clone().unwrap_or_default(), said.occurred_at_ms.unwrap_or_default());
    let subject = format!("push:{name}:{full_ref}:{from}..{to}@{at}");
    Some(Draft::of(said).about(joined_id(&[&subject]), 1))
}

/// What an event tells of a pull request; `None` for one that is not read.
pub(super) fn review(event: &str) -> Option<Review> {
    match event {
        "pr:opened" | "pr:reopened" => Some(Review::Opened),
        "pr:from_ref_updated" | "pr:modified" => Some(Review::Updated),
        "pr:merged" => Some(Review::Merged),
        "pr:declined" | "pr:deleted" => Some(Review::Abandoned),
        _ => None,
    }
}

pub(super) fn pull_request(
    event: &str,
    told: Review,
    hook: PullRequestHook,
) -> Result<Reading, NotUnderstood> {
    let pull = hook.pull_request.ok_or_else(|| NotUnderstood::missing("pullRequest"))?;
    let id = pull.id.ok_or_else(|| NotUnderstood::missing("pullRequest.id"))?;
    let target = pull.to_ref.as_ref().and_then(|end| end.repository.as_ref());
    let name = target.and_then(|repository| repository.full_name());
    let name = name.ok_or_else(|| NotUnderstood::missing("pullRequest.toRef.repository"))?;
    let mut said = flat::Draft::saying(EventKind::Change, told.status());
    said.fork = !pull.is_of_one_repository();
    said.occurred_at_ms = hook.date.map(|at| at.0);
    said.title = owned(pull.title.as_ref());
    said.url = pull.links.and_then(|links| links.page());
    said.correlation.pull_request = Some(id.to_string());
    said.actor = hook.actor.and_then(Actor::name);
    if let Some(source) = pull.from_ref {
        said.branch = owned(source.display_id.as_ref());
        said.commit = owned(source.latest_commit.as_ref());
    }
    let step = format!("pull_request:{name}:{id}:{event}");
    said.service_name = Some(name);
    Ok(one(told.draft(said, step)))
}

impl PullRequest {
    fn is_of_one_repository(&self) -> bool {
        let id = |end: &Option<End>| end.as_ref()?.repository.as_ref()?.id;
        id(&self.from_ref).is_some() && id(&self.from_ref) == id(&self.to_ref)
    }
}

impl Actor {
    fn name(self) -> Option<String> {
        owned(self.name.as_ref())
    }
}

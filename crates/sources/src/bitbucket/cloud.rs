//! What Bitbucket Cloud tells.
//!
//! Its pipelines tell of themselves as statuses of a commit, like any other build. A build that
//! runs again keeps commit and key, and has an address of its own.

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat::{self, ITEMS_MAX, TEXT_CHARS_MAX};

use super::contradicted;
use super::payload::cloud::{
    Actor, Change, Commit, CommitStatus, End, PullRequest, PullRequestHook, PushHook, Repository, StatusHook,
    Tip,
};
use crate::draft::Draft;
use crate::forge::{CDEVENT, Review, link, note, one, owned};
use crate::json::bounded;
use crate::reading::{NotUnderstood, Reading};
use crate::said::joined_id;

pub(super) fn commit_status(hook: StatusHook) -> Result<Reading, NotUnderstood> {
    let status = hook.commit_status.ok_or_else(|| NotUnderstood::missing("commit_status"))?;
    let name = full_name(hook.repository.as_ref())?;
    let key = owned(status.key.as_ref()).ok_or_else(|| NotUnderstood::missing("commit_status.key"))?;
    let state = owned(status.state.as_ref()).ok_or_else(|| NotUnderstood::missing("commit_status.state"))?;
    let mut said = flat::Draft::saying(EventKind::Run, status_of(&state));
    said.fork = is_elsewhere(status.repository.as_ref(), hook.repository.as_ref());
    said.occurred_at_ms = status.updated_on.or(status.created_on).map(|at| at.0);
    said.commit = status.commit_id();
    said.title = owned(status.name.as_ref()).map(|name| unnumbered(&name)).or(Some(key.clone()));
    said.branch = owned(status.refname.as_ref());
    said.url = link(status.url.as_ref());
    said.actor = hook.actor.and_then(Actor::name);
    let commit = said.commit.clone().unwrap_or_default();
    said.correlation.run = bounded(&format!("commit_status:{commit}:{key}"), TEXT_CHARS_MAX);
    let address = said.url.clone().unwrap_or_default();
    let subject = format!("commit_status:{name}:{commit}:{key}:{address}");
    said.service_name = Some(name);
    Ok(one(Draft::of(said).about(joined_id(&[&subject]), 1)))
}

fn status_of(state: &str) -> Status {
    match state {
        "INPROGRESS" => Status::Running,
        "SUCCESSFUL" => Status::Success,
        "FAILED" => Status::Failure,
        "STOPPED" => Status::Cancelled,
        other => Status::named(other),
    }
}

/// `Pipeline #4 for main` is the same pipeline as `Pipeline #5 for main`.
fn unnumbered(name: &str) -> String {
    let is_number = |word: &str| {
        let digits = word.strip_prefix('#').unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let words: Vec<&str> = name.split_whitespace().filter(|word| !is_number(word)).collect();
    if words.is_empty() { name.to_owned() } else { words.join(" ") }
}

/// Every branch and tag of the push is an event of its own.
pub(super) fn push(hook: PushHook) -> Result<Reading, NotUnderstood> {
    let name = full_name(hook.repository.as_ref())?;
    let push = hook.push.ok_or_else(|| NotUnderstood::missing("push"))?;
    let changes = push.changes.ok_or_else(|| NotUnderstood::missing("push.changes"))?;
    if changes.len() > ITEMS_MAX {
        return Err(NotUnderstood::new(format!("more than {ITEMS_MAX} changes in one push")));
    }
    let actor = hook.actor.and_then(Actor::name);
    let drafts = changes.into_iter().filter_map(|change| change_draft(&name, actor.as_ref(), change));
    let drafts: Vec<Draft> = drafts.collect();
    if drafts.is_empty() {
        return Ok(Reading::Ignored("a branch or tag was deleted".to_owned()));
    }
    Ok(Reading::Items(drafts))
}

/// `None` when the branch or tag was deleted.
fn change_draft(name: &str, actor: Option<&String>, change: Change) -> Option<Draft> {
    let new = change.new?;
    let (from, to) = (change.old.as_ref().and_then(Tip::hash), new.hash()?);
    let mut said = flat::Draft::saying(EventKind::Change, Status::Success);
    // The commits carry their committers' clocks, which prove nothing; Bitbucket's own is not told.
    said.service_name = Some(name.to_owned());
    said.branch = owned(new.name.as_ref());
    said.commit = Some(to.clone());
    said.url = new.target.as_ref().and_then(|commit| commit.links.as_ref()?.page());
    said.actor = actor.cloned();
    let kind = owned(new.kind.as_ref()).unwrap_or_default();
    let created = change.old.is_none() && kind == "branch";
    note(&mut said, CDEVENT, created.then(|| "branch.created".to_owned()));
    note(&mut said, "forced", (change.forced == Some(true)).then(|| "true".to_owned()));
    let (branch, from) = (said.branch.clone().unwrap_or_default(), from.unwrap_or_default());
    let subject = format!("push:{name}:{kind}:{branch}:{from}..{to}");
    Some(Draft::of(said).about(joined_id(&[&subject]), 1))
}

/// What an event tells of a pull request; `None` for one that is not read.
pub(super) fn review(event: &str) -> Option<Review> {
    match event {
        "pullrequest:created" => Some(Review::Opened),
        "pullrequest:updated" => Some(Review::Updated),
        "pullrequest:fulfilled" => Some(Review::Merged),
        "pullrequest:rejected" => Some(Review::Abandoned),
        _ => None,
    }
}

pub(super) fn pull_request(
    event: &str,
    told: Review,
    hook: PullRequestHook,
) -> Result<Reading, NotUnderstood> {
    let name = full_name(hook.repository.as_ref())?;
    let pull = hook.pullrequest.ok_or_else(|| NotUnderstood::missing("pullrequest"))?;
    let id = pull.id.ok_or_else(|| NotUnderstood::missing("pullrequest.id"))?;
    if !pull.may_be(told) {
        return Err(contradicted());
    }
    let mut said = flat::Draft::saying(EventKind::Change, told.status());
    said.fork = !pull.is_of_one_repository();
    said.occurred_at_ms = pull.updated_on.map(|at| at.0);
    said.title = owned(pull.title.as_ref());
    said.url = pull.links.and_then(|links| links.page());
    said.correlation.pull_request = Some(id.to_string());
    said.actor = hook.actor.and_then(Actor::name);
    if let Some(source) = pull.source {
        said.branch = source.branch.and_then(|branch| owned(branch.name.as_ref()));
        said.commit = source.commit.and_then(|commit| owned(commit.hash.as_ref()));
    }
    let step = format!("pull_request:{name}:{id}:{event}");
    said.service_name = Some(name);
    Ok(one(told.draft(said, step)))
}

impl PullRequest {
    /// Whether its state is not another than the event says.
    fn may_be(&self, told: Review) -> bool {
        match self.state.as_ref().map(|state| state.0.as_str()) {
            Some("OPEN") => matches!(told, Review::Opened | Review::Updated),
            Some("MERGED") => told == Review::Merged,
            Some("DECLINED" | "SUPERSEDED") => told == Review::Abandoned,
            _ => true,
        }
    }

    fn is_of_one_repository(&self) -> bool {
        let id = |end: &Option<End>| owned(end.as_ref()?.repository.as_ref()?.uuid.as_ref());
        id(&self.source).is_some() && id(&self.source) == id(&self.destination)
    }
}

impl CommitStatus {
    fn commit_id(&self) -> Option<String> {
        let of_commit = self.commit.as_ref().and_then(|commit: &Commit| owned(commit.hash.as_ref()));
        of_commit.or_else(|| self.links.as_ref()?.commit_id())
    }
}

impl Tip {
    fn hash(&self) -> Option<String> {
        owned(self.target.as_ref()?.hash.as_ref())
    }
}

impl Actor {
    fn name(self) -> Option<String> {
        owned(self.nickname.as_ref()).or(owned(self.username.as_ref()))
    }
}

fn full_name(repository: Option<&Repository>) -> Result<String, NotUnderstood> {
    repository
        .and_then(|repository| owned(repository.full_name.as_ref()))
        .ok_or_else(|| NotUnderstood::missing("repository.full_name"))
}

/// Whether a status was given in another repository than the one that tells of it.
fn is_elsewhere(given: Option<&Repository>, told: Option<&Repository>) -> bool {
    let id = |repository: Option<&Repository>| owned(repository?.uuid.as_ref());
    id(given).is_some_and(|given| Some(given) != id(told))
}

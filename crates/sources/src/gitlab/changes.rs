//! Pushes, merge requests, releases and feature flags.

use homeostat_schema::types::{EventKind, Status};

use super::payload::{FeatureFlagHook, MergeRequest, MergeRequestHook, PushHook, ReleaseHook};
use super::{draft, path, username};
use crate::draft::Draft;
use crate::forge::{CDEVENT, Review, branch_of, is_no_commit, link, note, one, owned};
use crate::reading::{NotUnderstood, Reading};
use crate::said::{joined_id, short_ref};

pub(super) fn push(hook: PushHook) -> Result<Reading, NotUnderstood> {
    let after = owned(hook.after.as_ref()).ok_or_else(|| NotUnderstood::missing("after"))?;
    if is_no_commit(&after) {
        return Ok(Reading::Ignored("a branch or tag was deleted".to_owned()));
    }
    let full_ref = owned(hook.git_ref.as_ref()).ok_or_else(|| NotUnderstood::missing("ref"))?;
    let path = path(hook.project.as_ref())?;
    let before = owned(hook.before.as_ref()).unwrap_or_default();
    // The commits carry their committers' clocks, which prove nothing; GitLab's own is not told.
    let mut said = draft(EventKind::Change, Status::Success, &path);
    said.branch = short_ref(&full_ref);
    let page = hook.project.and_then(|project| link(project.web_url.as_ref()));
    said.url = page.map(|page| format!("{page}/-/commit/{after}"));
    said.actor = owned(hook.user_username.as_ref());
    let created = branch_of(&full_ref).is_some() && is_no_commit(&before);
    note(&mut said, CDEVENT, created.then(|| "branch.created".to_owned()));
    let subject = format!("push:{path}:{full_ref}:{before}..{after}");
    // Of an annotated tag, `after` is the tag itself.
    said.commit = owned(hook.checkout_sha.as_ref()).or(Some(after));
    Ok(one(Draft::of(said).about(joined_id(&[&subject]), 1)))
}

pub(super) fn merge_request(hook: MergeRequestHook) -> Result<Reading, NotUnderstood> {
    let path = path(hook.project.as_ref())?;
    let request = hook.object_attributes.ok_or_else(|| NotUnderstood::missing("object_attributes"))?;
    let id = request.id.ok_or_else(|| NotUnderstood::missing("object_attributes.id"))?;
    let action = owned(request.action.as_ref()).unwrap_or_default();
    let review = match action.as_str() {
        "open" | "reopen" => Review::Opened,
        "update" => Review::Updated,
        "merge" => Review::Merged,
        "close" => Review::Abandoned,
        _ => return Ok(Reading::Ignored("this action of a merge request is not of interest".to_owned())),
    };
    let mut said = draft(EventKind::Change, review.status(), &path);
    said.fork = !request.is_of_one_project();
    said.occurred_at_ms = request.updated_at.map(|at| at.0);
    said.title = owned(request.title.as_ref());
    said.url = link(request.url.as_ref());
    said.branch = owned(request.source_branch.as_ref());
    said.commit = request.last_commit.and_then(|commit| owned(commit.id.as_ref()));
    said.correlation.pull_request = request.iid.map(|iid| iid.to_string());
    said.actor = username(hook.user);
    Ok(one(review.draft(said, format_args!("merge_request:{id}:{action}"))))
}

pub(super) fn release(hook: ReleaseHook) -> Result<Reading, NotUnderstood> {
    if hook.action.as_ref().is_some_and(|action| action.0 != "create") {
        return Ok(Reading::Ignored("this action of a release is not of interest".to_owned()));
    }
    let path = path(hook.project.as_ref())?;
    let id = hook.id.ok_or_else(|| NotUnderstood::missing("id"))?;
    let tag = owned(hook.tag.as_ref()).ok_or_else(|| NotUnderstood::missing("tag"))?;
    let mut said = draft(EventKind::Release, Status::Success, &path);
    // The day of the release may be set to any, also to one to come.
    said.occurred_at_ms = hook.created_at.or(hook.released_at).map(|at| at.0);
    said.title = owned(hook.name.as_ref());
    said.url = link(hook.url.as_ref());
    said.commit = hook.commit.and_then(|commit| owned(commit.id.as_ref()));
    said.branch = Some(tag.clone());
    said.version = Some(tag);
    Ok(one(Draft::of(said).about(format!("release:{id}"), 1)))
}

/// A flag goes on and off, and no time is told: each delivery is an event of its own.
pub(super) fn feature_flag(hook: FeatureFlagHook) -> Result<Reading, NotUnderstood> {
    let path = path(hook.project.as_ref())?;
    let flag = hook.object_attributes.ok_or_else(|| NotUnderstood::missing("object_attributes"))?;
    let name = owned(flag.name.as_ref()).ok_or_else(|| NotUnderstood::missing("object_attributes.name"))?;
    let mut said = draft(EventKind::Change, Status::Success, &path);
    said.title = Some(name.clone());
    said.actor = username(hook.user);
    note(&mut said, "feature-flag", Some(name));
    note(&mut said, "active", flag.active.map(|active| active.to_string()));
    Ok(one(Draft::of(said)))
}

impl MergeRequest {
    fn is_of_one_project(&self) -> bool {
        self.source_project_id.is_some() && self.source_project_id == self.target_project_id
    }
}

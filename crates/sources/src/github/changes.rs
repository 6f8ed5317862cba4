//! Changes of the source, and releases.
//!
//! A branch or tag that is made tells of itself twice, by `create` and by `push`; only the push is
//! read. A release tells of itself by `created`, `published` and `released` or `prereleased`; the
//! last three are one event.

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat::{self, TEXT_CHARS_MAX};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::payload::{Body, End, PullRequest, Release, Repository};
use super::{date, draft, login, named};
use crate::draft::Draft;
use crate::forge::{
    ARTIFACT, CDEVENT, REPOSITORY, Review, SUBJECT, TOLD_AT, branch_of, is_no_commit, link, note, one, owned,
};
use crate::json::{When, bounded};
use crate::reading::{NotUnderstood, Reading};
use crate::said::{joined_id, short_ref, span};

/// What a package URL leaves as it is in a version.
const PLAIN_IN_VERSION: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn push(body: Body) -> Result<Reading, NotUnderstood> {
    let after = owned(body.after.as_ref()).ok_or_else(|| NotUnderstood::missing("after"))?;
    if body.deleted == Some(true) || is_no_commit(&after) {
        return Ok(Reading::Ignored("a branch or tag was deleted".to_owned()));
    }
    let full_ref = owned(body.git_ref.as_ref()).ok_or_else(|| NotUnderstood::missing("ref"))?;
    let repository = named(body.repository)?;
    let mut said = draft(EventKind::Change, Status::Success, &repository);
    // The commits carry their committers' clocks, which prove nothing; this one is GitHub's. A
    // CDEvent of a new branch is dated by its head commit, as others date it.
    date(&mut said, repository.pushed_at);
    said.branch = short_ref(&full_ref);
    said.url = link(body.compare.as_ref());
    said.actor = login(body.sender);
    if body.forced == Some(true) {
        note(&mut said, "forced", Some("true".to_owned()));
    }
    if let Some(branch) = branch_of(&full_ref) {
        note_branch(&mut said, &repository, branch);
        if body.created == Some(true) {
            note(&mut said, CDEVENT, Some("branch.created".to_owned()));
            note(&mut said, TOLD_AT, body.head_commit.and_then(|head| head.timestamp?.told()));
        }
    }
    let before = owned(body.before.as_ref()).unwrap_or_default();
    let (name, at) = (said.service_name.clone().unwrap_or_default(), said.occurred_at_ms.unwrap_or_default());
    let subject = format!("push:{name}:{full_ref}:{before}..{after}@{at}");
    said.commit = Some(after);
    Ok(one(Draft::of(said).about(joined_id(&[&subject]), 1)))
}

fn note_branch(said: &mut flat::Draft, repository: &Repository, branch: &str) {
    let api = repository.api_url();
    note(said, SUBJECT, api.as_ref().map(|api| format!("{api}/branches/{branch}")));
    note(said, REPOSITORY, api);
}

pub(super) fn pull_request(body: Body) -> Result<Reading, NotUnderstood> {
    let pull = body.pull_request.ok_or_else(|| NotUnderstood::missing("pull_request"))?;
    let action = owned(body.action.as_ref()).ok_or_else(|| NotUnderstood::missing("action"))?;
    let review = match (action.as_str(), pull.merged) {
        ("opened" | "reopened", _) => Review::Opened,
        ("synchronize" | "edited", _) => Review::Updated,
        ("closed", Some(true)) => Review::Merged,
        ("closed", _) => Review::Abandoned,
        _ => return Ok(Reading::Ignored("this action of a pull_request is not of interest".to_owned())),
    };
    let repository = named(body.repository)?;
    let id = pull.id.ok_or_else(|| NotUnderstood::missing("pull_request.id"))?;
    let mut said = draft(EventKind::Change, review.status(), &repository);
    describe(&mut said, pull, review);
    said.actor = login(body.sender);
    note(&mut said, REPOSITORY, repository.api_url());
    Ok(one(review.draft(said, format_args!("pull_request:{id}:{action}"))))
}

fn describe(said: &mut flat::Draft, pull: PullRequest, review: Review) {
    said.fork = !pull.is_of_one_repository();
    date(said, pull.updated_at);
    let (opened, merged) = (pull.created_at.map(When::ms), pull.merged_at.map(When::ms));
    said.duration_ms = (review == Review::Merged).then(|| span(opened, merged)).flatten();
    said.title = owned(pull.title.as_ref());
    said.url = link(pull.html_url.as_ref());
    said.correlation.pull_request = pull.number.map(|number| number.to_string());
    note(said, SUBJECT, owned(pull.url.as_ref()));
    if let Some(head) = pull.head {
        said.commit = owned(head.sha.as_ref());
        said.branch = owned(head.git_ref.as_ref());
    }
}

pub(super) fn release(body: Body) -> Result<Reading, NotUnderstood> {
    let release = body.release.ok_or_else(|| NotUnderstood::missing("release"))?;
    let action = owned(body.action.as_ref()).ok_or_else(|| NotUnderstood::missing("action"))?;
    let out = matches!(action.as_str(), "published" | "released" | "prereleased");
    if !out || release.draft == Some(true) {
        return Ok(Reading::Ignored("this action of a release is not of interest".to_owned()));
    }
    let repository = named(body.repository)?;
    let id = release.id.ok_or_else(|| NotUnderstood::missing("release.id"))?;
    let tag = owned(release.tag_name.as_ref()).ok_or_else(|| NotUnderstood::missing("release.tag_name"))?;
    let mut said = draft(EventKind::Release, Status::Success, &repository);
    let package = said.service_name.as_deref().map(|name| package_url(name, &tag));
    note(&mut said, SUBJECT, package.clone());
    note(&mut said, ARTIFACT, package);
    // Made a full release later, it is another event.
    let prerelease = release.prerelease == Some(true);
    let subject = if prerelease { format!("prerelease:{id}") } else { format!("release:{id}") };
    describe_release(&mut said, release, tag);
    said.actor = said.actor.or(login(body.sender));
    Ok(one(Draft::of(said).about(subject, 1)))
}

fn describe_release(said: &mut flat::Draft, release: Release, tag: String) {
    date(said, release.published_at);
    said.title = owned(release.name.as_ref()).or_else(|| bounded(&tag, TEXT_CHARS_MAX));
    said.url = link(release.html_url.as_ref());
    said.actor = login(release.author);
    if release.prerelease == Some(true) {
        note(said, "prerelease", Some("true".to_owned()));
    }
    said.branch = Some(tag.clone());
    said.version = Some(tag);
}

/// By the package URL specification, which writes GitHub's names in lower case.
fn package_url(repository: &str, tag: &str) -> String {
    let version = utf8_percent_encode(tag, PLAIN_IN_VERSION);
    format!("pkg:github/{}@{version}", repository.to_lowercase())
}

impl PullRequest {
    /// Whether both ends are known to be of one repository.
    fn is_of_one_repository(&self) -> bool {
        let id = |end: &Option<End>| end.as_ref()?.repo.as_ref()?.id;
        id(&self.head).is_some() && id(&self.head) == id(&self.base)
    }
}

impl Repository {
    /// Its address in the API; `push` may give that of the page in its place.
    fn api_url(&self) -> Option<String> {
        let is_api = |url: &String| url.starts_with("https://api.") || url.contains("/api/v3/repos/");
        owned(self.url.as_ref()).filter(is_api)
    }
}

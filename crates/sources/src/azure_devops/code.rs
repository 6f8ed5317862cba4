//! Pushes and pull requests of Azure Repos.
//!
//! What this does not do: keep commit messages or descriptions.

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat;

use super::body::{Body, Resource};
use super::{lacking, subject};
use crate::draft::Draft;
use crate::reading::{NotUnderstood, Reading};
use crate::said::{attribute, short_ref};

/// What `newObjectId` holds when a branch or tag was deleted.
const ZERO: char = '0';

/// One change for each branch or tag that was moved.
pub(super) fn push(body: &Body, resource: &Resource) -> Result<Reading, NotUnderstood> {
    let service = resource.repository.name().ok_or_else(|| lacking("resource.repository.name"))?;
    let moved = resource
        .ref_updates
        .0
        .iter()
        .filter_map(|update| Some((update.name.as_str()?, update.new_object_id.as_str()?)));
    let moved: Vec<_> = moved.filter(|(_, commit)| !commit.chars().all(|digit| digit == ZERO)).collect();
    if moved.is_empty() && !resource.ref_updates.0.is_empty() {
        return Ok(Reading::Ignored("a branch or tag was deleted".to_owned()));
    }
    if moved.is_empty() {
        return Err(lacking("resource.refUpdates"));
    }
    let drafts = moved.into_iter().enumerate().map(|(at, (name, commit))| {
        let mut said = flat::Draft::saying(EventKind::Change, Status::Success);
        said.delivery = body.id.as_str().map(|id| if at == 0 { id.to_owned() } else { format!("{id} {at}") });
        said.service_name = Some(service.clone());
        said.occurred_at_ms = resource.date.0.or(body.created_date.0);
        said.commit = Some(commit.to_owned());
        said.branch = short_ref(name);
        said.actor = resource.pushed_by.name();
        said.url = resource.links.web();
        Draft::of(said)
    });
    Ok(Reading::Items(drafts.collect()))
}

/// A pull request. The event called "merged" says that a merge was tried; whether the request is
/// completed its status says.
pub(super) fn pull_request(body: &Body, resource: &Resource) -> Result<Draft, NotUnderstood> {
    let id = resource.pull_request_id.as_str().ok_or_else(|| lacking("resource.pullRequestId"))?;
    let created = body.event_type.as_str() == Some("git.pullrequest.created");
    let (status, word) = match resource.status.as_str() {
        Some("active") if created => (Status::Waiting, "change.created"),
        Some("active") => (Status::Waiting, "change.updated"),
        Some("completed") => (Status::Success, "change.merged"),
        Some("abandoned") => (Status::Cancelled, "change.abandoned"),
        _ => return Err(lacking("resource.status")),
    };
    let mut said = flat::Draft::saying(EventKind::Change, status);
    said.service_name = resource.repository.name();
    said.title.clone_from(&resource.title.0);
    said.commit = resource.last_merge_source_commit.commit();
    said.branch = resource.source_ref_name.as_str().and_then(short_ref);
    said.occurred_at_ms = resource.closed_date.0.or(body.created_date.0);
    said.actor = resource.created_by.name();
    said.url = resource.links.web();
    said.fork = resource.fork_source.0.is_some();
    said.correlation.pull_request = Some(id.to_owned());
    attribute(&mut said, "cdevent", Some(word));
    attribute(&mut said, "subject", Some(&subject(body, "pull-request", id)));
    Ok(Draft::of(said))
}

//! The few fields read of Azure DevOps's payloads. Times without a zone, which it writes for
//! "never", are none.

use std::collections::BTreeMap;

use homeostat_schema::types::Status;
use homeostat_schema::wire::flat::{self, URL_BYTES_MAX};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::status;
use crate::lenient::{Count, Few, Moment, Part, Word};

/// Branches and tags of one push that become changes.
const REFS_MAX: usize = 20;
/// Artifacts and requests looked at; the first one counts.
const FEW: usize = 8;

/// One more than kept, so that an address that is too long is seen to be.
type Url = Word<{ URL_BYTES_MAX + 1 }>;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Body {
    pub(super) id: Word,
    pub(super) event_type: Word,
    pub(super) created_date: Moment,
    pub(super) resource: Part<Resource>,
    resource_containers: Part<Containers>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Containers {
    collection: Part<Identified>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Identified {
    id: Word,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Resource {
    pub(super) id: Word,
    pub(super) status: Word,
    pub(super) result: Word,
    #[serde(rename = "_links")]
    pub(super) links: Links,
    // Of a build.
    pub(super) build_number: Word,
    pub(super) start_time: Moment,
    pub(super) finish_time: Moment,
    pub(super) definition: Named,
    source_version: Word,
    source_get_version: Word,
    source_branch: Word,
    requested_for: Named,
    last_changed_by: Named,
    requests: Few<Request, FEW>,
    // Of a pipeline's run.
    pub(super) run: Part<Run>,
    pub(super) stage: Part<Step>,
    pub(super) job: Part<Step>,
    pub(super) pipeline: Named,
    // Of a release.
    pub(super) environment: Part<Environment>,
    pub(super) deployment: Part<Deployment>,
    pub(super) release: Part<Release>,
    pub(super) project: Named,
    attempt_id: Count,
    // Of a push or pull request.
    pub(super) repository: Named,
    pub(super) ref_updates: Few<RefUpdate, REFS_MAX>,
    pub(super) pushed_by: Named,
    pub(super) date: Moment,
    pub(super) pull_request_id: Word,
    pub(super) title: Word,
    pub(super) created_by: Named,
    pub(super) closed_date: Moment,
    pub(super) source_ref_name: Word,
    pub(super) last_merge_source_commit: Commit,
    pub(super) fork_source: Part<Map>,
}

type Map = BTreeMap<String, IgnoredAny>;

/// A thing by its name, a person by the name shown.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Named(Part<Names>);

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Names {
    name: Word,
    display_name: Word,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Links(Part<Web>);

#[derive(Deserialize, Default)]
#[serde(default)]
struct Web {
    web: Part<Link>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Link {
    href: Url,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Request {
    requested_for: Named,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Run {
    pub(super) id: Word,
    pub(super) name: Word,
    state: Word,
    pub(super) result: Word,
    pub(super) created_date: Moment,
    pub(super) finished_date: Moment,
    pub(super) pipeline: Named,
    #[serde(rename = "_links")]
    pub(super) links: Links,
    resources: Part<Resources>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Resources {
    repositories: Part<BTreeMap<String, Part<Repository>>>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Repository {
    pub(super) ref_name: Word,
    pub(super) version: Word,
}

/// A stage or a job.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Step {
    pub(super) id: Word,
    pub(super) name: Word,
    pub(super) display_name: Word,
    attempt: Count,
    state: Word,
    pub(super) result: Word,
    pub(super) start_time: Moment,
    pub(super) finish_time: Moment,
    #[serde(rename = "_links")]
    pub(super) links: Links,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Environment {
    pub(super) id: Word,
    pub(super) name: Word,
    pub(super) status: Word,
    pub(super) release: Part<Release>,
    release_definition: Named,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Deployment {
    pub(super) id: Word,
    pub(super) deployment_status: Word,
    pub(super) started_on: Moment,
    pub(super) completed_on: Moment,
    pub(super) requested_for: Named,
    pub(super) release: Part<Release>,
    release_definition: Named,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Release {
    pub(super) name: Word,
    #[serde(rename = "releaseDefinition")]
    pub(super) definition: Named,
    #[serde(rename = "_links")]
    pub(super) links: Links,
    artifacts: Few<Artifact, FEW>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Artifact {
    definition_reference: Part<Reference>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Reference {
    source_version: Part<Identified>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RefUpdate {
    pub(super) name: Word,
    pub(super) new_object_id: Word,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Commit(Part<CommitId>);

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct CommitId {
    commit_id: Word,
}

impl Body {
    /// The organisation or collection it comes from.
    pub(super) fn collection(&self) -> Option<&str> {
        self.resource_containers.0.as_ref()?.collection.0.as_ref()?.id.as_str()
    }
}

impl Resource {
    pub(super) fn commit(&self) -> Option<String> {
        self.source_version.0.clone().or_else(|| Some(self.got()?.1.to_owned()))
    }

    pub(super) fn branch(&self) -> Option<String> {
        self.source_branch.0.clone().or_else(|| Some(self.got()?.0.to_owned()))
    }

    /// Reference and commit of `LG:refs/heads/main:<commit>`, the form of older versions.
    fn got(&self) -> Option<(&str, &str)> {
        let (kind, rest) = self.source_get_version.as_str()?.split_once(':')?;
        rest.rsplit_once(':').filter(|(_, commit)| kind.ends_with('G') && !commit.is_empty())
    }

    pub(super) fn actor(&self) -> Option<String> {
        let of_request = || self.requests.0.first()?.requested_for.name();
        self.requested_for.name().or_else(of_request).or_else(|| self.last_changed_by.name())
    }

    pub(super) fn stage_name(&self) -> Option<&str> {
        self.job.0.as_ref()?;
        self.stage.0.as_ref()?.name.as_str()
    }

    pub(super) fn definition_of_release(&self) -> Option<String> {
        let of_deployment = || self.deployment.0.as_ref()?.release_definition.name();
        let of_environment = || self.environment.0.as_ref()?.release_definition.name();
        of_deployment().or_else(of_environment)
    }

    /// Which try of a deployment it is, from 1, where that is said.
    pub(super) fn attempt(&self) -> Option<u32> {
        self.attempt_id.0.filter(|attempt| *attempt > 0).and_then(|attempt| u32::try_from(attempt).ok())
    }
}

impl Named {
    pub(super) fn name(&self) -> Option<String> {
        let names = self.0.0.as_ref()?;
        names.name.0.clone().or_else(|| names.display_name.0.clone())
    }
}

impl Links {
    /// The page to look at.
    pub(super) fn web(&self) -> Option<String> {
        flat::safe_url(self.0.0.as_ref()?.web.0.as_ref()?.href.as_str()?)
    }
}

impl Run {
    pub(super) fn status(&self) -> Status {
        status::of(self.state.as_str(), self.result.as_str())
    }

    /// The repository that the pipeline's definition is in.
    pub(super) fn repository(&self) -> Option<&Repository> {
        self.resources.0.as_ref()?.repositories.0.as_ref()?.get("self")?.0.as_ref()
    }
}

impl Step {
    pub(super) fn status(&self) -> Status {
        status::of(self.state.as_str(), self.result.as_str())
    }

    /// From 1.
    pub(super) fn attempt(&self) -> u32 {
        self.attempt.0.and_then(|attempt| u32::try_from(attempt).ok()).unwrap_or(1).max(1)
    }
}

impl Release {
    pub(super) fn commit(&self) -> Option<String> {
        let of = |artifact: &Artifact| {
            artifact.definition_reference.0.as_ref()?.source_version.0.as_ref()?.id.0.clone()
        };
        self.artifacts.0.iter().find_map(of)
    }
}

impl Commit {
    pub(super) fn commit(&self) -> Option<String> {
        self.0.0.as_ref()?.commit_id.0.clone()
    }
}

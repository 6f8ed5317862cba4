//! The few fields read of GitLab's payloads, by event.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use homeostat_schema::wire::flat::{TEXT_CHARS_MAX, URL_BYTES_MAX};

use crate::clock::Moment;
use crate::json::{Perhaps, Text};

/// One more than kept, so that an address that is too long is seen to be.
type Url = Text<{ URL_BYTES_MAX + 1 }>;
type Name = Text<TEXT_CHARS_MAX>;

/// The variable of a pipeline that names the attempt of ours which started it.
const STAMP: &str = "HOMEOSTAT_ATTEMPT";

/// What every body says of itself.
#[derive(Deserialize)]
pub(super) struct Kind {
    pub(super) object_kind: Option<Name>,
    /// What some system hooks have in its place.
    pub(super) event_name: Option<Name>,
}

#[derive(Deserialize)]
pub(super) struct Project {
    pub(super) path_with_namespace: Option<Name>,
    pub(super) web_url: Option<Url>,
}

#[derive(Deserialize)]
pub(super) struct User {
    pub(super) username: Option<Name>,
}

/// The merge request that a pipeline is for.
#[derive(Deserialize)]
pub(super) struct Origin {
    pub(super) iid: Option<u64>,
    pub(super) source_project_id: Option<u64>,
    pub(super) target_project_id: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct PipelineHook {
    pub(super) object_attributes: Option<Pipeline>,
    pub(super) merge_request: Option<Origin>,
    pub(super) project: Option<Project>,
    pub(super) user: Option<User>,
}

#[derive(Deserialize)]
pub(super) struct Pipeline {
    pub(super) id: Option<u64>,
    pub(super) name: Option<Name>,
    #[serde(rename = "ref")]
    pub(super) git_ref: Option<Name>,
    pub(super) sha: Option<Name>,
    pub(super) source: Option<Name>,
    pub(super) status: Option<Name>,
    pub(super) url: Option<Url>,
    pub(super) created_at: Option<Moment>,
    pub(super) finished_at: Option<Moment>,
    /// Seconds.
    pub(super) duration: Option<f64>,
    pub(super) variables: Option<OwnAttempt>,
}

#[derive(Deserialize)]
pub(super) struct JobHook {
    pub(super) build_id: Option<u64>,
    pub(super) build_name: Option<Name>,
    pub(super) build_status: Option<Name>,
    pub(super) build_created_at: Option<Moment>,
    pub(super) build_started_at: Option<Moment>,
    pub(super) build_finished_at: Option<Moment>,
    /// Seconds.
    pub(super) build_duration: Option<f64>,
    pub(super) build_failure_reason: Option<Name>,
    pub(super) retries_count: Option<u32>,
    pub(super) pipeline_id: Option<u64>,
    #[serde(rename = "ref")]
    pub(super) git_ref: Option<Name>,
    pub(super) sha: Option<Name>,
    /// Not there in older versions.
    pub(super) project: Option<Project>,
    pub(super) repository: Option<Repository>,
    pub(super) environment: Option<Perhaps<Environment>>,
    pub(super) user: Option<User>,
}

#[derive(Deserialize)]
pub(super) struct Repository {
    pub(super) homepage: Option<Url>,
}

#[derive(Deserialize)]
pub(super) struct Environment {
    pub(super) name: Option<Name>,
}

#[derive(Deserialize)]
pub(super) struct DeploymentHook {
    pub(super) deployment_id: Option<u64>,
    pub(super) status: Option<Name>,
    pub(super) status_changed_at: Option<Moment>,
    pub(super) environment: Option<Name>,
    pub(super) short_sha: Option<Name>,
    pub(super) commit_url: Option<Url>,
    pub(super) commit_title: Option<Name>,
    pub(super) deployable_url: Option<Url>,
    #[serde(rename = "ref")]
    pub(super) git_ref: Option<Name>,
    pub(super) project: Option<Project>,
    pub(super) user: Option<User>,
}

/// Of a branch or a tag.
#[derive(Deserialize)]
pub(super) struct PushHook {
    #[serde(rename = "ref")]
    pub(super) git_ref: Option<Name>,
    pub(super) before: Option<Name>,
    pub(super) after: Option<Name>,
    pub(super) checkout_sha: Option<Name>,
    pub(super) user_username: Option<Name>,
    pub(super) project: Option<Project>,
}

#[derive(Deserialize)]
pub(super) struct ReleaseHook {
    pub(super) id: Option<u64>,
    pub(super) action: Option<Name>,
    pub(super) tag: Option<Name>,
    pub(super) name: Option<Name>,
    pub(super) url: Option<Url>,
    pub(super) created_at: Option<Moment>,
    pub(super) released_at: Option<Moment>,
    pub(super) commit: Option<Commit>,
    pub(super) project: Option<Project>,
}

#[derive(Deserialize)]
pub(super) struct Commit {
    pub(super) id: Option<Name>,
}

#[derive(Deserialize)]
pub(super) struct MergeRequestHook {
    pub(super) object_attributes: Option<MergeRequest>,
    pub(super) project: Option<Project>,
    pub(super) user: Option<User>,
}

#[derive(Deserialize)]
pub(super) struct MergeRequest {
    pub(super) id: Option<u64>,
    pub(super) iid: Option<u64>,
    pub(super) source_project_id: Option<u64>,
    pub(super) target_project_id: Option<u64>,
    pub(super) title: Option<Name>,
    pub(super) url: Option<Url>,
    pub(super) action: Option<Name>,
    pub(super) source_branch: Option<Name>,
    pub(super) last_commit: Option<Commit>,
    pub(super) updated_at: Option<Moment>,
}

#[derive(Deserialize)]
pub(super) struct FeatureFlagHook {
    pub(super) object_attributes: Option<FeatureFlag>,
    pub(super) project: Option<Project>,
    pub(super) user: Option<User>,
}

#[derive(Deserialize)]
pub(super) struct FeatureFlag {
    pub(super) name: Option<Name>,
    pub(super) active: Option<bool>,
}

/// What our own variable says, of a list of variables. The others are secrets as often as not, and
/// are dropped where they are read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OwnAttempt(pub(super) Option<String>);

#[derive(Deserialize)]
struct Variable {
    key: Option<Name>,
    value: Option<Name>,
}

impl<'de> Deserialize<'de> for OwnAttempt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Variables;
        impl<'de> Visitor<'de> for Variables {
            type Value = OwnAttempt;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list of variables")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OwnAttempt, A::Error> {
                let mut found = None;
                // Ends with the body, which is bounded by its cap.
                while let Some(variable) = list.next_element::<Variable>()? {
                    found = found.or_else(|| variable.attempt());
                }
                Ok(OwnAttempt(found))
            }
        }
        deserializer.deserialize_seq(Variables)
    }
}

impl Variable {
    fn attempt(self) -> Option<String> {
        let ours = self.key.is_some_and(|key| key.0 == STAMP);
        self.value.filter(|_| ours).map(|value| value.0).filter(|attempt| !attempt.is_empty())
    }
}

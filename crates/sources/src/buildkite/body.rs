//! The few fields read of Buildkite's payloads, under the names of webhooks and of EventBridge.

use homeostat_schema::wire::flat::URL_BYTES_MAX;
use serde::Deserialize;

use crate::lenient::{Flag, Moment, Part, Word};

/// One more than kept, so that an address that is too long is seen to be.
type Url = Word<{ URL_BYTES_MAX + 1 }>;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Body {
    pub(super) event: Word,
    /// Of EventBridge.
    pub(super) id: Word,
    #[serde(rename = "detail-type")]
    pub(super) detail_type: Word,
    pub(super) time: Moment,
    pub(super) detail: Part<Detail>,
    build: Part<Build>,
    job: Part<Job>,
    pipeline: Part<Pipeline>,
    organization: Part<Pipeline>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Detail {
    pub(super) build: Part<Build>,
    pub(super) job: Part<Job>,
    pub(super) pipeline: Part<Pipeline>,
    organization: Part<Pipeline>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Build {
    #[serde(alias = "uuid")]
    pub(super) id: Word,
    pub(super) number: Word,
    pub(super) state: Word,
    pub(super) blocked: Flag,
    pub(super) commit: Word,
    pub(super) branch: Word,
    pub(super) tag: Word,
    pub(super) web_url: Url,
    pub(super) creator: Part<Person>,
    pub(super) created_at: Moment,
    pub(super) scheduled_at: Moment,
    pub(super) started_at: Moment,
    pub(super) finished_at: Moment,
    pull_request: Part<PullRequest>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PullRequest {
    id: Word,
    /// Where its branch is.
    repository: Url,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Person {
    pub(super) name: Word,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Job {
    #[serde(alias = "uuid")]
    pub(super) id: Word,
    #[serde(rename = "type")]
    pub(super) kind: Word,
    #[serde(alias = "label")]
    pub(super) name: Word,
    pub(super) step_key: Word,
    pub(super) state: Word,
    pub(super) passed: Flag,
    pub(super) soft_failed: Flag,
    pub(super) exit_status: Word,
    pub(super) web_url: Url,
    pub(super) created_at: Moment,
    pub(super) scheduled_at: Moment,
    pub(super) runnable_at: Moment,
    pub(super) started_at: Moment,
    pub(super) finished_at: Moment,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Pipeline {
    pub(super) slug: Word,
    #[serde(alias = "repo")]
    repository: Url,
}

impl Body {
    /// What EventBridge wraps and a webhook has at the top.
    pub(super) fn into_detail(self) -> Detail {
        let Self { build, job, pipeline, organization, .. } = self;
        Detail { build, job, pipeline, organization }
    }
}

impl Detail {
    pub(super) fn organization_slug(&self) -> Option<&str> {
        self.organization.0.as_ref()?.slug.as_str()
    }
}

impl Build {
    pub(super) fn pull_request_id(&self) -> Option<String> {
        self.pull_request.0.as_ref()?.id.0.clone()
    }

    /// Whether it builds a pull request out of another repository than the pipeline's.
    pub(super) fn is_of_fork(&self, pipeline: Option<&Pipeline>) -> bool {
        let Some(from) = self.pull_request.0.as_ref().and_then(|pull| pull.repository.as_str()) else {
            return false;
        };
        let own = pipeline.and_then(|pipeline| pipeline.repository.as_str());
        own.is_none_or(|own| repository(own) != repository(from))
    }
}

/// `git@github.com:acme/shop.git`, `git://github.com/acme/shop.git` and
/// `https://github.com/acme/shop` are one: host and path, in lower case.
fn repository(address: &str) -> String {
    let plain = address.split_once("://").map_or(address, |(_, rest)| rest);
    let plain = plain.rsplit_once('@').map_or(plain, |(_, rest)| rest);
    let plain = plain.trim_end_matches('/').trim_end_matches(".git");
    plain.replacen(':', "/", 1).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_repository_are_alike() {
        let expected = "github.com/acme/shop";
        for address in [
            "git@github.com:acme/shop.git",
            "git://github.com/Acme/shop.git",
            "https://github.com/acme/shop/",
            "ssh://git@github.com/acme/shop.git",
        ] {
            assert_eq!(repository(address), expected, "{address}");
        }
        assert_ne!(repository("git://github.com/mallory/shop.git"), expected);
    }
}

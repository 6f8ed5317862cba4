//! The few fields read of Jenkins's payloads: those of the Notification plug-in, and, spelt in
//! camel case, of the CloudEvents plug-in.

use homeostat_schema::wire::flat::{TEXT_CHARS_MAX, URL_BYTES_MAX};
use serde::Deserialize;

use crate::json::bounded;
use crate::lenient::{Count, Few, Part, Word};

/// Names of failed tests that are looked at; with more than a few a build failed as a whole.
const FAILED_TESTS_MAX: usize = 64;

/// One more than kept, so that an address that is too long is seen to be.
type Url = Word<{ URL_BYTES_MAX + 1 }>;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Job {
    pub(super) name: Word,
    url: Url,
    pub(super) build: Part<Build>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Build {
    #[serde(alias = "fullUrl")]
    pub(super) full_url: Url,
    url: Url,
    pub(super) number: Word,
    #[serde(alias = "queueId")]
    pub(super) queue_id: Word,
    /// Milliseconds since the epoch.
    pub(super) timestamp: Count,
    /// Milliseconds.
    pub(super) duration: Count,
    pub(super) phase: Word,
    pub(super) status: Word,
    #[serde(alias = "scmState")]
    pub(super) scm: Part<Scm>,
    pub(super) test_summary: Part<Tests>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Scm {
    branch: Word,
    pub(super) commit: Word,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Tests {
    pub(super) total: Count,
    pub(super) failed: Count,
    pub(super) skipped: Count,
    /// In the CloudEvents of the other plug-in there are none.
    pub(super) failed_tests: Few<Word, FAILED_TESTS_MAX>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Queued {
    pub(super) ci_url: Url,
    pub(super) display_name: Word,
    /// Milliseconds since the epoch.
    pub(super) entry_time: Count,
    pub(super) jenkins_queue_id: Word,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Node {
    pub(super) node_name: Word,
}

impl Job {
    /// Its folders and name: `job/team/job/shop/` is `team/shop`.
    pub(super) fn path(&self) -> Option<String> {
        let of_url = self.url.as_str().and_then(|url| {
            let steps: Vec<&str> = url.trim_matches('/').split('/').collect();
            let jobs = steps.chunks(2).all(|step| matches!(step, ["job", name] if !name.is_empty()));
            let names: Vec<&str> = steps.chunks(2).filter_map(|step| step.get(1).copied()).collect();
            bounded(&names.join("/"), TEXT_CHARS_MAX).filter(|_| jobs)
        });
        of_url.or_else(|| self.name.0.clone())
    }
}

impl Build {
    /// What it is known by: its full address; without the root only where Jenkins knows none.
    pub(super) fn address(&self) -> Option<&str> {
        self.full_url.as_str().or(self.url.as_str())
    }
}

impl Scm {
    /// Without the name of the remote.
    pub(super) fn branch(&self) -> Option<String> {
        let name = self.branch.as_str()?;
        let name = name.strip_prefix("refs/remotes/").unwrap_or(name);
        crate::said::short_ref(name.strip_prefix("origin/").unwrap_or(name))
    }
}

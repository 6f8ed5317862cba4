//! Who is told of what Homeostat does, and who is asked what it sent.

use serde::{Deserialize, Serialize};

/// A place that is told of incidents and remedies: CloudEvents over HTTP, signed as Standard
/// Webhooks. Its keys are in the variable `sink_secrets`; its origin must be one of the variables
/// `sink_origin`, `sink_origin_2` and `sink_origin_3`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    /// Our name for it: lower-case letters, digits and `-`.
    pub name: String,
    /// Where events are posted: http or https, without user, query and fragment.
    pub url: String,
    /// `source` of the events, a URI reference that names this installation. Default: `/homeostat`.
    #[serde(default = "own_source")]
    pub source: String,
}

/// A system that is asked from time to time what it sent, so that what got lost is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// Our name for it: lower-case letters, digits and `-`.
    pub id: String,
    /// The source instance its deliveries come by: `github`, `gitlab`, `alertmanager`.
    pub source: String,
    /// What is asked.
    pub ask: Ask,
    /// Seconds between two looks; 5 to 86,400. Default: 60.
    #[serde(default = "minute")]
    pub every_s: u64,
}

/// What is asked, and of whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ask {
    /// The deliveries of a repository's webhook, with `github_token`.
    GithubHook {
        /// `owner/name`.
        repository: String,
        /// The webhook's number, as in its page's address.
        hook: u64,
    },
    /// The deliveries of a GitHub App's webhook, with `github_app_key`.
    GithubApp {
        /// The App's number.
        app: u64,
    },
    /// The events of a project's webhook, with `gitlab_token`.
    GitlabHook {
        /// The project's number.
        project: u64,
        /// The webhook's number.
        hook: u64,
    },
    /// The alerts that fire at Alertmanager.
    Alertmanager,
    /// Nobody: the source must not be silent for much longer than it usually is.
    Rhythm {
        /// Silence up to this is never a finding; seconds, 60 to 604,800. Default: 3600.
        #[serde(default = "hour")]
        floor_s: u64,
        /// The environment the finding is about. Default: `unknown`.
        #[serde(default = "unknown")]
        env: String,
    },
}

fn own_source() -> String {
    "/homeostat".to_owned()
}

fn minute() -> u64 {
    60
}

fn hour() -> u64 {
    3_600
}

fn unknown() -> String {
    super::UNKNOWN.to_owned()
}

//! What a remedy works on: `{"kind":"github","github":{…}}`, `{"kind":"slack"}`.
//!
//! A kind this version does not know is kept by its name. One made by hand under a known name is
//! written as `{"kind":"other","other":"<name>"}`, as its name alone could not be read back.

use serde::{Deserialize, Serialize};

use super::mirror::{Mirror, record, tie};
use crate::types;

record!(GithubTarget { repository: String, environment: String });

record!(KubernetesTarget { namespace: String, deployment: String });

/// JSON form of [`types::Target`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub enum Target {
    /// A GitHub repository's environment.
    Github(GithubTarget),
    /// A Kubernetes Deployment.
    Kubernetes(KubernetesTarget),
    /// A Slack incoming webhook.
    Slack,
    /// A kind this version does not know.
    Other(String),
}

impl From<types::Target> for Target {
    fn from(value: types::Target) -> Self {
        match value {
            types::Target::Github(target) => Self::Github(target.mirror()),
            types::Target::Kubernetes(target) => Self::Kubernetes(target.mirror()),
            types::Target::Slack => Self::Slack,
            types::Target::Other(name) => Self::Other(name),
        }
    }
}

impl From<Target> for types::Target {
    fn from(form: Target) -> Self {
        match form {
            Target::Github(target) => Self::Github(target.mirror()),
            Target::Kubernetes(target) => Self::Kubernetes(target.mirror()),
            Target::Slack => Self::Slack,
            Target::Other(name) => Self::Other(name),
        }
    }
}

tie!(Target);

/// The tagged object. A struct and not a tagged enum, so that an error names the whole path.
#[derive(Default, Serialize, Deserialize)]
struct Form {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    github: Option<GithubTarget>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kubernetes: Option<KubernetesTarget>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    other: Option<String>,
}

const KNOWN: [&str; 4] = ["github", "kubernetes", "slack", "other"];

impl From<Target> for Form {
    fn from(target: Target) -> Self {
        let form = |kind: &str| Self { kind: kind.to_owned(), ..Self::default() };
        match target {
            Target::Github(github) => Self { github: Some(github), ..form("github") },
            Target::Kubernetes(kubernetes) => Self { kubernetes: Some(kubernetes), ..form("kubernetes") },
            Target::Slack => form("slack"),
            Target::Other(name) if KNOWN.contains(&name.as_str()) => {
                Self { other: Some(name), ..form("other") }
            }
            Target::Other(name) => form(&name),
        }
    }
}

impl TryFrom<Form> for Target {
    type Error = String;

    fn try_from(form: Form) -> Result<Self, String> {
        let missing = || format!("kind is `{0}` but the field `{0}` is missing", form.kind);
        match form.kind.as_str() {
            "github" => form.github.map(Self::Github).ok_or_else(missing),
            "kubernetes" => form.kubernetes.map(Self::Kubernetes).ok_or_else(missing),
            "slack" => Ok(Self::Slack),
            "other" => form.other.map(Self::Other).ok_or_else(missing),
            _ => Ok(Self::Other(form.kind)),
        }
    }
}

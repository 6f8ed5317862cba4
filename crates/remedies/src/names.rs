//! What a remedy works on, in words.

use homeostat_schema::types::Target;

pub(crate) fn target(target: &Target) -> String {
    match target {
        Target::Github(github) => format!("GitHub repository {}", github.repository),
        Target::Kubernetes(k8s) => format!("Deployment {}/{}", k8s.namespace, k8s.deployment),
        Target::Slack => "Slack".to_owned(),
        Target::Other(name) => name.clone(),
    }
}

//! All stand-ins at once, wired as a small company's would be: GitHub's pipeline deploys to the
//! Kubernetes cluster, whose Deployments run in the world that a probe looks at.
//!
//! Invariant: what runs where is known in one place, [`World`], and every stand-in changes it by
//! its own means only.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::github::{self, Conclusion, Deployer, GitHub};
use crate::http;
use crate::kubernetes::{self, Hand, Kubernetes, Name};
use crate::payloads::Payloads;
use crate::slack::Slack;
use crate::world::World;

/// Secrets of the stand-ins and of the app that works with them.
#[derive(Clone)]
pub struct Secrets {
    /// Signs GitHub's webhooks.
    pub webhook: String,
    /// For the app's own API.
    pub api: String,
    /// GitHub's API takes it.
    pub github: String,
    /// The cluster's API takes it.
    pub kubernetes: String,
}

/// A service of the small company.
#[derive(Debug, Clone)]
pub struct Service {
    /// Homeostat's name for it, and its Deployment's and namespace's.
    pub name: String,
    /// `owner/name`.
    pub repository: String,
    /// Homeostat's name of the one environment it runs in.
    pub env: String,
    /// GitHub's name of that environment.
    pub github_env: String,
    /// Its commits, oldest first; the first one runs already.
    pub commits: Vec<String>,
}

/// The running stand-ins.
#[derive(Debug)]
pub struct Landscape {
    /// What runs where.
    pub world: World,
    /// GitHub.
    pub github: GitHub,
    /// The cluster.
    pub kubernetes: Kubernetes,
    /// Slack.
    pub slack: Slack,
    pipelines: Arc<Pipelines>,
    secrets: Secrets,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secrets")
    }
}

/// Deploys to the cluster whatever GitHub is asked to deploy.
struct Pipelines {
    hand: Hand,
    services: Mutex<Vec<Service>>,
}

impl std::fmt::Debug for Pipelines {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Pipelines")
    }
}

impl Deployer for Pipelines {
    fn deploy(&self, repository: &str, environment: &str, sha: &str) -> Conclusion {
        let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |one: &&Service| one.repository == repository && one.github_env == environment;
        match services.iter().find(fits) {
            Some(service) if self.hand.set_image(&service.deployment(), &service.image(sha)) => {
                Conclusion::Success
            }
            _ => Conclusion::Failure,
        }
    }
}

impl Service {
    /// Where it runs in the cluster.
    pub fn deployment(&self) -> Name {
        Name::new(&self.name, &self.name)
    }

    /// The image of one of its commits.
    pub fn image(&self, sha: &str) -> String {
        format!("registry.example/{}:{sha}", self.name)
    }
}

impl Secrets {
    /// Secrets made of a seed, so that two landscapes do not share any.
    pub fn from_seed(seed: u64) -> Self {
        let secret = |what: &str| format!("standin-{what}-{seed:016x}");
        Self {
            webhook: secret("webhook"),
            api: secret("api"),
            github: secret("github"),
            kubernetes: secret("kubernetes"),
        }
    }

    /// All of them, to look for where none may be.
    pub fn all(&self) -> [&str; 4] {
        [&self.webhook, &self.api, &self.github, &self.kubernetes]
    }
}

impl Landscape {
    /// Starts every stand-in; runs, deployments and rollouts take about `pace`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(payloads: Payloads, secrets: Secrets, pace: Duration) -> std::io::Result<Self> {
        let world = World::default();
        let setup =
            kubernetes::Setup { token: secrets.kubernetes.clone(), world: world.clone(), pace: pace / 2 };
        let kubernetes = Kubernetes::start(setup).await?;
        let pipelines = Arc::new(Pipelines { hand: kubernetes.hand(), services: Mutex::default() });
        let setup = github::Setup {
            token: secrets.github.clone(),
            webhook_secret: secrets.webhook.clone(),
            payloads,
            deployer: pipelines.clone(),
            pace,
        };
        let github = GitHub::start(setup).await?;
        let slack = Slack::start().await?;
        Ok(Self { world, github, kubernetes, slack, pipelines, secrets })
    }

    /// Adds a service; its first commit runs from now on.
    pub fn add_service(&self, service: Service) {
        let commits: Vec<&str> = service.commits.iter().map(String::as_str).collect();
        self.github.add_repository(&service.repository, &commits);
        if let Some(first) = commits.first() {
            self.kubernetes.add_deployment(
                &service.deployment(),
                &service.env,
                &service.name,
                &service.image(first),
            );
        }
        self.pipelines.services.lock().unwrap_or_else(PoisonError::into_inner).push(service);
    }

    /// The Spin variables an app needs to work with these stand-ins.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let secrets = &self.secrets;
        let pairs = [
            ("webhook_secret_github", secrets.webhook.clone()),
            ("webhook_secret_generic", secrets.webhook.clone()),
            ("api_token", secrets.api.clone()),
            ("github_token", secrets.github.clone()),
            ("kubernetes_token", secrets.kubernetes.clone()),
            ("slack_webhook_url", self.slack.hook_url()),
            ("github_api_origin", self.github.server.origin()),
            ("kubernetes_api_origin", self.kubernetes.server.origin()),
            ("slack_origin", self.slack.server.origin()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// From now on GitHub's webhooks go to this app.
    pub fn connect(&self, app_url: &str) {
        self.github.send_hooks_to(&format!("{app_url}/webhooks/github"));
    }

    /// The secrets in use.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Starts a probe that looks at a service again and again and tells the app.
    pub fn probe(&self, app_url: &str, env: &str, service: &str, every: Duration) -> Probe {
        let url = format!("{app_url}/api/v1/events");
        let token = format!("Bearer {}", self.secrets.api);
        let (world, env, service) = (self.world.clone(), env.to_owned(), service.to_owned());
        let task = tokio::spawn(async move {
            let mut beat = tokio::time::interval(every);
            loop {
                beat.tick().await;
                let Some(event) = world.observation(&env, &service, crate::now_ms()) else { continue };
                // An app that is down misses this look; the next one is a moment away.
                let _ = http::post_json(&url, &[("authorization", &token)], &event).await;
            }
        });
        Probe { task }
    }
}

/// A probe at work; stops when dropped.
#[derive(Debug)]
pub struct Probe {
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The folder that holds this workspace.
pub fn workspace_root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

//! GitHub: repositories with runs and deployments that move by themselves and tell of it.
//!
//! Does what was asked of the API, lets runs and deployments go their way, and sends a signed
//! webhook for every step, once, in order, like GitHub: no delivery is repeated by itself. What a
//! re-run comes to is its run's plan; whether a deployment succeeds is its deployer's word.
//!
//! Invariant: one accepted call changes the state once; a refused one changes nothing.

mod api;
mod app;
mod courier;
mod hooks;
mod state;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

pub use app::App;
pub use courier::{Courier, Delivery, sign};
pub use hooks::Hook;
pub use state::{Conclusion, Deployment, NewDeployment, NewRun, Origin, Run};

use crate::payloads::Payloads;
use crate::server::{Answer, Received, Server, StandIn};
use state::State;

/// How a stand-in is set up.
pub struct Setup {
    /// The API token it takes.
    pub token: String,
    /// The secret its webhooks are signed with.
    pub webhook_secret: String,
    /// What its webhooks look like.
    pub payloads: Payloads,
    /// Brings a commit to an environment.
    pub deployer: Arc<dyn Deployer>,
    /// How long a run or a deployment takes.
    pub pace: Duration,
}

/// Brings commits to environments on GitHub's behalf: the part a pipeline plays.
pub trait Deployer: Send + Sync + 'static {
    /// Brings it there and says whether that worked.
    fn deploy(&self, repository: &str, environment: &str, sha: &str) -> Conclusion;
}

/// A running stand-in.
pub struct GitHub {
    shared: Arc<Shared>,
    /// Requests and failure switches.
    pub server: Server,
}

struct Shared {
    state: Mutex<State>,
    setup: Setup,
    courier: Courier,
    app: Mutex<Option<App>>,
}

impl fmt::Debug for GitHub {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("GitHub").field("server", &self.server).finish_non_exhaustive()
    }
}

impl GitHub {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(setup: Setup) -> std::io::Result<Self> {
        let courier = Courier::new(&setup.webhook_secret);
        let shared = Arc::new(Shared { state: Mutex::default(), setup, courier, app: Mutex::default() });
        let server = Server::start(Arc::new(Api(shared.clone()))).await?;
        Ok(Self { shared, server })
    }

    /// Adds a repository with these commits, the last of which is the head of `main`.
    pub fn add_repository(&self, full_name: &str, commits: &[&str]) {
        self.shared.lock().add_repository(full_name, commits);
    }

    /// Registers an App; from now on its tokens are taken.
    pub fn register(&self, app: App) {
        *self.shared.app() = Some(app);
    }

    /// From now on webhooks go to this address; before, they go nowhere.
    pub fn send_hooks_to(&self, url: &str) {
        self.shared.courier.deliver_to(url);
    }

    /// Sends and re-sends webhooks, and knows what became of them.
    pub fn courier(&self) -> &Courier {
        &self.shared.courier
    }

    /// Starts a run, which ends by itself as its plan says.
    pub fn start_run(&self, repository: &str, run: NewRun) -> Option<u64> {
        let run_id = self.shared.lock().start_run(repository, run, crate::now_ms())?;
        self.shared.announce_run(repository, run_id, "requested");
        Shared::let_run(self.shared.clone(), repository.to_owned(), run_id);
        Some(run_id)
    }

    /// Creates a deployment, as somebody's pipeline would, and carries it out.
    pub fn deploy(&self, repository: &str, environment: &str, sha: &str) -> Option<u64> {
        let wanted = NewDeployment::plain(environment, sha);
        Shared::create_deployment(&self.shared, repository, wanted).map(|deployment| deployment.id)
    }

    /// A run as it stands.
    pub fn run(&self, repository: &str, run_id: u64) -> Option<Run> {
        self.shared.lock().run(repository, run_id).cloned()
    }

    /// All deployments of a repository, oldest first.
    pub fn deployments(&self, repository: &str) -> Vec<Deployment> {
        self.shared.lock().deployments(repository).cloned().collect()
    }

    /// The last deployment that succeeded in each environment, by environment.
    pub fn live(&self, repository: &str) -> BTreeMap<String, String> {
        let state = self.shared.lock();
        state
            .deployments(repository)
            .filter(|one| one.state() == "success")
            .map(|one| (one.environment.clone(), one.sha.clone()))
            .collect()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn app(&self) -> MutexGuard<'_, Option<App>> {
        self.app.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce_run(&self, repository: &str, run_id: u64, action: &str) {
        let hook = {
            let state = self.lock();
            state.run(repository, run_id).map(|run| hooks::run(&self.setup.payloads, repository, run, action))
        };
        self.courier.send_all(hook);
    }

    /// Half the pace until it runs, half until it ends.
    fn let_run(shared: Arc<Self>, repository: String, run_id: u64) {
        tokio::spawn(async move {
            tokio::time::sleep(shared.setup.pace / 2).await;
            shared.lock().begin_run(&repository, run_id, crate::now_ms());
            shared.announce_run(&repository, run_id, "in_progress");
            tokio::time::sleep(shared.setup.pace / 2).await;
            shared.lock().end_run(&repository, run_id, crate::now_ms());
            shared.announce_run(&repository, run_id, "completed");
        });
    }

    fn create_deployment(shared: &Arc<Self>, repository: &str, wanted: NewDeployment) -> Option<Deployment> {
        let created = shared.lock().create_deployment(repository, wanted, crate::now_ms())?;
        shared.courier.send_all([hooks::deployment(&shared.setup.payloads, repository, &created)]);
        Self::let_deploy(shared.clone(), repository.to_owned(), created.id);
        Some(created)
    }

    fn let_deploy(shared: Arc<Self>, repository: String, id: u64) {
        tokio::spawn(async move {
            tokio::time::sleep(shared.setup.pace / 2).await;
            shared.set_status(&repository, id, "in_progress", "on its way");
            tokio::time::sleep(shared.setup.pace / 2).await;
            let deployment = shared.lock().deployment(&repository, id).cloned();
            let Some(deployment) = deployment else { return };
            match shared.setup.deployer.deploy(&repository, &deployment.environment, &deployment.sha) {
                Conclusion::Success => shared.set_status(&repository, id, "success", "it runs"),
                Conclusion::Failure => shared.set_status(&repository, id, "failure", "it did not come up"),
            }
        });
    }

    /// Also makes the deployments it takes the place of inactive, as GitHub does.
    fn set_status(&self, repository: &str, id: u64, status: &str, text: &str) {
        let changed = self.lock().set_status(repository, id, status, text, crate::now_ms());
        let hooks = changed.iter().map(|one| hooks::deployment_status(&self.setup.payloads, repository, one));
        self.courier.send_all(hooks);
    }
}

/// The API's face of the shared state.
struct Api(Arc<Shared>);

impl StandIn for Api {
    fn answer(&self, request: &Received) -> Answer {
        if !request.headers.contains_key("user-agent") {
            return api::refused(
                403,
                "Request forbidden by administrative rules. Please set a User-Agent header.",
            );
        }
        if request.path.starts_with("/app/") {
            let proven = self.0.app().as_ref().is_some_and(|app| app.proves(request));
            return match proven {
                true => api::answer_app(&self.0, request),
                false => api::refused(401, "A JSON web token could not be decoded"),
            };
        }
        if !request.has_token(&self.0.setup.token) {
            return api::refused(401, "Bad credentials");
        }
        api::answer(&self.0, request)
    }
}

/// The payload with another body laid over it: objects merge, everything else is replaced.
pub(crate) fn overlay(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (name, value) in patch {
                overlay(target.entry(name).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch,
    }
}

//! Kubernetes: Deployments and ReplicaSets with a controller that lags, and JSON Patch.
//!
//! Reads, lists by label, and patches, as the API server does; then the controller makes or
//! re-uses a ReplicaSet, numbers it as the newest revision, and rolls it out into the
//! [`World`]. No pods, no watches, no admission.
//!
//! Invariant: a patch applies whole or not at all, and every change has a new resource version.

mod patch;
mod state;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

pub use state::Name;

use crate::server::{Answer, Received, Server, StandIn};
use crate::world::{Behaviour, World};
use patch::PatchRefused;
use state::State;

/// How a stand-in is set up.
pub struct Setup {
    /// The service account's token it takes.
    pub token: String,
    /// Where its Deployments run.
    pub world: World,
    /// How long the controller takes to roll a change out.
    pub pace: Duration,
}

/// A running stand-in.
pub struct Kubernetes {
    shared: Arc<Shared>,
    /// Requests and failure switches.
    pub server: Server,
}

struct Shared {
    state: Mutex<State>,
    setup: Setup,
}

impl fmt::Debug for Kubernetes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Kubernetes").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Changes images from inside, as a pipeline's `kubectl set image` would.
#[derive(Clone)]
pub struct Hand(Arc<Shared>);

impl Kubernetes {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(setup: Setup) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::new(State::default()), setup });
        let server = Server::start(Arc::new(Api(shared.clone()))).await?;
        Ok(Self { shared, server })
    }

    /// Adds a Deployment that runs this image as `service` in `env` of the world.
    pub fn add_deployment(&self, name: &Name, env: &str, service: &str, image: &str) {
        self.shared.lock().add(name, env, service, image);
        self.shared.settle(name);
    }

    /// Changes images from inside.
    pub fn hand(&self) -> Hand {
        Hand(self.shared.clone())
    }

    /// The Deployment as the API shows it.
    pub fn deployment(&self, name: &Name) -> Option<Value> {
        self.shared.lock().deployment(name)
    }

    /// Revision and image of every ReplicaSet, lowest revision first.
    pub fn revisions(&self, name: &Name) -> Vec<(u64, String)> {
        self.shared.lock().revisions(name)
    }
}

impl Hand {
    /// Sets the image and waits for the controller. Whether the new version came up.
    pub fn set_image(&self, name: &Name, image: &str) -> bool {
        let steps =
            json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]);
        let changed = self.0.lock().patch(name, &steps).is_ok();
        self.0.settle(name);
        changed && self.0.setup.world.behaviour(state::tag(image)) != Behaviour::Undeployable
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The controller's whole work at once.
    fn settle(&self, name: &Name) {
        let mut state = self.lock();
        state.reconcile(name);
        let world = &self.setup.world;
        state.roll_out(name, |version| world.behaviour(version) != Behaviour::Undeployable);
        if let Some((env, service, version)) = state.running(name) {
            world.run(&env, &service, &version);
        }
    }

    /// The controller's work after its usual time.
    fn settle_later(shared: Arc<Self>, name: Name) {
        tokio::spawn(async move {
            tokio::time::sleep(shared.setup.pace).await;
            shared.settle(&name);
        });
    }

    fn patch(shared: &Arc<Self>, name: &Name, steps: &Value) -> Answer {
        let outcome = shared.lock().patch(name, steps);
        match outcome {
            Ok(changed) => {
                Self::settle_later(shared.clone(), name.clone());
                Answer::json(200, &changed)
            }
            Err(PatchRefused::NoSuchDeployment) => not_found(&name.name),
            Err(PatchRefused::Malformed(why)) => refused(400, "BadRequest", &why),
            Err(PatchRefused::TestFailed(why)) => refused(422, "Invalid", &why),
            Err(PatchRefused::Conflict) => refused(
                409,
                "Conflict",
                "the object has been modified; please apply your changes to the latest version",
            ),
        }
    }
}

struct Api(Arc<Shared>);

impl StandIn for Api {
    fn answer(&self, request: &Received) -> Answer {
        if !request.has_token(&self.0.setup.token) {
            return refused(401, "Unauthorized", "Unauthorized");
        }
        let parts = request.parts();
        let ["apis", "apps", "v1", "namespaces", namespace, rest @ ..] = parts.as_slice() else {
            return not_found("the page");
        };
        match (request.method.as_str(), rest) {
            ("GET", ["deployments", name]) => self.read(&Name::new(namespace, name)),
            ("PATCH", ["deployments", name]) => self.patch(&Name::new(namespace, name), request),
            ("GET", ["replicasets"]) => self.list(namespace, request),
            _ => not_found("the page"),
        }
    }
}

impl Api {
    fn read(&self, name: &Name) -> Answer {
        match self.0.lock().deployment(name) {
            Some(found) => Answer::json(200, &found),
            None => not_found(&name.name),
        }
    }

    fn patch(&self, name: &Name, request: &Received) -> Answer {
        let media_type = request.headers.get("content-type").map_or("", String::as_str);
        if media_type != "application/json-patch+json" {
            return refused(415, "UnsupportedMediaType", "this stand-in takes application/json-patch+json");
        }
        Shared::patch(&self.0, name, &request.json())
    }

    fn list(&self, namespace: &str, request: &Received) -> Answer {
        let selector = request.query.get("labelSelector").map_or("", String::as_str);
        match self.0.lock().replica_sets(namespace, selector) {
            Some(items) => {
                let list = json!({
                    "apiVersion": "apps/v1", "kind": "ReplicaSetList", "metadata": {"resourceVersion": "1"}, "items": items
                });
                Answer::json(200, &list)
            }
            None => refused(400, "BadRequest", "unable to parse requirement"),
        }
    }
}

fn refused(code: u16, reason: &str, message: &str) -> Answer {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    Answer::json(code, &status)
}

fn not_found(what: &str) -> Answer {
    refused(404, "NotFound", &format!("{what} not found"))
}

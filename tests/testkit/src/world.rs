//! The world the stand-ins share: which version runs where, and how it behaves there.
//!
//! Nothing here is told to Homeostat; it sees the world only through [`World::observation`], as
//! its probes would. Invariant: what is observed follows from the version that runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

/// How a version behaves once it runs, and whether it gets that far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Behaviour {
    /// 40 ms, next to no errors.
    #[default]
    Healthy,
    /// A third of its requests end with 5xx.
    Failing,
    /// Ten times slower than it should be.
    Slow,
    /// Its deployment fails; what ran before runs on.
    Undeployable,
}

/// Shared by clones.
#[derive(Debug, Clone, Default)]
pub struct World {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    behaviours: BTreeMap<String, Behaviour>,
    running: BTreeMap<Place, String>,
    /// Varies the observations a little; counts up.
    observations: u64,
}

/// Environment and service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place(String, String);

/// What one look at a running service shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Milliseconds.
    pub latency_ms: f64,
    /// Share of failed requests, 0 to 1.
    pub error_rate: f64,
    /// Requests looked at.
    pub requests: u64,
}

impl World {
    /// Says how a version behaves; versions nobody spoke of are healthy.
    pub fn behaves(&self, version: &str, behaviour: Behaviour) {
        self.lock().behaviours.insert(version.to_owned(), behaviour);
    }

    /// How a version behaves.
    pub fn behaviour(&self, version: &str) -> Behaviour {
        self.lock().behaviours.get(version).copied().unwrap_or_default()
    }

    /// From now on this version runs there.
    pub fn run(&self, env: &str, service: &str, version: &str) {
        self.lock().running.insert(Place(env.to_owned(), service.to_owned()), version.to_owned());
    }

    /// What runs there.
    pub fn running(&self, env: &str, service: &str) -> Option<String> {
        self.lock().running.get(&Place(env.to_owned(), service.to_owned())).cloned()
    }

    /// One look at the service; `None` when nothing runs there.
    pub fn look(&self, env: &str, service: &str) -> Option<Observation> {
        let version = self.running(env, service)?;
        let behaviour = self.behaviour(&version);
        let mut state = self.lock();
        state.observations += 1;
        Some(observe(behaviour, state.observations))
    }

    /// One look as the event a probe sends to `POST /api/v1/events`.
    pub fn observation(&self, env: &str, service: &str, now_ms: u64) -> Option<Value> {
        let seen = self.look(env, service)?;
        Some(json!({
            "event": "observation",
            "env": env,
            "service": service,
            "version": self.running(env, service),
            "timestamp": crate::rfc3339_millis(now_ms),
            "latency_ms": seen.latency_ms,
            "error_rate": seen.error_rate,
            "requests": seen.requests,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A small swing that depends on the count alone, so that a run can be repeated.
fn observe(behaviour: Behaviour, count: u64) -> Observation {
    let swing = f64::from(u32::try_from(count * 7 % 5).unwrap_or(0));
    let (latency_ms, error_rate) = match behaviour {
        Behaviour::Healthy | Behaviour::Undeployable => (40.0 + swing, 0.001),
        Behaviour::Failing => (60.0 + swing, 0.30 + swing / 100.0),
        Behaviour::Slow => (4_000.0 + 100.0 * swing, 0.002),
    };
    Observation { latency_ms, error_rate, requests: 500 }
}

#[cfg(test)]
mod tests {
    use super::{Behaviour, World};

    #[test]
    fn what_is_observed_follows_from_the_version_that_runs() {
        let world = World::default();
        world.behaves("bad", Behaviour::Failing);
        world.behaves("slow", Behaviour::Slow);
        assert_eq!(world.look("stage", "shop"), None);
        world.run("stage", "shop", "good");
        assert!(
            world.look("stage", "shop").is_some_and(|seen| seen.error_rate < 0.01 && seen.latency_ms < 100.0)
        );
        world.run("stage", "shop", "bad");
        assert!(world.look("stage", "shop").is_some_and(|seen| seen.error_rate > 0.2));
        world.run("stage", "shop", "slow");
        assert!(world.look("stage", "shop").is_some_and(|seen| seen.latency_ms > 2_000.0));
    }
}

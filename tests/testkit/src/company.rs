//! The small company of the demo and the end-to-end tests: two services, three releases, and the
//! configuration of a Homeostat that looks after them.

use std::time::Duration;

use crate::github::{Conclusion, NewRun, Origin};
use crate::landscape::{Landscape, Secrets, Service};
use crate::payloads::Payloads;
use crate::world::Behaviour;

/// What runs when the story begins.
pub const FIRST: &str = "1111111eadbeef00c0ffee5eed0123456789abcd";
/// The release that works.
pub const GOOD: &str = "600d1dea0b0b5f2f6e8b3c1d9a7e4f5061728394";
/// The release that answers a third of all requests with an error.
pub const BAD: &str = "badc0ffee1e5d4c3b2a190817263544536271809";
/// The release that does not come up at all.
pub const BROKEN: &str = "dead0dea0b0b5f2f6e8b3c1d9a7e4f5061728394";

/// The one environment, and the only one in mode `act`.
pub const ENV: &str = "stage";
/// GitHub's name of it.
pub const GITHUB_ENV: &str = "staging";
/// The service that has a Kubernetes Deployment.
pub const SHOP: &str = "shop";
/// Its repository.
pub const SHOP_REPOSITORY: &str = "acme/shop";
/// The service that is known by its repository alone.
pub const CHECKOUT: &str = "checkout";
/// Its repository.
pub const CHECKOUT_REPOSITORY: &str = "acme/checkout";

/// How long the stand-ins take for a run or a deployment. Over a second, since GitHub tells times
/// in whole seconds.
pub const PACE: Duration = Duration::from_millis(1_400);

/// The configuration: short times, so that a story is short, and no experiments.
pub const CONFIG: &str = r#"[environments.stage]
mode = "act"
# Silence beyond it is blind; a remedy is verified after it.
timeout_s = 3
latency_ms_max = 500.0
error_rate_max = 0.05
cooldown_s = 1

[[service]]
name = "shop"
match = [{ source = "github", name = "acme/shop" }]
pipeline_env = "stage"
[service.github]
repository = "acme/shop"
environments = { stage = "staging" }
[service.kubernetes.stage]
namespace = "shop"
deployment = "shop"

[[service]]
name = "checkout"
match = [{ source = "github", name = "acme/checkout" }]
pipeline_env = "stage"
[service.github]
repository = "acme/checkout"
environments = { stage = "staging" }

[learning]
exploration = 0.0
"#;

/// Starts the stand-ins and founds the company in them.
///
/// # Errors
/// When no port can be had.
pub async fn found(payloads: Payloads, secrets: Secrets) -> std::io::Result<Landscape> {
    let land = Landscape::start(payloads, secrets, PACE).await?;
    for (name, repository) in [(SHOP, SHOP_REPOSITORY), (CHECKOUT, CHECKOUT_REPOSITORY)] {
        land.add_service(Service {
            name: name.to_owned(),
            repository: repository.to_owned(),
            env: ENV.to_owned(),
            github_env: GITHUB_ENV.to_owned(),
            commits: [FIRST, GOOD, BAD, BROKEN].map(str::to_owned).to_vec(),
        });
    }
    land.world.behaves(BAD, Behaviour::Failing);
    land.world.behaves(BROKEN, Behaviour::Undeployable);
    Ok(land)
}

/// A run that fails at first and succeeds when run again, as flaky tests do.
pub fn flaky_run() -> NewRun {
    run("CI", vec![Conclusion::Failure, Conclusion::Success])
}

/// A run that fails however often it is run.
pub fn hopeless_run() -> NewRun {
    run("Nightly", vec![Conclusion::Failure])
}

fn run(name: &str, plan: Vec<Conclusion>) -> NewRun {
    NewRun { name: name.to_owned(), sha: GOOD.to_owned(), plan, origin: Origin::Own }
}

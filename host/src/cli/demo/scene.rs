//! What the story needs: stand-ins, a configuration, and an app of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use homeostat_testkit::app::{App, AppSetup};
use homeostat_testkit::landscape::{Landscape, Secrets, Service};
use homeostat_testkit::payloads::Payloads;
use homeostat_testkit::world::Behaviour;
use tempfile::TempDir;

use super::follow::Api;
use super::narrator::Narrator;
use super::report::Report;
use crate::cli::CliError;

/// The release that works.
pub(super) const GOOD: &str = "600d1dea0b0b5f2f6e8b3c1d9a7e4f5061728394";
/// The release that answers a third of all requests with an error.
pub(super) const BAD: &str = "badc0ffee1e5d4c3b2a190817263544536271809";
/// What runs when the story begins.
const FIRST: &str = "1111111eadbeef00c0ffee5eed0123456789abcd";

/// The environment of the story: the only one in mode `act`.
pub(super) const ENV: &str = "stage";
/// GitHub's name of it.
pub(super) const GITHUB_ENV: &str = "staging";
/// The service with the bad release.
pub(super) const SHOP: &str = "shop";
/// Its repository.
pub(super) const SHOP_REPOSITORY: &str = "acme/shop";
/// The service with the flaky pipeline.
pub(super) const CHECKOUT: &str = "checkout";
/// Its repository.
pub(super) const CHECKOUT_REPOSITORY: &str = "acme/checkout";

/// How long the stand-ins take for a run or a deployment. Over a second, since GitHub tells times
/// in whole seconds.
const PACE: Duration = Duration::from_millis(1_400);

/// The configuration of the demo's app: short times, so that the story is short.
const CONFIG: &str = r#"# Written by `homeostat demo`.
[environments.stage]
mode = "act"
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
# No experiments in a demo.
exploration = 0.0
"#;

/// Everything the story is played with.
pub(super) struct Scene {
    pub(super) land: Landscape,
    pub(super) app: App,
    pub(super) api: Api,
    folder: PathBuf,
    /// Removes the folder, unless it is to be kept.
    guard: Option<TempDir>,
}

impl Scene {
    pub(super) async fn set(root: &Path, payloads: Payloads, narrator: &mut Narrator) -> Result<Self, CliError> {
        let root = root.canonicalize().map_err(|error| CliError::Usage(format!("--root: {error}")))?;
        let guard = tempfile::Builder::new().prefix("homeostat-demo-").tempdir().context("no temporary folder")?;
        let folder = guard.path().to_owned();
        let land = landscape(payloads).await?;
        narrator.step(&format!("stand-ins: GitHub at {}", land.github.server.origin()));
        narrator.step(&format!("           Kubernetes at {}", land.kubernetes.server.origin()));
        narrator.step(&format!("           Slack at {}", land.slack.server.origin()));
        narrator.step(&format!("homeostat up in {} (the first start compiles the components)", folder.display()));
        let app = start_app(&root, &folder, &land).await?;
        narrator.step(&format!("ready at {}; environment stage is in mode act", app.url()));
        land.connect(app.url());
        let api = Api::new(app.url(), &land.secrets().api);
        Ok(Self { land, app, api, folder, guard: Some(guard) })
    }

    /// Where the app keeps everything.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops the app.
    pub(super) async fn strike(&mut self) {
        // It is killed with its handle if it does not stop by itself.
        let _stopped = self.app.stop().await.is_ok();
    }

    /// Stops the app; the folder goes too, unless it is asked for or needed to find out more.
    pub(super) async fn end(mut self, keep: bool, report: &Report) {
        self.strike().await;
        if keep || !report.held() {
            self.guard.take().map(TempDir::keep);
        }
    }
}

async fn landscape(payloads: Payloads) -> Result<Landscape, CliError> {
    let seed = getrandom::u64().map_err(|error| anyhow::anyhow!("no random number: {error}"))?;
    let land = Landscape::start(payloads, Secrets::from_seed(seed), PACE).await.context("no free port")?;
    for (name, repository) in [(SHOP, SHOP_REPOSITORY), (CHECKOUT, CHECKOUT_REPOSITORY)] {
        land.add_service(Service {
            name: name.to_owned(),
            repository: repository.to_owned(),
            env: ENV.to_owned(),
            github_env: GITHUB_ENV.to_owned(),
            commits: [FIRST, GOOD, BAD].map(str::to_owned).to_vec(),
        });
    }
    land.world.behaves(BAD, Behaviour::Failing);
    Ok(land)
}

async fn start_app(root: &Path, folder: &Path, land: &Landscape) -> Result<App, CliError> {
    let config = folder.join("homeostat.toml");
    std::fs::write(&config, CONFIG).context("the demo's configuration cannot be written")?;
    let binary = std::env::current_exe().context("the path of this program is not known")?;
    let mut setup = AppSetup::new(&binary, root, folder).map_err(|error| CliError::Usage(error.to_string()))?;
    setup.config = Some(config);
    setup.variables = land.variables();
    let app = App::start(&setup).await;
    app.map_err(|error| CliError::Failure(anyhow::Error::new(error).context("the demo's app did not start")))
}

//! What the story needs: stand-ins, a configuration, and an app of its own.

use std::path::{Path, PathBuf};

use anyhow::Context;
use homeostat_testkit::api::Api;
use homeostat_testkit::app::{App, AppSetup};
use homeostat_testkit::company;
use homeostat_testkit::landscape::{Landscape, Secrets};
use homeostat_testkit::payloads::Payloads;
use homeostat_testkit::redis::{Durability, RedisServer};
use tempfile::TempDir;

use super::canaries;
use super::narrator::Narrator;
use crate::cli::CliError;

/// Everything the story is played with.
pub(super) struct Scene {
    pub(super) land: Landscape,
    pub(super) app: App,
    pub(super) api: Api,
    /// Ends with the scene however that ends; one of the app's own would outlive a killed app.
    _redis: RedisServer,
    folder: PathBuf,
    /// Removes the folder, unless it is to be kept.
    guard: Option<TempDir>,
}

impl Scene {
    pub(super) async fn set(
        root: &Path,
        payloads: Payloads,
        narrator: &mut Narrator,
    ) -> Result<Self, CliError> {
        let root = root.canonicalize().map_err(|error| CliError::Usage(format!("--root: {error}")))?;
        let guard =
            tempfile::Builder::new().prefix("homeostat-demo-").tempdir().context("no temporary folder")?;
        let folder = guard.path().to_owned();
        let land = landscape(payloads).await?;
        narrator.step(&format!("stand-ins: GitHub at {}", land.github.server.origin()));
        narrator.step(&format!("           Kubernetes at {}", land.kubernetes.server.origin()));
        narrator.step(&format!("           Slack at {}", land.slack.server.origin()));
        narrator
            .step(&format!("homeostat up in {} (the first start compiles the components)", folder.display()));
        let redis = RedisServer::start_with(Durability::Always).context("no Redis")?;
        let app = start_app(&root, &folder, &land, &redis).await?;
        narrator.step(&format!("ready at {}; environment stage is in mode act", app.url()));
        land.connect(app.url());
        let api = Api::new(app.url(), &land.secrets().api);
        Ok(Self { land, app, api, _redis: redis, folder, guard: Some(guard) })
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

    /// Leaves the folder where it is.
    pub(super) fn keep_folder(&mut self) {
        self.guard.take().map(TempDir::keep);
    }
}

async fn landscape(payloads: Payloads) -> Result<Landscape, CliError> {
    let seed = getrandom::u64().map_err(|error| anyhow::anyhow!("no random number: {error}"))?;
    let land = company::found(payloads, Secrets::from_seed(seed)).await;
    Ok(land.context("the stand-ins found no free port")?)
}

async fn start_app(
    root: &Path,
    folder: &Path,
    land: &Landscape,
    redis: &RedisServer,
) -> Result<App, CliError> {
    let config = folder.join("homeostat.toml");
    let text = format!("{}{}", company::CONFIG, canaries::config());
    std::fs::write(&config, text).context("the demo's configuration cannot be written")?;
    let binary = std::env::current_exe().context("the path of this program is not known")?;
    let mut setup = AppSetup::new(&binary, root, folder)
        .map_err(|error| CliError::Usage(format!("{error}, or name the folder with --root")))?;
    setup.redis = Some(redis.url());
    setup.cache = Some(super::cache_folder().join("components"));
    setup.config = Some(config);
    setup.variables = land.variables();
    let app = App::start(&setup).await;
    app.map_err(|error| CliError::Failure(anyhow::Error::new(error).context("the demo's app did not start")))
}

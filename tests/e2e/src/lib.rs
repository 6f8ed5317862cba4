//! What every end-to-end test needs: the running app, its own Redis, and the small company of
//! stand-ins around it.
//!
//! The tests run the binary and the components that were built before, over HTTP alone; what is
//! not there is named with the command that makes it. Each test file starts one app, since a start
//! costs seconds, and stops it whatever happens.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use homeostat_testkit::api::Api;
use homeostat_testkit::app::{App, AppSetup};
use homeostat_testkit::company;
use homeostat_testkit::github::sign;
use homeostat_testkit::http;
use homeostat_testkit::landscape::{Landscape, Secrets, workspace_root};
use homeostat_testkit::payloads::Payloads;
use homeostat_testkit::redis::{Durability, RedisServer};
use homeostat_testkit::runtime::Kind;
use serde_json::Value;
use tempfile::TempDir;

pub use ::http::Response;

/// For one step: many times what it takes on a quiet machine.
pub const STEP_WITHIN: Duration = Duration::from_secs(40);
/// For an incident from its finding to its end, with its looks and their growing waits.
pub const HEAL_WITHIN: Duration = Duration::from_secs(90);

/// The app at work, and all around it.
pub struct Stage {
    /// GitHub, Kubernetes, Slack and the world they share.
    pub land: Landscape,
    /// The app.
    pub app: App,
    /// Its Redis, which outlives it.
    pub redis: RedisServer,
    /// A client with the API token.
    pub api: Api,
    setup: AppSetup,
    _folder: TempDir,
}

impl Stage {
    /// Starts everything, with the company's configuration.
    ///
    /// # Errors
    /// When something is missing or does not come up.
    pub async fn set() -> Result<Self> {
        Self::set_with(None).await
    }

    /// The same, with a `runtime-config.toml` of this content.
    ///
    /// # Errors
    /// When something is missing or does not come up.
    pub async fn set_with(runtime_config: Option<&str>) -> Result<Self> {
        Self::set_for(runtime_config, "", BTreeMap::new()).await
    }

    /// Starts everything, with this configuration and these variables beside those of the company.
    ///
    /// # Errors
    /// When something is missing or does not come up.
    pub async fn set_for_sources(more: &str, variables: BTreeMap<String, String>) -> Result<Self> {
        Self::set_for(None, more, variables).await
    }

    async fn set_for(
        runtime_config: Option<&str>,
        more: &str,
        variables: BTreeMap<String, String>,
    ) -> Result<Self> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let land = company::found(Payloads::bare(), Secrets::from_seed(homeostat_testkit::now_ms())).await?;
        let redis = RedisServer::start_with(Durability::Always)?;
        let config = folder.path().join("homeostat.toml");
        std::fs::write(&config, format!("{}{more}", company::CONFIG))?;
        let mut setup = AppSetup::built(&workspace_root(), &folder.path().join("state"))?;
        setup.redis = Some(redis.url());
        setup.cache = Some(workspace_root().canonicalize()?.join("target/e2e-cache"));
        setup.config = Some(config);
        setup.variables = land.variables();
        setup.variables.extend(variables);
        if let Some(content) = runtime_config {
            let file = folder.path().join("runtime-config.toml");
            std::fs::write(&file, content)?;
            setup.arguments = vec!["--runtime-config-file".to_owned(), file.display().to_string()];
        }
        let app = App::start(&setup).await?;
        land.connect(app.url());
        let api = Api::new(app.url(), &land.secrets().api);
        Ok(Self { land, app, redis, api, setup, _folder: folder })
    }

    /// Kills the app with SIGKILL and starts it again on the same state; webhooks and the client
    /// follow it to its new address.
    ///
    /// # Errors
    /// When it does not come up again.
    pub async fn crash_and_restart(&mut self) -> Result<()> {
        self.app.kill().await?;
        self.app = App::start(&self.setup).await?;
        self.land.connect(self.app.url());
        self.api = Api::new(self.app.url(), &self.land.secrets().api);
        Ok(())
    }

    /// Whether the app goes on without its Redis. Spin's ends with it.
    pub fn outlives_redis(&self) -> bool {
        self.app.kind() == Kind::Embedded
    }

    /// After Redis came back: where the app ended with it, it is started again, as its supervisor
    /// would.
    ///
    /// # Errors
    /// When it does not come up again.
    pub async fn follow_redis(&mut self) -> Result<()> {
        if self.outlives_redis() { Ok(()) } else { self.crash_and_restart().await }
    }

    /// `POST`s a body to the GitHub webhook, signed, under a delivery id of its own.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn github_hook(&self, event: &str, delivery: &str, body: &[u8]) -> Result<Response<Vec<u8>>> {
        let signature = sign(&self.land.secrets().webhook, body);
        self.github_hook_signed(event, delivery, Some(&signature), body).await
    }

    /// `POST`s a body to the GitHub webhook with this signature, or none.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn github_hook_signed(
        &self,
        event: &str,
        delivery: &str,
        signature: Option<&str>,
        body: &[u8],
    ) -> Result<Response<Vec<u8>>> {
        let mut headers = vec![
            ("content-type", "application/json"),
            ("x-github-event", event),
            ("x-github-delivery", delivery),
        ];
        headers.extend(signature.map(|signature| ("x-hub-signature-256", signature)));
        self.send("POST", "/webhooks/github", &headers, body).await
    }

    /// `POST`s a body to `/api/v1/events` with the token.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn submit(&self, body: &[u8]) -> Result<Response<Vec<u8>>> {
        let token = format!("Bearer {}", self.land.secrets().api);
        let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
        self.send("POST", "/api/v1/events", &headers, body).await
    }

    /// Sends any request.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Response<Vec<u8>>> {
        let request = http::request(method, &self.app.at(path), headers, body.to_vec())?;
        Ok(http::send(request).await?)
    }

    /// What must hold at the end of every test: the app lives, nothing in it panicked, and no
    /// secret is in its log.
    ///
    /// # Errors
    /// When it does not.
    pub async fn is_sound(&self) -> Result<()> {
        let answer = self.send("GET", "/health", &[], b"").await.context("the app is gone")?;
        ensure!(answer.status() == 200, "the app is not well: {}", answer.status());
        let log = self.app.log();
        for word in ["panicked", "wasm trap", "unreachable executed"] {
            ensure!(!log.contains(word), "the log has `{word}`:\n{}", self.app.log_end());
        }
        ensure!(!self.has_secret(&log), "a secret is in the log");
        Ok(())
    }

    /// Whether a text shows a secret.
    pub fn has_secret(&self, text: &str) -> bool {
        let slack = self.land.slack.hook_url();
        let slack_path = slack.trim_start_matches("http://").split_once('/').map_or("", |(_, path)| path);
        self.land.secrets().all().iter().any(|secret| text.contains(secret)) || text.contains(slack_path)
    }
}

/// An answer's body as text.
pub fn text(answer: &Response<Vec<u8>>) -> String {
    String::from_utf8_lossy(answer.body()).into_owned()
}

/// An answer's body as JSON; `Null` when it is none.
pub fn json(answer: &Response<Vec<u8>>) -> Value {
    http::json(answer)
}

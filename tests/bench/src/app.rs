//! What the benches start: the release build of the host on the whole manifest or a part of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use homeostat_testkit::app::{App, AppSetup};
use homeostat_testkit::github::sign;
use homeostat_testkit::landscape::workspace_root;
use homeostat_testkit::payloads::Payloads;
use homeostat_testkit::rfc3339;
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use tempfile::TempDir;

use crate::load::Prepared;
use crate::machine::{self, Pins};

/// Signs the webhooks.
pub(crate) const SECRET: &str = "a-secret-of-the-bench";
/// For the API.
pub(crate) const TOKEN: &str = "a-token-of-the-bench";

/// Which of the Redis triggers an app has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stages {
    /// All, as it is shipped.
    All,
    /// The detector's.
    DetectOnly,
    /// None: nothing is worked off.
    None,
}

/// What every bench needs.
pub(crate) struct Bench {
    host: PathBuf,
    components: PathBuf,
    pub(crate) pins: Pins,
    payloads: Payloads,
    real_payloads: bool,
}

/// An app and the folder it lives in.
pub(crate) struct Served {
    pub(crate) app: App,
    _folder: TempDir,
}

impl Bench {
    pub(crate) fn new(host: Option<PathBuf>, components: Option<PathBuf>, pins: Pins) -> Result<Self> {
        let root = workspace_root();
        let host = host.unwrap_or_else(|| root.join("target/release/homeostat"));
        ensure!(host.is_file(), "{} is missing: run `cargo xtask bench`, which builds it", host.display());
        let components = components.unwrap_or_else(|| root.join("dist/components"));
        let components = components.canonicalize().context("run `cargo xtask components` first")?;
        let fetched = Payloads::from_dir(&root.join("target/octokit-webhooks-examples"));
        let real_payloads = fetched.is_ok();
        let payloads = fetched.unwrap_or_else(|_| Payloads::bare());
        Ok(Self { host, components, pins, payloads, real_payloads })
    }

    /// Where the payloads are from.
    pub(crate) fn payloads(&self) -> &'static str {
        if self.real_payloads {
            "GitHub's own example, stamped"
        } else {
            "only the fields that are read: fetch GitHub's examples with `homeostat demo` first"
        }
    }

    /// How to start the app in a folder of its own, with this `homeostat.toml`.
    pub(crate) fn setup(&self, stages: Stages, config: &str) -> Result<(AppSetup, TempDir)> {
        let folder = tempfile::tempdir()?;
        let root = folder.path();
        std::fs::create_dir(root.join("dist"))?;
        std::os::unix::fs::symlink(&self.components, root.join("dist/components"))?;
        std::fs::write(root.join("spin.toml"), manifest(stages)?)?;
        std::fs::write(root.join("homeostat.toml"), config)?;
        let mut setup = AppSetup::new(&self.host, root, &root.join("state"))?;
        setup.config = Some(root.join("homeostat.toml"));
        let variables = [("webhook_secret_github", SECRET), ("api_token", TOKEN)];
        setup.variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Ok((setup, folder))
    }

    /// Starts it.
    pub(crate) async fn serve(
        &self,
        stages: Stages,
        config: &str,
        redis: &str,
        variables: BTreeMap<String, String>,
    ) -> Result<Served> {
        let (mut setup, folder) = self.setup(stages, config)?;
        setup.redis = Some(redis.to_owned());
        setup.variables.extend(variables);
        Ok(Served { app: App::start(&setup).await?, _folder: folder })
    }

    /// A webhook of GitHub: the example of this event with the changes, signed, never sent before.
    pub(crate) fn webhook(&self, event: &str, serial: u64, change: impl Fn(&mut Value)) -> Result<Prepared> {
        let mut payload = self.payloads.template(event);
        change(&mut payload);
        let body = payload.to_string().into_bytes();
        Ok(Request::post("/webhooks/github")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("x-github-event", event)
            .header("x-github-delivery", format!("bench-{serial}"))
            .header("x-hub-signature-256", sign(SECRET, &body))
            .body(Full::new(body.into()))?)
    }

    /// Binds a process where the benches are to be pinned.
    pub(crate) fn bind(&self, pid: Option<u32>, processors: &str) -> Result<()> {
        if self.pins == Pins::None {
            return Ok(());
        }
        machine::bind(pid.context("it runs")?, processors).context("pinning failed; try --pin none")
    }
}

/// What makes a `deployment_status` one of its own: a service among 64, ids, times.
pub(crate) fn stamp_status(payload: &mut Value, serial: u64) {
    let now = rfc3339(homeostat_testkit::now_ms());
    let repository = format!("acme/{}", service(serial % SERVICES));
    payload["repository"]["full_name"] = repository.into();
    payload["deployment"]["id"] = serial.into();
    payload["deployment"]["environment"] = "staging".into();
    payload["deployment"]["created_at"] = now.clone().into();
    payload["deployment_status"]["id"] = serial.into();
    payload["deployment_status"]["state"] = "in_progress".into();
    payload["deployment_status"]["environment"] = "staging".into();
    payload["deployment_status"]["created_at"] = now.into();
}

/// Services that calm events are about.
pub(crate) const SERVICES: u64 = 64;

/// The name of a service.
pub(crate) fn service(number: u64) -> String {
    format!("service-{number}")
}

/// A configuration with this many services, which acts by itself in `stage`.
pub(crate) fn config(services: u64) -> String {
    let mut text = "[environments.stage]\nmode = \"act\"\nattempts_max = 100\ncooldown_s = 0\n\
                    [learning]\nexploration = 0.0\n"
        .to_owned();
    for number in 0..services {
        let name = service(number);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "[[service]]\nname = \"{name}\"\nmatch = [{{ source = \"github\", name = \"acme/{name}\" }}]\n\
             pipeline_env = \"stage\"\n[service.github]\nrepository = \"acme/{name}\"\n\
             environments = {{ stage = \"staging\" }}\n"
        );
    }
    text
}

/// The app's own manifest, with some of its Redis triggers.
fn manifest(stages: Stages) -> Result<String> {
    let path = workspace_root().join("spin.toml");
    let text = std::fs::read_to_string(Path::new(&path))?;
    if stages == Stages::All {
        return Ok(text);
    }
    let mut manifest: toml::Table = text.parse()?;
    let triggers = manifest.get_mut("trigger").and_then(toml::Value::as_table_mut).context("triggers")?;
    if stages == Stages::None {
        triggers.remove("redis");
    } else {
        let redis =
            triggers.get_mut("redis").and_then(toml::Value::as_array_mut).context("redis triggers")?;
        redis.retain(|one| one.get("component").and_then(toml::Value::as_str) == Some("detector"));
    }
    Ok(toml::to_string(&manifest)?)
}

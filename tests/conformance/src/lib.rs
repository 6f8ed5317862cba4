//! Starts the probe component on the chosen runtime, and speaks to it over HTTP and Redis.
//!
//! What this does not do: know which runtime it is; a test that must know belongs to `host/tests`.
//!
//! Invariant: every application has a folder, a port and a redis-server of its own, and all of it
//! ends with the application, whatever ends the test.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use homeostat_testkit::group::Group;
use homeostat_testkit::landscape::workspace_root;
use homeostat_testkit::port::free_port;
use homeostat_testkit::redis::RedisServer;
use homeostat_testkit::runtime::{Launch, Runtime, runtime};
use homeostat_testkit::{http, server};
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig};
use tempfile::TempDir;
use tokio::process::Command;

/// How long anything may take before a test gives up: unoptimised and on a busy machine, a
/// component compiles for many seconds.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Every path to the probe.
pub const HTTP: &str = "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"probe\"\n";

/// Answered by the runtime itself.
const HEALTH: &str = "/.well-known/spin/health";

/// The name of the runtime configuration in an application's folder.
const RUNTIME_CONFIG: &str = "runtime-config.toml";

/// What a manifest for the probe says; the rest is always the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct Say<'a> {
    /// Trigger tables.
    pub triggers: &'a str,
    /// Fields of the component.
    pub grants: &'a str,
    /// Its variables.
    pub variables: &'a str,
    /// Application variables beside `redis_url`.
    pub application: &'a str,
    /// Values given from outside.
    pub given: &'a [(&'a str, &'a str)],
    /// Values given on the command line, `NAME=VALUE`.
    pub flags: &'a [&'a str],
    /// The runtime configuration; `REDIS_URL` in it is the address of the redis-server.
    pub runtime_config: &'a str,
}

/// The probe, running.
pub struct Application {
    group: Group,
    url: String,
    redis: RedisServer,
    folder: TempDir,
}

/// Status and body.
pub type Answer = (u16, String);

impl Application {
    /// Starts the probe with what `say` says, and waits until it serves.
    ///
    /// # Errors
    /// When something is missing, or it does not come up; then with the end of its log.
    pub async fn start(say: &Say<'_>) -> Result<Self> {
        let mut app = Self::launch(say)?;
        app.wait().await?;
        Ok(app)
    }

    /// Starts the probe with what `say` says, which no runtime may take, and waits until it ends;
    /// gives its log.
    ///
    /// # Errors
    /// When something is missing, or it serves, or ends as if all were well.
    pub async fn refused(say: &Say<'_>) -> Result<String> {
        let mut app = Self::launch(say)?;
        let status = tokio::time::timeout(PATIENCE, app.group.wait()).await;
        let status = status.map_err(|_| anyhow::anyhow!("it goes on: {}", app.log()))??;
        ensure!(!status.success(), "it ended with {status}: {}", app.log());
        Ok(app.log())
    }

    fn launch(say: &Say<'_>) -> Result<Self> {
        let root = workspace_root();
        let folder = tempfile::tempdir()?;
        let redis = RedisServer::start()?;
        let manifest = folder.path().join("spin.toml");
        std::fs::write(&manifest, manifest_text(say, &root)?)?;
        let port = free_port()?;
        let launch = Launch {
            manifest: &manifest,
            port,
            state_dir: &folder.path().join("state"),
            redis: Some(&redis.url()),
        };
        let runtime_config = say.runtime_config.replace("REDIS_URL", &redis.url());
        std::fs::write(folder.path().join(RUNTIME_CONFIG), runtime_config)?;
        let group = spawn(&runtime(&root)?, &launch, say, folder.path())?;
        Ok(Self { group, url: format!("http://127.0.0.1:{port}"), redis, folder })
    }

    async fn wait(&mut self) -> Result<()> {
        let health = self.at(HEALTH);
        let ready = server::eventually(PATIENCE, async || match self.group.try_wait() {
            Ok(Some(status)) => Some(Err(status)),
            _ => http::get(&health).await.is_ok_and(|answer| answer.status() == 200).then_some(Ok(())),
        });
        match ready.await {
            Some(Ok(())) => Ok(()),
            Some(Err(status)) => anyhow::bail!("it ended with {status}: {}", self.log()),
            None => anyhow::bail!("it does not serve: {}", self.log()),
        }
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The address of a path.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// The redis-server, which may be killed and started again.
    pub fn redis(&mut self) -> &mut RedisServer {
        &mut self.redis
    }

    /// The redis-server's address, without a database.
    pub fn redis_url(&self) -> String {
        self.redis.url()
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<::http::Response<Vec<u8>>> {
        Ok(http::send(http::request(method, &self.at(path), headers, body)?).await?)
    }

    /// GETs a path with an argument for the probe.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str, argument: &str) -> Result<Answer> {
        let answer = self.send("GET", path, &[("x-argument", argument)], Vec::new()).await?;
        Ok((answer.status().as_u16(), String::from_utf8_lossy(answer.body()).into_owned()))
    }

    /// GETs, and gives the body of a 200.
    ///
    /// # Errors
    /// When there is no answer, or another.
    pub async fn body(&self, path: &str, argument: &str) -> Result<String> {
        let (status, body) = self.get(path, argument).await?;
        ensure!(status == 200, "{path}: {status} {body}");
        Ok(body)
    }

    /// A connection to its Redis, once somebody listens to all of these channels.
    ///
    /// # Errors
    /// When nobody does.
    pub async fn heard_on(&self, channels: &[&str]) -> Result<MultiplexedConnection> {
        // By default the client waits for half a second only.
        let patient = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let client = redis::Client::open(self.redis_url())?;
        let mut server = client.get_multiplexed_async_connection_with_config(&patient).await?;
        for channel in channels {
            let heard = server::eventually(PATIENCE, async || {
                let mut command = redis::cmd("PUBSUB");
                command.arg("NUMSUB").arg(channel);
                let (_, listeners): (String, u64) = command.query_async(&mut server).await.ok()?;
                (listeners > 0).then_some(())
            });
            heard.await.with_context(|| format!("nobody listens to {channel}: {}", self.log()))?;
        }
        Ok(server)
    }

    /// The list of this name once it has `length` items.
    ///
    /// # Errors
    /// When it does not get there.
    pub async fn list(
        &self,
        server: &MultiplexedConnection,
        name: &str,
        length: usize,
    ) -> Result<Vec<String>> {
        let mut server = server.clone();
        let full = server::eventually(PATIENCE, async || {
            let items: Vec<String> = server.lrange(name, 0, -1).await.ok()?;
            (items.len() >= length).then_some(items)
        });
        full.await.with_context(|| format!("no {length} items in {name}: {}", self.log()))
    }
}

fn manifest_text(say: &Say<'_>, root: &Path) -> Result<String> {
    let probe = root.join("dist/components/probe.wasm");
    let probe = probe
        .canonicalize()
        .with_context(|| format!("{}: run `cargo xtask components` first", probe.display()))?;
    let Say { triggers, grants, variables, application, .. } = say;
    Ok(format!(
        "spin_manifest_version = 2\n[application]\nname = \"probe\"\n\
         [variables]\nredis_url = {{ default = \"redis://127.0.0.1:6379\" }}\n{application}\n\
         {triggers}\n[component.probe]\nsource = {probe:?}\n{grants}\n\
         [component.probe.variables]\nredis_url = \"{{{{ redis_url }}}}\"\n{variables}\n"
    ))
}

fn spawn(runtime: &Runtime, launch: &Launch<'_>, say: &Say<'_>, folder: &Path) -> Result<Group> {
    let out = std::fs::File::create(folder.join("log"))?;
    let mut command: Command = runtime.command(launch);
    for (name, value) in say.given {
        command.env(format!("SPIN_VARIABLE_{}", name.to_uppercase()), value);
    }
    for flag in say.flags {
        command.arg("--variable").arg(flag);
    }
    if !say.runtime_config.is_empty() {
        command.arg("--runtime-config-file").arg(folder.join(RUNTIME_CONFIG));
    }
    command.current_dir(folder).stdin(Stdio::null()).stderr(out.try_clone()?).stdout(out);
    let group = Group::spawn(command, runtime.kind.joins());
    group.with_context(|| format!("{} could not be started", runtime.binary.display()))
}
